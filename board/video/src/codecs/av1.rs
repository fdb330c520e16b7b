//! AV1: what its headers say, and the decoder.

use std::sync::Arc;

use divita_runtime::frame::{Frame, FrameError, Timestamp};
use divita_runtime::panics;
use re_rav1d::{Decoder, Error, Picture, PixelLayout, PlanarImageComponent, Plane, Settings};

use super::bits::Bits;
use super::by_packet::{ByPacket, Damage, Next, Outcome, PacketDecoder};
use super::codec::{Codec, CodecFormat, Decoding, Role};
use super::eight_bits::{EightBits, Format, Layout, Samples, SourcePlane, Transfer};
use super::error::CodecError;
use super::featured;
use super::limit;
use crate::SourceError;
use crate::presentation::{CodecFacts, StatedColour};

/// AV1.
pub(super) const FORMAT: CodecFormat = CodecFormat { open: Some(open), ..featured::AV1 };

fn open(configs: &[Vec<u8>], _: Decoding) -> Result<Box<dyn Codec>, SourceError> {
    if !featured::AV1_HAS_ASSEMBLY {
        log::warn!(
            "this build decodes AV1 some 12 times slower than it could; \
             install nasm and build it with assembly: cargo build --release --features divita/av1-assembly"
        );
    }
    // `av1C`: four bytes that the sequence header repeats, then units.
    let headers = configs.first().and_then(|config| config.get(4..)).unwrap_or_default();
    let mut decoder = Av1::new(headers.to_vec())?;
    let facts = decoder.look(headers)?;
    Ok(Box::new(ByPacket::new(decoder, facts)))
}

/// An AV1 stream.
struct Av1 {
    decoder: Decoder,
    /// The units of the configuration, which the decoder gets first.
    headers: Vec<u8>,
    /// The data that the decoder was given last.
    data: Arc<Vec<u8>>,
    /// What the last sequence header says.
    sequence: Option<Sequence>,
    /// Whether a key frame came.
    started: bool,
    picture: Option<(Planes, Format, Sequence)>,
    eight: EightBits,
}

/// Data that the decoder shares.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The planes of a picture, as many as it has, and the samples from one row to the next.
struct Planes([Option<(Plane, usize)>; 3]);

/// Returns a decoder that runs on the thread of its caller. With more threads it can wait for ever
/// on damaged data.
fn start() -> Result<Decoder, SourceError> {
    let mut settings = Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_frame_size_limit(limit::MAX_PIXELS as u32);
    Decoder::with_settings(&settings)
        .map_err(|error| CodecError::NotStarted { codec: "AV1", reason: error.to_string() }.into())
}

impl Av1 {
    fn new(headers: Vec<u8>) -> Result<Self, SourceError> {
        Ok(Av1 {
            decoder: start()?,
            headers,
            data: Arc::default(),
            sequence: None,
            started: false,
            picture: None,
            eight: EightBits::default(),
        })
    }

    /// Decodes `data`. Returns the last picture that comes out, and whether something is wrong.
    fn run(&mut self, data: &[u8]) -> (Option<Picture>, bool) {
        if data.is_empty() {
            return (None, true);
        }
        match Arc::get_mut(&mut self.data) {
            Some(buffer) => {
                buffer.clear();
                buffer.extend_from_slice(data);
            }
            None => self.data = Arc::new(data.to_vec()),
        }
        let shared = Shared(self.data.clone());
        let decoder = &mut self.decoder;
        // After a panic the decoder is replaced.
        let done = panics::catch(|| {
            let (mut last, mut damaged) = (None, false);
            let mut sent = decoder.send_data(shared, None, None, None);
            loop {
                let mut advances = false;
                loop {
                    match decoder.get_picture() {
                        Ok(picture) => (last, advances) = (Some(picture), true),
                        Err(Error::Again) => break,
                        Err(error) => {
                            log::trace!("a frame of AV1 is refused: {error}");
                            damaged = true;
                            break;
                        }
                    }
                }
                match sent {
                    Ok(()) => return Some((last, damaged)),
                    Err(Error::Again) if advances => sent = decoder.send_pending_data(),
                    // Data that the decoder neither takes nor refuses.
                    Err(Error::Again) => return None,
                    Err(error) => {
                        log::trace!("AV1 data are refused: {error}");
                        return Some((last, true));
                    }
                }
            }
        });
        match done {
            Ok(Some(done)) => done,
            _ => {
                self.started = false;
                if let Ok(decoder) = start() {
                    self.decoder = decoder;
                }
                (None, true)
            }
        }
    }

    /// Takes over a picture of the decoder; false when it is of a kind that is not shown.
    fn show(&mut self, picture: &Picture) -> bool {
        let Some(sequence) = self.sequence else { return false };
        let (layout, components) = match picture.pixel_layout() {
            PixelLayout::I400 => (Some(Layout::Grey), &COMPONENTS[..1]),
            PixelLayout::I420 => (Layout::new(true, true, sequence.matrix), &COMPONENTS[..]),
            PixelLayout::I422 => (Layout::new(true, false, sequence.matrix), &COMPONENTS[..]),
            PixelLayout::I444 => (Layout::new(false, false, sequence.matrix), &COMPONENTS[..]),
        };
        let Some(layout) = layout else { return false };
        let bits = picture.bit_depth() as u32;
        let bytes = if bits > 8 { 2 } else { 1 };
        let planes = Planes(std::array::from_fn(|number| {
            let component = *components.get(number)?;
            // The decoder states it in bytes.
            Some((picture.plane(component), picture.stride(component) as usize / bytes))
        }));
        let format = Format {
            width: picture.width() as usize,
            height: picture.height() as usize,
            layout,
            bits: (bits, bits),
            transfer: Transfer::new(sequence.transfer),
            is_full_range: sequence.is_full_range,
        };
        let whole = self.eight.convert(&format, &planes.source(bits));
        self.picture = whole.then_some((planes, format, sequence));
        whole
    }
}

const COMPONENTS: [PlanarImageComponent; 3] =
    [PlanarImageComponent::Y, PlanarImageComponent::U, PlanarImageComponent::V];

impl Planes {
    fn source(&self, bits: u32) -> [SourcePlane<'_>; 3] {
        self.0.each_ref().map(|plane| match plane {
            None => SourcePlane::EMPTY,
            Some((data, stride)) if bits > 8 => SourcePlane { samples: Samples::Native(data), stride: *stride },
            Some((data, stride)) => SourcePlane { samples: Samples::Bytes(data), stride: *stride },
        })
    }
}

impl PacketDecoder for Av1 {
    const START: &'static str = "the start of its AV1";

    fn look(&mut self, data: &[u8]) -> Result<Option<CodecFacts>, SourceError> {
        let Some(sequence) = units(data).find_map(|unit| unit.sequence()) else { return Ok(None) };
        limit::check(sequence.size.0, sequence.size.1)?;
        self.sequence = Some(sequence);
        let (width, height) = sequence.size;
        let format = Format {
            width,
            height,
            layout: Layout::Grey,
            bits: (8, 8),
            transfer: Transfer::new(sequence.transfer),
            is_full_range: sequence.is_full_range,
        };
        Ok(Some(CodecFacts { width, height, colour: format.colour(sequence.stated()), sample_aspect: None }))
    }

    fn role(&self, data: &[u8], _: Next<'_>) -> Option<Role> {
        let (mut sequence, mut has_frame) = (self.sequence, false);
        for unit in units(data) {
            sequence = unit.sequence().or(sequence);
            match unit.frame_role(sequence.as_ref()) {
                Some(Role::Disposable) => has_frame = true,
                Some(role) => return Some(role),
                None => {}
            }
        }
        Some(if has_frame { Role::Disposable } else { Role::Reference })
    }

    fn begins_group(&self, data: &[u8]) -> bool {
        // A key frame that is not shown leaves earlier frames to later ones.
        let is_shown_key =
            |unit: &Unit<'_>| unit.begins_frame() && unit.data.first().is_some_and(|start| start >> 4 == 1);
        let has_sequence = !self.headers.is_empty() || units(data).any(|unit| unit.sequence().is_some());
        has_sequence && units(data).find(Unit::begins_frame).is_some_and(|unit| is_shown_key(&unit))
    }

    fn decode(&mut self, data: &[u8]) -> Outcome {
        let mut starts = false;
        for unit in units(data) {
            if let Some(sequence) = unit.sequence() {
                if let Err(error) = limit::check(sequence.size.0, sequence.size.1) {
                    return Outcome { damage: Some(Damage::Spreading), refusal: Some(error), ..Outcome::default() };
                }
                self.sequence = Some(sequence);
            }
            starts |= self.sequence.is_some_and(|sequence| unit.is_key_frame(sequence.is_still));
        }
        if !self.started {
            if !starts {
                return Outcome { damage: Some(Damage::Incomplete), ..Outcome::default() };
            }
            self.started = true;
            let headers = std::mem::take(&mut self.headers);
            if !headers.is_empty() {
                self.run(&headers);
            }
            self.headers = headers;
        }
        let (picture, mut damaged) = self.run(data);
        let mut shown = false;
        if let Some(picture) = picture {
            shown = self.show(&picture);
            damaged |= !shown;
        }
        Outcome { picture: shown, starts, damage: damaged.then_some(Damage::Spreading), refusal: None }
    }

    fn restart(&mut self) -> Result<(), SourceError> {
        self.decoder = start()?;
        (self.started, self.picture) = (false, None);
        Ok(())
    }

    fn facts(&self) -> CodecFacts {
        let Some((_, format, sequence)) = &self.picture else { return CodecFacts::default() };
        let colour = format.colour(sequence.stated());
        CodecFacts { width: format.width, height: format.height, colour, sample_aspect: None }
    }

    fn frame(&self, time: Timestamp) -> Result<Frame<'_>, FrameError> {
        let Some((planes, format, _)) = &self.picture else { return Err(FrameError::Size { width: 0, height: 0 }) };
        Frame::new(self.eight.pixels(format, &planes.source(format.bits.0)), format.width, format.height, time)
    }
}

/// A unit of the stream (OBU).
struct Unit<'a> {
    kind: u8,
    data: &'a [u8],
}

/// Returns the units of `data` (5.3 of the AV1 specification), up to one that does not add up.
fn units(mut data: &[u8]) -> impl Iterator<Item = Unit<'_>> {
    std::iter::from_fn(move || {
        let (&header, mut rest) = data.split_first()?;
        if header & 4 != 0 {
            rest = rest.get(1..)?; // layers
        }
        let mut size = rest.len();
        if header & 2 != 0 {
            size = 0;
            for place in 0..8 {
                let (&byte, after) = rest.split_first()?;
                rest = after;
                size |= usize::from(byte & 0x7f).checked_shl(7 * place)?;
                if byte < 0x80 {
                    break;
                }
            }
        }
        let (unit, after) = rest.split_at_checked(size)?;
        data = after;
        Some(Unit { kind: header >> 3 & 15, data: unit })
    })
}

impl Unit<'_> {
    /// Returns what the unit says, if it is a sequence header.
    fn sequence(&self) -> Option<Sequence> {
        const SEQUENCE_HEADER: u8 = 1;
        if self.kind == SEQUENCE_HEADER { Sequence::read(&mut Bits::plain(self.data)) } else { None }
    }

    /// Returns whether the unit begins a key frame of a stream, which may be one picture
    /// (`is_still`).
    fn is_key_frame(&self, is_still: bool) -> bool {
        let mut bits = Bits::plain(self.data);
        // Whether it only shows a frame that was decoded before, and its type.
        let mut is_key = || Some(is_still || !bits.flag()? && bits.number(2)? == KEY_FRAME);
        self.begins_frame() && is_key() == Some(true)
    }

    fn begins_frame(&self) -> bool {
        const FRAME_HEADER: u8 = 3;
        const FRAME: u8 = 6;
        matches!(self.kind, FRAME_HEADER | FRAME)
    }

    /// Returns what other frames need of the frame that the unit begins; `None` if it begins none.
    fn frame_role(&self, sequence: Option<&Sequence>) -> Option<Role> {
        if !self.begins_frame() {
            return None;
        }
        let Some(sequence) = sequence else { return Some(Role::Reference) };
        if self.is_key_frame(sequence.is_still) {
            return Some(Role::Key);
        }
        let refreshed = refreshed_slots(&mut Bits::plain(self.data), sequence);
        Some(if refreshed == Some(0) { Role::Disposable } else { Role::Reference })
    }
}

/// The type of a key frame, and of a frame that switches between streams.
const KEY_FRAME: u32 = 0;
const SWITCH_FRAME: u32 = 3;

/// Returns the slots that a frame is stored in, a bit each (5.9.2); `None` for a frame that was
/// decoded before, and where the header cannot be read.
fn refreshed_slots(bits: &mut Bits<'_>, sequence: &Sequence) -> Option<u32> {
    let FrameFields { has_decoder_model, number_bits, screen_content, whole_vectors, order_bits } = sequence.frames;
    if has_decoder_model || bits.flag()? {
        return None;
    }
    let kind = bits.number(2)?;
    let is_shown = bits.flag()?;
    if !is_shown {
        bits.flag()?; // whether it can be shown later
    }
    let is_resilient = kind == SWITCH_FRAME || kind == KEY_FRAME && is_shown || bits.flag()?;
    bits.flag()?; // whether probabilities stay
    if match screen_content {
        Choice::ByFrame => bits.flag()?,
        Choice::Always => true,
        Choice::Never => false,
    } && whole_vectors == Choice::ByFrame
    {
        bits.flag()?;
    }
    bits.number(number_bits)?;
    if kind != SWITCH_FRAME {
        bits.flag()?; // a size of its own
    }
    bits.number(order_bits)?;
    const INTRA_ONLY: u32 = 2;
    if !(is_resilient || matches!(kind, KEY_FRAME | INTRA_ONLY)) {
        bits.number(3)?; // the frame whose probabilities it takes
    }
    if kind == SWITCH_FRAME || kind == KEY_FRAME && is_shown { Some(0xff) } else { bits.number(8) }
}

/// What a sequence header says of the headers of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct FrameFields {
    /// Whether frames say when they are decoded.
    has_decoder_model: bool,
    /// Bits of the number of a frame.
    number_bits: u32,
    /// Whether tools for screen content are used, and vectors are whole.
    screen_content: Choice,
    whole_vectors: Choice,
    /// Bits of the place of a frame in order of time.
    order_bits: u32,
}

/// Whether something is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Choice {
    #[default]
    Never,
    Always,
    ByFrame,
}

impl Choice {
    /// Reads whether frames choose, and if not, what holds for all.
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        if bits.flag()? {
            return Some(Choice::ByFrame);
        }
        Some(if bits.flag()? { Choice::Always } else { Choice::Never })
    }
}

/// What a sequence header says (5.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sequence {
    /// The largest size of a frame.
    size: (usize, usize),
    /// Whether the stream is one picture with short headers.
    is_still: bool,
    frames: FrameFields,
    /// Transfer and matrix by their numbers in ITU-T H.273.
    transfer: u32,
    matrix: u32,
    is_full_range: bool,
}

impl Sequence {
    fn stated(self) -> StatedColour {
        StatedColour::new(Some(self.matrix), Some(self.is_full_range))
    }

    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let profile = bits.number(3)?;
        bits.flag()?;
        let is_still = bits.flag()?;
        let mut frames = FrameFields::default();
        if is_still {
            bits.number(5)?; // level
        } else {
            frames.has_decoder_model = read_timing(bits)?;
        }
        let (across, down) = (bits.number(4)? + 1, bits.number(4)? + 1);
        let size = (bits.number(across)? as usize + 1, bits.number(down)? as usize + 1);
        if !is_still && bits.flag()? {
            frames.number_bits = bits.number(4)? + bits.number(3)? + 3;
        }
        bits.number(3)?; // tools
        if !is_still {
            read_tools(bits, &mut frames)?;
        }
        bits.number(3)?; // filters
        let (transfer, matrix, is_full_range) = colour(bits, profile)?;
        Some(Sequence { size, is_still, frames, transfer, matrix, is_full_range })
    }
}

/// Reads timing information and operating points; returns whether there is a decoder model.
fn read_timing(bits: &mut Bits<'_>) -> Option<bool> {
    let mut delay_bits = None;
    if bits.flag()? {
        bits.number(32)?;
        bits.number(32)?;
        if bits.flag()? {
            bits.unsigned()?;
        }
        if bits.flag()? {
            delay_bits = Some(bits.number(5)? + 1);
            bits.number(32)?;
            bits.number(10)?;
        }
    }
    let has_display_delay = bits.flag()?;
    for _ in 0..=bits.number(5)? {
        bits.number(12)?;
        if bits.number(5)? > 7 {
            bits.flag()?; // tier
        }
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.number(delay_bits)?;
            bits.number(delay_bits)?;
            bits.flag()?;
        }
        if has_display_delay && bits.flag()? {
            bits.number(4)?;
        }
    }
    Some(delay_bits.is_some())
}

/// Reads the coding tools that only moving pictures have.
fn read_tools(bits: &mut Bits<'_>, frames: &mut FrameFields) -> Option<()> {
    bits.number(4)?;
    let has_order = bits.flag()?;
    if has_order {
        bits.number(2)?;
    }
    frames.screen_content = Choice::read(bits)?;
    if frames.screen_content != Choice::Never {
        frames.whole_vectors = Choice::read(bits)?;
    }
    if has_order {
        frames.order_bits = bits.number(3)? + 1;
    }
    Some(())
}

/// Returns transfer, matrix and whether the range is full (5.5.2).
fn colour(bits: &mut Bits<'_>, profile: u32) -> Option<(u32, u32, bool)> {
    const UNSPECIFIED: u32 = 2;
    const SRGB: [u32; 3] = [1, 13, 0];
    if bits.flag()? && profile == 2 {
        bits.flag()?; // 12 bits
    }
    let is_grey = profile != 1 && bits.flag()?;
    let mut description = [UNSPECIFIED; 3];
    if bits.flag()? {
        for number in &mut description {
            *number = bits.number(8)?;
        }
    }
    let is_full_range = !is_grey && description == SRGB || bits.flag()?;
    Some((description[1], description[2], is_full_range))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sequence headers as encoders wrote them: SVT-AV1, libaom with 10 bits and in grey.
    const PLAIN: [u8; 13] = [0x0a, 0x0b, 0, 0, 0, 0x0c, 0xc4, 0xff, 0x67, 0x3e, 0xfe, 0x40, 0x90];
    const TEN_BITS: [u8; 13] = [0x0a, 0x0b, 0, 0, 0, 0x0c, 0xc4, 0xff, 0x67, 0x36, 0xbe, 0x50, 0x10];
    const GREY: [u8; 13] = [0x0a, 0x0b, 0, 0, 0, 0x0c, 0xc4, 0xff, 0x67, 0x36, 0xbe, 0x4a, 0x80];

    fn sequence(data: &[u8]) -> Option<Sequence> {
        units(data).find_map(|unit| unit.sequence())
    }

    #[test]
    fn sequence_headers_state_the_size() {
        for (data, is_full_range) in [(PLAIN, false), (TEN_BITS, false), (GREY, true)] {
            let frames = FrameFields {
                screen_content: Choice::ByFrame,
                whole_vectors: Choice::ByFrame,
                order_bits: 7,
                ..FrameFields::default()
            };
            let expected =
                Sequence { size: (640, 360), is_still: false, frames, transfer: 2, matrix: 2, is_full_range };
            assert_eq!(sequence(&data), Some(expected));
            for cut in 0..data.len() {
                assert_eq!(sequence(&data[..cut]), None, "{cut}");
            }
        }
    }

    #[test]
    fn the_decoder_never_sees_pictures_that_are_too_large() {
        let mut large = [&PLAIN[..], &[0; 8]].concat();
        large[1] += 8;
        // 16 bits for each side, all set.
        large[5..11].fill(0xff);
        let mut av1 = Av1::new(Vec::new()).unwrap();
        let error = av1.look(&large).unwrap_err();
        assert!(error.to_string().contains("too large"), "{error}");
        assert!(av1.decode(&large).refusal.is_some());
        assert!(av1.look(&PLAIN).unwrap().is_some());
        assert_eq!(av1.decode(&PLAIN).damage, Some(Damage::Incomplete));
        assert_eq!(av1.decode(&[]).damage, Some(Damage::Incomplete));
        // A key frame without contents.
        let key = [&PLAIN[..], &[0x32, 1, 0x10]].concat();
        let outcome = av1.decode(&key);
        assert_eq!((outcome.starts, outcome.picture, outcome.damage), (true, false, Some(Damage::Spreading)));
    }

    #[test]
    fn units_end_where_their_sizes_do_not_add_up() {
        let kinds = |data: &[u8]| units(data).map(|unit| (unit.kind, unit.data.len())).collect::<Vec<_>>();
        assert_eq!(kinds(&[0x12, 0, 0x0a, 2, 1, 1, 0x30, 9]), [(2, 0), (1, 2), (6, 1)]);
        assert_eq!(kinds(&[0x12, 0, 0x0a, 9, 1]), [(2, 0)]);
        assert_eq!(kinds(&[0x16, 0, 0x80, 0x01]), []);
        assert_eq!(kinds(&[0x12; 1]), []);
    }
}
