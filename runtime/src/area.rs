//! A rectangular part of a picture.

use serde::{Deserialize, Serialize};

/// A part of a picture, in stored pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Area {
    /// Pixels to its left.
    pub x: usize,
    /// Pixels above it.
    pub y: usize,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
}

impl Area {
    /// Returns the part that both areas share, or `None` if there is none.
    #[must_use]
    pub fn common(self, other: Area) -> Option<Area> {
        let across = shared((self.x, self.width), (other.x, other.width))?;
        let down = shared((self.y, self.height), (other.y, other.height))?;
        Some(Area { x: across.0, y: down.0, width: across.1, height: down.1 })
    }

    /// Scales the part from a picture of `from` pixels to one of `to` pixels, within even pixels.
    pub(crate) fn scaled(self, from: (usize, usize), to: (usize, usize)) -> Area {
        let scale = |start: usize, length: usize, from: usize, to: usize| {
            let first = (start * to).div_ceil(from).next_multiple_of(2);
            let end = ((start + length) * to / from) & !1;
            (first, end.saturating_sub(first).max(1))
        };
        let (x, width) = scale(self.x, self.width, from.0, to.0);
        let (y, height) = scale(self.y, self.height, from.1, to.1);
        Area { x, y, width, height }
    }
}

/// Returns start and length of the part that two ranges share.
fn shared(one: (usize, usize), other: (usize, usize)) -> Option<(usize, usize)> {
    let start = one.0.max(other.0);
    let end = (one.0 + one.1).min(other.0 + other.1);
    (end > start).then(|| (start, end - start))
}
