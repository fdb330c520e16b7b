//! The film grammar of each genre, by cues that can be computed from a trailer (Rasheed, Sheikh and
//! Shah 2005): shot length, motion, lighting key and colour variance; and places, faces and events.

use divita_runtime::bundle::GENRES;

/// Place of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Sky, mountains, ground.
    Landscape,
    /// Buildings with lit windows.
    City,
    /// A room.
    Interior,
    /// Trunks in mist.
    Forest,
    /// Stars and a planet.
    Space,
}

impl Place {
    /// Every place, in the order of [`Profile::places`].
    pub const ALL: [Place; 5] = [Place::Landscape, Place::City, Place::Interior, Place::Forest, Place::Space];
}

/// Particles in the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Air {
    /// Nothing.
    Clear,
    /// Glowing bits that rise.
    Embers,
    /// Streaks that fall.
    Rain,
    /// Flakes or dust that drift.
    Motes,
    /// Veils.
    Fog,
}

impl Air {
    /// Every kind, in the order of [`Profile::air`].
    pub const ALL: [Air; 5] = [Air::Clear, Air::Embers, Air::Rain, Air::Motes, Air::Fog];
}

/// How a genre's scenes look and are cut. Of each number a scene has its own, around this one.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// Mean length of a shot, seconds.
    pub shot_s: f32,
    /// Speed of the camera, picture widths a second.
    pub camera: f32,
    /// How far the camera shakes, picture widths.
    pub shake: f32,
    /// Speed of people and things, picture widths a second.
    pub motion: f32,
    /// Lighting key: gain of the picture, 1 as bright as day.
    pub key: f32,
    /// Contrast around middle grey.
    pub contrast: f32,
    /// Saturation; 0 is grey.
    pub saturation: f32,
    /// Hue of the light, turns: 0 red, 1/3 green, 2/3 blue.
    pub hue: f32,
    /// Share of the light that has it.
    pub tint: f32,
    /// How likely each of [`Place::ALL`] is.
    pub places: [f32; 5],
    /// How likely each of [`Air::ALL`] is.
    pub air: [f32; 5],
    /// How likely one, and two faces are.
    pub faces: [f32; 2],
    /// Explosions a second.
    pub explosions: f32,
    /// Flashes a second.
    pub flashes: f32,
    /// How much the light flickers.
    pub flicker: f32,
    /// How likely joins are: cut, dissolve, fade through black.
    pub joins: [f32; 3],
}

/// The profiles, in the order of [`GENRES`].
pub const PROFILES: [Profile; GENRES.len()] = [
    // action: short shots, a fast and shaking camera, explosions; orange light.
    Profile {
        shot_s: 1.0,
        camera: 0.55,
        shake: 0.018,
        motion: 0.55,
        key: 0.75,
        contrast: 1.35,
        saturation: 1.0,
        hue: 0.07,
        tint: 0.3,
        places: [0.25, 0.55, 0.15, 0.05, 0.0],
        air: [0.4, 0.5, 0.05, 0.05, 0.0],
        faces: [0.25, 0.05],
        explosions: 0.45,
        flashes: 0.25,
        flicker: 0.04,
        joins: [0.95, 0.02, 0.03],
    },
    // adventure: wide land under a high sky, the camera flies over it.
    Profile {
        shot_s: 1.9,
        camera: 0.4,
        shake: 0.004,
        motion: 0.3,
        key: 1.0,
        contrast: 1.1,
        saturation: 1.1,
        hue: 0.14,
        tint: 0.15,
        places: [0.8, 0.02, 0.03, 0.15, 0.0],
        air: [0.7, 0.05, 0.05, 0.15, 0.05],
        faces: [0.25, 0.08],
        explosions: 0.05,
        flashes: 0.03,
        flicker: 0.0,
        joins: [0.7, 0.2, 0.1],
    },
    // comedy: bright, colourful rooms, faces, a still camera.
    Profile {
        shot_s: 2.3,
        camera: 0.05,
        shake: 0.003,
        motion: 0.15,
        key: 1.25,
        contrast: 0.9,
        saturation: 1.45,
        hue: 0.12,
        tint: 0.08,
        places: [0.15, 0.15, 0.7, 0.0, 0.0],
        air: [1.0, 0.0, 0.0, 0.0, 0.0],
        faces: [0.45, 0.4],
        explosions: 0.0,
        flashes: 0.01,
        flicker: 0.0,
        joins: [0.93, 0.05, 0.02],
    },
    // crime: the city at night under sodium lamps, rain.
    Profile {
        shot_s: 1.9,
        camera: 0.12,
        shake: 0.006,
        motion: 0.2,
        key: 0.55,
        contrast: 1.4,
        saturation: 0.7,
        hue: 0.1,
        tint: 0.35,
        places: [0.02, 0.68, 0.3, 0.0, 0.0],
        air: [0.55, 0.0, 0.4, 0.0, 0.05],
        faces: [0.4, 0.12],
        explosions: 0.03,
        flashes: 0.15,
        flicker: 0.02,
        joins: [0.82, 0.06, 0.12],
    },
    // drama: long shots of one face, muted.
    Profile {
        shot_s: 3.4,
        camera: 0.05,
        shake: 0.003,
        motion: 0.06,
        key: 0.85,
        contrast: 0.95,
        saturation: 0.6,
        hue: 0.1,
        tint: 0.12,
        places: [0.25, 0.15, 0.55, 0.05, 0.0],
        air: [0.9, 0.0, 0.05, 0.05, 0.0],
        faces: [0.65, 0.12],
        explosions: 0.0,
        flashes: 0.0,
        flicker: 0.0,
        joins: [0.62, 0.2, 0.18],
    },
    // fantasy: saturated violet and green, light in the air.
    Profile {
        shot_s: 2.2,
        camera: 0.22,
        shake: 0.003,
        motion: 0.25,
        key: 0.9,
        contrast: 1.1,
        saturation: 1.5,
        hue: 0.78,
        tint: 0.3,
        places: [0.45, 0.0, 0.05, 0.4, 0.1],
        air: [0.2, 0.1, 0.0, 0.6, 0.1],
        faces: [0.25, 0.06],
        explosions: 0.03,
        flashes: 0.12,
        flicker: 0.02,
        joins: [0.66, 0.22, 0.12],
    },
    // horror: dark, drained, mist; the light flickers, then a jolt.
    Profile {
        shot_s: 1.9,
        camera: 0.1,
        shake: 0.008,
        motion: 0.12,
        key: 0.32,
        contrast: 1.5,
        saturation: 0.35,
        hue: 0.3,
        tint: 0.2,
        places: [0.05, 0.02, 0.43, 0.5, 0.0],
        air: [0.35, 0.0, 0.05, 0.1, 0.5],
        faces: [0.3, 0.02],
        explosions: 0.0,
        flashes: 0.3,
        flicker: 0.3,
        joins: [0.55, 0.05, 0.4],
    },
    // romance: two faces in warm, soft light; dissolves.
    Profile {
        shot_s: 3.0,
        camera: 0.07,
        shake: 0.002,
        motion: 0.08,
        key: 1.1,
        contrast: 0.78,
        saturation: 1.05,
        hue: 0.96,
        tint: 0.28,
        places: [0.4, 0.1, 0.45, 0.05, 0.0],
        air: [0.6, 0.0, 0.03, 0.37, 0.0],
        faces: [0.15, 0.7],
        explosions: 0.0,
        flashes: 0.0,
        flicker: 0.0,
        joins: [0.5, 0.42, 0.08],
    },
    // sci-fi: space, teal light.
    Profile {
        shot_s: 1.8,
        camera: 0.28,
        shake: 0.005,
        motion: 0.35,
        key: 0.7,
        contrast: 1.3,
        saturation: 1.1,
        hue: 0.54,
        tint: 0.4,
        places: [0.1, 0.3, 0.15, 0.0, 0.45],
        air: [0.7, 0.1, 0.0, 0.2, 0.0],
        faces: [0.25, 0.04],
        explosions: 0.15,
        flashes: 0.2,
        flicker: 0.06,
        joins: [0.82, 0.08, 0.1],
    },
    // thriller: drained blue, the camera creeps, ever shorter shots.
    Profile {
        shot_s: 1.5,
        camera: 0.14,
        shake: 0.01,
        motion: 0.25,
        key: 0.5,
        contrast: 1.4,
        saturation: 0.5,
        hue: 0.6,
        tint: 0.28,
        places: [0.1, 0.35, 0.45, 0.1, 0.0],
        air: [0.65, 0.02, 0.23, 0.0, 0.1],
        faces: [0.5, 0.06],
        explosions: 0.05,
        flashes: 0.18,
        flicker: 0.05,
        joins: [0.75, 0.03, 0.22],
    },
];
