//! A packet: what containers give and codecs take.

/// The data of one picture, and its place in the track.
#[derive(Clone, Debug, Default)]
pub struct Packet {
    /// The data, as the container stores them.
    pub data: Vec<u8>,
    /// Number of the packet in decoding order. Within a pass each is one more than the one before.
    pub index: u64,
    /// When the picture is shown, on the media's clock, in ticks.
    pub time: i64,
    /// Whether the container says that decoding can start here.
    pub is_key: bool,
    /// Which of the track's configurations the packet needs.
    pub config: usize,
}
