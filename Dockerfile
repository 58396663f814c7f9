# Borough in one image; the command says which part runs. Build: docker build -t borough .
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/borough
COPY requirements.lock ./
RUN /opt/borough/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY domain domain
COPY models models
COPY streams streams
COPY connectors connectors
COPY simulator simulator
COPY web web
COPY service service
# The lock has hatchling too: nothing that is not in it is fetched.
RUN /opt/borough/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheel . \
    && /opt/borough/bin/pip install --no-cache-dir --no-deps /wheel/borough-*.whl

FROM python:3.12-slim-bookworm
RUN groupadd --gid 10001 borough \
    && useradd --uid 10001 --gid borough --no-create-home --home-dir /var/lib/borough borough \
    && install -d -o borough -g borough /var/lib/borough \
    # A fresh volume takes its owner from the folder in the image: one for the secrets of each part.
    && for part in gateway worker alerts store web; do \
           install -d -m 0700 -o borough -g borough /var/lib/principals/$part; \
       done
COPY --from=build /opt/borough /opt/borough
ENV PATH=/opt/borough/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 BOROUGH_DATA_DIR=/var/lib/borough
USER borough
WORKDIR /var/lib/borough
VOLUME /var/lib/borough
ENTRYPOINT ["borough"]
CMD ["--help"]
