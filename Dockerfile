# headlessd in a container: any UID in group 0, read-only root, no capabilities, ports above 1024.
#
#   podman build -t headlessd .        with --format docker, to keep the HEALTHCHECK
#
# BUILD_IMAGE must be Debian or derived from it; so must BASE_IMAGE, for its packages. Any other base with a
# shell, such as UBI, uses the libraries of the build stage:
#
#   podman build -t headlessd --build-arg LIBRARIES=carried --build-arg BASE_IMAGE=ubi9/ubi-micro .
# LIBCURL=yes adds libcurl, which discovery.kubernetes needs (11 MB):
#
#   podman build -t headlessd --build-arg LIBCURL=yes .
ARG BUILD_IMAGE=debian:12-slim
ARG BASE_IMAGE=debian:12-slim

FROM ${BUILD_IMAGE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        gcc libc6-dev cmake ninja-build pkg-config \
        libjson-c-dev libyaml-dev libmicrohttpd-dev libsodium-dev \
        libseccomp-dev libcurl4-openssl-dev \
    && rm -rf /var/lib/apt/lists/*
COPY CMakeLists.txt /src/
COPY cmake /src/cmake
COPY include /src/include
COPY src /src/src
COPY bench /src/bench
# packages: libraries of the base. carried: libraries and loader of the build stage, in /usr/lib/headlessd.
ARG LIBRARIES=packages
ARG LIBCURL=no
RUN case $LIBRARIES in \
        packages) flags= ;; \
        carried) flags=-Wl,--disable-new-dtags,-rpath,/usr/lib/headlessd,--dynamic-linker,/usr/lib/headlessd/ld.so ;; \
        *) echo "LIBRARIES is packages or carried, not \"$LIBRARIES\"" >&2 && exit 1 ;; \
    esac \
    && cmake -S /src -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release -DHEADLESS_TESTS=OFF \
        -DHEADLESS_DOCUMENTS=OFF -DHEADLESS_BENCH_FULL=OFF -DCMAKE_EXE_LINKER_FLAGS="$flags" \
        -DCMAKE_INSTALL_PREFIX=/usr \
    && cmake --build /build && DESTDIR=/image cmake --install /build --strip
RUN if [ "$LIBRARIES" = carried ]; then \
        mkdir -p /image/usr/lib/headlessd && cd /image/usr/lib/headlessd \
        && if [ "$LIBCURL" = yes ]; then curl=$(echo /usr/lib/*/libcurl.so.4) && cp -L "$curl" .; fi \
        && ldd /image/usr/bin/headless* $curl | sed -n '/ld-linux/!s/.*=> \(\/[^ ]*\) (.*/\1/p' | sort -u | xargs cp -L -t . \
        && cp -L "$(ldd /bin/sh | sed -n 's/^[[:space:]]*\(\/[^ ]*ld-[^ ]*\) (.*/\1/p')" ld.so; \
    fi

FROM ${BASE_IMAGE}
ARG LIBRARIES=packages
ARG LIBCURL=no
LABEL org.opencontainers.image.title="headlessd" \
      org.opencontainers.image.description="Multi-threaded UDP leader forwarder for headless Services" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN if [ "$LIBRARIES" = packages ]; then \
        apt-get update && apt-get install -y --no-install-recommends \
            libjson-c5 libyaml-0-2 libmicrohttpd12 libsodium23 libseccomp2 \
            $(if [ "$LIBCURL" = yes ]; then echo libcurl4; fi) \
        && rm -rf /var/lib/apt/lists/*; \
    fi
# headlessd, headlessctl, and headless-bench with send and sink
COPY --from=build /image/ /
USER 1001:0
# Only the clients' port: the other ports are for pods and operators, and are in the manifests.
EXPOSE 12000/udp
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["headlessctl", "leader", "get"]
ENTRYPOINT ["headlessd"]
