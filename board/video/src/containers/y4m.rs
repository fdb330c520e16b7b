//! Y4M (YUV4MPEG2): uncompressed pictures, from a file or a pipe.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use divita_runtime::frame::{Colour, Frame, Matrix, Pixels, Plane, Range, SampleAspect, Subsampling, Timestamp};

use super::container::{ContainerFormat, Opened};
use crate::backend::FileFormat;
use crate::error::VideoError;
use crate::file_types::CONVERT;
use crate::file_types::FileTypeError;
use crate::{FrameSource, SourceError, SourceInfo};

/// Y4M in files and pipes.
pub(super) const FORMAT: ContainerFormat = ContainerFormat {
    summary: "Y4M",
    pipes: "yes",
    notes: "8-bit pictures",
    format: FileFormat {
        name: "a Y4M file",
        matches: |start| start.starts_with(MAGIC),
        extensions: &["y4m"],
        advice: CONVERT,
    },
    signature_bytes: MAGIC.len(),
    open: |name, file| Ok(Opened::Pictures(Box::new(Y4mSource::from_file(name, file)?))),
    open_stream: Some(|name, stream| Ok(Opened::Pictures(Box::new(Y4mSource::from_reader(name, stream)?)))),
};

/// How every Y4M starts.
const MAGIC: &[u8] = b"YUV4MPEG2 ";

/// Longest header line that is read, of the stream or of a frame, in bytes.
const MAX_LINE: u64 = 4096;

/// Bytes read from the stream at a time while looking for the ends of lines.
const BUFFER: usize = 1 << 16;

/// What the stream's header says.
#[derive(Debug, PartialEq)]
struct Header {
    width: usize,
    height: usize,
    /// Frames and seconds: 30000 and 1001 for 29.97 a second.
    rate: (u32, u32),
    layout: Layout,
    range: Range,
    sample_aspect: SampleAspect,
}

/// Which planes follow one another in a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    Grey,
    Planar(Subsampling),
}

/// A Y4M stream.
pub struct Y4mSource<R> {
    info: SourceInfo,
    reader: BufReader<R>,
    header: Header,
    /// Bytes of the luma plane and of each chroma plane.
    plane_bytes: (usize, usize),
    /// The header line of a frame.
    line: Vec<u8>,
    /// The planes of a frame, one after the other.
    samples: Vec<u8>,
    next: u64,
    finished: bool,
}

impl<R: Read + Seek> Y4mSource<R> {
    /// Reads a file whose length tells how many frames to expect.
    ///
    /// # Errors
    /// As [`Y4mSource::from_reader`].
    pub fn from_file(name: &str, mut file: R) -> Result<Self, SourceError> {
        let bytes = file.seek(SeekFrom::End(0)).and_then(|bytes| file.rewind().map(|()| bytes));
        let bytes = bytes.map_err(SourceError::io("read it"))?;
        let (mut source, header_bytes) = Self::start(name, file)?;
        let (luma, chroma) = source.plane_bytes;
        let frame_bytes = (luma + 2 * chroma) as u64 + b"FRAME\n".len() as u64;
        let frames = bytes.saturating_sub(header_bytes) / frame_bytes;
        source.info.frames = Some(frames);
        source.info.duration = Some(source.time(frames));
        Ok(source)
    }
}

impl<R: Read> Y4mSource<R> {
    /// Reads a stream of unknown length.
    ///
    /// # Errors
    /// When it does not start with the header of 8-bit pictures of a sensible size.
    pub fn from_reader(name: &str, reader: R) -> Result<Self, SourceError> {
        Ok(Self::start(name, reader)?.0)
    }

    /// Reads the header; also returns its length in bytes.
    fn start(name: &str, reader: R) -> Result<(Self, u64), SourceError> {
        let mut reader = BufReader::with_capacity(BUFFER, reader);
        let mut line = Vec::with_capacity(128);
        let bytes = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(SourceError::io("read it"))?;
        let header = Header::parse(name, &line)?;
        let chroma = match header.layout {
            Layout::Grey => 0,
            Layout::Planar(Subsampling::Both) => header.width.div_ceil(2) * header.height.div_ceil(2),
            Layout::Planar(Subsampling::Across) => header.width.div_ceil(2) * header.height,
            Layout::Planar(Subsampling::None) => header.width * header.height,
        };
        let info = SourceInfo {
            name: name.to_owned(),
            width: header.width,
            height: header.height,
            frame_rate: Some(f64::from(header.rate.0) / f64::from(header.rate.1)),
            frames: None,
            duration: None,
            live: false,
        };
        let plane_bytes = (header.width * header.height, chroma);
        let source =
            Y4mSource { info, reader, header, plane_bytes, line, samples: Vec::new(), next: 0, finished: false };
        Ok((source, bytes as u64))
    }

    /// Returns the presentation time of frame `index`.
    fn time(&self, index: u64) -> Timestamp {
        let (frames, seconds) = self.header.rate;
        Timestamp::from_ticks(i64::try_from(index).unwrap_or(i64::MAX).saturating_mul(seconds.into()), frames.into())
    }

    /// Reads the next frame's samples; false at the end of the stream.
    fn read(&mut self) -> Result<bool, SourceError> {
        let truncated = SourceError::Truncated { at: self.time(self.next.saturating_sub(1)) };
        self.line.clear();
        let line = self.reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.line);
        match line.map_err(SourceError::io("read it"))? {
            0 => return Ok(false),
            _ if !self.line.ends_with(b"\n") && b"FRAME".starts_with(self.line.get(..5).unwrap_or(&self.line)) => {
                return Err(truncated);
            }
            _ if !matches!(self.line.strip_prefix(b"FRAME"), Some([b'\n' | b' ', ..])) => {
                return Err(VideoError::Malformed { part: "the line before a picture" }.into());
            }
            _ => {}
        }
        // The buffer grows with the data that really comes, so a header alone cannot claim memory.
        let (luma, chroma) = self.plane_bytes;
        let bytes = luma + 2 * chroma;
        self.samples.clear();
        let read = self.reader.by_ref().take(bytes as u64).read_to_end(&mut self.samples);
        match read.map_err(SourceError::io("read it"))? {
            read if read == bytes => Ok(true),
            _ => Err(truncated),
        }
    }
}

impl<R: Read + Send> FrameSource for Y4mSource<R> {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        if self.finished {
            return Ok(None);
        }
        // Set until the frame is known to be good, so that nothing follows an error.
        self.finished = true;
        if !self.read()? {
            return Ok(None);
        }
        self.finished = false;
        let time = self.time(self.next);
        self.next += 1;

        let Header { width, height, layout, range, sample_aspect, .. } = self.header;
        let (y, chroma) = self.samples.split_at(self.plane_bytes.0);
        let (u, v) = chroma.split_at(self.plane_bytes.1);
        let y = Plane { data: y, stride: width };
        let pixels = match layout {
            Layout::Grey => Pixels::Grey(y),
            Layout::Planar(subsampling) => {
                let stride = if subsampling == Subsampling::None { width } else { width.div_ceil(2) };
                Pixels::Planar { y, u: Plane { data: u, stride }, v: Plane { data: v, stride }, subsampling }
            }
        };
        let colour = Colour { matrix: Matrix::assumed_for(width, height), range };
        let frame = Frame::new(pixels, width, height, time)?;
        Ok(Some(frame.with_colour(colour).with_sample_aspect(sample_aspect)))
    }
}

impl Header {
    /// Reads the stream's first line.
    fn parse(name: &str, line: &[u8]) -> Result<Self, SourceError> {
        let malformed = |part| VideoError::Malformed { part };
        let Some(text) = line.strip_prefix(MAGIC).and_then(|rest| rest.strip_suffix(b"\n")) else {
            let hint = "write it with: ffmpeg -i IN -pix_fmt yuv420p -f yuv4mpegpipe -";
            return Err(FileTypeError::NoVideo { found: "a stream that does not start as Y4M does", hint }.into());
        };
        let text = std::str::from_utf8(text).map_err(|_| malformed("the Y4M header"))?;
        let (mut width, mut height, mut rate) = (0, 0, None);
        let mut layout = Layout::Planar(Subsampling::Both);
        let (mut range, mut sample_aspect) = (Range::Limited, SampleAspect::SQUARE);
        for field in text.split(' ').filter(|field| !field.is_empty()) {
            // A field is a letter and a value; a letter of more than one byte is no field of this
            // format.
            let Some((letter, value)) = field.split_at_checked(1) else { continue };
            match letter {
                "W" => width = value.parse().map_err(|_| malformed("the width in the Y4M header"))?,
                "H" => height = value.parse().map_err(|_| malformed("the height in the Y4M header"))?,
                "F" => rate = ratio(value).filter(|(frames, seconds)| *frames > 0 && *seconds > 0),
                // 0:0 is unknown.
                "A" => {
                    let stated = ratio(value).and_then(|(width, height)| SampleAspect::new(width, height));
                    sample_aspect = stated.unwrap_or_default();
                }
                "C" => layout = Layout::parse(value)?,
                "I" if !matches!(value, "p" | "?") => {
                    log::warn!("interlaced pictures are read as they are stored, both fields in one: {name}");
                }
                "X" if value == "COLORRANGE=FULL" => range = Range::Full,
                "X" if value == "COLORRANGE=LIMITED" => range = Range::Limited,
                _ => {}
            }
        }
        if width == 0 || height == 0 {
            return Err(malformed("the picture's size in the Y4M header").into());
        }
        if width > Frame::MAX_SIDE || height > Frame::MAX_SIDE {
            return Err(VideoError::TooLarge { width, height, limit: "16384 in each direction" }.into());
        }
        let rate = rate.unwrap_or_else(|| {
            log::warn!("the Y4M header states no frame rate, 25 frames a second are assumed: {name}");
            (25, 1)
        });
        Ok(Header { width, height, rate, layout, range, sample_aspect })
    }
}

/// Reads two whole numbers with a colon between, in lowest terms.
fn ratio(value: &str) -> Option<(u32, u32)> {
    let (first, second) = value.split_once(':')?;
    let (first, second) = (first.parse::<u64>().ok()?, second.parse::<u64>().ok()?);
    let (mut divisor, mut rest) = (first, second);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    let lowest = |number: u64| number.checked_div(divisor).and_then(|number| u32::try_from(number).ok());
    Some((lowest(first)?, lowest(second)?))
}

impl Layout {
    /// Reads the value of the header's `C` field.
    fn parse(value: &str) -> Result<Self, SourceError> {
        match value {
            // They differ in where between the luma samples the chroma samples lie, which a
            // histogram cannot tell.
            "420" | "420jpeg" | "420mpeg2" | "420paldv" => Ok(Layout::Planar(Subsampling::Both)),
            "422" => Ok(Layout::Planar(Subsampling::Across)),
            "444" => Ok(Layout::Planar(Subsampling::None)),
            "mono" => Ok(Layout::Grey),
            other => {
                let what = format!("`{other}` in Y4M's terms (8-bit 420, 422, 444 and mono are read)");
                Err(VideoError::UnsupportedPictures { what }.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(data: &[u8]) -> Result<Y4mSource<&[u8]>, SourceError> {
        Y4mSource::from_reader("-", data)
    }

    /// Returns a stream of `frames` frames of `bytes` bytes each, counting up.
    fn stream(header: &str, frames: u8, bytes: usize) -> Vec<u8> {
        let mut data = format!("YUV4MPEG2 {header}\n").into_bytes();
        for frame in 0..frames {
            data.extend(b"FRAME\n");
            data.extend((0..bytes).map(|at| frame.wrapping_mul(100).wrapping_add(at as u8)));
        }
        data
    }

    #[test]
    fn every_layout_is_cut_into_its_planes_at_odd_sizes_too() {
        for (kind, luma, chroma) in [
            ("420jpeg", 15, 6),
            ("420", 15, 6),
            ("420mpeg2", 15, 6),
            ("420paldv", 15, 6),
            ("422", 15, 9),
            ("444", 15, 15),
        ] {
            let data = stream(&format!("W5 H3 F24:1 C{kind}"), 2, luma + 2 * chroma);
            let mut source = source(&data).unwrap();
            for frame in 0..2u8 {
                let lent = source.next_frame().unwrap().unwrap();
                let Pixels::Planar { y, u, v, .. } = lent.pixels() else { panic!("{kind}") };
                assert_eq!((y.data.len(), u.data.len(), v.data.len()), (luma, chroma, chroma), "{kind}");
                assert_eq!(v.data[0], frame * 100 + (luma + chroma) as u8);
            }
            assert!(source.next_frame().unwrap().is_none());
        }
        let data = stream("W5 H3 F24:1 Cmono XCOLORRANGE=FULL", 1, 15);
        let mut source = source(&data).unwrap();
        let lent = source.next_frame().unwrap().unwrap();
        assert!(matches!(lent.pixels(), Pixels::Grey(_)));
        assert_eq!(lent.colour().range, Range::Full);
    }

    #[test]
    fn times_follow_the_rate() {
        let data = stream("W1 H1 F30000:1001 Cmono", 4, 1);
        let mut source = source(&data).unwrap();
        for k in 0..4 {
            let lent = source.next_frame().unwrap().unwrap();
            assert_eq!(lent.time(), Timestamp::from_ticks(k * 1001, 30000));
            assert_eq!((lent.width(), lent.height()), (1, 1));
        }
    }

    #[test]
    fn exact_rates_of_any_size_are_kept() {
        for (frames, seconds) in [(2_997_003, 125_000), (10_000_000, 417_083), (u32::MAX, u32::MAX - 1), (1, u32::MAX)]
        {
            let data = stream(&format!("W1 H1 F{frames}:{seconds} Cmono"), 3, 1);
            let mut source = source(&data).unwrap();
            assert_eq!(source.info().frame_rate, Some(f64::from(frames) / f64::from(seconds)));
            for k in 0..3 {
                let expected = Timestamp::from_ticks(k * i64::from(seconds), frames.into());
                assert_eq!(source.next_frame().unwrap().unwrap().time(), expected);
            }
        }
    }

    #[test]
    fn ratios_are_in_lowest_terms() {
        assert_eq!(ratio("30000000000:1001000000"), Some((30_000, 1001)));
        assert_eq!(ratio("0:7"), Some((0, 1)));
        for bad in ["0:0", "1", "18446744073709551615:2", "18446744073709551616:1", "1:", "-1:2", "1.5:1"] {
            assert_eq!(ratio(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_shape_of_a_pixel_is_that_of_the_header() {
        let aspect = |header: &str| {
            let data = stream(&format!("W1 H1 F24:1 {header} Cmono"), 1, 1);
            source(&data).unwrap().next_frame().unwrap().unwrap().sample_aspect()
        };
        assert_eq!(Some(aspect("A16:9")), SampleAspect::new(16, 9));
        for square in ["", "A1:1", "A0:0", "A0:1", "A", "A16", "Ax:y", "A100:1", "A-4:3"] {
            assert_eq!(aspect(square), SampleAspect::SQUARE, "{square}");
        }
    }

    #[test]
    fn a_frame_may_carry_parameters() {
        let data = b"YUV4MPEG2 W1 H1 F24:1 Cmono\nFRAME Ip X=1\n\x07";
        let mut source = source(data).unwrap();
        assert!(matches!(source.next_frame().unwrap().unwrap().pixels(), Pixels::Grey(Plane { data: [7], .. })));
    }

    #[test]
    fn the_good_frames_of_a_cut_stream_come_first() {
        let whole = stream("W4 H2 F2:1", 3, 12);
        for cut in 1..18 {
            let mut source = source(&whole[..whole.len() - cut]).unwrap();
            assert!(source.next_frame().unwrap().is_some());
            assert!(source.next_frame().unwrap().is_some());
            let error = source.next_frame().err();
            let expected = Timestamp::from_millis(500);
            assert!(matches!(error, Some(SourceError::Truncated { at }) if at == expected), "{cut}: {error:?}");
            assert!(source.next_frame().unwrap().is_none(), "finished after an error");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_in_words() {
        let message = |header: &str| source(format!("YUV4MPEG2 {header}\n").as_bytes()).err().unwrap().to_string();
        assert!(message("W4 H4 F24:1 C420p10").contains("8-bit"));
        assert!(message("W4 H4 F24:1 C411").contains("`411`"));
        assert!(message("W100000 H100000 F24:1").contains("too large"));
        assert!(message("W18446744073709551615 H2 F24:1").contains("too large"));
        assert!(message("W99999999999999999999999 H2 F24:1").contains("width"));
        assert!(message("W0 H4").contains("size"));
        assert!(message("F24:1").contains("size"));
        assert!(source(b"").err().unwrap().to_string().contains("yuv4mpegpipe"));
        assert!(source(b"YUV4MPEG2 W4 H4").err().unwrap().to_string().contains("yuv4mpegpipe"));
        assert!(source(&[b'Y'; 100_000]).is_err());
    }

    #[test]
    fn eight_k_is_welcome_and_claims_no_memory_before_its_samples_come() {
        let mut source = source(b"YUV4MPEG2 W7680 H4320 F24:1\nFRAME\nabc").unwrap();
        assert!(matches!(source.next_frame(), Err(SourceError::Truncated { .. })));
        assert!(source.samples.capacity() < 1 << 16, "{}", source.samples.capacity());
    }

    #[test]
    fn a_missing_or_senseless_rate_is_twenty_five() {
        for header in ["W1 H1 Cmono", "W1 H1 F0:0 Cmono", "W1 H1 Fx Cmono", "W1 H1 F24:0 Cmono"] {
            let data = stream(header, 1, 1);
            assert_eq!(source(&data).unwrap().info().frame_rate, Some(25.0), "{header}");
        }
    }
}
