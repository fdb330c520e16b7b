//! The losses of the two tasks and their probabilities: binary cross entropy (section 6), where
//! every label is a separate decision, and cross entropy, where a video has exactly one label.

use burn_core::tensor::{Tensor, activation};
use divita_runtime::bundle::Task;

/// Returns the loss that `task` is trained by, of `logits` and `targets` (batch, labels).
pub fn loss(task: Task, logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    match task {
        Task::MultiLabel => binary_cross_entropy(logits, targets),
        Task::SingleLabel => cross_entropy(logits, targets),
    }
}

/// Returns the probabilities of `logits` (batch, labels): sigmoids, or of a single-label task the
/// softmax of each row.
pub fn label_probabilities(task: Task, logits: Tensor<2>) -> Tensor<2> {
    match task {
        Task::MultiLabel => activation::sigmoid(logits),
        Task::SingleLabel => activation::softmax(logits, 1),
    }
}

/// Returns the mean over all decisions of a batch of `logits` (batch, labels), given `targets`,
/// which are 0 or 1, or a teacher's probabilities.
///
/// In the form max(x, 0) - x y + ln(1 + exp(-|x|)), which does not overflow.
pub fn binary_cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let rest = logits.clone().abs().neg().exp().log1p();
    (logits.clone().clamp_min(0.0) - logits * targets + rest).mean()
}

/// Returns the mean over the rows of `logits` (batch, labels) of the cross entropy between their
/// softmax and `targets`. Each row of `targets` sums to 1: it is one-hot, or a teacher's
/// probabilities. Torch's `cross_entropy` with class probabilities.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    // The logarithm of the softmax is taken relative to the row's largest logit, so no exponential
    // overflows.
    (activation::log_softmax(logits, 1) * targets).sum_dim(1).mean().neg()
}
