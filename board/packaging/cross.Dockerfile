# Container of cross.toml: an Ubuntu with a cross compiler, and in /board the same Ubuntu for ARM
# with a board's packages. Two root folders, because GStreamer's development packages of two
# architectures cannot be installed in one.
ARG BASE=22.04

FROM --platform=linux/arm64 ubuntu:${BASE} AS board
ARG DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install --assume-yes --no-install-recommends \
    libc6-dev linux-libc-dev libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libv4l-dev \
    && rm -rf /var/lib/apt/lists/*

FROM --platform=linux/amd64 ubuntu:${BASE}
ARG DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install --assume-yes --no-install-recommends \
    ca-certificates g++ gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross libclang-dev make pkg-config \
    && rm -rf /var/lib/apt/lists/*
COPY --from=board / /board
ENV CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C link-arg=--sysroot=/board" \
    CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc \
    CXX_aarch64_unknown_linux_gnu=aarch64-linux-gnu-g++ \
    BINDGEN_EXTRA_CLANG_ARGS_aarch64_unknown_linux_gnu="--sysroot=/board" \
    PKG_CONFIG_ALLOW_CROSS=1 \
    PKG_CONFIG_SYSROOT_DIR=/board \
    PKG_CONFIG_LIBDIR=/board/usr/lib/aarch64-linux-gnu/pkgconfig:/board/usr/share/pkgconfig
