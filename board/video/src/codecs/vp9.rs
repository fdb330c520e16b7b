//! VP9: what its headers say, and the decoder.

use divita_runtime::frame::{Frame, FrameError, Timestamp};
use divita_runtime::panics;
use rusty_vp9::{DecodedFrame, Error, Vp9Decoder};

use super::bits::Bits;
use super::by_packet::{ByPacket, Damage, Next, Outcome, PacketDecoder};
use super::codec::{Codec, CodecFormat, Decoding, Role};
use super::eight_bits::{EightBits, Format, Layout, Samples, SourcePlane, Transfer};
use super::featured;
use super::limit;
use crate::SourceError;
use crate::error::VideoError;
use crate::presentation::{CodecFacts, StatedColour};

/// VP9.
pub(super) const FORMAT: CodecFormat = CodecFormat { open: Some(open), ..featured::VP9 };

fn open(configs: &[Vec<u8>], _: Decoding) -> Result<Box<dyn Codec>, SourceError> {
    Ok(Box::new(ByPacket::new(Vp9::new(transfer(configs)), None)))
}

/// Returns the transfer that the first configuration states, `vpcC` as MP4 has it.
fn transfer(configs: &[Vec<u8>]) -> Transfer {
    // Version, flags, profile, level, bits of samples, primaries.
    let stated = configs.first().filter(|config| config.first() == Some(&1)).and_then(|config| config.get(8));
    stated.map_or(Transfer::Sdr, |&transfer| Transfer::new(transfer.into()))
}

/// Most frames in a packet.
const MAX_FRAMES: usize = 8;

/// A VP9 stream.
struct Vp9 {
    decoder: Vp9Decoder,
    /// Width and height of the frames in the slots that later ones refer to.
    slots: [(usize, usize); 8],
    /// What the last key frame states.
    colour: Option<Colour>,
    transfer: Transfer,
    picture: Option<(DecodedFrame, Format)>,
    eight: EightBits,
}

impl Vp9 {
    fn new(transfer: Transfer) -> Self {
        Vp9 {
            decoder: Vp9Decoder::new(),
            slots: [(0, 0); 8],
            colour: None,
            transfer,
            picture: None,
            eight: EightBits::default(),
        }
    }

    /// Reads the headers of the frames in a packet before the decoder takes memory for them;
    /// returns whether one is a key frame.
    fn check(&mut self, data: &[u8]) -> Result<bool, Refusal> {
        let (mut has_key, mut slots) = (false, self.slots);
        for frame in frames(data) {
            let header = Header::read(&mut Bits::plain(frame), &slots).ok_or(Refusal::Damaged)?;
            limit::check(header.size.0, header.size.1).map_err(Refusal::TooLarge)?;
            for (slot, size) in slots.iter_mut().enumerate() {
                if header.refreshed >> slot & 1 == 1 {
                    *size = header.size;
                }
            }
            if let Some(colour) = header.colour {
                self.colour = Some(colour);
            }
            has_key |= header.is_key;
        }
        self.slots = slots;
        Ok(has_key)
    }

    /// Decodes a packet. Returns the last picture that comes out, and whether something is wrong.
    fn run(&mut self, data: &[u8]) -> (Option<DecodedFrame>, bool) {
        let decoder = &mut self.decoder;
        let done = panics::catch(|| {
            let (mut last, mut damaged) = (None, decoder.push(data, None).is_err());
            // The decoder asks for more data after hidden frames too, so that is no end.
            for _ in 0..MAX_FRAMES {
                match decoder.next_frame() {
                    Ok(picture) => last = Some(picture),
                    Err(Error::Again | Error::Eof) => {}
                    Err(error) => {
                        log::trace!("a frame of VP9 is refused: {error}");
                        damaged = true;
                    }
                }
            }
            (last, damaged)
        });
        done.unwrap_or_else(|message| {
            log::debug!("the VP9 decoder panicked: {message}");
            self.decoder = Vp9Decoder::new();
            (None, true)
        })
    }

    /// Takes over a picture of the decoder; false when it is of a kind that is not shown.
    fn show(&mut self, picture: DecodedFrame) -> bool {
        let colour = self.colour.unwrap_or_default();
        let identity = if colour.space == RGB { 0 } else { 2 };
        let (across, down) = (picture.subsampling_x == 1, picture.subsampling_y == 1);
        let Some(layout) = Layout::new(across, down, identity) else { return false };
        let format = Format {
            width: picture.width as usize,
            height: picture.height as usize,
            layout,
            bits: (picture.bit_depth, picture.bit_depth),
            transfer: self.transfer,
            is_full_range: colour.is_full_range,
        };
        let whole = self.eight.convert(&format, &planes(&picture));
        self.picture = whole.then_some((picture, format));
        whole
    }
}

/// Why a packet is not given to the decoder.
enum Refusal {
    Damaged,
    TooLarge(SourceError),
}

/// Returns the planes of a picture.
fn planes(picture: &DecodedFrame) -> [SourcePlane<'_>; 3] {
    std::array::from_fn(|number| {
        let (Some(data), Some(&stride)) = (picture.planes.get(number), picture.strides.get(number)) else {
            return SourcePlane::EMPTY;
        };
        match picture.bit_depth {
            8 => SourcePlane { samples: Samples::Bytes(data), stride },
            _ => SourcePlane { samples: Samples::LittleEndian(data), stride: stride / 2 },
        }
    })
}

impl PacketDecoder for Vp9 {
    const START: &'static str = "the start of its VP9";

    fn look(&mut self, data: &[u8]) -> Result<Option<CodecFacts>, SourceError> {
        for frame in frames(data) {
            let Some(header) = Header::read(&mut Bits::plain(frame), &self.slots) else { continue };
            let (width, height) = header.size;
            limit::check(width, height)?;
            if let Some(colour) = header.colour.filter(|_| header.is_key) {
                let (across, down) = colour.subsampling;
                if Layout::new(across, down, 2).is_none() {
                    return Err(VideoError::UnsupportedPictures { what: "4:4:0".to_owned() }.into());
                }
                return Ok(Some(CodecFacts { width, height, colour: colour.stated(), sample_aspect: None }));
            }
        }
        Ok(None)
    }

    /// A frame that is stored in no slot still leaves motion vectors and probabilities to the frame
    /// after it, unless that is coded without them.
    fn role(&self, data: &[u8], next: Next<'_>) -> Option<Role> {
        let headers = |data| frames(data).map(|frame| Header::read(&mut Bits::plain(frame), &self.slots));
        if headers(data).flatten().any(|header| header.is_key) {
            return Some(Role::Key);
        }
        let is_stored = |header: Option<Header>| header.is_none_or(|header| header.is_repeat || header.refreshed != 0);
        if headers(data).any(is_stored) {
            return Some(Role::Reference);
        }
        let is_disposable = match next {
            Next::Unknown => return None,
            Next::End => true,
            Next::Packet(next) => headers(next).next().flatten().is_some_and(|header| header.is_independent),
        };
        Some(if is_disposable { Role::Disposable } else { Role::Reference })
    }

    fn decode(&mut self, data: &[u8]) -> Outcome {
        let started = self.colour.is_some();
        let starts = match self.check(data) {
            Ok(false) if !started => return Outcome { damage: Some(Damage::Incomplete), ..Outcome::default() },
            Ok(starts) => starts,
            Err(refusal) => {
                let damage = if started { Damage::Spreading } else { Damage::Incomplete };
                let refusal = match refusal {
                    Refusal::Damaged => None,
                    Refusal::TooLarge(error) => Some(error),
                };
                return Outcome { damage: Some(damage), refusal, ..Outcome::default() };
            }
        };
        let (shown, mut damaged) = self.run(data);
        let picture = match shown {
            Some(picture) => {
                let whole = self.show(picture);
                damaged |= !whole;
                whole
            }
            None => false,
        };
        Outcome { picture, starts, damage: damaged.then_some(Damage::Spreading), refusal: None }
    }

    fn restart(&mut self) -> Result<(), SourceError> {
        *self = Vp9 { eight: std::mem::take(&mut self.eight), ..Vp9::new(self.transfer) };
        Ok(())
    }

    fn facts(&self) -> CodecFacts {
        let Some((_, format)) = &self.picture else { return CodecFacts::default() };
        let colour = format.colour(self.colour.unwrap_or_default().stated());
        CodecFacts { width: format.width, height: format.height, colour, sample_aspect: None }
    }

    fn frame(&self, time: Timestamp) -> Result<Frame<'_>, FrameError> {
        let Some((picture, format)) = &self.picture else { return Err(FrameError::Size { width: 0, height: 0 }) };
        Frame::new(self.eight.pixels(format, &planes(picture)), format.width, format.height, time)
    }
}

/// The colour space of red, green and blue.
const RGB: u32 = 7;

/// What a key frame states about the samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Colour {
    space: u32,
    is_full_range: bool,
    /// Whether colour differences have half the width and half the height.
    subsampling: (bool, bool),
}

impl Colour {
    fn stated(self) -> StatedColour {
        // BT.601, BT.709, SMPTE 170, SMPTE 240 and BT.2020, by their numbers in ITU-T H.273.
        let matrix = match self.space {
            1 => Some(5),
            2 => Some(1),
            3 => Some(6),
            4 => Some(7),
            5 => Some(9),
            _ => None,
        };
        StatedColour::new(matrix, Some(self.is_full_range))
    }
}

/// What the start of a frame's header says (6.2 of the VP9 bitstream specification).
#[derive(Debug, Default, PartialEq, Eq)]
struct Header {
    is_key: bool,
    size: (usize, usize),
    /// Stated by key frames, and some others.
    colour: Option<Colour>,
    /// The slots that the frame is stored in, a bit each.
    refreshed: u32,
    /// Whether a frame that was decoded before is shown again.
    is_repeat: bool,
    /// Whether it uses neither motion vectors nor probabilities of the frame before it.
    is_independent: bool,
}

impl Header {
    /// Reads a header; the frames in `slots` have these sizes.
    fn read(bits: &mut Bits<'_>, slots: &[(usize, usize); 8]) -> Option<Self> {
        const MARKER: u32 = 2;
        if bits.number(2)? != MARKER {
            return None;
        }
        let profile = bits.number(1)? | bits.number(1)? << 1;
        if profile == 3 {
            bits.flag()?;
        }
        if bits.flag()? {
            // A frame that was decoded before is shown.
            let size = slots[bits.number(3)? as usize];
            return Some(Header { size, is_repeat: true, ..Header::default() });
        }
        let is_key = !bits.flag()?;
        let is_shown = bits.flag()?;
        let resilient = bits.flag()?;
        if is_key {
            let colour = Some(sync(bits).and_then(|()| colour(bits, profile))?);
            let size = size(bits)?;
            return Some(Header { is_key, size, colour, refreshed: 0xff, is_independent: true, ..Header::default() });
        }
        let is_intra = !is_shown && bits.flag()?;
        if !resilient {
            bits.number(2)?; // contexts that are reset
        }
        if is_intra {
            sync(bits)?;
            let colour = if profile > 0 { Some(colour(bits, profile)?) } else { None };
            let refreshed = bits.number(8)?;
            let size = size(bits)?;
            return Some(Header { size, colour, refreshed, is_independent: resilient, ..Header::default() });
        }
        let refreshed = bits.number(8)?;
        let mut references = [0; 3];
        for slot in &mut references {
            *slot = bits.number(3)? as usize;
            bits.flag()?; // direction
        }
        for slot in references {
            if bits.flag()? {
                let size = slots[slot];
                return Some(Header { size, refreshed, is_independent: resilient, ..Header::default() });
            }
        }
        Some(Header { size: size(bits)?, refreshed, is_independent: resilient, ..Header::default() })
    }
}

fn sync(bits: &mut Bits<'_>) -> Option<()> {
    (bits.number(24)? == 0x49_8342).then_some(())
}

fn size(bits: &mut Bits<'_>) -> Option<(usize, usize)> {
    Some((bits.number(16)? as usize + 1, bits.number(16)? as usize + 1))
}

fn colour(bits: &mut Bits<'_>, profile: u32) -> Option<Colour> {
    if profile >= 2 {
        bits.flag()?; // 10 or 12 bits
    }
    let space = bits.number(3)?;
    let states_subsampling = profile & 1 == 1;
    if space == RGB {
        if states_subsampling {
            bits.flag()?;
        }
        return Some(Colour { space, is_full_range: true, subsampling: (false, false) });
    }
    let is_full_range = bits.flag()?;
    let subsampling = if states_subsampling { (bits.flag()?, bits.flag()?) } else { (true, true) };
    if states_subsampling {
        bits.flag()?;
    }
    Some(Colour { space, is_full_range, subsampling })
}

/// Returns the frames of a packet, which may be a superframe (annex B).
fn frames(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let index = index(data).unwrap_or_default();
    let (mut rest, count, bytes) = (data, index.0, index.1);
    let mut sizes = index.2.chunks(bytes.max(1)).take(count);
    let mut whole = (count == 0).then_some(data);
    std::iter::from_fn(move || {
        if let Some(data) = whole.take() {
            return Some(data);
        }
        let size = sizes.next()?.iter().rev().fold(0, |size, &byte| size << 8 | usize::from(byte));
        let (frame, after) = rest.split_at_checked(size)?;
        rest = after;
        Some(frame)
    })
}

/// Returns the number of frames in a superframe, the bytes of each size, and the sizes.
fn index(data: &[u8]) -> Option<(usize, usize, &[u8])> {
    let marker = *data.last()?;
    let (count, bytes) = (usize::from(marker & 7) + 1, usize::from(marker >> 3 & 3) + 1);
    let index = data.get(data.len().checked_sub(2 + count * bytes)?..)?;
    (marker & 0xe0 == 0xc0 && index[0] == marker).then_some((count, bytes, &index[1..index.len() - 1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The start of key frames as libvpx wrote them: 35x17 of 8 bits, 640x360 of 10 bits.
    const KEY: [u8; 10] = [0x82, 0x49, 0x83, 0x42, 0x00, 0x02, 0x20, 0x01, 0x06, 0x02];
    const TEN_BITS: [u8; 11] = [0x92, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf8, 0x0b, 0x3b, 0x07, 0x1c];
    /// A frame after the first.
    const INTER: [u8; 8] = [0x86, 0x00, 0x40, 0x92, 0x9c, 0x00, 0x49, 0x40];

    fn header(data: &[u8]) -> Option<Header> {
        Header::read(&mut Bits::plain(data), &[(64, 48); 8])
    }

    #[test]
    fn headers_state_size_and_colour() {
        let key = header(&KEY).unwrap();
        assert_eq!((key.is_key, key.size, key.refreshed), (true, (35, 17), 0xff));
        let ten = header(&TEN_BITS).unwrap();
        assert_eq!((ten.is_key, ten.size), (true, (640, 360)));
        let inter = header(&INTER).unwrap();
        assert_eq!((inter.is_key, inter.size, inter.refreshed), (false, (64, 48), 1));
        // A frame in slot 3 is shown again.
        assert_eq!(header(&[0b1000_1011]).map(|header| header.size), Some((64, 48)));
        for cut in 0..9 {
            assert_eq!(header(&KEY[..cut]), None);
        }
    }

    #[test]
    fn superframes_are_split_and_never_read_past_their_end() {
        let split = |data: &[u8]| frames(data).map(<[u8]>::len).collect::<Vec<_>>();
        assert_eq!(split(&[1, 2, 3]), [3]);
        assert_eq!(split(&[9, 9, 9, 8, 0xc1, 3, 1, 0xc1]), [3, 1]);
        assert_eq!(split(&[9, 9, 9, 8, 0xc9, 3, 0, 1, 0, 0xc9]), [3, 1]);
        // Sizes beyond the packet, an index that is cut short, nothing at all.
        assert_eq!(split(&[9, 0xc1, 1, 200, 0xc1]), [1]);
        assert_eq!(split(&[0xff]), [1]);
        assert_eq!(split(&[]), [0]);
    }

    #[test]
    fn the_decoder_never_sees_frames_that_are_too_large() {
        let mut large = KEY;
        large[5..9].fill(0xff);
        let mut vp9 = Vp9::new(Transfer::Sdr);
        let error = vp9.look(&large).unwrap_err();
        assert!(error.to_string().contains("too large"), "{error}");
        assert!(vp9.look(&KEY).unwrap().is_some());
        let outcome = vp9.decode(&large);
        assert!(!outcome.picture && outcome.refusal.is_some(), "{outcome:?}");
        // Without a key frame there is nothing to begin with; a cut one is damaged.
        assert_eq!(vp9.decode(&INTER).damage, Some(Damage::Incomplete));
        assert_eq!(vp9.decode(&KEY).damage, Some(Damage::Spreading));
    }

    #[test]
    fn the_configuration_states_hdr() {
        let config = |transfer| vec![vec![1, 0, 0, 0, 2, 31, 0xa2, 9, transfer, 9, 0, 0]];
        assert_eq!((transfer(&config(16)), transfer(&config(1))), (Transfer::Pq, Transfer::Sdr));
        assert_eq!((transfer(&[vec![]]), transfer(&[])), (Transfer::Sdr, Transfer::Sdr));
    }
}
