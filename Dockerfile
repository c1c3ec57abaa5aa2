# An image that holds one static binary and nothing else: no shell, no library, no other user.
#
#     docker build -t wsecho .
#     docker run --rm -p 8080:8080 --read-only --cap-drop all --memory 64m wsecho
#
# Where target/static/wsecho is there already (scripts/static.sh), nothing has to be pulled:
#
#     buildah build --build-arg BINARY=prebuilt -t wsecho .
ARG BINARY=built

FROM docker.io/library/rust:1-slim AS built
WORKDIR /src
COPY . .
RUN scripts/static.sh --no-check && cp target/static/wsecho /wsecho

FROM scratch AS prebuilt
COPY target/static/wsecho /wsecho

FROM ${BINARY} AS binary

FROM scratch
LABEL org.opencontainers.image.title="wsecho" \
      org.opencontainers.image.description="A WebSocket echo server for small machines" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=binary /wsecho /wsecho
# A number, since there is no /etc/passwd: "nobody" almost everywhere.
USER 65534:65534
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=1s CMD ["/wsecho", "healthcheck", "--quiet"]
ENTRYPOINT ["/wsecho"]
