//! Writes the text of a pipeline, by the request and the kind of board.
//!
//! The text holds only our own words and numbers. Paths and addresses are set on the element
//! afterwards, so that no file name can be read as a part of a pipeline. Only the text of
//! `gst-launch://` is the user's.

use std::ffi::OsString;

use super::request::{Camera, Place};
use crate::SourceError;
use crate::error::VideoError;
use crate::streams::server_address::Transport;

/// Name of the element that the place is set on.
pub(super) const SOURCE: &str = "divita-source";
/// Name of the element whose input says how large the pictures are before they are made smaller.
pub(super) const SCALER: &str = "divita-scaler";
/// Name of the filter that says how large they shall be.
pub(super) const SIZE: &str = "divita-size";
/// Name of the element that the pictures are taken from.
pub(super) const FRAMES: &str = "divita-frames";

/// What a kind of board has that others have not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Board {
    /// For people.
    pub name: &'static str,
    /// Elements that are on such a board and nowhere else; on none: any board.
    pub marks: &'static [&'static str],
    /// Makes plain I420 or NV12 of whatever a decoder gives.
    convert: &'static str,
    /// The same, and smaller. Its first element is where pictures come in.
    shrink: &'static str,
    /// Reads a camera on the board's connector.
    pub camera: &'static str,
    /// What the camera is set on: its number, or its name.
    camera_property: CameraProperty,
    /// The kind of picture to ask the camera for.
    camera_caps: &'static str,
    /// Elements of `convert` and `shrink`.
    pub converters: &'static [&'static str],
}

/// How the element of a camera is told which.
#[derive(Clone, Copy, Debug, PartialEq)]
enum CameraProperty {
    Number(&'static str),
    Name(&'static str),
}

/// The kinds of boards, the most particular first. A decoder is in none: `decodebin` takes the one
/// of the highest rank, which on a Jetson is `nvv4l2decoder`, and falls back to software for a
/// codec that the board has no circuit for.
pub(super) const BOARDS: [Board; 2] = [
    Board {
        name: "Jetson",
        marks: &["nvv4l2decoder", "nvvidconv"],
        convert: "nvvidconv",
        shrink: "nvvidconv name=divita-scaler",
        camera: "nvarguscamerasrc",
        camera_property: CameraProperty::Number("sensor-id"),
        camera_caps: "video/x-raw(memory:NVMM),format=NV12",
        converters: &["nvvidconv"],
    },
    Board {
        name: "any board",
        marks: &[],
        convert: "videoconvert",
        // All the pixels of a large picture count in a small one, as in the runtime's own filter.
        // No borders: the size is chosen so that the shape stays.
        shrink: "videoscale name=divita-scaler method=bilinear2 add-borders=false ! videoconvert",
        camera: "libcamerasrc",
        camera_property: CameraProperty::Name("camera-name"),
        camera_caps: "video/x-raw",
        converters: &["videoscale", "videoconvert"],
    },
];

/// A pipeline to be built. It cannot be printed, as it may hold credentials.
#[derive(Clone, PartialEq)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Plan {
    /// In the words of gst-launch-1.0.
    pub text: String,
    /// The property of [`SOURCE`] that says where pictures come from, and its value.
    pub place: Option<(&'static str, OsString)>,
    /// The elements that must be there.
    pub elements: Vec<&'static str>,
}

/// The pixel formats that frames are made of.
const FORMATS: &str = "video/x-raw,format=(string){I420,NV12}";

/// Decodes what comes in, pictures only: sound is not even decoded.
const DECODE: &str = r#"decodebin expose-all-streams=false caps="video/x-raw(ANY)""#;

/// Plans the pipeline for `place` on `board`; `shrinks` says whether pictures may have to be made
/// smaller.
pub(super) fn plan(place: &Place, shrinks: bool, board: &Board) -> Result<Plan, SourceError> {
    let mut elements = vec!["capsfilter", "appsink"];
    elements.extend(board.converters);
    // A live source runs on: two pictures wait, older ones are dropped. A file waits: a few are
    // decoded ahead.
    let mut flow = "max-buffers=4 drop=false";
    let live = "max-buffers=2 drop=true";
    let mut set = None;
    let start = match place {
        Place::File(path) => {
            elements.extend(["filesrc", "decodebin"]);
            set = Some(("location", path.clone().into()));
            format!("filesrc name={SOURCE} ! {DECODE}")
        }
        Place::Http(url) => {
            elements.push("uridecodebin");
            set = Some(("uri", url.into()));
            format!("uri{DECODE} name={SOURCE}")
        }
        Place::Rtsp { url, transport, latency_ms } => {
            elements.extend(["rtspsrc", "decodebin"]);
            flow = live;
            set = Some(("location", url.into()));
            let protocols = match transport {
                Transport::Tcp => "tcp",
                Transport::Udp => "udp",
            };
            format!("rtspsrc name={SOURCE} protocols={protocols} latency={latency_ms} drop-on-latency=true ! {DECODE}")
        }
        Place::Csi { camera, size, rate } => {
            elements.push(board.camera);
            flow = live;
            let mut start = format!("{} name={SOURCE}", board.camera);
            match (board.camera_property, camera) {
                (CameraProperty::Number(property), Camera::Number(number)) => start += &format!(" {property}={number}"),
                (CameraProperty::Name(property), Camera::Named(name)) => set = Some((property, name.into())),
                // Without a name, libcamera takes its first.
                (CameraProperty::Name(_), Camera::Number(0)) => {}
                (CameraProperty::Name(_), Camera::Number(number)) => {
                    return Err(VideoError::Unsuitable {
                        problem: format!("libcamera numbers no cameras, so there is no {number}"),
                        hint: "use csi://0 for the first, or the name that `cam -l` prints, as in csi:///base/soc/i2c0mux/i2c@1/imx219@10",
                    }.into());
                }
                (CameraProperty::Number(_), Camera::Named(name)) => {
                    return Err(VideoError::Unsuitable {
                        problem: format!("cameras of this board have numbers, and {name} is none"),
                        hint: "use csi://0",
                    }
                    .into());
                }
            }
            start += &format!(" ! {}", board.camera_caps);
            if let Some((width, height)) = size {
                start += &format!(",width={width},height={height}");
            }
            if let Some((frames, seconds)) = rate {
                start += &format!(",framerate={frames}/{seconds}");
            }
            start
        }
        Place::Launch(text) => text.trim().trim_end_matches('!').trim_end().to_owned(),
    };
    let convert = if shrinks { board.shrink } else { board.convert };
    let text = format!(
        r#"{start} ! {convert} ! capsfilter name={SIZE} caps="{FORMATS}" ! appsink name={FRAMES} sync=false enable-last-sample=false {flow}"#
    );
    Ok(Plan { text, place: set, elements })
}

#[cfg(test)]
mod tests {
    use super::*;

    const JETSON: Board = BOARDS[0];
    const ANY: Board = BOARDS[1];

    fn text(place: &Place, shrinks: bool, board: &Board) -> String {
        plan(place, shrinks, board).unwrap().text
    }

    fn rtsp(transport: Transport) -> Place {
        Place::Rtsp { url: "rtsp://cam/1".to_owned(), transport, latency_ms: 200 }
    }

    #[test]
    fn a_file_on_any_board_waits_and_keeps_its_size() {
        let plan = plan(&Place::File("/a ! b\".mkv".into()), false, &ANY).unwrap();
        assert_eq!(
            plan.text,
            "filesrc name=divita-source ! decodebin expose-all-streams=false caps=\"video/x-raw(ANY)\" ! videoconvert \
             ! capsfilter name=divita-size caps=\"video/x-raw,format=(string){I420,NV12}\" \
             ! appsink name=divita-frames sync=false enable-last-sample=false max-buffers=4 drop=false"
        );
        // The path, whatever is in it, is no part of the text.
        assert_eq!(plan.place, Some(("location", "/a ! b\".mkv".into())));
    }

    #[test]
    fn a_stream_is_live_and_made_smaller() {
        assert_eq!(
            text(&rtsp(Transport::Udp), true, &ANY),
            "rtspsrc name=divita-source protocols=udp latency=200 drop-on-latency=true \
             ! decodebin expose-all-streams=false caps=\"video/x-raw(ANY)\" \
             ! videoscale name=divita-scaler method=bilinear2 add-borders=false ! videoconvert \
             ! capsfilter name=divita-size caps=\"video/x-raw,format=(string){I420,NV12}\" \
             ! appsink name=divita-frames sync=false enable-last-sample=false max-buffers=2 drop=true"
        );
        assert!(text(&rtsp(Transport::Tcp), true, &ANY).contains(" protocols=tcp "));
    }

    #[test]
    fn a_jetson_converts_and_shrinks_in_its_own_circuits() {
        let stream = text(&rtsp(Transport::Tcp), true, &JETSON);
        assert!(stream.contains("! nvvidconv name=divita-scaler ! capsfilter"), "{stream}");
        assert!(!stream.contains("videoconvert") && !stream.contains("videoscale"), "{stream}");
        let camera = Place::Csi { camera: Camera::Number(1), size: Some((1280, 720)), rate: Some((30, 1)) };
        let camera = text(&camera, true, &JETSON);
        let start = "nvarguscamerasrc name=divita-source sensor-id=1 \
                     ! video/x-raw(memory:NVMM),format=NV12,width=1280,height=720,framerate=30/1 ! nvvidconv";
        assert!(camera.starts_with(start), "{camera}");
        assert!(camera.ends_with("drop=true"), "{camera}");
    }

    #[test]
    fn libcamera_takes_its_first_camera_or_a_name() {
        let csi = |camera| Place::Csi { camera, size: None, rate: None };
        let first = plan(&csi(Camera::Number(0)), true, &ANY).unwrap();
        assert!(first.text.starts_with("libcamerasrc name=divita-source ! video/x-raw ! videoscale"), "{}", first.text);
        assert_eq!(first.place, None);
        let named = plan(&csi(Camera::Named("imx".to_owned())), true, &ANY).unwrap();
        assert_eq!(named.place, Some(("camera-name", "imx".into())));
        assert!(plan(&csi(Camera::Number(1)), true, &ANY).unwrap_err().to_string().contains("cam -l"));
        assert!(plan(&csi(Camera::Named("imx".to_owned())), true, &JETSON).is_err());
    }

    #[test]
    fn a_pipeline_of_ones_own_ends_in_ours() {
        for written in ["videotestsrc", " videotestsrc ! ", "videotestsrc !"] {
            let text = text(&Place::Launch(written.to_owned()), false, &ANY);
            assert!(text.starts_with("videotestsrc ! videoconvert ! capsfilter"), "{text}");
        }
    }

    #[test]
    fn the_names_that_are_looked_up_are_those_in_the_texts() {
        for board in &BOARDS {
            let text = text(&rtsp(Transport::Tcp), true, board);
            for name in [SOURCE, SCALER, SIZE, FRAMES] {
                assert!(text.contains(&format!(" name={name} ")), "{name} in {text}");
            }
            for element in plan(&rtsp(Transport::Tcp), true, board).unwrap().elements {
                assert!(text.contains(element), "{element} in {text}");
            }
        }
    }
}
