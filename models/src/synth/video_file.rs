//! Encodes pictures as H.264 by OpenH264 and writes them to an MP4 file.

use std::{fs, num::NonZeroU32, path::Path};

use openh264::{
    OpenH264API,
    encoder::{
        BitRate, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, QpRange, RateControlMode, UsageType,
    },
    formats::YUVSlices,
};
use shiguredo_mp4::{
    TrackKind, Uint,
    boxes::{Avc1Box, AvccBox, SampleEntry, VisualSampleEntryFields},
    mux::{Mp4FileMuxer, MuxError, Sample},
};
use thiserror::Error;

use super::{picture::Picture, screenplay::RATE};
use crate::weights::write_whole;

/// Frames between two from which decoding may begin, at most.
const KEY_FRAMES: u32 = 48;

/// NAL units of parameters.
const SEQUENCE: u8 = 7;
const PICTURE: u8 = 8;

/// Why a video could not be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VideoFileError {
    /// The encoder refuses a picture.
    #[error("OpenH264 cannot encode the picture")]
    Encoder(#[from] openh264::Error),
    /// The file's tables cannot be made.
    #[error("cannot write the MP4 file: {0}")]
    Mux(String),
    /// There are no pictures.
    #[error("there are no pictures to write")]
    Empty,
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] crate::Error),
}

impl From<MuxError> for VideoFileError {
    fn from(error: MuxError) -> Self {
        VideoFileError::Mux(error.to_string())
    }
}

/// Writes `pictures`, all of one size with even sides, at [`RATE`] frames per second to `path`;
/// `quantiser`, 0 to 51, says how much of them is lost. The file appears whole or not at all, and
/// is the same bytes each time.
///
/// # Errors
/// [`VideoFileError`].
pub fn write_video(path: &Path, pictures: impl Iterator<Item = Picture>, quantiser: u8) -> Result<(), VideoFileError> {
    let config = EncoderConfig::new()
        .rate_control_mode(RateControlMode::Off)
        .bitrate(BitRate::from_bps(4_000_000))
        .qp(QpRange::new(quantiser, quantiser))
        .usage_type(UsageType::CameraVideoRealTime)
        .max_frame_rate(FrameRate::from_hz(RATE as f32))
        .intra_frame_period(IntraFramePeriod::from_num_frames(KEY_FRAMES))
        .skip_frames(false)
        .adaptive_quantization(false)
        .background_detection(false)
        .scene_change_detect(true)
        // More would share a picture in slices by how many there are.
        .num_threads(1);
    let mut encoder = Encoder::with_api_config(OpenH264API::from_source(), config)?;
    let mut muxer = Mp4FileMuxer::new()?;
    let mut file = muxer.initial_boxes_bytes().to_vec();
    let mut entry = None;
    let rate = NonZeroU32::MIN.saturating_add(RATE as u32 - 1);
    for (at, picture) in pictures.enumerate() {
        let (width, height) = (picture.width, picture.height);
        let [y, u, v] = picture.planes();
        let planes = YUVSlices::new((&y, &u, &v), (width, height), (width, width / 2, width / 2));
        let encoded = encoder.encode(&planes)?;
        let keyframe = matches!(encoded.frame_type(), FrameType::IDR | FrameType::I);
        let begin = file.len();
        let mut parameters: [Vec<Vec<u8>>; 2] = Default::default();
        let layers = (0..encoded.num_layers()).filter_map(|layer| encoded.layer(layer));
        for layer in layers {
            for unit in (0..layer.nal_count()).filter_map(|unit| layer.nal_unit(unit)) {
                let unit = without_start_code(unit);
                match unit.first().map_or(0, |head| head & 0x1f) {
                    SEQUENCE => parameters[0].push(unit.to_vec()),
                    PICTURE => parameters[1].push(unit.to_vec()),
                    _ => {
                        file.extend_from_slice(&(unit.len() as u32).to_be_bytes());
                        file.extend_from_slice(unit);
                    }
                }
            }
        }
        let sample_entry = (at == 0).then(|| {
            let made = sample_entry(&parameters, width, height);
            entry = Some(());
            made
        });
        muxer.append_sample(&Sample {
            track_kind: TrackKind::Video,
            sample_entry,
            keyframe,
            timescale: rate,
            duration: 1,
            composition_time_offset: None,
            data_offset: begin as u64,
            data_size: file.len() - begin,
        })?;
    }
    if entry.is_none() {
        return Err(VideoFileError::Empty);
    }
    for (offset, bytes) in muxer.finalize()?.offset_and_bytes_pairs() {
        let offset = offset as usize;
        file.resize(file.len().max(offset + bytes.len()), 0);
        file[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(crate::Error::io(folder))?;
    }
    Ok(write_whole(path, &file)?)
}

/// Returns a NAL unit without what divides it from the one before in a stream.
fn without_start_code(unit: &[u8]) -> &[u8] {
    let zeros = unit.iter().take_while(|&&byte| byte == 0).count();
    unit.get(zeros + 1..).filter(|_| unit.get(zeros) == Some(&1)).unwrap_or(unit)
}

/// What a player must know before the first picture.
fn sample_entry([sequence, picture]: &[Vec<Vec<u8>>; 2], width: usize, height: usize) -> SampleEntry {
    // Behind the head of the unit: profile, what it is compatible with, level.
    let byte = |at: usize| sequence.first().and_then(|unit| unit.get(at)).copied().unwrap_or(0);
    SampleEntry::Avc1(Avc1Box {
        visual: VisualSampleEntryFields {
            data_reference_index: VisualSampleEntryFields::DEFAULT_DATA_REFERENCE_INDEX,
            width: width as u16,
            height: height as u16,
            horizresolution: VisualSampleEntryFields::DEFAULT_HORIZRESOLUTION,
            vertresolution: VisualSampleEntryFields::DEFAULT_VERTRESOLUTION,
            frame_count: VisualSampleEntryFields::DEFAULT_FRAME_COUNT,
            compressorname: VisualSampleEntryFields::NULL_COMPRESSORNAME,
            depth: VisualSampleEntryFields::DEFAULT_DEPTH,
        },
        avcc_box: AvccBox {
            avc_profile_indication: byte(1),
            profile_compatibility: byte(2),
            avc_level_indication: byte(3),
            length_size_minus_one: Uint::new(3),
            sps_list: sequence.clone(),
            pps_list: picture.clone(),
            chroma_format: None,
            bit_depth_luma_minus8: None,
            bit_depth_chroma_minus8: None,
            sps_ext_list: Vec::new(),
        },
        unknown_boxes: Vec::new(),
    })
}
