#!/usr/bin/env bash
# Run the programs and tests of cross-build.sh in qemu, on the Jetson Nano's core (Cortex-A57): the
# tests of the executor, the runtime, the inputs and the program, and a classification of the
# sample, whose probabilities must be those of this computer's program. The executor's tests and the
# demo bundle's golden input also run on a Cortex-A76, which has half precision.
#
#   board/packaging/emulated-tests.sh DIVITA             DIVITA is this computer's program, for comparison
#   board/packaging/emulated-tests.sh --install DIVITA   first install the emulator (as root, on Debian)
#
# Exit status: 0 success, 1 failure, 3 no emulator. Times in the emulator say nothing about boards.
set -euo pipefail
cd "$(dirname "$0")/../.."
. board/packaging/arm64.sh

if [ "${1:-}" = --install ]; then
    shift
    command -v "${emulator[0]}" > /dev/null || install_packages qemu-user-static || exit 3
fi
[ $# = 1 ] || { say "usage: $0 [--install] DIVITA"; exit 2; }
native="$(realpath "$1")"
command -v "${emulator[0]}" > /dev/null || { say "no ${emulator[0]} (Debian's qemu-user-static)"; exit 3; }

folder="${CARGO_TARGET_DIR:-$PWD/target}/arm64-static"
divita="$folder/$target/release/divita"
[ -x "$divita" ] || { say "$divita does not exist. Run board/packaging/cross-build.sh"; exit 1; }
results="$(mktemp -d)"

# Tests start the program by its path, which the kernel cannot run. A script replaces it meanwhile.
# (The program is a link to a file of another name; cargo makes the link again.)
real="$divita-arm64"
cp --remove-destination "$divita" "$real"
tidy_up() {
    [ ! -e "$real" ] || mv -f "$real" "$divita"
    rm -rf "$results"
}
trap tidy_up EXIT
rm "$divita"
# -0 keeps the program's name, which usage texts show.
printf '#!/bin/sh\nexec %s -0 "$0" "%s" "$@"\n' "${emulator[*]}" "$real" > "$divita"
chmod +x "$divita"

# Prints each test of the crates for boards: the crate's folder and the test.
tests() {
    python3 -c '
import json, pathlib, sys
for line in open(sys.argv[1]):
    message = json.loads(line)
    if message.get("executable") and message["profile"]["test"]:
        folder = pathlib.Path(message["manifest_path"]).parent
        if folder.name in ("executor", "runtime", "video", "console", "board"):
            print(folder, message["executable"])
' "$folder/tests.json"
}

# A newer core with half precision.
newer=("${emulator[0]}" -cpu cortex-a76)

failed=0
while read -r package test; do
    name="$(basename "$package")/$(basename "${test%-*}")"
    start=$SECONDS
    # Limit the time: the emulator may deadlock.
    if (cd "$package" && timeout 900 "${emulator[@]}" "$test" < /dev/null) > "$results/tests" 2>&1; then
        echo "$name: $(grep '^test result:' "$results/tests" | cut -d ';' -f 1-3) ($((SECONDS - start)) s emulated)"
    else
        status=$?
        cat "$results/tests"
        [ "$status" != 124 ] || echo "$name did not end within 900 s"
        echo "$name: FAILED on emulated ARM"
        failed=1
    fi
    # Without half precision, the executor's tests skip it.
    case "$name" in
        executor/divita_executor)
            if (cd "$package" && timeout 900 "${newer[@]}" "$test" < /dev/null) > "$results/half" 2>&1; then
                echo "$name, half precision too: $(grep '^test result:' "$results/half" | cut -d ';' -f 1-2)"
            else
                cat "$results/half"
                echo "$name: FAILED on emulated ARM with half precision"
                failed=1
            fi
            ;;
    esac
done < <(tests)
[ -e "$results/tests" ] || { say "no tests in $folder/tests.json"; exit 1; }

verify=(verify models/bundles/demo --executor half)
timeout 900 "${newer[@]}" "$real" "${verify[@]}" > "$results/verify" || { cat "$results/verify"; say "FAILED: divita ${verify[*]} on emulated ARM"; exit 1; }
echo "divita ${verify[*]}:"
sed 's/^/  /' "$results/verify"

classify=(classify --format jsonl samples/sintel-trailer.mp4)
start=$SECONDS
status=0
timeout 1200 "$divita" "${classify[@]}" > "$results/arm64.jsonl" || status=$?
[ "$status" = 0 ] || { say "FAILED: divita ${classify[*]} on emulated ARM: status $status"; exit 1; }
echo "divita ${classify[*]}: done ($((SECONDS - start)) s emulated)"
"$native" "${classify[@]}" > "$results/native.jsonl" 2> "$results/native.log" || { cat "$results/native.log"; exit 1; }
python3 - "$results/native.jsonl" "$results/arm64.jsonl" "$(uname -m)" << 'END' || failed=1
"""Compares the results of two runs: same shots and clips, probabilities within 1e-4."""
import json, sys

TOLERANCE = 1e-4
events = [[json.loads(line) for line in open(path)] for path in sys.argv[1:3]]
names = [[event["event"] for event in run] for run in events]
if names[0] != names[1]:
    sys.exit(f"FAILED: {sys.argv[3]} and emulated aarch64 print different events: {len(names[0])} and {len(names[1])}")
worst, compared = 0.0, 0
for ours, theirs in zip(*events):
    for key in ours.keys() | theirs.keys():
        if key == "probabilities":
            if ours[key].keys() != theirs[key].keys():
                sys.exit("FAILED: different genres")
            differences = [abs(ours[key][genre] - theirs[key][genre]) for genre in ours[key]]
            worst, compared = max(worst, *differences), compared + len(differences)
        elif ours.get(key) != theirs.get(key):
            sys.exit(f"FAILED: {ours['event']}.{key} is {ours.get(key)} on {sys.argv[3]} and {theirs.get(key)} on aarch64")
final = events[0][-1]
if final["event"] != "result" or compared == 0:
    sys.exit("FAILED: no result to compare")
verdict = "agree" if worst <= TOLERANCE else "FAILED: differ"
print(f"{sys.argv[3]} and emulated aarch64 {verdict}: {compared} probabilities, largest difference {worst:.1e} (at most {TOLERANCE:.0e})")
sys.exit(worst > TOLERANCE)
END
exit "$failed"
