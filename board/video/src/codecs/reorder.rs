//! Pictures that come in decoding order, and leave in order of time.

use std::collections::VecDeque;

/// Pictures that are kept back until no earlier one can come.
pub(super) struct Reorder<T> {
    /// Each with its time, the earliest first.
    held: VecDeque<(i64, T)>,
    /// How many of them are kept back.
    depth: usize,
}

impl<T> Reorder<T> {
    /// Keeps back `depth` pictures.
    pub fn new(depth: usize) -> Self {
        Reorder { held: VecDeque::new(), depth }
    }

    /// Takes the next picture in decoding order, shown at `time`.
    pub fn push(&mut self, time: i64, picture: T) {
        let place = self.held.partition_point(|(other, _)| *other <= time);
        self.held.insert(place, (time, picture));
    }

    /// Returns the next picture in order of time. While more are to come (`more`), as many are kept
    /// back as the stream may reorder.
    pub fn pop(&mut self, more: bool) -> Option<(i64, T)> {
        let is_next = !more || self.held.len() > self.depth;
        if is_next { self.held.pop_front() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_leave_in_order_of_time_as_late_as_the_depth_says() {
        let mut reorder = Reorder::new(2);
        let mut out = Vec::new();
        for time in [0, 4, 2, 1, 3, 8, 6] {
            reorder.push(time, time);
            out.extend(std::iter::from_fn(|| reorder.pop(true)).map(|(time, _)| time));
        }
        assert_eq!(out, [0, 1, 2, 3, 4]);
        out.extend(std::iter::from_fn(|| reorder.pop(false)).map(|(time, _)| time));
        assert_eq!(out, [0, 1, 2, 3, 4, 6, 8]);
    }
}
