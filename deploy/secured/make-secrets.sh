#!/usr/bin/env bash
# Makes what compose.yml here needs and is not there yet: an authority of your own, certificates for Kafka and InfluxDB,
# and the passwords of their administrators. Usage: deploy/secured/make-secrets.sh [FOLDER], default deploy/secrets
set -euo pipefail
folder=${1:-$(dirname "$0")/../secrets}
days=825
mkdir -p "$folder"
chmod 700 "$folder" # nobody else on this machine gets in; containers get single files
cd "$folder"

if [ ! -e ca_key ]; then
    (umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 3650 \
        -subj "/CN=Borough authority" -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout ca_key -out ca 2>/dev/null)
fi
for name in kafka influxdb; do
    [ -e "${name}_pem" ] && continue
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -subj "/CN=$name" -keyout key -out request 2>/dev/null
    openssl x509 -req -in request -CA ca -CAkey ca_key -CAcreateserial -sha256 -days "$days" -out certificate \
        -extfile <(printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' "$name") 2>/dev/null
    cat key certificate >"${name}_pem"
    rm -f key request certificate
done
for name in store_token influx_password grafana_password kafka_admin_password; do
    [ -e "$name" ] || openssl rand -hex 24 >"$name"
done
# The containers' users are others than yours: they may read the single files they are given. ca_key none of them gets.
chmod 644 ca kafka_pem influxdb_pem store_token influx_password grafana_password kafka_admin_password
chmod 600 ca_key
