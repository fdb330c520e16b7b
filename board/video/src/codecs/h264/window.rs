//! The packets since the last point that decoding can go back to, in one bounded buffer.

use std::collections::VecDeque;

use crate::packet::Packet;

/// Bytes of packets that are held at most, apart from those that were not decoded yet. Damage in a
/// group of pictures that is larger costs the rest of the group.
pub(super) const MAX_HELD: usize = 64 << 20;

/// Bytes by which the buffer grows at most at once.
const MAX_STEP: usize = 8 << 20;

/// Packets in decoding order, some of them decoded already.
pub(super) struct Window {
    /// The packets' data, one after the other, from `head` on.
    data: Vec<u8>,
    head: usize,
    entries: VecDeque<Entry>,
    /// Position of the next entry to decode, and of its data from `head` on.
    next: usize,
    next_data: usize,
    limit: usize,
}

/// A packet in the window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Index of the packet.
    pub index: u64,
    /// When its picture is shown, in ticks.
    pub time: i64,
    /// The configuration that it needs.
    pub config: usize,
    bytes: usize,
}

impl Window {
    /// Makes an empty window that holds `limit` bytes of packets.
    pub fn new(limit: usize) -> Self {
        Window { data: Vec::new(), head: 0, entries: VecDeque::new(), next: 0, next_data: 0, limit }
    }

    /// Makes room for a group of pictures.
    pub fn reserve(&mut self, bytes: usize, packets: usize) {
        // A quarter more, as the buffer is moved together only when a quarter of it is free.
        self.data.reserve_exact(bytes.min(self.limit) / 4 * 5);
        self.entries.reserve(packets.min(self.limit / size_of::<Entry>()));
    }

    /// Adds a packet. Packets that were decoded are dropped if there are too many bytes.
    pub fn push(&mut self, packet: &Packet) {
        let bytes = packet.data.len();
        if self.held() + bytes + size_of::<Entry>() > self.limit {
            self.forget(self.next);
        }
        if self.data.len() + bytes > self.data.capacity() {
            if self.head >= (self.data.len() - self.head) / 4 {
                self.data.drain(..self.head);
                self.head = 0;
            }
            if self.data.len() + bytes > self.data.capacity() {
                self.data.reserve_exact(bytes.max(self.data.len().min(MAX_STEP)));
            }
        }
        self.data.extend_from_slice(&packet.data);
        let Packet { index, time, config, .. } = *packet;
        self.entries.push_back(Entry { index, time, config, bytes });
    }

    /// Returns the next packet to decode.
    pub fn next(&mut self) -> Option<(Entry, &[u8])> {
        let entry = *self.entries.get(self.next)?;
        let data = self.head + self.next_data;
        self.next += 1;
        self.next_data += entry.bytes;
        Some((entry, &self.data[data..data + entry.bytes]))
    }

    /// Drops the packets before packet `index`.
    pub fn forget_before(&mut self, index: u64) {
        self.forget(self.entries.partition_point(|entry| entry.index < index).min(self.next));
    }

    /// Goes back to packet `index`; returns whether it is still held.
    pub fn rewind(&mut self, index: u64) -> bool {
        let place = self.entries.partition_point(|entry| entry.index < index);
        let is_held = self.entries.get(place).is_some_and(|entry| entry.index == index);
        if is_held {
            self.next = place;
            self.next_data = self.entries.range(..place).map(|entry| entry.bytes).sum();
        }
        is_held
    }

    /// Returns the time of packet `index`, if it is held.
    pub fn time_of(&self, index: u64) -> Option<i64> {
        let place = self.entries.partition_point(|entry| entry.index < index);
        self.entries.get(place).filter(|entry| entry.index == index).map(|entry| entry.time)
    }

    /// Returns the times of the `count` packets before packet `index` that are held.
    pub fn times_before(&self, index: u64, count: usize) -> Vec<i64> {
        let place = self.entries.partition_point(|entry| entry.index < index);
        self.entries.range(place.saturating_sub(count)..place).map(|entry| entry.time).collect()
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.data.clear();
        self.entries.clear();
        (self.head, self.next, self.next_data) = (0, 0, 0);
    }

    /// Drops the first `count` packets.
    fn forget(&mut self, count: usize) {
        let bytes: usize = self.entries.drain(..count).map(|entry| entry.bytes).sum();
        self.head += bytes;
        self.next -= count;
        self.next_data -= bytes;
        if self.entries.is_empty() {
            self.data.clear();
            self.head = 0;
        }
    }

    /// Bytes of the packets in the window, and of their entries.
    fn held(&self) -> usize {
        self.data.len() - self.head + self.entries.len() * size_of::<Entry>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(index: u64, bytes: usize) -> Packet {
        Packet { data: vec![index as u8; bytes], index, time: 10 * index as i64, config: 0, ..Packet::default() }
    }

    fn next(window: &mut Window) -> Option<(u64, Vec<u8>)> {
        window.next().map(|(entry, data)| (entry.index, data.to_vec()))
    }

    #[test]
    fn packets_come_again_after_going_back() {
        let mut window = Window::new(1000);
        (3..8).for_each(|index| window.push(&packet(index, index as usize)));
        assert_eq!(next(&mut window), Some((3, vec![3; 3])));
        assert_eq!(next(&mut window), Some((4, vec![4; 4])));
        assert!(window.rewind(3) && !window.rewind(2));
        assert_eq!((3..8).map(|_| next(&mut window).unwrap().0).collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
        assert_eq!(next(&mut window), None);
        assert_eq!((window.time_of(5), window.time_of(8)), (Some(50), None));
        assert_eq!(window.times_before(6, 2), [40, 50]);
        window.forget_before(5);
        assert!(!window.rewind(4) && window.rewind(5));
        assert_eq!(next(&mut window), Some((5, vec![5; 5])));
        assert_eq!(window.times_before(6, 9), [50]);
    }

    #[test]
    fn no_more_bytes_are_held_than_allowed_beyond_the_packets_to_decode() {
        let mut window = Window::new(1000);
        for index in 0..200 {
            window.push(&packet(index, 100 + index as usize));
            assert_eq!(next(&mut window), Some((index, vec![index as u8; 100 + index as usize])));
            assert!(window.held() <= 1000 && window.data.capacity() <= 3000, "{}", window.data.capacity());
        }
        // A packet that is larger than the window is decoded all the same.
        window.push(&packet(200, 5000));
        assert_eq!(next(&mut window).unwrap().1.len(), 5000);
        window.push(&packet(201, 1));
        assert!(!window.rewind(200) && window.rewind(201));
    }

    #[test]
    fn a_window_with_room_does_not_grow() {
        let mut window = Window::new(1 << 20);
        window.reserve(2000, 20);
        let capacity = window.data.capacity();
        for index in 0..100 {
            window.push(&packet(index, 100));
            next(&mut window);
            window.forget_before(index.saturating_sub(15));
        }
        assert_eq!(window.data.capacity(), capacity);
    }
}
