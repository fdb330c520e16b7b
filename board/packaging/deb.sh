#!/usr/bin/env bash
# Makes the Debian package of programs that are built already, with cargo-deb; what is in it stands in board/Cargo.toml.
#
#   board/packaging/deb.sh arm64 [--install] PROGRAMS   PROGRAMS is the folder that portable-build.sh printed
#   board/packaging/deb.sh amd64 [--install] PROGRAMS   the same, or target/release: a package for systems like this one
#
# --install builds cargo-deb if it is missing. The man pages are written by divita-models, of PROGRAMS or, where that does not run
# here, of this computer's own build.
# On standard output: the package. Exit status: 0 made, 1 something is wrong, 3 it cannot be made here.
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

# Everything is laid out as cargo would have built it, so that it does not matter where it was built.
layout="$built/deb/$architecture"
rm -rf "$layout"
mkdir -p "$layout/$target/release"
for program in divita divita-models; do
    cp "$programs/$program" "$layout/$target/release/"
    # Half of a program is names for whoever debugs it.
    if command -v "$strip" > /dev/null; then "$strip" "$layout/$target/release/$program"; fi
done
written=
for writer in "$programs/divita-models" "$built/release/divita-models"; do
    if "$writer" manual "$layout/$target/release/manual" 2> "$layout/manual.log"; then
        written=yes
        break
    fi
done
[ -n "$written" ] || { say "FAILED: no divita-models that runs here writes the man pages; build one with cargo build --release --workspace:"; cat "$layout/manual.log" >&2; exit 1; }
# Without the time of day, so that the same programs make the same package.
gzip --best --no-name "$layout/$target/release/manual/man/"*.1

CARGO_TARGET_DIR="$layout" cargo-deb deb --locked --no-build --no-strip --target "$target" --manifest-path board/Cargo.toml \
    "${variant[@]}" --output "$built/deb/" >&2
package="$(find "$built/deb" -maxdepth 1 -name "divita_*_$architecture.deb" -newer "$layout/manual.log")"
[ -n "$package" ] || { say "FAILED: cargo-deb left no package for $architecture"; exit 1; }
rm -rf "$layout"
echo "$package"
