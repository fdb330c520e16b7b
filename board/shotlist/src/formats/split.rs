//! Shell scripts that split a film into one file for each shot, with ffmpeg.
//!
//! The parts are encoded again, because a film can be cut without it only at key pictures. A cut is
//! in the middle between two frames, and is the end of one part and the start of the next. So each
//! frame of adjoining shots is in exactly one part, however times are rounded.

use std::fmt::Write as _;

use crate::error::ShotListError;
use crate::film::Film;
use crate::media_address;
use crate::shot_list::ShotList;
use crate::title::{file_name, one_line};

/// Maximum length of the film's name in the names of the parts.
const STEM_LENGTH: usize = 100;

pub(super) fn write(film: &Film, list: &ShotList) -> Result<String, ShotListError> {
    if film.name.contains('\0') {
        return Err(ShotListError::UnwritableName { character: '\0' });
    }
    let name = file_name(&film.name);
    let stem = plain_stem(&name);
    let notice = film.notice.as_ref().map(|notice| format!("# {}\n", one_line(notice))).unwrap_or_default();
    let input = quoted(&media_address::ffmpeg_input(&film.name));
    // divita counts times in MPEG-TS from the first picture, and keeps times in other files.
    let zero = match list.first_s() {
        Some(_) => "$first",
        None => "$(test \"$container\" = mpegts && echo \"$first\" || echo 0)",
    };
    let mut text = format!(
        r#"#!/bin/sh
# Splits {name} into {count} parts, one file for each shot. Written by divita.
# Usage: sh SCRIPT [FOLDER] (default: the current folder). Needs ffmpeg 5.1 and ffprobe.
# An existing file stays, and stops the script.
# The variable ENCODE holds the options of the encoder, such as '-c:v ffv1 -c:a flac'.
{notice}set -eu
LC_ALL=C
export LC_ALL
# shellcheck disable=SC2016 # The name of the film as it is.
film={input}
folder=${{1:-.}}
encode=${{ENCODE:--c:v libx264 -crf 18 -c:a aac}}
extension=${{EXTENSION:-mp4}}

# Time in the file from which the times below count.
first=$(ffprobe -v error -select_streams v:0 -show_entries stream=start_time \
    -of default=noprint_wrappers=1:nokey=1 -i "$film" | head -n 1)
container=$(ffprobe -v error -show_entries format=format_name -of default=noprint_wrappers=1:nokey=1 -i "$film")
zero={zero}
case $first in
    '' | N/A) zero=0 ;;
esac
# Seconds before a part from which ffmpeg decodes. It finds no key pictures in MPEG streams.
case $container in
    mpegts | mpeg) lead=10 ;;
    *) lead=0 ;;
esac

# Writes one part. Arguments: name, start and length in seconds.
part() {{
    # shellcheck disable=SC2046 # Three numbers.
    set -- "$1" $(awk -v zero="$zero" -v lead="$lead" -v start="$2" -v len="$3" \
        'BEGIN {{ printf "%.6f %.6f %.6f", zero + start - lead, lead, lead + len }}')
    # shellcheck disable=SC2086 # $encode holds several options.
    ffmpeg -nostdin -hide_banner -v error -n -seek_timestamp 1 -ss "$2" -i "$film" -map 0:v:0 -map '0:a?' \
        -vf "trim=start=$3:end=$4" -af "atrim=start=$3:end=$4" \
        -fps_mode passthrough -enc_time_base -1 $encode "file:$folder/$1.$extension"
}}

"#,
        count = list.shots().len(),
    );
    for shot in list.shots() {
        let cut = |time_s: f64| ((time_s - list.first_s().unwrap_or(0.0) - list.cut_lead_s()) * 1e6).round() as i64;
        let (start, end) = (cut(shot.start_s), cut(shot.end_s));
        let (start_s, length_s) = (seconds(start), seconds(end.saturating_sub(start)));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "part {stem}-shot-{:04} {start_s} {length_s}", shot.number);
    }
    Ok(text)
}

/// Returns a number of microseconds in seconds.
fn seconds(microseconds: i64) -> String {
    let sign = if microseconds < 0 { "-" } else { "" };
    let microseconds = microseconds.unsigned_abs();
    format!("{sign}{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000)
}

/// Returns a file name without its extension, in characters that need no quotes.
fn plain_stem(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let stem: String = stem.trim_start_matches(['.', '-']).chars().map(plain).take(STEM_LENGTH).collect();
    if stem.is_empty() { "film".to_owned() } else { stem }
}

/// Returns a text in quotes of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::{plain_stem, seconds};

    #[test]
    fn parts_have_plain_names() {
        assert_eq!(plain_stem("Sintel trailer.mp4"), "Sintel_trailer");
        assert_eq!(plain_stem("-rf.mp4"), "rf");
        assert_eq!(plain_stem("$(id)`.mp4"), "__id__");
        assert_eq!(plain_stem(".mp4"), "film");
        assert_eq!(plain_stem("é"), "_");
    }

    #[test]
    fn times_keep_their_sign() {
        assert_eq!(seconds(-20_833), "-0.020833");
        assert_eq!(seconds(1_000_001), "1.000001");
    }
}
