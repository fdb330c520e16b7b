#!/usr/bin/env bash
# Make the Debian package from built programs, with cargo-deb. board/Cargo.toml lists its contents.
#
#   board/packaging/deb.sh arm64 [--install] PROGRAMS   PROGRAMS is the folder that portable-build.sh printed
#   board/packaging/deb.sh amd64 [--install] PROGRAMS   the same, or target/release: for systems like this one
#
# --install builds cargo-deb if it is missing. `cargo xtask manual` writes the man pages. Prints the
# package. Exit status: 0 success, 1 failure, 3 the package cannot be made here.
set -euo pipefail
cd "$(dirname "$0")/../.."
. board/packaging/arm64.sh

version=3.8.0
built="${CARGO_TARGET_DIR:-$PWD/target}"
architecture="${1:-}"
shift || true
install=
[ "${1:-}" != --install ] || { install=yes; shift; }
case "$architecture" in
    arm64) strip=aarch64-linux-gnu-strip ;;
    amd64) target=x86_64-unknown-linux-gnu; strip='strip' ;;
    *) set -- ;;
esac
[ $# = 1 ] || { say "usage: $0 arm64|amd64 [--install] PROGRAMS"; exit 2; }
programs="$(realpath "$1")"
case "$programs" in
    */"$architecture"-portable/*) variant=(--variant portable) ;;
    *) variant=() ;;
esac

export PATH="$built/tools/bin:$PATH"
if ! command -v cargo-deb > /dev/null && [ -n "$install" ]; then
    say "building cargo-deb $version"
    cargo install --quiet --locked --root "$built/tools" --target-dir "$built/cargo-deb" "cargo-deb@$version" >&2 || true
    rm -rf "$built/cargo-deb"
fi
command -v cargo-deb > /dev/null || { say "no cargo-deb (cargo install cargo-deb@$version)"; exit 3; }

# The layout of cargo's target folder, wherever the programs were built.
layout="$built/deb/$architecture"
rm -rf "$layout"
mkdir -p "$layout/$target/release"
for program in divita divita-models; do
    cp "$programs/$program" "$layout/$target/release/"
    # Symbols are half of a program.
    if command -v "$strip" > /dev/null; then "$strip" "$layout/$target/release/$program"; fi
done
cargo xtask manual "$layout/$target/release/manual" > "$layout/manual.log" 2>&1 \
    || { say "FAILED: the man pages cannot be written:"; cat "$layout/manual.log" >&2; exit 1; }
# Without timestamps, so that the same programs make the same package.
gzip --best --no-name "$layout/$target/release/manual/man/"*.1

CARGO_TARGET_DIR="$layout" cargo-deb deb --locked --no-build --no-strip --target "$target" --manifest-path board/Cargo.toml \
    "${variant[@]}" --output "$built/deb/" >&2
package="$(find "$built/deb" -maxdepth 1 -name "divita_*_$architecture.deb" -newer "$layout/manual.log")"
[ -n "$package" ] || { say "FAILED: cargo-deb left no package for $architecture"; exit 1; }
rm -rf "$layout"
echo "$package"
