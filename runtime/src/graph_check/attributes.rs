//! Attributes of a node: their limits, and typed access to them.

use tract_onnx::pb::{AttributeProto, NodeProto};

use super::values::{Fault, LONGEST_FOLLOWED, check_tensor};

/// Most integers in one attribute, unless it is a constant.
const MOST_NUMBERS: usize = 16;

/// Largest integer in an attribute. Kernels, strides and paddings are far smaller.
const LARGEST: i64 = 1 << 20;

/// Checks that no attribute occurs twice and that every number is within the limits.
pub(super) fn check(node: &NodeProto) -> Result<(), Fault> {
    for (at, attribute) in node.attribute.iter().enumerate() {
        let name = &attribute.name;
        if node.attribute[..at].iter().any(|other| other.name == *name) {
            return Err(format!("its attribute {name:?} occurs twice"));
        }
        attribute.t.iter().chain(&attribute.tensors).try_for_each(check_tensor)?;
        let is_value = matches!(name.as_str(), "value_int" | "value_ints" | "starts" | "ends");
        let most = if node.op_type == "Constant" { LONGEST_FOLLOWED } else { MOST_NUMBERS };
        let numbers = || attribute.ints.iter().chain([&attribute.i]);
        if attribute.ints.len() > most || (!is_value && numbers().any(|number| !(-LARGEST..=LARGEST).contains(number)))
        {
            return Err(format!("its attribute {name:?} is too large"));
        }
    }
    Ok(())
}

/// Returns the attribute `name` of a node.
pub(super) fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

/// Returns the integer `name`, or `default`.
pub(super) fn integer(node: &NodeProto, name: &str, default: i64) -> i64 {
    attribute(node, name).map_or(default, |attribute| attribute.i)
}

/// Returns the integers `name`, or `None` if the attribute is absent.
pub(super) fn integers<'a>(node: &'a NodeProto, name: &str) -> Option<&'a [i64]> {
    attribute(node, name).map(|attribute| attribute.ints.as_slice())
}

/// Returns the text `name`, empty if it is absent.
pub(super) fn text<'a>(node: &'a NodeProto, name: &str) -> &'a [u8] {
    attribute(node, name).map_or(&[], |attribute| attribute.s.as_slice())
}

/// Returns `count` numbers of the attribute `name`, each in `range`. Returns `default` for each if
/// it is absent.
pub(super) fn lengths(
    node: &NodeProto,
    name: &str,
    count: usize,
    default: usize,
    range: std::ops::RangeInclusive<i64>,
) -> Result<Vec<usize>, Fault> {
    match integers(node, name) {
        None => Ok(vec![default; count]),
        Some(numbers) if numbers.len() == count && numbers.iter().all(|number| range.contains(number)) => {
            Ok(numbers.iter().map(|&number| number as usize).collect())
        }
        Some(_) => Err(format!("its attribute {name:?} does not match its input")),
    }
}

/// Returns the index of axis `axis` of a value with `rank` axes. Negative axes count from the end.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, Fault> {
    let from_start = if axis < 0 { axis + rank as i64 } else { axis };
    let found = usize::try_from(from_start).ok().filter(|&axis| axis < rank);
    found.ok_or_else(|| format!("it uses axis {axis} of a value with {rank} axes"))
}
