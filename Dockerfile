# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The caches outlive a build, so that a change recompiles this crate alone; they are no part of the
# image, so the binary is copied out in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --bin event-pusher-sns \
    && cp target/release/event-pusher-sns /event-pusher-sns

# The Debian that the binary was linked on, so that its libc fits; slim has a shell for a look inside.
FROM debian:bookworm-slim
# The worker reads the system's root certificates for amqps:// and AWS.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /event-pusher-sns /usr/local/bin/event-pusher-sns
# A number, since Kubernetes' runAsNonRoot can't verify a name. The worker writes no file, so that
# `docker run --read-only` is fine, without any tmpfs.
USER 65532:65532
# Health and metrics; reachable from outside once admin.listen is 0.0.0.0:9464.
EXPOSE 9464
# Alive, not ready: an outage of SNS or RabbitMQ is no reason to restart a worker. There is no HTTP client,
# but bash. It follows admin.listen's default; start with --no-healthcheck where that is off or elsewhere.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9464 && printf 'GET /livez HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
ENTRYPOINT ["/usr/local/bin/event-pusher-sns"]
CMD ["run"]
