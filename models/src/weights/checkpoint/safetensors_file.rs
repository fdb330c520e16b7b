//! Reads safetensors files.

use std::collections::BTreeMap;

use safetensors::{Dtype as Stored, SafeTensorError, SafeTensors};

use super::{
    bytes::{MAX_FILE_BYTES, bytes_at},
    elements::{self, Dtype, View},
    error::{Problem, quoted},
};
use crate::weights::Tensor;

/// The longest header that is read, for about 100 000 tensors: parsed it needs twenty times as much
/// memory.
const LONGEST_HEADER: u64 = 10_000_000;

/// Returns whether `file` begins with a length that a file may have and a JSON object.
pub(super) fn begins(file: &[u8]) -> bool {
    bytes_at(file, 0).is_some_and(|length| u64::from_le_bytes(length) <= MAX_FILE_BYTES) && file.get(8) == Some(&b'{')
}

/// Reads every tensor of the safetensors file `file`.
pub(super) fn read(file: &[u8]) -> Result<BTreeMap<String, Tensor>, Problem> {
    if bytes_at(file, 0).is_none_or(|length| u64::from_le_bytes(length) > LONGEST_HEADER) {
        return Err(Problem::TooComplex(format!("its header is said to be longer than {LONGEST_HEADER} bytes")));
    }
    let stored = SafeTensors::deserialize(file).map_err(|error| match error {
        SafeTensorError::InvalidHeaderLength | SafeTensorError::HeaderTooSmall => {
            Problem::Truncated("it ends within its header".to_owned())
        }
        SafeTensorError::MetadataIncompleteBuffer => {
            Problem::Truncated("its tensors are not as long as its header says".to_owned())
        }
        error => Problem::Damaged(format!("its header is malformed: {}", quoted(&error.to_string()))),
    })?;
    let mut tensors = BTreeMap::new();
    for (name, tensor) in stored.iter() {
        let dtype = match tensor.dtype() {
            Stored::F64 => Dtype::F64,
            Stored::F32 => Dtype::F32,
            Stored::F16 => Dtype::F16,
            Stored::BF16 => Dtype::Bf16,
            Stored::I64 => Dtype::I64,
            Stored::I32 => Dtype::I32,
            Stored::I16 => Dtype::I16,
            Stored::I8 => Dtype::I8,
            Stored::U8 => Dtype::U8,
            Stored::BOOL => Dtype::Bool,
            other => {
                return Err(Problem::UnsupportedDtype { tensor: quoted(name), dtype: other.to_string() });
            }
        };
        // The crate has made sure that each tensor has bytes of its own for its shape.
        let view = View::contiguous(tensor.shape().to_vec())
            .ok_or_else(|| Problem::Damaged(format!("tensor {} has a malformed shape", quoted(name))))?;
        tensors.insert(name.to_owned(), elements::read(name, dtype, tensor.data(), view)?);
    }
    Ok(tensors)
}

/// What the safetensors file `file` says beside its tensors; nothing where its header cannot be
/// read.
pub(super) fn facts(file: &[u8]) -> BTreeMap<String, String> {
    let header = SafeTensors::read_metadata(file).ok().map(|(_, header)| header);
    header.and_then(|header| header.metadata().clone()).into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_header(header: &str, data: &[u8]) -> Result<BTreeMap<String, Tensor>, Problem> {
        let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat();
        assert!(begins(&file));
        read(&file)
    }

    #[test]
    fn tensors_that_need_more_than_they_have_are_refused() {
        let header =
            |shape: &str, end: u64| format!(r#"{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}"#);
        assert_eq!(with_header(&header("[2]", 8), &[0; 8]).unwrap()["w"].data, [0., 0.]);
        assert_eq!(with_header(&header("[0,1152921504606846976]", 0), &[]).unwrap()["w"].data, [0_f32; 0]);
        for (shape, end, wanted) in [
            ("[3]", 8, "malformed"),
            ("[1152921504606846976]", 4_611_686_018_427_387_904, "malformed"),
            ("[4611686018427387904]", 0, "malformed"),
            ("[3]", 12, "cut short"),
        ] {
            let message = with_header(&header(shape, end), &[0; 8]).unwrap_err().to_string();
            assert!(message.contains(wanted), "{shape}: {message}");
        }
    }

    #[test]
    fn types_that_are_not_read_are_named() {
        let header = r#"{"w":{"dtype":"U16","shape":[1],"data_offsets":[0,2]}}"#;
        let message = with_header(header, &[0; 2]).unwrap_err().to_string();
        assert!(message.contains("tensor 'w' holds U16, which is not supported"), "{message}");
    }

    #[test]
    fn a_header_that_is_cut_or_no_json_is_refused() {
        let long = [&(LONGEST_HEADER + 1).to_le_bytes()[..], b"{"].concat();
        assert!(begins(&long) && matches!(read(&long), Err(Problem::TooComplex(_))));
        let whole = [&500_u64.to_le_bytes()[..], b"{\"w\":"].concat();
        assert!(read(&whole).unwrap_err().to_string().contains("cut short"));
        assert!(with_header("{\"w\":\n]", &[]).unwrap_err().to_string().contains("malformed"));
    }
}
