# What the scripts beside this file share: the target, and which compiler has its standard library. To be sourced.
# shellcheck shell=bash disable=SC2034

target=aarch64-unknown-linux-gnu
# The core of the Jetson Nano, the least that a board has: an instruction that it lacks stops the program.
emulator=(qemu-aarch64-static -cpu cortex-a57)
# Debian's names. rustc-web is its newest Rust, the one that its browsers are built with.
rust_packages=(rustc-web libstd-rust-web-dev:arm64)
cross_packages=(gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross)

say() { echo "$*" >&2; }

# A rustc that can build for the target: rustup's where `rustup target add` was run, or else Debian's.
arm64_rustc() {
    local candidate
    for candidate in "$(rustup which rustc 2> /dev/null || true)" /usr/bin/rustc; do
        if [ -x "$candidate" ] && [ -d "$("$candidate" --print sysroot)/lib/rustlib/$target/lib" ]; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# Installs Debian's packages; says why where it cannot.
install_packages() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
        say "only root of a Debian can install $*"
        return 1
    fi
    [ "$(dpkg --print-architecture)" = arm64 ] || dpkg --add-architecture arm64
    {
        DEBIAN_FRONTEND=noninteractive apt-get update \
            && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"
    } >&2
}
