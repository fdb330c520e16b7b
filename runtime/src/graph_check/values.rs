//! Values of a graph: what is known of them before the network runs, and checks of constants.

use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};

/// Why a graph is refused: one phrase without the file's name.
pub(crate) type Fault = String;

/// Largest number of nodes of a graph.
pub(super) const MOST_NODES: usize = 10_000;

/// Largest number of axes of a value.
pub(super) const MOST_AXES: usize = 8;

/// Longest constant whose integers are tracked. Constants that state a shape have few.
pub(super) const LONGEST_FOLLOWED: usize = 64;

/// What is known of a value before the network runs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    pub shape: Vec<usize>,
    /// Its integers, row-major, if they are few and constant.
    pub integers: Option<Vec<i64>>,
    /// Whether it is independent of the network's input.
    pub is_constant: bool,
    /// Bytes of an element.
    pub width: u64,
}

impl Value {
    pub fn elements(&self) -> Result<u64, Fault> {
        elements(&self.shape)
    }

    pub fn bytes(&self) -> Result<u64, Fault> {
        self.elements()?.checked_mul(self.width).ok_or_else(|| too_large(&self.shape))
    }
}

/// Returns the number of elements of a value with this shape.
pub(super) fn elements(shape: &[usize]) -> Result<u64, Fault> {
    let count = shape.iter().try_fold(1_u64, |count, &length| count.checked_mul(length as u64));
    count.filter(|&count| count < 1 << 48).ok_or_else(|| too_large(shape))
}

pub(super) fn too_large(shape: &[usize]) -> Fault {
    format!("a value has the shape {shape:?}, which is too large")
}

/// Returns the bytes of an element of this type, or `None` for unsupported types.
pub(super) fn width(data_type: i32) -> Option<u64> {
    match DataType::try_from(data_type).ok()? {
        DataType::Bool | DataType::Int8 | DataType::Uint8 => Some(1),
        DataType::Float16 => Some(2),
        DataType::Float | DataType::Int32 => Some(4),
        DataType::Double | DataType::Int64 => Some(8),
        _ => None,
    }
}

/// Checks that a constant is in this file and has as many numbers as its shape states.
pub(super) fn check_tensor(tensor: &TensorProto) -> Result<(), Fault> {
    let fault = |what: &str| format!("the constant {:?} {what}", tensor.name);
    if tensor.data_location == Some(DataLocation::External as i32) {
        return Err(fault("is in another file, which is not supported"));
    }
    let width = width(tensor.data_type).ok_or_else(|| fault("has an unsupported type"))?;
    let shape = shape_of(&tensor.dims).ok_or_else(|| fault("has an invalid shape"))?;
    let count = elements(&shape).map_err(|_| fault("is too large"))?;
    let held = match DataType::try_from(tensor.data_type) {
        _ if !tensor.raw_data.is_empty() => {
            let bytes = tensor.raw_data.len() as u64;
            if bytes.is_multiple_of(width) { bytes / width } else { u64::MAX }
        }
        Ok(DataType::Float) => tensor.float_data.len() as u64,
        Ok(DataType::Double) => tensor.double_data.len() as u64,
        Ok(DataType::Int64) => tensor.int64_data.len() as u64,
        _ => tensor.int32_data.len() as u64,
    };
    if held == count { Ok(()) } else { Err(fault("has more or fewer numbers than its shape states")) }
}

/// Returns a shape as lengths, or `None` if one is negative or there are too many.
pub(super) fn shape_of(dims: &[i64]) -> Option<Vec<usize>> {
    let lengths = || dims.iter().map(|&length| usize::try_from(length).ok()).collect();
    if dims.len() <= MOST_AXES { lengths() } else { None }
}

/// Returns what is known of a checked constant.
pub(super) fn constant(tensor: &TensorProto) -> Result<Value, Fault> {
    let shape = shape_of(&tensor.dims).ok_or("a constant has an invalid shape")?;
    let width = width(tensor.data_type).ok_or("a constant has an unsupported type")?;
    let few = elements(&shape)? <= LONGEST_FOLLOWED as u64;
    let integers = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Int64) if few && tensor.raw_data.is_empty() => Some(tensor.int64_data.clone()),
        Ok(DataType::Int64) if few => {
            Some(tensor.raw_data.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect())
        }
        Ok(DataType::Int32) if few && tensor.raw_data.is_empty() => {
            Some(tensor.int32_data.iter().map(|&number| number.into()).collect())
        }
        Ok(DataType::Int32) if few => {
            Some(tensor.raw_data.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes).into()).collect())
        }
        _ => None,
    };
    Ok(Value { shape, integers, is_constant: true, width })
}
