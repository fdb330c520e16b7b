#!/bin/sh
# Make the fixtures of this folder from ffmpeg's test pictures. Record beside each playable one the
# presentation times of its frames, from ffprobe. Needs ffmpeg with libx264, libx265 and its MPEG-4 and
# AAC encoders. Run it in this folder.
set -eu

make() { ffmpeg -nostdin -v error -y -fflags +bitexact "$@"; }

# Records the presentation times of the shown frames, in seconds, and when the file starts.
record() {
    ffprobe -v error -select_streams v:0 -show_entries frame=pts_time:format=start_time -of json "$1" > "${1%.*}.json"
}

# testsrc2 moves everywhere and never repeats.
pattern() { echo "testsrc2=size=$1:rate=$2:duration=$3"; }
exact="-flags:v +bitexact -map_metadata -1"
h264="-c:v libx264 -preset veryslow -crf 40 -pix_fmt yuv420p $exact"

# B frames: the first picture is shown later than decoded, and the edit list shifts it back to zero.
make -f lavfi -i "$(pattern 96x64 24 1.5)" $h264 -bf 3 -g 12 b-frames.mp4
record b-frames.mp4

# The same as MOV with the index at the end, rotated by a quarter clockwise, a half, and a quarter
# counter-clockwise. Only a copied track keeps its rotation.
upright=$(mktemp --suffix=.mov)
make -f lavfi -i "$(pattern 96x64 25 0.4)" $h264 "$upright"
for turn in 90 180 270; do
    # This ffmpeg counts rotations in the other direction.
    make -i "$upright" -c copy $exact -metadata:s:v:0 rotate=$((360 - turn)) rotated-$turn.mov
    record rotated-$turn.mov
done
rm "$upright"

# Colours that no conversion clips, before or after scaling.
muted=eq=saturation=0.5:contrast=0.6

# Full range, BT.601, and a size that needs cropping.
make -f lavfi -i "$(pattern 50x38 30 0.3)" -vf $muted,scale=out_range=full $h264 -color_range pc -colorspace smpte170m \
    -color_primaries smpte170m -color_trc smpte170m full-range-601.mp4
record full-range-601.mp4

# BT.2020, which no size implies: only the stream states it.
make -f lavfi -i "$(pattern 64x48 24 0.25)" -vf $muted,scale=out_color_matrix=bt2020 $h264 -colorspace bt2020nc \
    -color_primaries bt2020 -color_trc bt2020-10 bt2020.mp4
record bt2020.mp4

# Variable frame rate: every third picture left out, a pause, and 29.97 between.
make -f lavfi -i "$(pattern 64x48 30000/1001 2)" -vf "select='mod(n,3)*not(between(n,20,40))'" -fps_mode vfr $h264 -bf 2 \
    variable-rate.mp4
record variable-rate.mp4

# Baseline: no B frames, CAVLC, several slices. `divita doctor` decodes it too.
make -f lavfi -i "$(pattern 64x48 24 0.5)" $h264 -profile:v baseline -slices 2 ../../board/video/media/baseline.mp4
record ../../board/video/media/baseline.mp4

# The pictures start half a second after the file: an empty edit first.
make -f lavfi -i "$(pattern 64x48 24 0.5)" -f lavfi -i "sine=duration=1" -filter:v "setpts=PTS+0.5/TB" $h264 -bf 2 \
    -c:a aac -b:a 16k -flags:a +bitexact delayed.mp4
record delayed.mp4

# Cut without encoding: starts between two key frames, and the edit list hides the frames before.
make -ss 0.75 -i b-frames.mp4 -c copy -t 0.5 -map_metadata -1 trimmed.mp4
record trimmed.mp4

# Parameter sets in the samples before each key frame, not only in the description.
make -i b-frames.mp4 -c copy -tag:v avc3 -bsf:v h264_mp4toannexb -map_metadata -1 avc3.mp4
record avc3.mp4

# Kinds of H.264 that the fast decoder does not know.
make -f lavfi -i "$(pattern 64x48 24 0.5)" -vf $muted $h264 -pix_fmt yuv420p10le -bf 2 ten-bit.mp4
make -f lavfi -i "$(pattern 64x48 24 0.25)" $h264 -pix_fmt yuv422p four-two-two.mp4
make -f lavfi -i "$(pattern 64x48 24 0.25)" $h264 -pix_fmt gray monochrome.mp4
make -f lavfi -i "$(pattern 64x64 24 0.5)" $h264 -x264-params interlaced=1 interlaced.mp4
for name in ten-bit four-two-two monochrome interlaced; do record $name.mp4; done

# Fragments as recorders and streaming packagers write them: places counted from the file's start,
# from each fragment, one picture each, B frames shifted by the edit list.
fragments() { make -i b-frames.mp4 -c copy -map_metadata -1 -movflags "$1" "$2" && record "$2"; }
fragments frag_keyframe+empty_moov fragmented.mp4
fragments frag_keyframe fragmented-after-index.mp4
fragments dash+frag_every_frame+empty_moov+delay_moov fragmented-dash.mp4
fragments cmaf+frag_keyframe+default_base_moof+negative_cts_offsets fragmented-cmaf.mp4

# The same pictures in other containers.
in_container() { make -i b-frames.mp4 -c copy -map_metadata -1 "$@"; }
in_container in-matroska.mkv
in_container -f matroska -live 1 in-live-matroska.mkv
in_container in-ts.ts
in_container -mpegts_m2ts_mode 1 in-m2ts.m2ts
in_container in-flv.flv
for file in in-matroska.mkv in-live-matroska.mkv in-ts.ts in-m2ts.m2ts in-flv.flv; do record $file; done

# Other codecs. HEVC with open groups of pictures.
hevc="-c:v libx265 -preset medium -crf 40 -x265-params log-level=error:info=0:keyint=8:open-gop=1:bframes=3 $exact"
make -f lavfi -i "$(pattern 96x64 24 1)" $hevc -pix_fmt yuv420p -tag:v hvc1 hevc.mp4
make -f lavfi -i "$(pattern 96x64 24 0.5)" -vf $muted $hevc -pix_fmt yuv420p10le -tag:v hvc1 hevc-ten-bit.mp4
make -i hevc.mp4 -c copy -map_metadata -1 hevc-in-matroska.mkv
make -i hevc.mp4 -c copy -map_metadata -1 hevc-in-ts.ts
vp9="-c:v libvpx-vp9 -deadline good -cpu-used 2 -crf 50 -b:v 0 -auto-alt-ref 1 -lag-in-frames 12 -threads 1 $exact"
make -f lavfi -i "$(pattern 98x66 24 1)" $vp9 -pix_fmt yuv420p vp9.webm
make -i vp9.webm -c copy -map_metadata -1 vp9-in-mp4.mp4
make -i vp9.webm -c copy -map_metadata -1 vp9-in-ivf.ivf
av1="-c:v libaom-av1 -cpu-used 6 -crf 50 -b:v 0 -lag-in-frames 12 -threads 1 -row-mt 0 $exact"
make -f lavfi -i "$(pattern 96x64 24 0.5)" $av1 -pix_fmt yuv420p av1.mp4
make -i av1.mp4 -c copy -map_metadata -1 av1-in-matroska.mkv
make -i av1.mp4 -c copy -map_metadata -1 av1-in-ivf.ivf
make -f lavfi -i "$(pattern 64x48 24 0.25)" -vf $muted -c:v mjpeg -q:v 20 -pix_fmt yuvj420p $exact motion-jpeg.avi
for file in hevc.mp4 hevc-ten-bit.mp4 hevc-in-matroska.mkv hevc-in-ts.ts vp9.webm vp9-in-mp4.mp4 vp9-in-ivf.ivf av1.mp4 \
    av1-in-matroska.mkv av1-in-ivf.ivf motion-jpeg.avi; do
    record $file
done

# Files that cannot be played and must be refused with a reason.
make -f lavfi -i "sine=duration=0.2" -c:a aac -b:a 16k -flags:a +bitexact audio-only.mp4
make -f lavfi -i "$(pattern 64x48 24 0.1)" -c:v mpeg4 -q:v 20 $exact mpeg4.mp4
make -f lavfi -i "$(pattern 64x48 24 0.1)" -c:v libvpx -crf 50 -b:v 100k $exact vp8.webm
make -f lavfi -i "$(pattern 64x48 24 0.1)" $h264 -pix_fmt yuv444p four-four-four.mp4
make -f lavfi -i "color=size=7680x4320:rate=24:duration=0.04" $h264 -frames:v 1 eight-k.mp4
make -f lavfi -i "$(pattern 64x48 24 0.1)" $h264 -encryption_scheme cenc-aes-ctr \
    -encryption_key 00112233445566778899aabbccddeeff -encryption_kid 00112233445566778899aabbccddeeff encrypted.mp4
