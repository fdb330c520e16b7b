//! Accounts for the pictures that damage costs: from the damaged one up to where decoding is exact
//! again.

use std::collections::VecDeque;

use divita_runtime::frame::Timestamp;

use crate::Loss;
use crate::codecs::codec::{ExactFrom, PacketId};

/// The losses of a stream. A *run* is what one fault costs.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    run: Option<Run>,
    /// Runs that are over.
    done: VecDeque<Loss>,
    /// Returns the number of pictures that were not decoded since the last one that was shown.
    refused: usize,
    /// Pictures in all, since they were last asked for.
    total: u64,
}

#[derive(Debug)]
struct Run {
    loss: Loss,
    /// The damaged packet.
    packet: PacketId,
    /// From where on pictures are exact.
    exact_from: Option<ExactFrom>,
}

impl Losses {
    /// Begins a run at `packet`, which is shown at `at`; nothing changes in the middle of a run
    /// whose end is not in sight.
    pub fn begin(&mut self, packet: PacketId, at: Timestamp) {
        match &mut self.run {
            Some(run) => run.exact_from = run.exact_from.filter(|_| packet.index <= run.packet.index),
            None => self.run = Some(Run { loss: Loss { at, until: at, frames: 0 }, packet, exact_from: None }),
        }
    }

    /// Counts the picture of `packet`, shown at `at`, which cannot be decoded.
    pub fn refuse(&mut self, packet: PacketId, at: Timestamp) {
        self.begin(packet, at);
        self.count(at);
        self.refused += 1;
    }

    /// Records that decoding from packet `index` on is exact from `exact_from` on.
    pub fn recover(&mut self, index: u64, exact_from: ExactFrom) {
        if let Some(run) = &mut self.run
            && index > run.packet.index
        {
            run.exact_from.get_or_insert(exact_from);
        }
    }

    /// Takes over the time of packet `index`, in ticks.
    pub fn resolve(&mut self, index: u64, time: i64) {
        if let Some(Run { exact_from: Some(exact_from), .. }) = &mut self.run {
            exact_from.resolve(index, time);
        }
    }

    /// Counts a packet of time `at` in which no picture is found: that alone damages no other.
    pub fn skip(&mut self, at: Timestamp) {
        self.refused += 1;
        match (&self.run, self.done.back_mut()) {
            (Some(_), _) => self.count(at),
            (None, Some(loss)) => (loss.frames, loss.until) = (loss.frames + 1, loss.until.max(at)),
            (None, None) => self.done.push_back(Loss { at, until: at, frames: 1 }),
        }
        self.total += u64::from(self.run.is_none());
    }

    /// Records that a picture of time `ticks` is shown at `at`.
    pub fn show(&mut self, ticks: i64, at: Timestamp) {
        self.refused = 0;
        match &self.run {
            Some(run) if run.exact_from.is_some_and(|from| from.is_reached(ticks)) => self.end(at),
            // Pictures from before the damage, in decoding order, are exact.
            Some(run) if !run.packet.before.contains(&ticks) => self.count(at),
            _ => {}
        }
    }

    /// Records that a picture of time `ticks` is not shown, because it needs pictures from before
    /// the stream's start.
    pub fn hide(&mut self, ticks: i64, at: Timestamp) {
        if self.run.as_ref().is_some_and(|run| run.exact_from.is_none_or(|from| !from.is_reached(ticks))) {
            self.count(at);
        }
    }

    /// Ends the run at `at`, the time of the next good picture or of the end of the stream.
    pub fn end(&mut self, at: Timestamp) {
        if let Some(Run { loss, .. }) = self.run.take()
            && loss.frames > 0
        {
            self.done.push_back(Loss { until: loss.until.max(at), ..loss });
        }
    }

    /// Returns the number of pictures that were not decoded since the last one that was shown.
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// Returns the oldest loss that was not taken yet.
    pub fn take(&mut self) -> Option<Loss> {
        self.done.pop_front()
    }

    /// Returns the number of pictures lost since the last call.
    pub fn take_total(&mut self) -> u64 {
        std::mem::take(&mut self.total)
    }

    fn count(&mut self, at: Timestamp) {
        self.total += 1;
        if let Some(run) = &mut self.run {
            run.loss.frames += 1;
            run.loss.at = run.loss.at.min(at);
            run.loss.until = run.loss.until.max(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    fn packet(index: u64, before: &[i64]) -> PacketId {
        PacketId { index, time: 0, before: before.to_vec() }
    }

    #[test]
    fn a_run_goes_from_the_damaged_picture_to_the_first_exact_one() {
        let mut losses = Losses::default();
        losses.show(1, at(1));
        losses.begin(packet(5, &[2]), at(3));
        losses.show(2, at(2));
        losses.show(3, at(3));
        losses.refuse(packet(6, &[]), at(4));
        // A recovery point before the damage says nothing of it.
        losses.recover(5, ExactFrom::Time(0));
        losses.recover(7, ExactFrom::Time(6));
        losses.show(5, at(5));
        assert_eq!((losses.take(), losses.refused()), (None, 0));
        losses.show(6, at(6));
        assert_eq!(losses.take(), Some(Loss { at: at(3), until: at(6), frames: 3 }));
        losses.end(at(7));
        assert_eq!(losses.take(), None);
    }

    #[test]
    fn damage_behind_a_recovery_point_prolongs_the_run() {
        let mut losses = Losses::default();
        losses.refuse(packet(1, &[]), at(1));
        losses.recover(2, ExactFrom::Time(2));
        losses.refuse(packet(3, &[]), at(3));
        losses.show(2, at(2));
        losses.end(at(3));
        assert_eq!(losses.take(), Some(Loss { at: at(1), until: at(3), frames: 3 }));
    }
}
