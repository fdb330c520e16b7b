#!/usr/bin/env bash
# Makes a verified bundle from labelled videos: split, backbones, representations, heads, evaluation,
# bundle. Finished steps are skipped, so the script can be stopped at any time and run again.
set -euo pipefail

usage() {
    cat <<'HELP'
Train a bundle on labelled videos

Usage: own-videos.sh [OPTIONS] VIDEOS_OR_TABLE DIR

VIDEOS_OR_TABLE is a folder with a sub-folder for each class (films/horror/a.mp4), or a table of labels in any form that
`divita-models split` reads. DIR gets the split table, the weights, the representations, the run and the bundle
(DIR/bundle). Run the same command again to go on where it was stopped.

Options:
  --image-weights FILE    weights of the image stream's backbone that `divita-models import` or `fit-backbone` wrote
  --video-weights FILE    weights of the video stream's backbone; without either option both backbones are trained on the videos,
                          with one of the two options the bundle has that stream alone
  --image-network NAME    network of --image-weights (default: shufflenet-2d)
  --video-network NAME    network of --video-weights (default: shufflenet-3d)
  --videos DIR            folder of the table's videos (default: that of the table)
  --fps N                 working rate, 4, 6, 8, 12 or 24 frames a second (default: 4)
  --backbone-epochs N     epochs of each backbone (default: 12)
  --epochs N              maximum number of epochs of the heads (default: 100)
  --ratios A,B,C          shares of train, validation and test (default: 70,10,20)
  --single-label          each video has exactly one label
  --seed N                seed of the split, the backbones and the heads (default: 1)
  --name NAME             name of the bundle (default: films)
  -h, --help              print this help

`divita` and `divita-models` must be on the PATH.
HELP
}

fail() {
    echo "error: $*" >&2
    exit 1
}

image_weights='' video_weights='' image_network=shufflenet-2d video_network=shufflenet-3d videos=''
fps=4 backbone_epochs=12 epochs=100 ratios=70,10,20 seed=1 name=films
single_label=()
arguments=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    --single-label) single_label=(--single-label) ;;
    --image-weights | --video-weights | --image-network | --video-network | --videos | --fps | --backbone-epochs | \
        --epochs | --ratios | --seed | --name)
        [ $# -gt 1 ] || fail "$1 needs a value; see --help"
        variable=${1#--}
        printf -v "${variable//-/_}" %s "$2"
        shift
        ;;
    -*) fail "unknown option $1; see --help" ;;
    *) arguments+=("$1") ;;
    esac
    shift
done
[ ${#arguments[@]} -eq 2 ] || fail "give the videos or their table, and a folder for the results; see --help"
input=${arguments[0]} dir=${arguments[1]}
[ "$dir" = / ] || dir=${dir%/}

[ -e "$input" ] || fail "$input: no such file or folder"
case $fps in 4 | 6 | 8 | 12 | 24) ;; *) fail "--fps $fps: choose 4, 6, 8, 12 or 24" ;; esac
for file in "$image_weights" "$video_weights"; do
    [ -z "$file" ] || [ -f "$file" ] || fail "$file: no such file of weights"
done
image_weights=${image_weights:+$(realpath -- "$image_weights")}
video_weights=${video_weights:+$(realpath -- "$video_weights")}
if [ -z "$videos" ]; then
    if [ -d "$input" ]; then videos=$input; else videos=$(dirname -- "$input"); fi
fi
[ -d "$videos" ] || fail "$videos: no such folder of videos"
for program in divita divita-models; do
    command -v "$program" >/dev/null || fail "$program is not on the PATH: build it with \`cargo build --release\`"
done

step() {
    echo "== $*" >&2
}

mkdir -p -- "$dir"
# Results of different options must not be mixed. The folder records the options, one per line.
options=$(printf '%s\n' "input $(realpath -- "$input")" "videos $(realpath -- "$videos")" "image ${image_weights:-none}" \
    "video ${video_weights:-none}" "image-network $image_network" "video-network $video_network" \
    "fps $fps" "backbone-epochs $backbone_epochs" "epochs $epochs" "ratios $ratios" \
    "seed $seed" "name $name" "task ${single_label[*]:-multi-label}")
if [ -e "$dir/options.txt" ]; then
    difference=$(diff <(cat "$dir/options.txt") <(echo "$options") | sed -n 's/^[<>] //p' | tr '\n' ';') || true
    [ -z "$difference" ] || fail "$dir was begun with other options ($difference): give the same, or another folder"
else
    echo "$options" >"$dir/options.txt.new"
    mv -- "$dir/options.txt.new" "$dir/options.txt"
fi

# Resumes a run that was started.
resume() {
    if [ -e "$1/recipe.json" ]; then echo --resume; fi
}

table=$dir/table.csv
if [ ! -e "$table" ]; then
    step "split"
    divita-models split "$input" --splits 1 --ratios "$ratios" --seed "$seed" --output "$table"
fi

if [ -z "$image_weights" ] && [ -z "$video_weights" ]; then
    for stream in image video; do
        network=shufflenet-2d
        [ $stream = image ] || network=shufflenet-3d
        step "backbone of the $stream stream"
        # shellcheck disable=SC2046 # one word or none
        divita-models fit-backbone $network "$table" --videos "$videos" --fps "$fps" --epochs "$backbone_epochs" \
            --seed "$seed" "${single_label[@]}" --output "$dir/$stream-backbone" $(resume "$dir/$stream-backbone")
    done
    image_weights=$dir/image-backbone/backbone.safetensors
    video_weights=$dir/video-backbone/backbone.safetensors
fi

stores=() weights=()
for stream in image video; do
    if [ $stream = image ]; then
        network=$image_network file=$image_weights
    else
        network=$video_network file=$video_weights
    fi
    [ -n "$file" ] || continue
    step "representations of the $stream stream"
    divita-models extract "$videos" --network "$network" --weights "$file" --fps "$fps" --store "$dir/$stream.zarr"
    stores+=("--$stream" "$dir/$stream.zarr")
    weights+=("--$stream-weights" "$file")
done

step "heads"
# shellcheck disable=SC2046 # one word or none
divita-models train "$table" "${stores[@]}" --epochs "$epochs" --seed "$seed" "${single_label[@]}" --output "$dir/run" \
    $(resume "$dir/run")

step "evaluation on the test videos"
divita-models evaluate "$table" "${single_label[@]}" --predictions "split0=$dir/run/predictions.csv" | tee "$dir/evaluation.txt"

if [ ! -e "$dir/bundle" ]; then
    step "bundle"
    divita-models build --run "$dir/run" "${weights[@]}" --name "$name" --output "$dir/bundle"
fi
divita verify "$dir/bundle"
step "done: divita classify --bundle $dir/bundle VIDEO"
