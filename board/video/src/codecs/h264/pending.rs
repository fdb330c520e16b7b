//! The times of the pictures inside the decoder, which gives pictures back in order of time but
//! without their times.

/// Pictures that the decoder can hold back: the 16 that H.264 allows, and the one on its way.
const CAPACITY: usize = 17;

/// A small queue of times, the earliest first out.
#[derive(Debug)]
pub(super) struct PendingTimes {
    /// Latest first.
    times: Vec<i64>,
}

impl PendingTimes {
    pub fn new() -> Self {
        PendingTimes { times: Vec::with_capacity(CAPACITY + 1) }
    }

    /// Adds the time of a picture that goes into the decoder. Where that is more than it can hold,
    /// it must have dropped one without a word, and the earliest is taken for it: whether that was
    /// so.
    pub fn push(&mut self, time: i64) -> bool {
        let place = self.times.partition_point(|&other| other > time);
        self.times.insert(place, time);
        let overflow = self.times.len() > CAPACITY;
        if overflow {
            self.times.pop();
        }
        overflow
    }

    /// Returns the time of the picture that comes out of the decoder.
    pub fn pop(&mut self) -> Option<i64> {
        self.times.pop()
    }

    /// Returns the number of pictures inside.
    pub fn len(&self) -> usize {
        self.times.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_out_in_order_and_never_pile_up() {
        let mut pending = PendingTimes::new();
        for time in [0, 3, 1, 2, 7] {
            assert!(!pending.push(time));
        }
        assert_eq!((pending.pop(), pending.pop(), pending.pop()), (Some(0), Some(1), Some(2)));
        assert_eq!((pending.len(), pending.pop(), pending.pop(), pending.pop()), (2, Some(3), Some(7), None));
        let overflows = (0..100).filter(|&time| pending.push(time)).count();
        assert_eq!((overflows, pending.pop()), (100 - CAPACITY, Some((100 - CAPACITY) as i64)));
    }
}
