# headlessd in a container: any UID in group 0, read-only root, no capabilities, ports above 1024.
#
#   podman build -t headlessd .        with --format docker, to keep the HEALTHCHECK
#
# Both base images are arguments; they have to be Debian's or made of them, for the packages' sake.
ARG BUILD_IMAGE=debian:12-slim
ARG BASE_IMAGE=debian:12-slim

FROM ${BUILD_IMAGE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        gcc libc6-dev cmake ninja-build pkg-config \
        libjson-c-dev libyaml-dev libmicrohttpd-dev libsodium-dev \
        libseccomp-dev \
    && rm -rf /var/lib/apt/lists/*
COPY CMakeLists.txt /src/
COPY cmake /src/cmake
COPY include /src/include
COPY src /src/src
COPY bench /src/bench
RUN cmake -S /src -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release -DHEADLESS_TESTS=OFF \
        -DHEADLESS_DOCUMENTS=OFF \
        -DCMAKE_INSTALL_PREFIX=/usr \
    && cmake --build /build && DESTDIR=/image cmake --install /build --strip

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="headlessd" \
      org.opencontainers.image.description="Multi-threaded UDP leader forwarder for headless Services" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN apt-get update && apt-get install -y --no-install-recommends \
        libjson-c5 libyaml-0-2 libmicrohttpd12 libsodium23 libseccomp2 \
    && rm -rf /var/lib/apt/lists/*
# headlessd, headlessctl and headless-bench
COPY --from=build /image/ /
USER 1001:0
# The clients' port alone: what else listens is for pods and operators, and is named in the manifests.
EXPOSE 12000/udp
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["headlessctl", "leader", "get"]
ENTRYPOINT ["headlessd"]
