//! Final Cut Pro XML, version 1.10.
//!
//! The spine holds a clip of the film for each shot and a gap for each transition. Times are exact
//! fractions of a second. The leading genre of a shot is a keyword.

use crate::error::ShotListError;
use crate::film::Film;
use crate::markup::XmlWriter;
use crate::media_address;
use crate::shot_list::ShotList;
use crate::title::{beginning, file_name, one_line, shot_title};

pub(super) fn write(film: &Film, list: &ShotList) -> Result<String, ShotListError> {
    let name = file_name(&film.name);
    let time = |frames: u64| seconds(list, frames);
    let (length, zero) = (time(list.length()), time(0));
    let tc_format = if list.drop_frame() { "DF" } else { "NDF" };

    let mut xml = XmlWriter::new("fcpxml");
    xml.open("fcpxml", &[("version", "1.10")]);
    xml.open("resources", &[]);
    let frame_duration = time(1);
    let size = [film.width, film.height].map(|size| size.map(|size| size.to_string()));
    let mut format = vec![("id", "r1"), ("frameDuration", frame_duration.as_str())];
    if let [Some(width), Some(height)] = &size {
        format.extend([("width", width.as_str()), ("height", height.as_str())]);
    }
    xml.empty("format", &format);
    let asset = [("id", "r2"), ("name", &name), ("start", &zero), ("duration", &length), ("hasVideo", "1")];
    xml.open("asset", &[&asset[..], &[("format", "r1"), ("videoSources", "1")]].concat());
    xml.empty("media-rep", &[("kind", "original-media"), ("src", &media_address::url(&film.name))]);
    xml.close();
    xml.close();

    xml.open("library", &[]);
    xml.open("event", &[("name", &name)]);
    xml.open("project", &[("name", &name)]);
    let end = list.shots().last().map_or(0, |shot| shot.frames.end);
    xml.open("sequence", &[("format", "r1"), ("duration", &time(end)), ("tcStart", &zero), ("tcFormat", tc_format)]);
    if let Some(notice) = &film.notice {
        xml.text("note", &one_line(notice));
    }
    xml.open("spine", &[]);
    let mut end = 0;
    for shot in list.shots() {
        let start = time(shot.frames.start);
        if shot.frames.start > end {
            let duration = time(shot.frames.start - end);
            xml.empty("gap", &[("name", "Gap"), ("offset", &time(end)), ("start", &zero), ("duration", &duration)]);
        }
        end = shot.frames.end;
        let (title, duration) = (shot_title(shot), time(end - shot.frames.start));
        let place = [("ref", "r2"), ("name", &title), ("offset", &start), ("start", &start), ("duration", &duration)];
        xml.open("asset-clip", &[&place[..], &[("format", "r1"), ("tcFormat", tc_format)]].concat());
        xml.text("note", &format!("Begins with: {}", beginning(shot)));
        if let Some((label, _)) = shot.leading_genre() {
            xml.empty("keyword", &[("start", &start), ("duration", &duration), ("value", &one_line(label))]);
        }
        xml.close();
    }
    Ok(xml.finish())
}

/// Returns the time of a number of frames as a fraction of seconds, such as `1001/24000s`.
fn seconds(list: &ShotList, frames: u64) -> String {
    let rate = list.rate();
    // Frames are few enough that the product fits (`HIGHEST_FRAME` of the shot list).
    let numerator = u128::from(frames) * u128::from(rate.denominator());
    match numerator % u128::from(rate.numerator()) {
        0 => format!("{}s", numerator / u128::from(rate.numerator())),
        _ => format!("{numerator}/{}s", rate.numerator()),
    }
}
