//! The optimiser of section 6: AdamW (Loshchilov and Hutter 2019), in the AMSGrad form (Reddi 2018)
//! of the authors' code. Its state is kept by the names of the weights.

use std::collections::BTreeMap;

use burn_core::tensor::{Device, Tensor};
use burn_optim::{AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer};

use super::{
    Differentiable,
    differentiable::{ParameterGradients, numbers},
};
use crate::weights::{self, Weights};

/// torch's, which the authors' code leaves as it is.
const EPSILON: f32 = 1e-8;

/// What the optimizer remembers of the gradients, by the name of the weight and that of the moment:
/// `first`, `second`, `highest`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// Steps that were taken.
    pub steps: usize,
    /// The moments, each as long as its weight.
    pub moments: Weights,
}

/// The names of the moments.
const MOMENTS: [&str; 3] = ["first", "second", "highest"];

/// The optimizer of one network.
pub struct AdamW {
    rule: burn_optim::AdamW,
    states: BTreeMap<String, AdamWState<1>>,
}

impl AdamW {
    /// Returns an optimizer that has seen nothing; `decay` is how fast weights fall towards zero,
    /// as a share of the rate.
    #[must_use]
    pub fn new(decay: f32) -> AdamW {
        let rule = AdamWConfig::new().with_amsgrad(true).with_epsilon(EPSILON).with_weight_decay(decay).build();
        AdamW { rule, states: BTreeMap::new() }
    }

    /// Goes on from `moments`.
    ///
    /// # Errors
    /// [`crate::Error::MissingWeight`] and [`crate::Error::WeightShape`] where they are not those
    /// of `network`.
    pub fn resume(
        decay: f32,
        moments: &Moments,
        network: &Differentiable,
        device: &Device,
    ) -> Result<AdamW, crate::Error> {
        let mut optimizer = AdamW::new(decay);
        if moments.steps == 0 {
            return Ok(optimizer);
        }
        for (name, elements) in network.parameters() {
            let moment = |part: &str| -> Result<Tensor<1>, crate::Error> {
                let moment = moments.moments.get(&format!("{name}.{part}"), &elements.dims())?;
                Ok(Tensor::from_floats(moment.data.as_slice(), device))
            };
            let [first, second, highest] = MOMENTS;
            let momentum = AdaptiveMomentumState {
                time: moments.steps,
                moment_1: moment(first)?,
                moment_2: moment(second)?,
                max_moment_2: Some(moment(highest)?),
            };
            optimizer.states.insert(name.clone(), AdamWState { momentum });
        }
        Ok(optimizer)
    }

    /// One step of all parameters of `network` down their `gradients`, at this rate. Parameters
    /// that have none stay.
    pub fn step(&mut self, rate: f64, network: &mut Differentiable, gradients: ParameterGradients) {
        for (name, gradient) in gradients {
            let elements = network.parameters()[&name].clone();
            let state = self.states.remove(&name);
            let (elements, state) = self.rule.step(rate, elements.inner(), gradient, state);
            if let Some(state) = state {
                self.states.insert(name.clone(), state);
            }
            network.set_parameter(&name, Tensor::from_inner(elements));
        }
    }

    /// What is to be kept for going on.
    #[must_use]
    pub fn moments(&self) -> Moments {
        let mut kept = Moments::default();
        for (name, AdamWState { momentum }) in &self.states {
            kept.steps = momentum.time;
            let highest = momentum.max_moment_2.as_ref().unwrap_or(&momentum.moment_2);
            for (part, moment) in MOMENTS.iter().zip([&momentum.moment_1, &momentum.moment_2, highest]) {
                let data = numbers(moment.clone());
                kept.moments
                    .0
                    .insert(format!("{name}.{part}"), weights::Tensor { shape: moment.dims().to_vec(), data });
            }
        }
        kept
    }
}
