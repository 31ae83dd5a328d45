# Needs BuildKit, Docker's default builder:
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" -t turnpike .

# The compiler that Cargo.toml names, on the Debian of the final image, so that both have the same libc. The slim
# image has gcc, which is all that aws-lc and ring need: their assembler is shipped ready-made, without cmake or perl. OpenH264, of
# the embedded backend, needs g++.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY benches ./benches
COPY src ./src
COPY web ./web
# The caches keep downloads and compiled dependencies from build to build. They are no part of the image, hence the
# copy. "locked": two builds at once would write into one target folder.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked \
    && cp target/release/turnpike /usr/local/bin/turnpike

# The program needs no more than libc, libgcc and libstdc++. A distroless image would be some 50 MB smaller; this one comes from
# the same place as the compiler's and gets the same updates, and most machines have its layers already.
FROM debian:bookworm-slim
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="turnpike" \
      org.opencontainers.image.description="A TURN relay and a signaling gateway in one binary, in front of a WebRTC inference backend" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /usr/local/bin/turnpike /usr/local/bin/turnpike
# Every option, commented out: it lets nobody in until a file is mounted over it or TURNPIKE_ variables are set.
COPY config/turnpike.toml /etc/turnpike/turnpike.toml
# A number, because Kubernetes' runAsNonRoot cannot look up names. No port is below 1024, so no capability is needed.
USER 65532:65532
# TURN, TURN over TLS, gateway, admin. The relay ports, 49152-65535/udp, are not listed: they are not for publishing one by one, see
# deploy/README.md.
EXPOSE 3478/udp 3478/tcp 5349/tcp 8080/tcp 9090/tcp
STOPSIGNAL SIGTERM
# No HEALTHCHECK: it would need an HTTP client in the image. Ask /livez and /readyz of the admin address instead.
ENTRYPOINT ["turnpike"]
CMD ["serve"]
