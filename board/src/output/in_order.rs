//! Brings the texts of inputs that are read at once into the order of the inputs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

/// Passes on the texts of each input in the order of the inputs: those of the first at once, those
/// of the others when all inputs before them have ended.
///
/// An endless input is not waited for, and its texts are passed on at once.
#[derive(Debug, Default)]
pub struct InOrder {
    /// The first input that has not ended.
    first: usize,
    /// Number of inputs that had their turn.
    reached: usize,
    /// Inputs that are not waited for: they have ended, or are endless.
    passed: BTreeSet<usize>,
    /// Texts of other inputs, and their bytes.
    held: BTreeMap<usize, String>,
    held_bytes: usize,
}

impl InOrder {
    /// Passes `text` of the input `number` to `write`, now or later.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn text(&mut self, number: usize, text: &str, mut write: impl FnMut(usize, &str) -> Result<()>) -> Result<()> {
        if number == self.first || self.passed.contains(&number) {
            return write(number, text);
        }
        self.held.entry(number).or_default().push_str(text);
        self.held_bytes += text.len();
        Ok(())
    }

    /// The input `number` is endless.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn endless(&mut self, number: usize, mut write: impl FnMut(usize, &str) -> Result<()>) -> Result<()> {
        self.release(number, &mut write)?;
        self.ended(number, write)
    }

    /// The input `number` has ended. `write` is called once with each input that is reached by
    /// that, in their order, whether it has a text or not.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn ended(&mut self, number: usize, mut write: impl FnMut(usize, &str) -> Result<()>) -> Result<()> {
        self.passed.insert(number);
        while self.passed.contains(&self.first) {
            self.reach(self.first, &mut write)?;
            self.first += 1;
        }
        self.reach(self.first, &mut write)
    }

    /// No input goes on: passes on what is left, as [`InOrder::ended`] does.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn finish(&mut self, mut write: impl FnMut(usize, &str) -> Result<()>) -> Result<()> {
        let left: BTreeSet<usize> = self.held.keys().chain(self.passed.range(self.first..)).copied().collect();
        left.into_iter().try_for_each(|number| self.reach(number, &mut write))
    }

    /// Returns the number of bytes that are held back.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Gives the input `number` its turn, once.
    fn reach(&mut self, number: usize, write: &mut impl FnMut(usize, &str) -> Result<()>) -> Result<()> {
        if number < self.reached {
            return Ok(());
        }
        self.reached = number + 1;
        self.release(number, write)
    }

    fn release(&mut self, number: usize, write: &mut impl FnMut(usize, &str) -> Result<()>) -> Result<()> {
        let text = self.held.remove(&number).unwrap_or_default();
        self.held_bytes -= text.len();
        write(number, &text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Inputs that are read in any interleaving give the texts of reading one after the other.
        #[test]
        fn any_interleaving_gives_the_order_of_the_inputs(turns in prop::collection::vec(0..6_usize, 0..60)) {
            let (mut order, mut written, mut texts) = (InOrder::default(), String::new(), vec![String::new(); 6]);
            for (turn, number) in turns.into_iter().enumerate() {
                let text = format!("{number}:{turn}\n");
                texts[number].push_str(&text);
                order.text(number, &text, |_, text| { written.push_str(text); Ok(()) }).unwrap();
                prop_assert_eq!(written.len() + order.held_bytes(), texts.concat().len());
            }
            prop_assert!(texts.concat().starts_with(&written) && written == texts[0]);
            for number in [3, 0, 5, 1, 2] {
                order.ended(number, |_, text| { written.push_str(text); Ok(()) }).unwrap();
                prop_assert!(texts.concat().starts_with(&written));
            }
            prop_assert_eq!(order.held_bytes(), texts[5].len());
            order.finish(|_, text| { written.push_str(text); Ok(()) }).unwrap();
            prop_assert_eq!(written, texts.concat());
        }
    }

    #[test]
    fn inputs_that_ended_before_the_others_began_are_reached_in_their_order() {
        for (ended, first) in [(vec![0, 1, 3, 5], 2), (vec![3, 5, 1], 0)] {
            let (mut order, mut reached) = (InOrder::default(), Vec::new());
            let mut write = |number, text: &str| {
                reached.push((number, text.to_owned()));
                Ok(())
            };
            ended.iter().for_each(|number| order.ended(*number, &mut write).unwrap());
            order.text(4, "four", &mut write).unwrap();
            order.text(first, "first", &mut write).unwrap();
            order.ended(first, &mut write).unwrap();
            order.finish(&mut write).unwrap();
            reached.retain(|(number, text)| ended.contains(number) || !text.is_empty());
            let mut expected: Vec<_> = ended.iter().map(|number| (*number, String::new())).collect();
            expected.extend([(4, "four".to_owned()), (first, "first".to_owned())]);
            expected.sort();
            assert_eq!(reached, expected);
        }
    }

    #[test]
    fn an_endless_input_holds_up_nobody() {
        let (mut order, mut written) = (InOrder::default(), String::new());
        let mut write = |_: usize, text: &str| {
            written.push_str(text);
            Ok(())
        };
        order.text(2, "c", &mut write).unwrap();
        order.text(1, "b", &mut write).unwrap();
        order.endless(1, &mut write).unwrap();
        order.endless(0, &mut write).unwrap();
        order.text(1, "B", &mut write).unwrap();
        order.text(0, "A", &mut write).unwrap();
        order.ended(2, &mut write).unwrap();
        assert_eq!(written, "bcBA");
    }
}
