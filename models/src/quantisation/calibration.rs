//! Runs the float network on calibration inputs and records the extremes of its activations.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use prost::Message;
use tract_onnx::{
    pb::{ModelProto, ValueInfoProto},
    prelude::*,
};

use super::{activations::Activations, range::Extremes};
use crate::{
    Error,
    engines::{reference_input::Input, session},
};

/// Returns the extremes of each group of `activations` over all `inputs`.
///
/// # Errors
/// [`Error::NoCalibration`] without inputs, [`Error::NotFinite`] where a value is no finite number,
/// [`Error::Engine`] where tract cannot run the network on an input.
pub(super) fn run(
    model: &ModelProto,
    activations: &Activations,
    inputs: impl IntoIterator<Item = Input>,
) -> Result<Vec<Extremes>, Error> {
    let observed: Vec<_> = activations.values.iter().skip(1).filter(|value| value.is_computed).collect();
    let onnx = with_outputs(model, observed.iter().map(|value| value.name.clone()));
    let mut plans = BTreeMap::new();
    let mut extremes = vec![Extremes::default(); activations.groups];
    for (shape, data) in inputs {
        let input = &activations.values[0];
        if !extremes[input.group].add(&data) {
            return Err(Error::NotFinite(input.name.clone()));
        }
        let plan: &Arc<TypedRunnableModel> = match plans.entry(shape.clone()) {
            Entry::Occupied(plan) => plan.into_mut(),
            Entry::Vacant(place) => place.insert(prepare(&onnx, &shape)?),
        };
        let outputs = Tensor::from_shape(&shape, &data).and_then(|tensor| plan.run(tvec![tensor.into()]));
        for (value, output) in observed.iter().zip(outputs.map_err(failed)?) {
            let array = output.to_plain_array_view::<f32>().map_err(failed)?;
            // The order of the elements does not matter.
            let is_finite = match array.as_slice_memory_order() {
                Some(elements) => extremes[value.group].add(elements),
                None => extremes[value.group].add(&array.iter().copied().collect::<Vec<_>>()),
            };
            if !is_finite {
                return Err(Error::NotFinite(value.name.clone()));
            }
        }
    }
    if plans.is_empty() { Err(Error::NoCalibration) } else { Ok(extremes) }
}

/// Returns the ONNX file of `model` with the values `names` as its outputs.
fn with_outputs(model: &ModelProto, names: impl Iterator<Item = String>) -> Vec<u8> {
    let mut model = model.clone();
    if let Some(graph) = &mut model.graph {
        graph.output = names.map(|name| ValueInfoProto { name, ..Default::default() }).collect();
    }
    model.encode_to_vec()
}

fn prepare(onnx: &[u8], shape: &[usize]) -> Result<Arc<TypedRunnableModel>, Error> {
    session::prepare(onnx, [shape])?.into_runnable().map_err(failed)
}

fn failed(reason: TractError) -> Error {
    Error::engine("tract", format!("{reason:#}"))
}
