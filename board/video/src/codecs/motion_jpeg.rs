//! Motion JPEG in containers: every packet is a picture.

use divita_runtime::frame::{Frame, FrameError, Timestamp};

use super::by_packet::{ByPacket, Damage, Next, Outcome, PacketDecoder};
use super::codec::{CodecFormat, Role};
use super::jpeg::{self, JpegPictures};
use super::limit;
use crate::SourceError;
use crate::error::VideoError;
use crate::presentation::CodecFacts;

/// Motion JPEG.
pub(super) const FORMAT: CodecFormat = CodecFormat {
    name: "Motion JPEG",
    spellings: &["jpeg", "mjpa", "V_MJPEG", "MJPG", "mjpg"],
    pictures: "8 bits, progressive",
    decoder: "image",
    feature: None,
    open: Some(|_, _| Ok(Box::new(ByPacket::new(MotionJpeg::default(), None)))),
};

/// A Motion JPEG stream.
#[derive(Default)]
struct MotionJpeg {
    pictures: JpegPictures,
    size: (usize, usize),
}

impl PacketDecoder for MotionJpeg {
    const START: &'static str = "the start of its Motion JPEG";

    fn look(&mut self, data: &[u8]) -> Result<Option<CodecFacts>, SourceError> {
        let Some((width, height)) = jpeg::size(data) else { return Ok(None) };
        limit::check(width, height)?;
        if has_two_fields(data) {
            return Err(VideoError::UnsupportedPictures { what: "interlaced".to_owned() }.into());
        }
        Ok(Some(CodecFacts { width, height, ..CodecFacts::default() }))
    }

    fn role(&self, _: &[u8], _: Next<'_>) -> Option<Role> {
        Some(Role::Key)
    }

    fn decode(&mut self, data: &[u8]) -> Outcome {
        let size = jpeg::size(data).filter(|size| limit::check(size.0, size.1).is_ok());
        let picture = size.is_some_and(|size| self.pictures.decode(data, size));
        if let (true, Some(size)) = (picture, size) {
            self.size = size;
        }
        Outcome { picture, starts: picture, damage: (!picture).then_some(Damage::Alone), refusal: None }
    }

    fn restart(&mut self) -> Result<(), SourceError> {
        Ok(())
    }

    fn facts(&self) -> CodecFacts {
        CodecFacts { width: self.size.0, height: self.size.1, ..CodecFacts::default() }
    }

    fn frame(&self, time: Timestamp) -> Result<Frame<'_>, FrameError> {
        let (width, height) = self.size;
        Frame::new(self.pictures.pixels(width), width, height, time)
    }
}

/// Returns whether a picture follows another, as the two fields of an interlaced one.
fn has_two_fields(data: &[u8]) -> bool {
    data.windows(4).any(|window| window == [0xff, 0xd9, 0xff, 0xd8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;
    use image::{ExtendedColorType, ImageEncoder};

    fn picture(width: u32, height: u32) -> Vec<u8> {
        let samples = vec![100; (3 * width * height) as usize];
        let mut data = Vec::new();
        JpegEncoder::new(&mut data).write_image(&samples, width, height, ExtendedColorType::Rgb8).unwrap();
        data
    }

    #[test]
    fn every_packet_is_a_picture_of_its_own_size() {
        let mut motion = MotionJpeg::default();
        let first = picture(40, 24);
        assert_eq!(motion.look(&first).unwrap().map(|facts| (facts.width, facts.height)), Some((40, 24)));
        for (width, height) in [(40, 24), (16, 8)] {
            assert!(motion.decode(&picture(width as u32, height as u32)).picture);
            let frame = motion.frame(Timestamp::ZERO).unwrap();
            assert_eq!((frame.width(), frame.height()), (width, height));
        }
        let outcome = motion.decode(&first[..first.len() / 2]);
        assert_eq!((outcome.picture, outcome.damage), (false, Some(Damage::Alone)));
        assert!(motion.look(&[]).unwrap().is_none());
    }

    #[test]
    fn fields_and_pictures_that_are_too_large_are_refused() {
        let mut motion = MotionJpeg::default();
        let error = motion.look(&picture(16, 8).repeat(2)).unwrap_err();
        assert!(error.to_string().contains("interlaced"), "{error}");
        let mut large = picture(16, 8);
        let header = large.windows(2).position(|window| window == [0xff, 0xc0]).unwrap();
        large[header + 5..header + 9].fill(0x7f);
        let error = motion.look(&large).unwrap_err();
        assert!(error.to_string().contains("too large"), "{error}");
        assert!(!motion.decode(&large).picture);
    }
}
