# Target and compiler of the scripts beside this file, which source it.
# shellcheck shell=bash disable=SC2034

target=aarch64-unknown-linux-gnu
# Core of the Jetson Nano, the weakest board. An instruction that it lacks stops the program.
emulator=(qemu-aarch64-static -cpu cortex-a57)
# Debian's package names. rustc-web is its newest Rust, which builds its browsers.
rust_packages=(rustc-web libstd-rust-web-dev:arm64)
cross_packages=(gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross)

say() { echo "$*" >&2; }

# Prints a rustc that can build for the target: rustup's after `rustup target add`, else Debian's.
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

# Installs Debian packages, or prints why it cannot.
install_packages() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
        say "cannot install $*: this needs root on Debian"
        return 1
    fi
    [ "$(dpkg --print-architecture)" = arm64 ] || dpkg --add-architecture arm64
    {
        DEBIAN_FRONTEND=noninteractive apt-get update \
            && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"
    } >&2
}
