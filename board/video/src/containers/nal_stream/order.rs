//! Times of pictures in streams that state none: pictures come in decoding order, and each takes
//! its turn in the order in which they are shown.

use std::collections::VecDeque;

use super::picture::Picture;
use crate::packet::Packet;

/// Pictures that a picture may be decoded before, and yet be shown after.
const REORDERED: usize = 16;

/// Packets that wait until it is known which pictures are shown before theirs.
///
/// In decoding order packets have the turns 0, 1, 2 and so on, or any times that grow. The picture
/// that is shown first gets the first of these times, whichever packet has it.
#[derive(Default)]
pub(crate) struct DisplayOrder {
    held: VecDeque<Held>,
    /// Places and turns of the packets of the present sequence that left last.
    left: VecDeque<(Picture, i64)>,
    /// Buffers of packets that left.
    free: Vec<Vec<u8>>,
}

struct Held {
    packet: Packet,
    picture: Picture,
}

impl DisplayOrder {
    /// Takes the next packet in decoding order, whose `time` is its turn. `packet` gets an empty
    /// buffer in exchange.
    pub fn push(&mut self, packet: &mut Packet, picture: Picture) {
        let mut taken = Packet { data: self.free.pop().unwrap_or_default(), ..Packet::default() };
        taken.data.clear();
        std::mem::swap(&mut taken, packet);
        self.held.push_back(Held { packet: taken, picture });
    }

    /// Moves the next packet, with the time at which it is shown, into `packet`; returns false if
    /// more packets must be pushed first. With `finished` no more come.
    pub fn pop(&mut self, finished: bool, packet: &mut Packet) -> bool {
        let Some(first) = self.held.front().map(|held| held.picture) else { return false };
        let same = self.held.iter().take_while(|held| held.picture.sequence == first.sequence).count();
        if same == self.held.len() && same <= REORDERED && !finished {
            return false;
        }
        if self.left.back().is_some_and(|(last, _)| last.sequence != first.sequence) {
            self.left.clear();
        }
        // Turns are given out in order, so those of the pictures around it need only be counted.
        let earlier = self.held.iter().take(same).filter(|held| held.picture.order < first.order).count();
        let later = self.left.iter().filter(|(left, _)| left.order > first.order).count();
        let place = (self.left.len() + earlier).saturating_sub(later);
        let turn = match place.checked_sub(self.left.len()) {
            Some(ahead) => self.held.get(ahead).map(|held| held.packet.time),
            None => self.left.get(place).map(|(_, turn)| *turn),
        };
        let Some(held) = self.held.pop_front() else { return false };
        self.left.push_back((first, held.packet.time));
        if self.left.len() > 2 * REORDERED {
            self.left.pop_front();
        }
        let old = std::mem::replace(packet, held.packet);
        packet.time = turn.unwrap_or(packet.time);
        if self.free.len() <= REORDERED {
            self.free.push(old.data);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the times of pictures of these sequences and orders, whose turns count by `step`.
    fn times(pictures: &[(u64, i64)], step: i64) -> Vec<i64> {
        let (mut order, mut times, mut packet) = (DisplayOrder::default(), Vec::new(), Packet::default());
        for (index, &(sequence, place)) in pictures.iter().enumerate() {
            packet.time = step * index as i64;
            packet.data.extend([index as u8; 3]);
            order.push(&mut packet, Picture { sequence, order: place, ..Picture::default() });
            while order.pop(false, &mut packet) {
                assert_eq!(packet.data, [times.len() as u8; 3]);
                times.push(packet.time);
            }
            packet.data.clear();
        }
        while order.pop(true, &mut packet) {
            times.push(packet.time);
        }
        times
    }

    #[test]
    fn pictures_take_their_turns_in_the_order_in_which_they_are_shown() {
        assert_eq!(times(&[(0, 0), (0, 1), (0, 2)], 1), [0, 1, 2]);
        let pyramid = [(0, 0), (0, 8), (0, 4), (0, 2), (0, 6), (0, 16), (0, 12)];
        assert_eq!(times(&pyramid, 10), [0, 40, 20, 10, 30, 60, 50]);
        // Leading pictures of the first one, and a second sequence.
        let leading = [(0, 4), (0, 0), (0, 2), (1, 0), (1, 4), (1, 2)];
        assert_eq!(times(&leading, 1), [2, 0, 1, 3, 5, 4]);
    }

    #[test]
    fn long_sequences_keep_their_order() {
        // Groups of four: the last one first, and then the others.
        let pictures: Vec<(u64, i64)> =
            (0..50).flat_map(|group| [3, 1, 0, 2].map(|at| (0, 8 * group + 2 * at))).collect();
        let expected: Vec<i64> = (0..50).flat_map(|group| [3, 1, 0, 2].map(|at| 4 * group + at)).collect();
        assert_eq!(times(&pictures, 1), expected);
    }
}
