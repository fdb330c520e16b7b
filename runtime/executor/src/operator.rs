//! A recognised network as one operator of tract.

use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;

use crate::aligned::Aligned;
use crate::plan::Plan;

/// The tract operator of a recognised network. It has one input and one output of shape
/// (rows, outputs). [`FusedModel::complete`](crate::FusedModel::complete) creates it.
#[derive(Clone, Debug)]
pub struct FusedNetwork {
    pub(crate) plan: Arc<Plan>,
    pub(crate) shape: [usize; 2],
}

impl PartialEq for FusedNetwork {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.plan, &other.plan)
    }
}

impl Eq for FusedNetwork {}

impl Op for FusedNetwork {
    fn name(&self) -> StaticName {
        "DivitaFused".into()
    }

    op_as_typed_op!();
}

impl EvalOp for FusedNetwork {
    not_out_of_plan!();

    fn state(&self, _: &EvalContext<'_>) -> TractResult<Option<Box<dyn OpState>>> {
        Ok(Some(Box::new(State { arena: self.plan.arena() })))
    }
}

impl TypedOp for FusedNetwork {
    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(self.shape)))
    }

    as_op!();
}

/// The arena of one session.
#[derive(Clone, Debug)]
struct State {
    arena: Aligned,
}

impl OpState for State {
    fn eval(&mut self, _: &EvalContext<'_>, op: &dyn Op, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let fused = op.downcast_ref::<FusedNetwork>().context("the state belongs to another operator")?;
        let input = inputs[0].try_as_plain_ram()?;
        let mut tensor = Tensor::zero::<f32>(&fused.shape)?;
        let mut output = tensor.try_as_plain_ram_mut()?;
        fused.plan.run(&mut self.arena, input.as_slice::<f32>()?, output.as_slice_mut::<f32>()?);
        Ok(tvec!(tensor.into()))
    }

    // A run leaves no state for the next run.
    fn reset_lanes(&mut self, _: &[LaneId]) -> TractResult<()> {
        Ok(())
    }
}
