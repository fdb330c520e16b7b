//! Packets that wait for their decoder, in buffers that are used again.

use std::collections::VecDeque;

use crate::packet::Packet;

/// Packets in decoding order.
#[derive(Default)]
pub(super) struct PacketQueue {
    packets: VecDeque<Packet>,
    /// The buffer of a packet that was decoded.
    spare: Vec<u8>,
}

impl PacketQueue {
    /// Makes room for a packet of `bytes` bytes.
    pub fn reserve(&mut self, bytes: usize) {
        self.spare.reserve(bytes);
    }

    /// Adds a copy of `packet`.
    pub fn push(&mut self, packet: &Packet) {
        let mut data = std::mem::take(&mut self.spare);
        data.clear();
        data.extend_from_slice(&packet.data);
        let Packet { index, time, is_key, config, .. } = *packet;
        self.packets.push_back(Packet { data, index, time, is_key, config });
    }

    /// Returns the data of the next packet.
    pub fn first(&self) -> Option<&[u8]> {
        self.packets.front().map(|packet| &*packet.data)
    }

    /// Returns the data of the packet after the next.
    pub fn second(&self) -> Option<&[u8]> {
        self.packets.get(1).map(|packet| &*packet.data)
    }

    /// Takes the next packet out. Give it back to [`PacketQueue::recycle`].
    pub fn pop(&mut self) -> Option<Packet> {
        self.packets.pop_front()
    }

    /// Keeps the buffer of a packet that was decoded.
    pub fn recycle(&mut self, packet: Packet) {
        if packet.data.capacity() > self.spare.capacity() {
            self.spare = packet.data;
        }
    }

    /// Drops all packets.
    pub fn clear(&mut self) {
        self.packets.clear();
    }
}
