#!/usr/bin/env bash
# Makes the bundle `films` from Trailers12k's published representations: downloads, verifies, trains,
# selects, builds, classifies. The result of each step appears complete or not at all, so the script
# can be stopped at any time and run again.
set -euo pipefail

usage() {
    cat << 'END'
Train the bundle "films" on Trailers12k's published representations. No GPU needed.

Usage: trailers12k.sh [OPTIONS] DIR

DIR holds everything: downloads, stores, weights, runs, results.txt and the bundle DIR/films.
Run the same command again to go on after an interruption.

Options:
  --streams shufflenet|all  Train ShuffleNet-Fusion and its teacher Swin-3D, or every row of the
                            paper's Table 10 (default: shufflenet)
  --epochs N                Maximum number of epochs of a run (default: 100)
  --from BASE               URL or folder that has all files, in place of their publishers. Where BASE
                            has a file MD5SUMS, its sums replace the published ones; results on files
                            with other sums say "not the published data"
  --keep-archives           Keep each archive after it was unpacked (default: remove it)
  --sample FILE             Video to classify at the end (default: the sample of the checkout)
  --help                    Print this

Environment:
  DIVITA_BIN                Folder of the programs divita and divita-models (default: the release
                            build of the checkout, else the PATH)

docs/films.md explains each step, its size and its time.
END
}

die() {
    echo "error: $*" >&2
    exit 1
}

step() { echo "== $*"; }

# Options.
dir="" streams=shufflenet epochs=100 base="" keep="" sample=""
while [ $# -gt 0 ]; do
    case "$1" in
        --help | -h) usage; exit 0 ;;
        --keep-archives) keep=yes; shift; continue ;;
        --streams | --epochs | --from | --sample)
            [ $# -ge 2 ] || die "$1 needs a value (see --help)"
            case "$1" in
                --streams) streams="$2" ;;
                --epochs) epochs="$2" ;;
                --from) base="${2%/}" ;;
                --sample) sample="$2" ;;
            esac
            shift 2
            ;;
        -*) die "unknown option $1 (see --help)" ;;
        *) [ -z "$dir" ] || die "give one DIR, not both $dir and $1"; dir="$1"; shift ;;
    esac
done
[ -n "$dir" ] || die "name the folder DIR to work in (see --help)"
case "$streams" in shufflenet | all) ;; *) die "--streams is shufflenet or all, not $streams" ;; esac
[[ "$epochs" =~ ^[1-9][0-9]*$ ]] || die "--epochs is a whole number from 1, not $epochs"

# Programs.
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
build="${CARGO_TARGET_DIR:-$root/target}/release"
program() {
    if [ -n "${DIVITA_BIN:-}" ]; then
        [ -x "$DIVITA_BIN/$1" ] || die "DIVITA_BIN ($DIVITA_BIN) has no program $1"
        echo "$DIVITA_BIN/$1"
    elif [ -x "$build/$1" ]; then
        echo "$build/$1"
    else
        command -v "$1" || die "no program $1: build it with 'cargo build --release', or name its folder in DIVITA_BIN"
    fi
}
models="$(program divita-models)"
divita="$(program divita)"
for tool in curl md5sum sha256sum awk; do
    command -v "$tool" > /dev/null || die "no program $tool: install it"
done
sample="${sample:-$root/samples/sintel-trailer.mp4}"
[ -f "$sample" ] || die "no sample video $sample: name one with --sample"

# Folders.
mkdir -p "$dir" 2> /dev/null || die "cannot create $dir"
dir="$(cd "$dir" && pwd)"
downloads="$dir/downloads" data="$dir/data" weights="$dir/weights" runs="$dir/runs"
mkdir -p "$downloads" "$data" "$weights" "$runs" 2> /dev/null || die "cannot create folders in $dir"
if command -v flock > /dev/null; then
    exec 9> "$dir/.lock"
    flock --wait 5 9 || die "another run of this script, or a program that it started, works in $dir: wait for its end"
fi
trap 'echo "error: interrupted; run the same command again to go on" >&2; exit 130' INT TERM

# Sums: the published ones, and those of BASE.
sums="$("$models" unpack --list 2> /dev/null)" || die "$models unpack --list fails: is it of another version than this script?"
published_sum() { awk -v name="$1" '$2 == name { print $1 }' <<< "$sums"; }
base_sums=""
base_sum() { awk -v name="$1" '{ sub(/^\*/, "", $2) } $2 == name { print tolower($1) }' <<< "$base_sums"; }
case "$base" in
    "") ;;
    *://*) base_sums="$(curl --fail --silent --location "$base/MD5SUMS")" || base_sums="" ;;
    *)
        [ -d "$base" ] || die "--from $base: no such folder"
        base="$(cd "$base" && pwd)"
        [ ! -f "$base/MD5SUMS" ] || base_sums="$(< "$base/MD5SUMS")"
        ;;
esac

# Downloads the URL $2 into the file $1.part, and resumes an earlier attempt. Retries while bytes
# arrive. $failure contains the last error.
failure=""
download() {
    local part="$1.part" url="$2" failures=0 before after status
    local options=(--fail --location --connect-timeout 30 --speed-limit 1 --speed-time 60 --continue-at - --output "$part")
    while [ "$failures" -lt 5 ]; do
        before="$(stat -c %s "$part" 2> /dev/null || echo 0)"
        status=0
        if [ -t 2 ]; then
            curl "${options[@]}" --progress-bar "$url" || status=$?
            failure="curl ended with status $status"
        else
            failure="$(curl "${options[@]}" --silent --show-error "$url" 2>&1)" || status=$?
            failure="${failure#curl: }"
        fi
        case "$status" in
            0) return 0 ;;
            22) return 1 ;; # The server has no such file, or nothing more of it.
            23) die "cannot write $part: is the disk full? Free space and run again; the download goes on from there" ;;
            33) rm -f "$part"; failure="the server cannot resume a download" ;;
        esac
        after="$(stat -c %s "$part" 2> /dev/null || echo 0)"
        if [ "$after" -gt "$before" ]; then failures=0; else failures=$((failures + 1)); fi
        echo "$url: $failure; trying again"
        sleep "$failures"
    done
    return 1
}

# Puts the file $1 into downloads and verifies it: from BASE, otherwise from the URL $2. Its MD5 must
# be $3, if that is not empty.
fetch() {
    local name="$1" url="$2" sum="$3" found file="$downloads/$1"
    if [ -f "$file" ]; then
        [ -n "$sum" ] && [ "$(md5_of "$file")" != "$sum" ] || return 0
        echo "$name has another MD5 than when it was fetched: fetching it again"
    fi
    rm -f "$file" # Or a link to a file that is gone.
    if [ -n "$base" ] && [[ "$base" != *://* ]]; then
        [ -f "$base/$name" ] || die "$base has no file $name"
        ln -sf "$base/$name" "$file.part"
    else
        [ -z "$base" ] || url="$base/$name"
        echo "downloading $name"
        if ! download "$file" "$url"; then
            # The file may already be complete: then there is nothing to download.
            if [ -z "$sum" ] || [ "$(md5_of "$file.part")" != "$sum" ]; then
                die "cannot download $url: $failure. Run again to go on"
            fi
        fi
    fi
    if [ -n "$sum" ]; then
        found="$(md5_of "$file.part")"
        if [ "$found" != "$sum" ]; then
            rm -f "$file.part"
            die "$name: its MD5 is $found, not $sum: damaged on the way, or another file. It was removed; run again to fetch it"
        fi
    fi
    mv -f "$file.part" "$file"
}

md5_of() { { md5sum < "$1" 2> /dev/null || echo -; } | cut -d ' ' -f 1; }

# Prints the MD5 that the file $1 must have: that of BASE, otherwise the published one.
wanted_sum() {
    local sum
    sum="$(base_sum "$1")"
    echo "${sum:-$(published_sum "$1")}"
}

not_published=""
note_sum() {
    [ "$(wanted_sum "$1")" = "$(published_sum "$1")" ] || not_published=yes
}

record="https://zenodo.org/record/5716410/files"
image_weights=shufflenetv2_x1-5666bf0f80.pth
video_weights=kinetics_shufflenetv2_1.0x_RGB_16_best.pth
if [ -z "$base" ] && [ ! -f "$downloads/$video_weights" ] && [ ! -f "$weights/shufflenet-3d.safetensors" ]; then
    die "$downloads/$video_weights is missing: get it from the Google Drive folder that the README of" \
        "https://github.com/okankop/Efficient-3DCNNs links under 'Pre-trained models', put it there, and run again"
fi
if [ -z "$base" ]; then
    case "$streams" in shufflenet) needed=25 ;; all) needed=50 ;; esac
    free=$(($(df -Pk "$dir" | awk 'NR == 2 { print $4 }') / 1000000))
    [ "$free" -ge "$needed" ] || echo "warning: $dir has $free GB free; about $needed GB are needed in all" >&2
fi

step "weights of the backbones"
# Imports the network $1 from the file $2, which is published at the URL $3. Its SHA-256 begins with
# $4, if that is not empty.
import_weights() {
    local output="$weights/$1.safetensors" from="$downloads/$2"
    if [ -f "$output" ]; then
        [ ! -L "$weights/from-base-$2" ] || not_published=yes
        return 0
    fi
    fetch "$2" "$3" "$(base_sum "$2")"
    if [ -n "$(base_sum "$2")" ] && [[ "$(sha256sum < "$from")" != "$4"* ]]; then
        # BASE lists a file that is not the published one: import it, but not under the published name.
        not_published=yes
        from="$weights/from-base-$2"
        ln -sf "$downloads/$2" "$from"
    fi
    "$models" import "$1" "$from" --output "$output"
}
import_weights shufflenet-2d "$image_weights" "https://download.pytorch.org/models/$image_weights" 5666bf0f80
import_weights shufflenet-3d "$video_weights" "" ""

step "table of labels and splits"
note_sum mtgc.csv
fetch mtgc.csv "$record/mtgc.csv?download=1" "$(wanted_sum mtgc.csv)"
[ -e "$data/mtgc.csv" ] || ln -s ../downloads/mtgc.csv "$data/mtgc.csv"

image=trailers_i_shufflenet_fpc24.zarr
video=trailers_k_shufflenet_fps24_fpc24.zarr
teacher=trailers_ik_swin_fps24_fpc24.zarr
stores=("$image" "$video" "$teacher")
rows=(--rows "ShuffleNet-F,Swin-3D")
if [ "$streams" = all ]; then
    stores+=(trailers_i_resnet_fpc24.zarr trailers_k_r2plus1d_fps24_fpc24.zarr trailers_i_swin_fpc24.zarr)
    rows=()
fi
for store in "${stores[@]}"; do
    step "$store"
    archive="$store.tar.gz"
    note_sum "$archive"
    [ -d "$data/$store" ] || fetch "$archive" "$record/$archive?download=1" "$(wanted_sum "$archive")"
    "$models" unpack "$downloads/$archive" --output "$data" --md5 "$(wanted_sum "$archive")"
    [ -n "$keep" ] || rm -f "$downloads/$archive"
done

# Succeeds if the step $1 was done with the settings $2.
is_done() { [ "$(cat "$runs/.$1" 2> /dev/null)" = "$2" ]; }
mark_done() { echo "$2" > "$runs/.$1.part" && mv -f "$runs/.$1.part" "$runs/.$1"; }

step "training by the paper's recipe, three splits"
splits=(split0 split1 split2)
if ! is_done table-10 "$streams $epochs"; then
    "$models" reproduce "$data" --output "$runs" --tables 10 "${rows[@]}" --epochs "$epochs" > "$dir/table-10.part"
    mv -f "$dir/table-10.part" "$dir/table-10.txt"
    mark_done table-10 "$streams $epochs"
fi

plain=() distilled=()
for split in "${splits[@]}"; do
    step "Swin-3D teaches ShuffleNet-Fusion, $split"
    plain+=("$runs/i_shufflenet_fpc24+k_shufflenet_fps24_fpc24-cat-30-$split")
    distilled+=("$runs/distilled-$split/distilled")
    if ! is_done "distilled-$split" "$epochs"; then
        "$models" distill "$data/mtgc.csv" --split "$split" --image "$data/$image" --video "$data/$video" \
            --teacher "$runs/ik_swin_fps24_fpc24-cat-30-$split" --teacher-video "$data/$teacher" \
            --plain "${plain[-1]}" --epochs "$epochs" --output "$runs/distilled-$split" --resume
        mark_done "distilled-$split" "$epochs"
    fi
done

step "results"
{
    cat "$dir/table-10.txt"
    "$models" compare "${plain[@]}" "${distilled[@]}"
    [ -z "$not_published" ] || echo "not the published data: its sums are those of $base/MD5SUMS"
} > "$dir/results.part"
mv -f "$dir/results.part" "$dir/results.txt"
cat "$dir/results.txt"

step "the bundle films"
best="$("$models" compare --best "${plain[@]}" "${distilled[@]}")"
"$models" build --run "$best" --image-weights "$weights/shufflenet-2d.safetensors" \
    --video-weights "$weights/shufflenet-3d.safetensors" --also-at 4,6,8,12 --name films --output "$dir/films" --force
"$divita" verify "$dir/films"

step "the sample"
"$divita" classify --bundle "$dir/films" "$sample"
[ -z "$not_published" ] || echo "not the published data: its sums are those of $base/MD5SUMS"
echo "the bundle is $dir/films; its figures are in $dir/results.txt"
