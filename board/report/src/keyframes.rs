//! Chooses the keyframes that fit into a page.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{Keyframe, Shot};

/// Maximum size of a page in bytes, as long as its text alone is smaller.
pub const PAGE_BYTES: usize = 3_000_000;
/// Bytes of the markup around a keyframe, and of each use of it.
const MARKUP: usize = 200;

/// Size and quality of the keyframes of a film.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyframeSize {
    /// Width in pixels. The height follows from the film.
    pub width: u32,
    /// JPEG quality, from 1 to 100.
    pub quality: u8,
}

/// Returns the size that the keyframes of a film with this many shots should have, so that a page
/// can hold most of them.
#[must_use]
pub fn keyframe_size(shots: usize) -> KeyframeSize {
    let (width, quality) = match shots {
        0..=150 => (240, 70),
        151..=400 => (160, 65),
        401..=800 => (128, 55),
        801..=1_500 => (96, 45),
        _ => (80, 35),
    };
    KeyframeSize { width, quality }
}

/// A keyframe as the page holds it.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    /// Width in pixels.
    pub(crate) width: u32,
    /// Height in pixels.
    pub(crate) height: u32,
    /// The JPEG file in Base64.
    pub(crate) data: String,
}

impl Picture {
    /// Returns the picture of a keyframe; none if it is no JPEG or has no size.
    pub(crate) fn new(keyframe: &Keyframe) -> Option<Picture> {
        is_picture(keyframe).then(|| Picture {
            width: keyframe.width,
            height: keyframe.height,
            data: BASE64_STANDARD.encode(&keyframe.jpeg),
        })
    }
}

/// The chosen keyframes by the positions of their shots.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    pub(crate) pictures: BTreeMap<usize, Picture>,
    /// Number of keyframes that the caller gave.
    pub(crate) given: usize,
}

/// Chooses keyframes that take at most `budget` bytes: those of `first`, then others evenly spread
/// over the shots.
pub(crate) fn choose(shots: &[Shot], first: &[usize], budget: usize) -> Chosen {
    let size = |at: usize| shots.get(at).and_then(|shot| shot.keyframe.as_ref()).filter(|one| is_picture(one));
    let size = |at: usize| size(at).map(|keyframe| keyframe.jpeg.len().div_ceil(3) * 4 + MARKUP);
    let (mut left, mut chosen) = (budget, Vec::new());
    let mut take = |at: usize, left: &mut usize| match size(at) {
        Some(bytes) if bytes <= *left && !chosen.contains(&at) => {
            *left -= bytes;
            chosen.push(at);
        }
        _ => (),
    };
    first.iter().for_each(|&at| take(at, &mut left));
    let mut pictures: BTreeMap<usize, Picture> = BTreeMap::new();
    let picture = |at: usize| shots.get(at)?.keyframe.as_ref().and_then(Picture::new);
    pictures.extend(chosen.iter().filter_map(|&at| Some((at, picture(at)?))));
    let others: Vec<usize> = (0..shots.len()).filter(|at| size(*at).is_some() && !pictures.contains_key(at)).collect();
    let others = &others;
    let spread = |count: usize| (0..count).map(move |at| others[(2 * at + 1) * others.len() / (2 * count)]);
    let bytes = |count: usize| spread(count).filter_map(size).sum::<usize>();
    // Sums of more keyframes are larger but for chance, so the search only estimates.
    let (mut fits, mut beyond) = (0, others.len() + 1);
    while fits + 1 < beyond {
        let middle = fits.midpoint(beyond);
        if bytes(middle) <= left { fits = middle } else { beyond = middle }
    }
    pictures.extend(spread(fits).filter_map(|at| Some((at, picture(at)?))));
    let given = shots.iter().filter(|shot| shot.keyframe.as_ref().is_some_and(is_picture)).count();
    Chosen { pictures, given }
}

/// Whether a keyframe begins like a JPEG file and has a size.
fn is_picture(keyframe: &Keyframe) -> bool {
    keyframe.jpeg.starts_with(&[0xff, 0xd8, 0xff]) && keyframe.width > 0 && keyframe.height > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shots(count: usize, bytes: usize) -> Vec<Shot> {
        let mut jpeg = vec![0xff, 0xd8, 0xff];
        jpeg.resize(bytes, 0);
        let keyframe = Some(Keyframe { jpeg, width: 80, height: 45 });
        (0..count).map(|index| Shot { index, keyframe: keyframe.clone(), ..Shot::default() }).collect()
    }

    #[test]
    fn keyframes_that_fit_are_all_chosen() {
        let chosen = choose(&shots(20, 300), &[], 20 * 600);
        assert_eq!((chosen.pictures.len(), chosen.given), (20, 20));
    }

    #[test]
    fn too_many_keyframes_are_thinned_evenly_and_the_named_ones_stay() {
        let chosen = choose(&shots(1000, 300), &[3, 4, 3], 102 * 600);
        assert_eq!(chosen.pictures.len(), 102);
        assert!(chosen.pictures.contains_key(&3) && chosen.pictures.contains_key(&4));
        let places: Vec<usize> = chosen.pictures.keys().copied().filter(|at| ![3, 4].contains(at)).collect();
        assert!(places.windows(2).all(|pair| (9..=11).contains(&(pair[1] - pair[0]))), "{places:?}");
    }

    #[test]
    fn what_is_no_jpeg_is_left_out() {
        let mut shots = shots(3, 300);
        shots[0].keyframe = Some(Keyframe { jpeg: b"<svg onload=alert(1)>".to_vec(), width: 1, height: 1 });
        shots[1].keyframe.as_mut().unwrap().height = 0;
        assert_eq!(choose(&shots, &[0], 99_999).pictures.keys().copied().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn no_budget_gives_no_keyframes() {
        assert!(choose(&shots(9, 300), &[1], 0).pictures.is_empty());
        assert!(choose(&[], &[7], 9999).pictures.is_empty());
    }
}
