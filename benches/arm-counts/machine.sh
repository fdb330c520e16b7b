# Emulated ARM machine whose clock advances by one nanosecond per instruction, for the scripts
# beside this file. Source board/packaging/arm64.sh first. Set `install` if Debian packages may be
# installed. shellcheck shell=bash

# Core with half-precision arithmetic. Other code takes the same instructions as on a Cortex-A57.
core=cortex-a76
cache="${XDG_CACHE_HOME:-$HOME/.cache}/divita/arm64-machine"

# Downloads Debian's packages $2... for arm64 and unpacks them in the folder $1. Installs nothing.
unpack() {
    local folder="$1" log status=0
    shift
    [ -n "$install" ] || { say "cannot download $*: give --install, as root on Debian"; return 1; }
    log="$(mktemp)"
    {
        { [ "$(dpkg --print-architecture)" = arm64 ] || dpkg --add-architecture arm64; } \
            && apt-get update && (
                cd "$folder" && apt-get download "${@/%/:arm64}" && for package in ./*.deb; do dpkg-deb --extract "$package" . || exit; done
                rm -f ./*.deb
            )
    } > "$log" 2>&1 || status=$?
    [ "$status" = 0 ] || { tail -n 3 "$log" >&2; say "cannot download $*"; }
    rm -f "$log"
    return "$status"
}

# Prints the arm64 package with prefix $2 that package $1 depends on.
depended() {
    apt-cache depends "$1:arm64" 2> /dev/null | sed -n "s/^ *Depends: \($2[^:]*\).*/\1/p" | head -n 1
}

# Prints the packages $@ for arm64 and all of their dependencies.
closure() {
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "${@/%/:arm64}" 2> /dev/null \
        | sed -n 's/^\([a-z].*\):arm64$/\1/p'
}

# Prepares the machine: downloads its kernel and busybox once. Status 3 if that fails.
need_machine() {
    # `command -v` with two names succeeds if one of them exists.
    if ! { command -v qemu-system-aarch64 && command -v cpio; } > /dev/null; then
        [ -n "$install" ] && install_packages qemu-system-arm cpio || { say "no qemu-system-aarch64 (Debian's qemu-system-arm) or no cpio"; return 3; }
    fi
    [ ! -e "$cache/kernel" ] || return 0
    local folder status=0
    folder="$(mktemp -d)"
    # After this, apt knows the packages for arm64.
    unpack "$folder" busybox-static && unpack "$folder" "$(depended linux-image-arm64 linux-image-)" || status=3
    if [ "$status" = 0 ]; then
        mkdir -p "$cache"
        cp "$(find "$folder" -path '*/bin/busybox')" "$cache/busybox"
        cp "$(find "$folder" -path '*/boot/vmlinuz-*')" "$cache/kernel"
    fi
    rm -rf "$folder"
    return "$status"
}

# Starts the machine with the files of folder $1, runs standard input in its shell, prints its
# output.
boot() {
    local root="$1" work status=0
    work="$(mktemp -d)"
    mkdir -p "$root"/{bin,proc,sys,dev,tmp}
    cp "$cache/busybox" "$root/bin/busybox"
    {
        echo '#!/bin/busybox sh'
        echo 'busybox=/bin/busybox'
        echo '$busybox mount -t proc none /proc; $busybox mount -t sysfs none /sys; $busybox mount -t devtmpfs none /dev'
        cat
        echo '$busybox poweroff -f'
    } > "$root/init"
    chmod +x "$root/init"
    (cd "$root" && find . | cpio --create --format newc --quiet | gzip --fast) > "$work/initrd"
    timeout 900 qemu-system-aarch64 -machine virt -cpu "$core" -icount "shift=0,sleep=off" -m 2048 -nographic -no-reboot -nic none \
        -kernel "$cache/kernel" -initrd "$work/initrd" -append "console=ttyAMA0 quiet panic=1 rdinit=/init" < /dev/null > "$work/said" 2>&1 \
        || status=$?
    tr -d '\r' < "$work/said"
    rm -rf "$work"
    return "$status"
}
