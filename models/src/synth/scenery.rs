//! The place behind a scene, as one picture larger than the frame, over which the camera moves.

use super::{
    dice::Dice,
    picture::{Colour, Picture, hsv, mix, noise, scatter},
    profile::Place,
};

/// How much larger than the frame it is.
pub const WIDER: f32 = 1.8;
/// The same for the height.
pub const HIGHER: f32 = 1.4;

/// Returns a place, for frames of this size.
#[must_use]
pub fn scenery(place: Place, (width, height): (usize, usize), dice: &mut Dice) -> Picture {
    let (width, height) = ((width as f32 * WIDER) as usize, (height as f32 * HIGHER) as usize);
    let mut picture = Picture::filled(width, height, [0.0; 3]);
    match place {
        Place::Landscape => landscape(&mut picture, dice),
        Place::City => city(&mut picture, dice),
        Place::Interior => interior(&mut picture, dice),
        Place::Forest => forest(&mut picture, dice),
        Place::Space => space(&mut picture, dice),
    }
    picture
}

fn landscape(picture: &mut Picture, dice: &mut Dice) {
    let seed = dice.number();
    let horizon = dice.between(0.45, 0.7);
    let sky = hsv(dice.around(0.58, 0.05), dice.between(0.2, 0.6), dice.between(0.7, 1.0));
    let haze = mix(sky, [1.0, 0.93, 0.8], 0.6);
    let ground = hsv(dice.between(0.07, 0.35), dice.between(0.3, 0.7), dice.between(0.25, 0.6));
    let sun = (dice.between(0.1, 0.9), horizon * dice.between(0.2, 0.8));
    let ranges = 2 + dice.below(3);
    picture.paint(|x, y, _| {
        let mut colour = mix(sky, haze, (y / horizon).clamp(0.0, 1.0).powi(2));
        colour = mix(colour, [1.0; 3], 0.6 * (noise(seed, 5.0 * x, 12.0 * y) - 0.55).max(0.0));
        let far = ((x - sun.0) * WIDER / HIGHER).hypot(y - sun.1);
        colour = mix(colour, [1.0, 0.97, 0.85], (1.2 - 18.0 * far).clamp(0.0, 1.0));
        for range in 0..ranges {
            let near = (range + 1) as f32 / ranges as f32;
            let ridge = noise(seed ^ range as u32, 4.0 * x + 7.0 * near, near) + 0.3 * noise(seed ^ 91, 19.0 * x, near);
            let top = horizon - 0.32 * (1.0 - near * 0.75) * ridge;
            if y > top {
                colour = mix(haze, ground, 0.25 + 0.6 * near);
            }
        }
        if y > horizon {
            let grain = noise(seed ^ 7, 40.0 * x, 90.0 * y);
            colour = mix(ground.map(|c| c * 0.6), ground, grain);
        }
        colour
    });
}

fn city(picture: &mut Picture, dice: &mut Dice) {
    let seed = dice.number();
    let night = dice.chance(0.6);
    let top: Colour = if night { [0.03, 0.04, 0.09] } else { [0.55, 0.65, 0.8] };
    let low: Colour = if night { [0.25, 0.2, 0.22] } else { [0.85, 0.85, 0.85] };
    let wall = if night { 0.1 } else { dice.between(0.3, 0.55) };
    let columns = dice.between(9.0, 18.0);
    let street = dice.between(0.8, 0.9);
    let lamp = hsv(dice.around(0.11, 0.03), 0.7, 1.0);
    picture.paint(|x, y, _| {
        if y > street {
            let wet = noise(seed ^ 5, 30.0 * x, 60.0 * y);
            let glow = if night { 0.5 * noise(seed ^ 6, 12.0 * x, 2.0) } else { 0.1 };
            return mix([0.08, 0.08, 0.1], lamp, 0.1 + glow * wet);
        }
        let mut colour = mix(top, low, y);
        for layer in 0..2 {
            let place = x * columns * (1.0 + 0.4 * (1 - layer) as f32) + 0.37 * layer as f32;
            let house = place.floor() as i32;
            let height = street - (0.25 + 0.5 * scatter(seed, house, layer)) * (0.9 - 0.2 * layer as f32);
            if y < height {
                continue;
            }
            let shade = wall * (0.6 + 0.5 * scatter(seed ^ 1, house, layer)) + 0.12 * (1 - layer) as f32;
            colour = [shade, shade, shade * 1.1];
            let (column, row) = ((place.fract() * 5.0), (y - height) * 36.0);
            let inside = (0.25..0.75).contains(&column.fract()) && (0.3..0.8).contains(&row.fract());
            let lit = scatter(seed ^ 2, house * 8 + column as i32, row as i32 + 64 * layer);
            if inside && lit < if night { 0.35 } else { 0.1 } {
                colour = mix(colour, lamp, 0.85);
            } else if inside {
                colour = colour.map(|c| c * 0.7);
            }
        }
        colour
    });
}

fn interior(picture: &mut Picture, dice: &mut Dice) {
    let seed = dice.number();
    let wall = hsv(dice.unit(), dice.between(0.15, 0.6), dice.between(0.5, 0.9));
    let floor = hsv(dice.around(0.08, 0.04), dice.between(0.3, 0.6), dice.between(0.3, 0.6));
    let edge = dice.between(0.65, 0.8);
    let lamp = dice.between(0.2, 0.8);
    picture.paint(|x, y, _| {
        let grain = 0.92 + 0.16 * noise(seed, 25.0 * x, 25.0 * y);
        let light = 1.05 - 0.5 * (x - lamp).abs();
        let colour =
            if y > edge { mix(floor, floor.map(|c| c * 0.6), noise(seed ^ 3, 8.0 * x, 80.0 * y)) } else { wall };
        colour.map(|c| c * grain * light)
    });
    for _ in 0..1 + dice.below(2) {
        let (x, y) = (dice.between(0.05, 0.8), dice.between(0.1, 0.3));
        let to = (x + dice.between(0.08, 0.2), y + dice.between(0.2, 0.35));
        picture.rectangle((x - 0.01, y - 0.015), (to.0 + 0.01, to.1 + 0.015), wall.map(|c| c * 0.5), 1.0);
        picture.rectangle((x, y), to, [0.95, 0.97, 1.0], 0.9);
    }
    for _ in 0..2 + dice.below(4) {
        let (x, top) = (dice.between(0.0, 0.9), dice.between(0.5, 0.8));
        let colour = hsv(dice.unit(), dice.between(0.2, 0.8), dice.between(0.2, 0.8));
        picture.rectangle((x, top), (x + dice.between(0.05, 0.22), dice.between(0.82, 0.98)), colour, 1.0);
    }
}

fn forest(picture: &mut Picture, dice: &mut Dice) {
    let seed = dice.number();
    let mist = hsv(dice.around(0.4, 0.12), dice.between(0.05, 0.3), dice.between(0.45, 0.8));
    let leaf = hsv(dice.around(0.3, 0.06), dice.between(0.4, 0.7), dice.between(0.2, 0.5));
    picture.paint(|x, y, _| {
        let crown = noise(seed, 22.0 * x, 22.0 * y);
        let colour = mix(mist, leaf, (0.9 - 1.3 * (y - 0.1).abs()).clamp(0.0, 1.0) * crown);
        if y > 0.82 { mix(leaf.map(|c| c * 0.5), leaf, noise(seed ^ 2, 60.0 * x, 60.0 * y)) } else { colour }
    });
    for _ in 0..10 + dice.below(14) {
        let near = dice.unit();
        let (x, across) = (dice.unit(), 0.006 + 0.03 * near);
        let bark = mix(mist, [0.1, 0.07, 0.05], 0.35 + 0.6 * near);
        picture.rectangle((x, 0.0), (x + across, 0.8 + 0.15 * near), bark, 1.0);
    }
}

fn space(picture: &mut Picture, dice: &mut Dice) {
    let seed = dice.number();
    let cloud = hsv(dice.between(0.5, 0.85), 0.7, 0.6);
    let (columns, rows) = (picture.width as f32, picture.height as f32);
    picture.paint(|x, y, _| {
        let dust = (noise(seed, 4.0 * x, 4.0 * y) * noise(seed ^ 1, 9.0 * x, 9.0 * y) - 0.2).max(0.0);
        let star = scatter(seed ^ 2, (x * columns) as i32, (y * rows) as i32);
        let colour = mix([0.01, 0.01, 0.03], cloud, dust);
        if star > 0.997 { [0.6 + 130.0 * (star - 0.997); 3] } else { colour }
    });
    if dice.chance(0.75) {
        let (place, size) = ((dice.between(0.2, 0.8), dice.between(0.2, 0.9)), dice.between(0.12, 0.42));
        let colour = hsv(dice.unit(), dice.between(0.2, 0.7), dice.between(0.4, 0.9));
        picture.ellipse(place, (size, size), colour, 0.06, 1.0);
        // The side that lies in the dark.
        let shadow = (place.0 + size * dice.between(-0.4, 0.4), place.1 + size * dice.between(-0.3, 0.3));
        picture.ellipse(shadow, (size, size), [0.0, 0.0, 0.02], 0.5, 0.8);
    }
}
