//! A fused network as one operator of tract.

use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;

use super::aligned::Aligned;
use super::plan::Plan;

/// The operator: one input, one output (1, numbers).
#[derive(Clone, Debug)]
pub(super) struct Fused {
    pub plan: Arc<Plan>,
    pub outputs: usize,
}

impl PartialEq for Fused {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.plan, &other.plan)
    }
}

impl Eq for Fused {}

impl Op for Fused {
    fn name(&self) -> StaticName {
        "DivitaFused".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Fused {
    not_out_of_plan!();

    fn state(&self, _: &EvalContext<'_>) -> TractResult<Option<Box<dyn OpState>>> {
        Ok(Some(Box::new(Room { arena: self.plan.arena() })))
    }
}

impl TypedOp for Fused {
    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact([1, self.outputs])))
    }

    as_op!();
}

/// The arena of one session.
#[derive(Clone, Debug)]
struct Room {
    arena: Aligned,
}

impl OpState for Room {
    fn eval(&mut self, _: &EvalContext<'_>, op: &dyn Op, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let fused = op.downcast_ref::<Fused>().context("the state of another operator")?;
        let input = inputs[0].try_as_plain_ram()?;
        let mut tensor = Tensor::zero::<f32>(&[1, fused.outputs])?;
        let mut output = tensor.try_as_plain_ram_mut()?;
        fused.plan.run(&mut self.arena, input.as_slice::<f32>()?, output.as_slice_mut::<f32>()?);
        Ok(tvec!(tensor.into()))
    }

    // A run leaves nothing behind for the next one.
    fn reset_lanes(&mut self, _: &[LaneId]) -> TractResult<()> {
        Ok(())
    }
}
