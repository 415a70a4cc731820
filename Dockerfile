# headlessd in a container: any UID in group 0, read-only root, no capabilities, ports above 1024.
FROM debian:12-slim AS build
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

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
        libjson-c5 libyaml-0-2 libmicrohttpd12 libsodium23 libseccomp2 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /image/ /
USER 1001:0
EXPOSE 12000/udp 12001/udp 12002/udp 8080/tcp
ENTRYPOINT ["headlessd"]
