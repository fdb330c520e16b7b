//! What NAL units say of the pictures of a stream.

/// What the header of a picture's first slice says of its place in the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Whether decoding can start here.
    pub is_key: bool,
    /// Whether the parameter sets that it needs were there before it. Without them it cannot be
    /// decoded.
    pub has_sets: bool,
    /// Number of the sequence that it belongs to. Pictures of a later sequence are shown later.
    pub sequence: u64,
    /// Its place in the sequence, in order of time (the picture order count). Numbers are left
    /// out: frames of H.264 usually count by two.
    pub order: i64,
}

/// What a NAL unit is to the picture before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It belongs to the same picture, or to none.
    Follows,
    /// It comes before the first slice of a picture.
    Precedes,
    /// The first slice of a picture.
    Begins(Picture),
}
