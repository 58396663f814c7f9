#!/usr/bin/env bash
# Starts the broker of server.properties. At the first start the data folder is made, and in it the one name that may do
# everything: admin. `borough provision` makes all others.
set -euo pipefail
password=$(</run/secrets/kafka_admin_password)
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted --cluster-id "$CLUSTER_ID" \
    --config /etc/borough/server.properties --add-scram "SCRAM-SHA-512=[name=admin,password=$password]"
unset password
exec /opt/kafka/bin/kafka-server-start.sh /etc/borough/server.properties
