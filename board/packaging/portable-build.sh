#!/usr/bin/env bash
# Build divita and divita-models for boards: with cameras, without GStreamer, for glibc 2.27 (2018),
# so that they run on JetPack 4.6, 5 and 6, Raspberry Pi OS and any newer Linux. Check that they
# need nothing newer.
#
#   board/packaging/portable-build.sh [arm64|amd64]             build
#   board/packaging/portable-build.sh [arm64|amd64] --install   first install missing tools: a Python environment
#                                                               beside the build and, as root on Debian, compilers
#
# zig is the C compiler and linker (PyPI: cargo-zigbuild, ziglang). It has the symbols of every
# glibc. The C++ library and the unwinder are linked into the programs. Prints the folder of the
# programs.
# Exit status: 0 success, 1 failure, 3 the programs cannot be built here.
set -euo pipefail
cd "$(dirname "$0")/../.."
. board/packaging/arm64.sh

floor=2.27
python_packages=(cargo-zigbuild==0.24.0 ziglang==0.17.1)
architecture=arm64
install=
for argument in "$@"; do
    case "$argument" in
        arm64 | amd64) architecture="$argument" ;;
        --install) install=yes ;;
        *) say "usage: $0 [arm64|amd64] [--install]"; exit 2 ;;
    esac
done
[ "$architecture" = arm64 ] || target=x86_64-unknown-linux-gnu
folder="${CARGO_TARGET_DIR:-$PWD/target}/$architecture-portable"
tools="${CARGO_TARGET_DIR:-$PWD/target}/tools/zig"
export PATH="$tools/bin:$PATH"

have_libclang() { compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' > /dev/null || ldconfig -p | grep -q libclang; }
rustc_for_target() { if [ "$architecture" = arm64 ]; then arm64_rustc; else command -v rustc; fi; }

# Prints what is missing, one per line.
missing() {
    rustc_for_target > /dev/null || echo "a Rust with the standard library of $target (rustup target add $target, or Debian's ${rust_packages[*]})"
    command -v cargo-zigbuild > /dev/null || echo "cargo-zigbuild and zig (pip install ${python_packages[*]})"
    have_libclang || echo "libclang, which reads the kernel's headers for cameras (Debian's libclang-dev)"
    command -v objdump > /dev/null || echo "objdump (Debian's binutils)"
}

if [ -n "$install" ]; then
    if ! command -v cargo-zigbuild > /dev/null; then
        say "installing ${python_packages[*]} into $tools"
        { python3 -m venv "$tools" && "$tools/bin/pip" install --quiet --disable-pip-version-check "${python_packages[@]}"; } >&2 \
            || rm -rf "$tools"
    fi
    [ "$architecture" = amd64 ] || arm64_rustc > /dev/null || install_packages "${rust_packages[@]}" || true
    have_libclang || install_packages libclang-dev || true
fi
if [ -n "$(missing)" ]; then
    say "cannot build for boards here; missing:"
    missing | sed 's/^/  /' >&2
    exit 3
fi

RUSTC="$(rustc_for_target)"
export RUSTC CARGO_TARGET_DIR="$folder"
# The Python with zig, whatever is first in the path.
[ ! -x "$tools/bin/python" ] || export CARGO_ZIGBUILD_PYTHON_PATH="$tools/bin/python"
say "building for $target and glibc $floor with $("$RUSTC" --version) in $folder"
# The only place that sets the features of a board's program. GStreamer would have to be the
# board's, and the package contains the demo bundle as files.
features=(divita/v4l divita/rtsp divita/hevc divita/vp9 divita/av1)
# Assembly for AV1, which needs nasm here; on ARM it is always built.
if [ "$architecture" = amd64 ] && command -v nasm > /dev/null; then
    features+=(divita/av1-assembly)
fi
cargo-zigbuild zigbuild --release --locked --target "$target.$floor" --bins --no-default-features --features "${features[*]}" \
    -p divita -p divita-models >&2

programs="$folder/$target/release"
for program in divita divita-models; do
    newest="$(objdump -T "$programs/$program" | grep -o 'GLIBC_[0-9.]*' | sort --version-sort --unique | tail -n 1)"
    say "$program: needs symbols up to $newest"
    if [ -z "$newest" ] || [ "$(printf 'GLIBC_%s\n%s\n' "$floor" "$newest" | sort --version-sort | tail -n 1)" != "GLIBC_$floor" ]; then
        say "FAILED: $program needs more than glibc $floor"
        exit 1
    fi
    # The package depends only on the C library.
    others="$(objdump -p "$programs/$program" | awk '$1 == "NEEDED" { print $2 }' | grep -vE '^(lib(c|m|dl|rt|pthread)\.so\.|ld-linux-)' || true)"
    [ -z "$others" ] || { say "FAILED: $program needs libraries that a board may lack: $others"; exit 1; }
done
echo "$programs"
