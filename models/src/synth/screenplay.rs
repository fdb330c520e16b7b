//! A trailer: scenes in the style of its genres, transitions, titles, black frames, and the
//! recording.

use divita_runtime::bundle::GENRES;
use serde::Serialize;

use super::{
    dice::Dice,
    picture::{Colour, Picture, mix, scatter},
    profile::{PROFILES, Profile},
    scene::Scene,
};

/// Frames a second of every trailer.
pub const RATE: usize = 24;

/// Properties of a trailer.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Its genres, in the order of [`GENRES`].
    pub genres: [bool; GENRES.len()],
    /// Frames.
    pub frames: usize,
    /// Width and height, pixels; both even.
    pub size: (usize, usize),
}

/// A change from one shot to the next, as `divita-models shots` reads truth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transition {
    /// `cut`, `dissolve` or `black`.
    pub kind: &'static str,
    /// The last frame that is wholly of the shot before.
    pub last: usize,
    /// The first that is wholly of the one after.
    pub first: usize,
}

/// Something that is no transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disturbance {
    /// Its kind.
    pub kind: &'static str,
    /// Its first frame.
    pub first: usize,
    /// Its last.
    pub last: usize,
}

/// One shot: its first and last frame that are wholly its own, and what is seen.
struct Shot {
    first: usize,
    last: usize,
    kind: ShotKind,
}

enum ShotKind {
    Scene(Box<Scene>),
    Title { seed: u32, letters: usize, colour: Colour },
}

/// A trailer, ready to be drawn.
pub struct Screenplay {
    order: Order,
    shots: Vec<Shot>,
    /// How each shot but the first is joined to the one before.
    joins: Vec<Transition>,
    /// Height of each black bar, share of the picture's.
    bars: f32,
    grain: f32,
    seed: u32,
}

impl Screenplay {
    /// Writes one to order.
    #[must_use]
    pub fn new(order: Order, dice: &mut Dice) -> Screenplay {
        let own: Vec<&Profile> =
            PROFILES.iter().zip(order.genres).filter(|(_, there)| *there).map(|(profile, _)| profile).collect();
        let own = if own.is_empty() { vec![&PROFILES[4]] } else { own };
        // A trailer has a pace and a light of its own, in all of its genres.
        let (pace, bright) = (dice.between(0.7, 1.4), dice.between(0.8, 1.2));
        let (mut shots, mut joins): (Vec<Shot>, Vec<Transition>) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < order.frames {
            let profile = own[dice.below(own.len())];
            // Trailers quicken towards their end.
            let progress = at as f32 / order.frames as f32;
            let seconds = profile.shot_s * pace * (1.35 - 0.7 * progress) * dice.between(0.5, 1.6);
            let mut length = ((seconds * RATE as f32) as usize).max(5);
            let title = !shots.is_empty() && dice.chance(0.06);
            if title {
                length = RATE + dice.below(RATE);
            }
            if order.frames.saturating_sub(at + length) < 8 {
                length = order.frames - at;
            }
            let first = match shots.last() {
                None => 0,
                Some(before) => {
                    let (kind, between) = join(profile, title, dice);
                    let between = between.min(length.saturating_sub(3));
                    let kind = if between == 0 { "cut" } else { kind };
                    joins.push(Transition { kind, last: before.last, first: at + between });
                    at + between
                }
            };
            let kind = if title {
                let colour = if dice.chance(0.7) { [1.0; 3] } else { [0.9, 0.75, 0.4] };
                ShotKind::Title { seed: dice.number(), letters: 6 + dice.below(12), colour }
            } else {
                let profile = Profile { key: profile.key * bright, ..*profile };
                ShotKind::Scene(Box::new(Scene::new(&profile, length as f32 / RATE as f32, order.size, dice)))
            };
            at += length;
            shots.push(Shot { first, last: at - 1, kind });
        }
        let bars = if dice.chance(0.4) { dice.between(0.08, 0.13) } else { 0.0 };
        let grain = if dice.chance(0.5) { dice.between(0.005, 0.03) } else { 0.0 };
        Screenplay { order, shots, joins, bars, grain, seed: dice.number() }
    }

    /// Returns its transitions, in order.
    #[must_use]
    pub fn transitions(&self) -> &[Transition] {
        &self.joins
    }

    /// Returns the events that are not transitions, in order.
    #[must_use]
    pub fn disturbances(&self) -> Vec<Disturbance> {
        let mut all = Vec::new();
        for shot in &self.shots {
            let ShotKind::Scene(scene) = &shot.kind else { continue };
            for happening in scene.happenings() {
                let first = shot.first + (happening.at_s * RATE as f32).ceil() as usize;
                let last = shot.first + ((happening.at_s + happening.length_s) * RATE as f32) as usize;
                // What goes on into the join is seen fading, and belongs to that.
                let last = last.min(shot.last);
                if first <= last {
                    let kind = if happening.explosion { "explosion" } else { "flash" };
                    all.push(Disturbance { kind, first, last });
                }
            }
        }
        all.sort_by_key(|one| one.first);
        all
    }

    /// Returns its frames, one after the other.
    pub fn frames(&self) -> impl Iterator<Item = Picture> + '_ {
        // Of the shots that are on screen; a trailer's places are too many to have them all
        // painted.
        let mut places: Vec<(usize, Option<Picture>)> = Vec::new();
        (0..self.order.frames).map(move |frame| self.frame(frame, &mut places))
    }

    fn frame(&self, frame: usize, places: &mut Vec<(usize, Option<Picture>)>) -> Picture {
        let index = self.shots.iter().position(|shot| frame <= shot.last).unwrap_or(self.shots.len() - 1);
        let shot = &self.shots[index];
        places.retain(|(at, _)| *at + 1 >= index);
        for at in index.saturating_sub(1)..=index {
            if places.iter().all(|(there, _)| *there != at) {
                places.push((at, self.shots[at].place()));
            }
        }
        let seen = |at: usize| {
            let place = places.iter().find(|(there, _)| *there == at).and_then(|(_, place)| place.as_ref());
            self.shots[at].at(frame, self.order.size, place)
        };
        let mut picture = seen(index);
        if frame < shot.first {
            // On the way from the shot before.
            let join = &self.joins[index - 1];
            let share = (frame - join.last) as f32 / (join.first - join.last) as f32;
            let black = |mut picture: Picture, share: f32| {
                picture.paint(|_, _, colour| colour.map(|c| c * share));
                picture
            };
            picture = match join.kind {
                "black" if share < 0.5 => black(seen(index - 1), 1.0 - 2.0 * share),
                "black" => black(picture, 2.0 * share - 1.0),
                _ => {
                    let before = seen(index - 1);
                    picture.pixels.iter_mut().zip(&before.pixels).for_each(|(to, from)| *to = mix(*from, *to, share));
                    picture
                }
            };
        }
        self.film(&mut picture, frame);
        picture
    }

    /// Grain and bars.
    fn film(&self, picture: &mut Picture, frame: usize) {
        let (grain, bars, width) = (self.grain, self.bars, picture.width as f32);
        let seed = self.seed ^ frame as u32;
        if grain > 0.0 || bars > 0.0 {
            picture.paint(|x, y, colour| {
                if y < bars || y > 1.0 - bars {
                    return [0.0; 3];
                }
                let noise = grain * (2.0 * scatter(seed, (x * width) as i32, (y * width) as i32) - 1.0);
                colour.map(|c| c + noise)
            });
        }
    }
}

/// How a shot begins: the kind of the join, and its frames that are of neither shot.
fn join(profile: &Profile, title: bool, dice: &mut Dice) -> (&'static str, usize) {
    let joins = if title { [0.3, 0.2, 0.5] } else { profile.joins };
    match dice.pick(&joins) {
        0 => ("cut", 0),
        1 => ("dissolve", 6 + dice.below(18)),
        _ => ("black", 6 + dice.below(14)),
    }
}

impl Shot {
    /// What is to be painted before it can be seen.
    fn place(&self) -> Option<Picture> {
        match &self.kind {
            ShotKind::Scene(scene) => Some(scene.place()),
            ShotKind::Title { .. } => None,
        }
    }

    fn at(&self, frame: usize, size: (usize, usize), place: Option<&Picture>) -> Picture {
        let t = (frame as f32 - self.first as f32) / RATE as f32;
        match (&self.kind, place) {
            (ShotKind::Scene(scene), Some(place)) => scene.at(t, place),
            (ShotKind::Scene(scene), None) => scene.at(t, &scene.place()),
            (ShotKind::Title { seed, letters, colour }, _) => title(*seed, *letters, *colour, size),
        }
    }
}

/// Words on black: letters of strokes that nobody can read.
fn title(seed: u32, letters: usize, colour: Colour, size: (usize, usize)) -> Picture {
    let mut picture = Picture::filled(size.0, size.1, [0.0; 3]);
    let wide = 0.8 / letters as f32;
    for letter in 0..letters {
        // A gap between words.
        if scatter(seed, letter as i32, 99) < 0.15 {
            continue;
        }
        for (column, row) in (0..3).flat_map(|column| (0..5).map(move |row| (column, row))) {
            if scatter(seed ^ letter as u32, column, row) < 0.6 {
                let x = 0.1 + wide * (letter as f32 + 0.25 * column as f32);
                let y = 0.42 + 0.03 * row as f32;
                picture.rectangle((x, y), (x + 0.2 * wide, y + 0.025), colour, 1.0);
            }
        }
    }
    picture
}
