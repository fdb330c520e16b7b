//! Raises a model to the operator set that quantises per channel.

use tract_onnx::pb::{ModelProto, TensorProto, tensor_proto::DataType};

use crate::{Error, engines::onnx};

/// Lowest operator set whose `DequantizeLinear` has a scale per channel.
const LOWEST: i64 = 13;

/// IR version of [`LOWEST`].
const IR_VERSION: i64 = 7;

/// Oldest operator set that is converted.
const OLDEST: i64 = 9;

/// Operators that had an attribute which is their second input since [`LOWEST`].
const MOVED: [(&str, &str); 2] = [("Split", "split"), ("Squeeze", "axes")];

/// Raises `model` to operator set 13, if its own is lower.
///
/// # Errors
/// [`Error::Unquantisable`] where it names no operator set, or one below 9.
pub(super) fn raise(model: &mut ModelProto) -> Result<(), Error> {
    let import = model.opset_import.iter_mut().find(|import| matches!(import.domain.as_str(), "" | "ai.onnx"));
    let import = import.ok_or_else(|| Error::Unquantisable("it names no operator set".to_owned()))?;
    if import.version >= LOWEST {
        return Ok(());
    }
    if import.version < OLDEST {
        let reason = format!("it has operator set {}: export it with {OLDEST} or newer", import.version);
        return Err(Error::Unquantisable(reason));
    }
    import.version = LOWEST;
    model.ir_version = model.ir_version.max(IR_VERSION);
    let Some(graph) = &mut model.graph else { return Ok(()) };
    for node in &mut graph.node {
        let Some((_, moved)) = MOVED.iter().find(|(operator, _)| node.op_type == *operator) else { continue };
        let Some(at) = node.attribute.iter().position(|attribute| attribute.name == *moved) else { continue };
        let values = node.attribute.remove(at).ints;
        let name = format!("{}.{moved}", node.output.first().map_or("", String::as_str));
        graph.initializer.push(integers(&name, &values));
        node.input.push(name);
    }
    Ok(())
}

fn integers(name: &str, values: &[i64]) -> TensorProto {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    onnx::tensor(name, &[values.len()], DataType::Int64, bytes)
}
