//! The metadata of an array, `.zarray`: what of Zarr 2 is read here, checked once so that the rest
//! can rely on it.
//!
//! The format is <https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html>.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Error, metadata};

/// Name of the metadata file in an array's folder.
pub(super) const FILE: &str = ".zarray";

/// Most chunks of an array: looking for each costs a system call.
const MAX_CHUNKS: u64 = 1 << 20;

/// Compression of a chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Codec {
    /// Not at all.
    Raw,
    /// zlib's format.
    Zlib,
    /// gzip's format.
    Gzip,
    /// Blosc 1.
    Blosc,
}

/// The axis of a chunk that is stored innermost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    /// Features: row-major, `C`.
    Features,
    /// Clips: column-major, `F`.
    Clips,
}

/// An array of shape (clips, features), none of them zero, whose values and whose chunks' values
/// fit the caller's limit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Zarray {
    pub clips: usize,
    pub features: usize,
    /// Clips of a chunk.
    pub chunk_clips: usize,
    /// Features of a chunk.
    pub chunk_features: usize,
    pub codec: Codec,
    pub order: Order,
    /// Value where a chunk is missing; none where the array says that it is undefined.
    pub fill: Option<f32>,
    /// What stands between the numbers in a chunk's name.
    separator: char,
}

/// The file as Python writes it: its keys in this order.
#[derive(Serialize)]
struct Written {
    chunks: [usize; 2],
    compressor: Option<()>,
    dtype: &'static str,
    fill_value: f32,
    filters: Option<()>,
    order: &'static str,
    shape: [usize; 2],
    zarr_format: u32,
}

#[derive(Deserialize)]
struct Found {
    chunks: Vec<u64>,
    compressor: Option<Map<String, Value>>,
    dtype: Value,
    fill_value: Value,
    filters: Option<Vec<Value>>,
    order: String,
    shape: Vec<u64>,
    zarr_format: u64,
    dimension_separator: Option<String>,
}

/// Returns the text of `.zarray` for an uncompressed array of one chunk.
///
/// # Errors
/// Those of [`metadata::text`].
pub(super) fn text(clips: usize, features: usize, path: &Path) -> Result<Vec<u8>, Error> {
    let written = Written {
        chunks: [clips, features],
        compressor: None,
        dtype: "<f4",
        fill_value: 0.0,
        filters: None,
        order: "C",
        shape: [clips, features],
        zarr_format: 2,
    };
    metadata::text(&written, path)
}

/// Returns the bytes of `clips` x `features` values.
pub(super) fn bytes(clips: u64, features: u64) -> Option<u64> {
    clips.checked_mul(features)?.checked_mul(4)
}

impl Zarray {
    /// Reads the metadata in an array's folder; neither the array nor one of its chunks may have
    /// more than `limit` bytes.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is none, [`Error::NoClips`], [`Error::TooLarge`],
    /// [`Error::Unsupported`], and [`Error::Metadata`] for all else that is wrong with it.
    pub(super) fn read(folder: &Path, limit: u64) -> Result<Self, Error> {
        let path = &folder.join(FILE);
        let found: Found = metadata::read(path)?.ok_or_else(|| Error::Missing(folder.to_owned()))?;
        let wrong = |reason: String| Error::Metadata { path: path.to_owned(), reason };
        let unsupported = |what: String| Error::Unsupported { path: path.to_owned(), what };

        if found.zarr_format != 2 {
            return Err(unsupported(format!("Zarr format {}", found.zarr_format)));
        }
        if found.dtype != "<f4" {
            return Err(unsupported(format!("dtype {}", brief(&found.dtype))));
        }
        if let Some(filter) = found.filters.iter().flatten().next() {
            return Err(unsupported(format!("filter {}", brief(filter))));
        }
        let codec = codec(found.compressor.as_ref()).map_err(unsupported)?;
        let (&[clips, features], &[chunk_clips, chunk_features]) = (&found.shape[..], &found.chunks[..]) else {
            let (axes, chunk_axes) = (found.shape.len(), found.chunks.len());
            return Err(wrong(format!("its shape has {axes} axes and its chunks {chunk_axes}, not two")));
        };
        if clips == 0 {
            return Err(Error::NoClips(folder.to_owned()));
        }
        if features == 0 || chunk_clips == 0 || chunk_features == 0 {
            return Err(wrong("an axis of its shape or of its chunks is 0".into()));
        }
        let fits = |clips, features| bytes(clips, features).is_some_and(|bytes| bytes <= limit);
        if !fits(clips, features) || !fits(chunk_clips, chunk_features) {
            return Err(Error::TooLarge { path: path.to_owned(), limit });
        }
        let chunks = clips.div_ceil(chunk_clips).checked_mul(features.div_ceil(chunk_features));
        if chunks.is_none_or(|chunks| chunks > MAX_CHUNKS) {
            return Err(wrong(format!("it has more than {MAX_CHUNKS} chunks")));
        }
        let axis = |length: u64| usize::try_from(length).map_err(|_| wrong(format!("an axis has length {length}")));
        Ok(Self {
            clips: axis(clips)?,
            features: axis(features)?,
            chunk_clips: axis(chunk_clips)?,
            chunk_features: axis(chunk_features)?,
            codec,
            order: match found.order.as_str() {
                "C" => Order::Features,
                "F" => Order::Clips,
                _ => return Err(wrong("its order is neither C nor F".into())),
            },
            fill: fill(&found.fill_value)
                .ok_or_else(|| wrong(format!("its fill_value is {}, not a number", brief(&found.fill_value))))?,
            separator: match found.dimension_separator.as_deref() {
                None | Some(".") => '.',
                Some("/") => '/',
                _ => return Err(wrong("its dimension_separator is neither '.' nor '/'".into())),
            },
        })
    }

    /// Chunks along the clips and along the features.
    pub(super) fn grid(&self) -> (usize, usize) {
        (self.clips.div_ceil(self.chunk_clips), self.features.div_ceil(self.chunk_features))
    }

    /// Returns the path, in the array's folder, of a chunk of the grid.
    pub(super) fn chunk_name(&self, row: usize, column: usize) -> String {
        format!("{row}{}{column}", self.separator)
    }

    /// Returns the bytes of a chunk's values, those beyond the array's edges included.
    pub(super) fn chunk_bytes(&self) -> usize {
        // Within the limit that was checked on reading.
        self.chunk_clips * self.chunk_features * 4
    }
}

/// Returns the codec of a `compressor` entry, or what it is instead.
fn codec(compressor: Option<&Map<String, Value>>) -> Result<Codec, String> {
    let Some(compressor) = compressor else { return Ok(Codec::Raw) };
    let entry = |key| compressor.get(key).unwrap_or(&Value::Null);
    match entry("id").as_str() {
        Some("zlib") => Ok(Codec::Zlib),
        Some("gzip") => Ok(Codec::Gzip),
        Some("blosc") => match (entry("cname").as_str(), entry("shuffle").as_i64()) {
            (_, Some(2)) => Err("compressor 'blosc' with bit shuffle".into()),
            (Some("lz4" | "lz4hc" | "zstd" | "zlib"), _) => Ok(Codec::Blosc),
            _ => Err(format!("compressor 'blosc' with {}", brief(entry("cname")))),
        },
        _ => Err(format!("compressor {}", brief(entry("id")))),
    }
}

/// Returns the number of a `fill_value` entry, which may be undefined (`null`).
fn fill(value: &Value) -> Option<Option<f32>> {
    match value {
        Value::Null => Some(None),
        Value::Number(number) => number.as_f64().map(|number| Some(number as f32)),
        Value::String(name) => match name.as_str() {
            "NaN" => Some(Some(f32::NAN)),
            "Infinity" => Some(Some(f32::INFINITY)),
            "-Infinity" => Some(Some(f32::NEG_INFINITY)),
            _ => None,
        },
        _ => None,
    }
}

/// `value` as JSON on one line, cut after 80 characters.
pub(super) fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
