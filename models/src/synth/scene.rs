//! What a scene shows at a moment: the place through a moving camera, people, air, light.

use super::{
    dice::Dice,
    picture::{Colour, Picture, hsv, mix, scatter},
    profile::{Air, Place, Profile},
    scenery::{HIGHER, WIDER, scenery},
};

/// Something that happens for a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Happening {
    /// Start, in seconds of the scene.
    pub at_s: f32,
    /// Duration, seconds.
    pub length_s: f32,
    /// Where, in shares of width and height.
    pub place: (f32, f32),
    /// Whether it is an explosion, or a flash.
    pub explosion: bool,
}

/// Kind of a moving figure.
#[derive(Clone, Copy, PartialEq)]
enum FigureKind {
    /// A head and shoulders.
    Face,
    /// Somebody far away.
    Body,
    /// A ship in space.
    Ship,
}

/// Somebody, or something that moves.
struct Figure {
    place: (f32, f32),
    /// Widths and heights a second.
    speed: (f32, f32),
    /// Of the head, share of the height.
    size: f32,
    skin: Colour,
    clothes: Colour,
    hair: Colour,
    kind: FigureKind,
    phase: f32,
}

/// A scene.
pub struct Scene {
    frame: (usize, usize),
    kind: Place,
    /// Where the camera begins and how fast it goes, in shares of the place.
    camera: [(f32, f32); 2],
    /// How much of the frame's size it sees, and how that changes a second.
    zoom: (f32, f32),
    shake: f32,
    figures: Vec<Figure>,
    air: Air,
    density: usize,
    key: f32,
    contrast: f32,
    saturation: f32,
    light: Colour,
    tint: f32,
    flicker: f32,
    happenings: Vec<Happening>,
    seed: u32,
}

impl Scene {
    /// Returns a scene of `seconds` in the manner of a genre, for frames of this size.
    #[must_use]
    pub fn new(profile: &Profile, seconds: f32, frame: (usize, usize), dice: &mut Dice) -> Scene {
        let kind = Place::ALL[dice.pick(&profile.places)];
        let turn = std::f32::consts::TAU * dice.unit();
        let speed = profile.camera * dice.between(0.3, 1.5) / WIDER;
        // What it can go without leaving the place.
        let room = (1.0 - 1.0 / WIDER) / 2.0;
        let going = (turn.cos() * speed, 0.35 * turn.sin() * speed);
        let half = |going: f32, room: f32| (-going * seconds / 2.0).clamp(-room, room);
        let start = (0.5 + half(going.0, room), 0.5 + half(going.1, (1.0 - 1.0 / HIGHER) / 2.0));
        let faces = dice.pick(&[1.0 - profile.faces[0] - profile.faces[1], profile.faces[0], profile.faces[1]]);
        let bodies = if faces == 0 && kind != Place::Space { dice.below(4) } else { 0 };
        let mut figures: Vec<Figure> = (0..bodies).map(|_| Figure::new(FigureKind::Body, 0.5, profile, dice)).collect();
        figures.extend((0..faces).map(|at| {
            let across = if faces == 1 { dice.around(0.5, 0.15) } else { 0.3 + 0.4 * at as f32 };
            Figure::new(FigureKind::Face, across, profile, dice)
        }));
        if kind == Place::Space {
            figures.extend((0..dice.below(3)).map(|_| Figure::new(FigureKind::Ship, 0.5, profile, dice)));
        }
        let mut happenings = Vec::new();
        for (a_second, explosion) in [(profile.explosions, true), (profile.flashes, false)] {
            let expected = a_second * seconds;
            for _ in 0..expected.floor() as usize + usize::from(dice.chance(expected.fract())) {
                let length_s = if explosion { dice.between(0.4, 1.0) } else { dice.between(0.04, 0.15) };
                let place = (dice.between(0.15, 0.85), dice.between(0.3, 0.8));
                happenings.push(Happening { at_s: dice.between(0.1, seconds), length_s, place, explosion });
            }
        }
        Scene {
            frame,
            kind,
            camera: [start, going],
            zoom: (dice.between(0.75, 1.0), profile.camera * dice.between(-0.25, 0.25)),
            shake: profile.shake * dice.between(0.5, 1.5),
            figures,
            air: Air::ALL[dice.pick(&profile.air)],
            density: 30 + dice.below(60),
            key: (profile.key * dice.between(0.75, 1.25)).max(0.15),
            contrast: profile.contrast * dice.between(0.9, 1.1),
            saturation: (profile.saturation * dice.between(0.8, 1.2)).max(0.0),
            light: hsv(profile.hue + dice.around(0.0, 0.04), 0.8, 1.0),
            tint: profile.tint * dice.between(0.6, 1.3),
            flicker: profile.flicker * dice.between(0.3, 1.5),
            happenings,
            seed: dice.number(),
        }
    }

    /// Returns the events that are not transitions.
    #[must_use]
    pub fn happenings(&self) -> &[Happening] {
        &self.happenings
    }

    /// Returns the place that it plays in, painted anew each time.
    #[must_use]
    pub fn place(&self) -> Picture {
        scenery(self.kind, self.frame, &mut Dice::new(self.seed.into(), 1))
    }

    /// Returns the scene in its `place` at `t` seconds; before it begins and after it ends it goes
    /// on.
    #[must_use]
    pub fn at(&self, t: f32, place: &Picture) -> Picture {
        let mut picture = self.seen(t, place);
        for figure in &self.figures {
            figure.draw(&mut picture, t);
        }
        self.fill_air(&mut picture, t);
        for happening in self.happenings.iter().filter(|happening| happening.explosion) {
            let share = (t - happening.at_s) / happening.length_s;
            if (0.0..1.0).contains(&share) {
                let size = 0.15 + 0.6 * share.sqrt();
                picture.ellipse(happening.place, (1.3 * size, size), [1.0, 0.55, 0.15], 0.6, 1.0 - share);
                picture.ellipse(
                    happening.place,
                    (0.6 * size, 0.5 * size),
                    [1.0, 0.95, 0.7],
                    0.5,
                    (1.0 - 1.5 * share).max(0.0),
                );
            }
        }
        self.grade(&mut picture, t);
        picture
    }

    /// Returns the place through the camera.
    fn seen(&self, t: f32, place: &Picture) -> Picture {
        let [start, going] = self.camera;
        let (width, height) = (place.width as f32, place.height as f32);
        let scale = (self.zoom.0 * (1.0 + self.zoom.1 * t)).clamp(0.4, 1.0);
        let sway = |rate: f32, phase: f32| self.shake * (std::f32::consts::TAU * (rate * t + phase)).sin();
        let phase = (self.seed & 0xff) as f32 / 256.0;
        let wide = self.frame.0 as f32 * scale;
        let high = self.frame.1 as f32 * scale;
        let x = (start.0 + going.0 * t) * width + wide * (sway(2.3, phase) + sway(5.1, 3.0 * phase));
        let y = (start.1 + going.1 * t) * height + wide * (sway(2.9, 5.0 * phase) + sway(6.3, 7.0 * phase));
        let mut picture = Picture::filled(self.frame.0, self.frame.1, [0.0; 3]);
        let left = (x - wide / 2.0).clamp(0.0, (width - wide).max(0.0));
        let top = (y - high / 2.0).clamp(0.0, (height - high).max(0.0));
        picture.paint(|across, down, _| place.at(left + across * wide, top + down * high));
        picture
    }

    fn fill_air(&self, picture: &mut Picture, t: f32) {
        let height = self.frame.1 as f32;
        let number = |at: usize, part: i32| scatter(self.seed ^ 0x51ed, at as i32, part);
        match self.air {
            Air::Clear => {}
            Air::Fog => {
                let drift = 0.15 * t;
                let seed = self.seed;
                picture.paint(|x, y, colour| {
                    let veil = super::picture::noise(seed, 3.0 * x + drift, 3.0 * y);
                    mix(colour, [0.6, 0.63, 0.65], 0.75 * veil)
                });
            }
            Air::Rain => {
                for at in 0..3 * self.density {
                    let x = number(at, 0);
                    let y = (number(at, 1) + t * (1.6 + number(at, 2))).rem_euclid(1.0);
                    picture.rectangle((x, y), (x + 0.7 / self.frame.0 as f32, y + 0.05), [0.75, 0.8, 0.9], 0.35);
                }
            }
            Air::Embers | Air::Motes => {
                let embers = self.air == Air::Embers;
                let (rise, colour) = if embers { (-0.45, [1.0, 0.6, 0.2]) } else { (0.06, [1.0, 0.97, 0.85]) };
                for at in 0..self.density {
                    let x = (number(at, 0) + 0.06 * (t + 9.0 * number(at, 3)).sin()).rem_euclid(1.0);
                    let y = (number(at, 1) + t * rise * (0.5 + number(at, 2))).rem_euclid(1.0);
                    let size = (1.0 + 1.6 * number(at, 4)) / height;
                    picture.ellipse((x, y), (size, size), colour, 0.8, 0.9);
                }
            }
        }
    }

    /// Light and colour: flicker, flashes, key, contrast, saturation, tint.
    fn grade(&self, picture: &mut Picture, t: f32) {
        let tick = scatter(self.seed, (t * 12.0) as i32, 77);
        let gain = self.key * (1.0 - self.flicker * tick * tick);
        let flash = self.happenings.iter().filter(|happening| !happening.explosion).map(|happening| {
            let share = (t - happening.at_s) / happening.length_s;
            if (0.0..1.0).contains(&share) { 0.9 * (1.0 - share) } else { 0.0 }
        });
        let flash = flash.fold(0.0, f32::max);
        // Around what is middle grey in this light: what is dark keeps its shadows.
        let middle = 0.4 * gain.min(1.0);
        let light = mix([1.0; 3], self.light.map(|c| 0.35 + 0.95 * c), self.tint);
        picture.paint(|_, _, colour| {
            let lit: Colour = std::array::from_fn(|at| colour[at] * light[at] * gain);
            let grey = 0.299 * lit[0] + 0.587 * lit[1] + 0.114 * lit[2];
            let graded: Colour = std::array::from_fn(|at| {
                let saturated = grey + (lit[at] - grey) * self.saturation;
                (middle + (saturated - middle) * self.contrast).clamp(0.0, 1.0)
            });
            mix(graded, [1.0; 3], flash)
        });
    }
}

impl Figure {
    fn new(kind: FigureKind, across: f32, profile: &Profile, dice: &mut Dice) -> Figure {
        let face = kind == FigureKind::Face;
        let tone = dice.between(0.35, 1.0);
        let speed = profile.motion * dice.between(0.2, 1.2) * if dice.chance(0.5) { 1.0 } else { -1.0 };
        let size = if face { dice.between(0.17, 0.3) } else { dice.between(0.03, 0.09) };
        let x = if face { across } else { dice.between(0.1, 0.9) };
        let y = match kind {
            FigureKind::Face => dice.between(0.38, 0.5),
            FigureKind::Body => dice.between(0.55, 0.7),
            FigureKind::Ship => dice.between(0.2, 0.8),
        };
        Figure {
            place: (x, y),
            // A face that is near moves less.
            speed: (if face { 0.3 * speed } else { speed }, 0.0),
            size,
            skin: [0.95 * tone, 0.72 * tone, 0.58 * tone],
            clothes: hsv(dice.unit(), dice.between(0.2, 0.8), dice.between(0.15, 0.7)),
            hair: hsv(dice.around(0.08, 0.04), dice.between(0.2, 0.7), dice.between(0.05, 0.5)),
            kind,
            phase: dice.unit(),
        }
    }

    fn draw(&self, picture: &mut Picture, t: f32) {
        let aspect = picture.height as f32 / picture.width as f32;
        let wave = |rate: f32| (std::f32::consts::TAU * (rate * t + self.phase)).sin();
        // Whoever leaves on one side comes back on the other.
        let x = (self.place.0 + self.speed.0 * t + 0.15).rem_euclid(1.3) - 0.15;
        let y = self.place.1
            + self.speed.1 * t
            + match self.kind {
                FigureKind::Face => 0.006 * wave(0.4),
                FigureKind::Body => 0.012 * wave(2.0),
                FigureKind::Ship => 0.0,
            };
        let size = self.size;
        match self.kind {
            FigureKind::Face => {}
            FigureKind::Body => {
                picture.ellipse((x, y + 2.2 * size), (0.9 * size, 2.4 * size), self.clothes, 0.2, 1.0);
                picture.ellipse((x, y - 0.6 * size), (0.7 * size, 0.8 * size), self.skin, 0.2, 1.0);
                return;
            }
            FigureKind::Ship => {
                picture.ellipse((x, y), (2.2 * size, 0.6 * size), [0.55; 3], 0.2, 1.0);
                let behind = x - self.speed.0.signum() * 2.0 * size * aspect;
                picture.ellipse((behind, y), (0.8 * size, 0.35 * size), [0.5, 0.8, 1.0], 0.8, 1.0);
                return;
            }
        }
        let across = size * aspect;
        picture.ellipse((x, y + 2.3 * size), (2.0 * size, 1.2 * size), self.clothes, 0.08, 1.0);
        picture.ellipse((x, y - 0.15 * size), (0.95 * size, 1.2 * size), self.hair, 0.08, 1.0);
        picture.ellipse((x, y), (0.78 * size, size), self.skin, 0.08, 1.0);
        for side in [-1.0, 1.0] {
            let eye = (x + side * 0.33 * across, y - 0.12 * size);
            picture.ellipse(eye, (0.15 * size, 0.09 * size), [0.95; 3], 0.2, 1.0);
            picture.ellipse(eye, (0.07 * size, 0.08 * size), [0.08, 0.06, 0.05], 0.2, 1.0);
        }
        picture.ellipse((x, y + 0.2 * size), (0.09 * size, 0.16 * size), self.skin.map(|c| c * 0.8), 0.5, 0.8);
        let open = 0.04 + 0.06 * wave(2.2).max(0.0);
        picture.ellipse((x, y + 0.52 * size), (0.26 * size, open * size), [0.5, 0.12, 0.12], 0.3, 1.0);
    }
}
