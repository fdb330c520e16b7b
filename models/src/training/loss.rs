//! Binary cross entropy, the loss of section 6: every label is a decision of its own.

use burn_core::tensor::Tensor;

/// Mean over all decisions of a batch of `logits` (batch, labels), given `targets`, which are 0 or 1, or a teacher's probabilities.
///
/// In the form max(x, 0) - x y + ln(1 + exp(-|x|)), which does not overflow.
pub fn binary_cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let rest = logits.clone().abs().neg().exp().log1p();
    (logits.clone().clamp_min(0.0) - logits * targets + rest).mean()
}
