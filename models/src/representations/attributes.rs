//! Names of the attributes with which a store describes its vectors.

/// Attribute with the preprocessing of the backbone's input: a
/// [`StreamInput`](divita_runtime::bundle::StreamInput).
pub const INPUT: &str = "input";

/// Prefix of the attribute `weights` where the weights were drawn from a seed. The seed follows.
pub const SEEDED: &str = "seeded, untrained: ";
