# The images of docker-compose.yml, all on one base, from Debian packages only.
#
#   docker build -t tessera .                      both programs and the page (the last stage)
#   docker build --target redis -t tessera-redis .
#   docker build --target balancer -t tessera-balancer .
#   docker build --target prometheus -t tessera-prometheus .

FROM debian:bookworm-slim AS base
# One user for everything, with a fixed number, so that volumes keep their owner from image to image.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tessera
COPY deploy/docker/floors deploy/docker/healthcheck deploy/docker/packages /usr/local/bin/

FROM base AS redis
RUN packages redis-server \
    && floors redis-server 5:7.0.15-1~deb12u10 \
    && install -d -o tessera -g tessera -m 0700 /data /secrets
USER tessera
COPY deploy/redis/start /usr/local/bin/tessera-redis
WORKDIR /data
VOLUME /data
CMD ["tessera-redis", "/data", "/etc/tessera/redis.conf"]

FROM base AS balancer
RUN packages haproxy \
    && floors haproxy 2.6.12-1+deb12u4
USER tessera
CMD ["haproxy", "-W", "-db", "-f", "/etc/tessera/haproxy.cfg"]

FROM base AS prometheus
RUN packages prometheus \
    && install -d -o tessera -g tessera -m 0700 /prometheus
USER tessera
VOLUME /prometheus
CMD ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus", \
     "--storage.tsdb.retention.time=15d", "--storage.tsdb.retention.size=5GB", "--web.listen-address=:9090", \
     # Three scrapes: what a process said that is gone must not outlast a restart of Prometheus, nor keep an alert from firing.
     "--query.lookback-delta=30s"]

FROM debian:bookworm-slim AS build
COPY deploy/docker/packages /usr/local/bin/
RUN packages \
        gcc make libc6-dev libhiredis-dev libevent-dev libwslay-dev libmsgpack-dev libssl-dev libhttp-parser-dev \
        libjansson-dev libpng-dev zlib1g-dev uthash-dev
WORKDIR /src
COPY Makefile ./
COPY common common
COPY proto proto
COPY gateway gateway
COPY shard shard
RUN make -j"$(nproc)" build/tessera-gateway build/tessera-shard build/tessera-ctl

FROM base AS tessera
RUN packages \
        libhiredis0.14 libevent-core-2.1-7 libevent-extra-2.1-7 libevent-openssl-2.1-7 libwslay1 libmsgpackc2 libssl3 \
        libhttp-parser2.9 libjansson4 libpng16-16 zlib1g ca-certificates openssl \
    && floors libevent-core-2.1-7 2.1.12-stable-8+deb12u1 libssl3 3.0.22-1~deb12u2 \
    && install -d -o tessera -g tessera -m 0700 /secrets /secrets/gateway /secrets/shard /secrets/redis /secrets/ctl /backups
COPY --from=build /src/build/tessera-gateway /src/build/tessera-shard /src/build/tessera-ctl /usr/local/bin/
COPY deploy/docker/secrets /usr/local/bin/tessera-secrets
COPY deploy/docker/start-gateway /usr/local/bin/tessera-start-gateway
COPY deploy/redis/users.acl /usr/local/share/tessera/users.acl
COPY web /usr/local/share/tessera/web
COPY LICENSE /usr/local/share/tessera/
# The gateway finds its page in ./web.
WORKDIR /usr/local/share/tessera
USER tessera
CMD ["tessera-gateway"]
