#!/usr/bin/env bash
# Install the package for 64-bit ARM in an ARM Debian, run its programs, remove it, and check that
# nothing is left.
#
#   board/packaging/deb-test.sh PACKAGE             PACKAGE is the file that deb.sh printed
#   board/packaging/deb-test.sh --install PACKAGE   first install the emulator and debootstrap (as root, on Debian)
#
# Emulates the Jetson Nano's core. The kernel passes ARM programs to qemu in a namespace of its own
# (Linux 6.7), so nothing is registered for the rest of this machine.
# Exit status: 0 success, 1 failure, 3 the package cannot be tested here.
set -euo pipefail
cd "$(dirname "$0")/../.."
. board/packaging/arm64.sh

if [ "${1:-}" = --install ]; then
    shift
    command -v "${emulator[0]}" > /dev/null || install_packages qemu-user-static || exit 3
    command -v debootstrap > /dev/null || install_packages debootstrap || exit 3
fi
[ $# = 1 ] || { say "usage: $0 [--install] PACKAGE"; exit 2; }
package="$(realpath "$1")"
[ "$(id -u)" = 0 ] || { say "this needs root, to create another system's root folder"; exit 3; }
for program in "${emulator[0]}" debootstrap dpkg-deb; do
    command -v "$program" > /dev/null || { say "no $program (Debian's qemu-user-static, debootstrap and dpkg)"; exit 3; }
done

# First the unit, which needs no emulator.
exposure=3.0
if command -v systemd-analyze > /dev/null && systemd-analyze security --help 2>&1 | grep -q -- --offline; then
    score="$(systemd-analyze security --offline=true --no-pager board/packaging/divita.service | sed -n 's/.*exposure level.*: \([0-9.]*\) .*/\1/p')"
    awk -v score="$score" -v most="$exposure" 'BEGIN { exit !(score != "" && score <= most) }' \
        || { say "FAILED: systemd-analyze security rates the unit ${score:-nothing}; the limit is $exposure"; exit 1; }
    echo "systemd-analyze security: $score (at most $exposure)"
else
    echo "SKIPPED: no systemd-analyze of systemd 250 or newer: the exposure of the service is NOT checked"
fi

# Debian's smallest system, unpacked and kept for the next run.
base="${CARGO_TARGET_DIR:-$PWD/target}/arm64-root"
release=bookworm
if [ ! -e "$base/.complete" ]; then
    rm -rf "$base"
    mkdir -p "$base"
    # debootstrap's second stage takes minutes in the emulator. It only registers packages with
    # dpkg.
    timeout 300 debootstrap --foreign --arch=arm64 --variant=minbase "$release" "$base" > "$base.log" 2>&1 \
        || { say "cannot download the packages of an arm64 Debian:"; tail -n 3 "$base.log" >&2; rm -rf "$base"; exit 3; }
    for archive in "$base"/var/cache/apt/archives/*.deb; do
        name="$(dpkg-deb --field "$archive" Package)"
        [ "$(dpkg-deb --field "$archive" Multi-Arch)" != same ] || name="$name:$(dpkg-deb --field "$archive" Architecture)"
        { echo "Status: install ok installed"; dpkg-deb --field "$archive" | grep -v '^Filename:'; echo; } >> "$base/var/lib/dpkg/status"
        dpkg-deb --fsys-tarfile "$archive" | tar --list | sed -e 's|^\./|/|' -e 's|/$||' -e 's|^$|/.|' > "$base/var/lib/dpkg/info/$name.list"
    done
    cp "$base/usr/share/base-passwd/passwd.master" "$base/etc/passwd"
    cp "$base/usr/share/base-passwd/group.master" "$base/etc/group"
    rm -rf "$base/debootstrap" "$base"/var/cache/apt/archives/*.deb "$base/proc"
    mkdir "$base/proc"
    touch "$base/.complete"
fi

work="$(mktemp -d)"
holder=
tidy_up() {
    [ -z "$holder" ] || kill "$holder" 2> /dev/null || true
    rm -rf --one-file-system "$work"
}
trap tidy_up EXIT
cp -a "$base" "$work/root"
cp "$package" "$work/root/divita.deb"
cp samples/sintel-trailer.mp4 "$work/root/sample.mp4"

# A user namespace with the users of this machine. Its owner may register emulators in it.
unshare --user sleep infinity &
holder=$!
for _ in $(seq 100); do
    [ "$(readlink "/proc/$holder/ns/user")" = "$(readlink /proc/self/ns/user)" ] || break
    sleep 0.05
done
if ! { echo '0 0 65536' > "/proc/$holder/uid_map" && echo '0 0 65536' > "/proc/$holder/gid_map"; } 2> /dev/null; then
    say "root cannot create a user namespace here"
    exit 3
fi

# Runs in the namespace. Arguments: the root folder and the emulator.
cat > "$work/enter" << 'END'
set -eu
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc 2> /dev/null \
    && printf '%s' ":divita-arm64:M::$magic:$mask:$2:F" > /proc/sys/fs/binfmt_misc/register || true
# With an older kernel, the system itself may have registered an emulator.
chroot "$1" /bin/true 2> /dev/null || exit 3
mount -t proc proc "$1/proc"
exec chroot "$1" /bin/sh -eu /test
END

# Runs in the ARM system.
cat > "$work/root/test" << 'END'
cd /
notes="$(mktemp -d)"
fail() { echo "FAILED: $*"; exit 1; }
# Lists all files, except dpkg's own and those that are not on a disk.
files() { find / \( -path /proc -o -path /sys -o -path /dev -o -path "$notes" -o -path /var/lib/dpkg -o -path /var/log \) -prune -o -print | sort; }
files > "$notes/before"
dpkg --install /divita.deb > "$notes/install.log" 2>&1 || { cat "$notes/install.log"; fail "the package cannot be installed"; }
echo "installed: $(dpkg-query --show --showformat '${Package} ${Version} ${Architecture}, ${db:Status-Status}' divita)"
divita --version
divita-models --version
for page in divita divita-classify divita-models; do
    # So small a system has no `man`.
    gzip -dc "/usr/share/man/man1/$page.1.gz" | grep -q '^.SH SYNOPSIS' || fail "no man page of $page"
done
for file in /etc/divita/divita.toml /usr/lib/systemd/system/divita.service /usr/lib/systemd/system/divita@.service \
    /usr/lib/udev/rules.d/70-divita.rules \
    /usr/share/bash-completion/completions/divita /usr/share/divita/bundles/demo/manifest.json; do
    [ -s "$file" ] || fail "no $file"
done
dpkg-query --show --showformat '${Conffiles}' divita | grep -q divita.toml || fail "divita.toml is not a configuration file of the package"
[ ! -e /etc/systemd/system/multi-user.target.wants/divita.service ] || fail "the package enables the service"
divita doctor > "$notes/doctor" || { cat "$notes/doctor"; fail "divita doctor"; }
grep -q '^bundle .*/usr/.*divita/bundles/demo' "$notes/doctor" || { cat "$notes/doctor"; fail "divita does not find its bundle"; }
tail -n 1 "$notes/doctor"
# The service's configuration, with a test pattern instead of a camera.
divita --config /etc/divita/divita.toml classify 'test://?seconds=2' > "$notes/events" 2> "$notes/log" || { cat "$notes/log"; fail "divita classify"; }
grep -q '"event":"result"' "$notes/events" || fail "no result for test://"
divita classify --duration 8 sample.mp4 > "$notes/table" 2> "$notes/log" || { cat "$notes/log"; fail "divita classify sample.mp4"; }
head -n 4 "$notes/table"
dpkg --purge divita > "$notes/purge.log" 2>&1 || { cat "$notes/purge.log"; fail "the package cannot be removed"; }
! grep -i -E 'warning|error' "$notes/install.log" "$notes/purge.log" || fail "dpkg prints warnings"
files > "$notes/after"
diff "$notes/before" "$notes/after" || fail "files are left after removal"
echo "removed; nothing is left"
END

start=$SECONDS
status=0
# Limit the time: the emulator may deadlock.
QEMU_CPU="${emulator[2]}" PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C timeout 900 \
    nsenter --user --target "$holder" unshare --mount --pid --fork --kill-child \
    sh "$work/enter" "$work/root" "$(command -v "${emulator[0]}")" || status=$?
case "$status" in
    0) echo "$(basename "$package"): installed, run and removed on emulated ARM ($((SECONDS - start)) s)" ;;
    3) say "this kernel cannot start ARM programs, not even in a namespace (before Linux 6.7, register qemu-user-static with binfmt-support)" ;;
    124) say "FAILED: the test did not end within 900 s"; status=1 ;;
    *) status=1 ;;
esac
exit "$status"
