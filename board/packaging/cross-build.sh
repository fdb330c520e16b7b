#!/usr/bin/env bash
# Build divita, divita-models and their tests for 64-bit ARM on another computer, with Debian's
# compilers.
#
#   board/packaging/cross-build.sh             build
#   board/packaging/cross-build.sh --check     only check whether it can build: status 3 if not
#   board/packaging/cross-build.sh --install   install missing packages (as root, on Debian), then build
#
# Links statically, because dynamically linked threads hang in the emulator with the cross
# compiler's C library. These programs are for emulated-tests.sh. portable-build.sh builds the
# programs for boards. Prints the folder of the programs. `tests.json` beside it lists the tests, as
# printed by cargo.
set -euo pipefail
cd "$(dirname "$0")/../.."
. board/packaging/arm64.sh

# Prints what is missing, one per line.
missing() {
    arm64_rustc > /dev/null || echo "a Rust with the standard library of $target (rustup target add $target, or Debian's ${rust_packages[*]})"
    local program
    for program in aarch64-linux-gnu-gcc aarch64-linux-gnu-g++; do
        command -v "$program" > /dev/null || echo "$program (Debian's ${cross_packages[*]})"
    done
}

case "${1:-}" in
    '' | --check) ;;
    --install) [ -z "$(missing)" ] || install_packages "${rust_packages[@]}" "${cross_packages[@]}" || exit 3 ;;
    *) say "usage: $0 [--check | --install]"; exit 2 ;;
esac
if [ -n "$(missing)" ]; then
    say "cannot build for 64-bit ARM here; missing:"
    missing | sed 's/^/  /' >&2
    exit 3
fi
[ "${1:-}" != --check ] || exit 0

folder="${CARGO_TARGET_DIR:-$PWD/target}/arm64-static"
RUSTC="$(arm64_rustc)"
export RUSTC CARGO_TARGET_DIR="$folder"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C target-feature=+crt-static"
say "building for $target with $("$RUSTC" --version) in $folder"
mkdir -p "$folder"
# One command for all crates, so that they use the same features and compile tract once.
cargo test --no-run --release --locked --target "$target" --message-format json-render-diagnostics \
    -p divita-executor -p divita-runtime -p divita-video -p divita-console -p divita -p divita-models > "$folder/tests.json"
echo "$folder/$target/release"
