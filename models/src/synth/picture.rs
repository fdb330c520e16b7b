//! A picture: RGB in [0, 1] with soft drawing, and its conversion to video.

/// A colour, RGB in [0, 1].
pub type Colour = [f32; 3];

/// A picture, row by row from the top.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The pixels.
    pub pixels: Vec<Colour>,
}

/// Mixes two colours.
#[must_use]
pub fn mix(one: Colour, other: Colour, share: f32) -> Colour {
    std::array::from_fn(|at| one[at] + (other[at] - one[at]) * share)
}

/// Returns the colour of a hue (turns), a saturation and a value in [0, 1].
#[must_use]
pub fn hsv(hue: f32, saturation: f32, value: f32) -> Colour {
    std::array::from_fn(|channel| {
        let turn = (hue - channel as f32 / 3.0).rem_euclid(1.0);
        let pure = (2.0 - 6.0 * turn.min(1.0 - turn)).clamp(0.0, 1.0);
        value * (1.0 - saturation + saturation * pure)
    })
}

impl Picture {
    /// Returns all of one colour.
    #[must_use]
    pub fn filled(width: usize, height: usize, colour: Colour) -> Picture {
        Picture { width, height, pixels: vec![colour; width * height] }
    }

    /// What `colour` gives of each pixel, by its place: x in [0, 1] over the width, y in [0, 1]
    /// over the height.
    pub fn paint(&mut self, mut colour: impl FnMut(f32, f32, Colour) -> Colour) {
        let (width, height) = (self.width, self.height);
        for (at, pixel) in self.pixels.iter_mut().enumerate() {
            let (x, y) = ((at % width) as f32 + 0.5, (at / width) as f32 + 0.5);
            *pixel = colour(x / width as f32, y / height as f32, *pixel);
        }
    }

    /// An ellipse around (x, y), its radii as shares of the height; `soft` is the share of the
    /// radius over which it fades, `cover` how much it hides.
    pub fn ellipse(&mut self, (x, y): (f32, f32), (across, down): (f32, f32), colour: Colour, soft: f32, cover: f32) {
        let height = self.height as f32;
        let (x, y) = (x * self.width as f32, y * height);
        let (across, down) = ((across * height).max(0.3), (down * height).max(0.3));
        let rows = clip(y - down, y + down, self.height);
        for row in rows {
            for column in clip(x - across, x + across, self.width) {
                let far =
                    (((column as f32 + 0.5 - x) / across).powi(2) + ((row as f32 + 0.5 - y) / down).powi(2)).sqrt();
                let share = ((1.0 - far) / soft.max(0.01)).clamp(0.0, 1.0) * cover;
                let pixel = &mut self.pixels[row * self.width + column];
                *pixel = mix(*pixel, colour, share);
            }
        }
    }

    /// A rectangle between two corners, in shares of width and height.
    pub fn rectangle(&mut self, from: (f32, f32), to: (f32, f32), colour: Colour, cover: f32) {
        let (width, height) = (self.width as f32, self.height as f32);
        for row in clip(from.1 * height, to.1 * height, self.height) {
            for column in clip(from.0 * width, to.0 * width, self.width) {
                let pixel = &mut self.pixels[row * self.width + column];
                *pixel = mix(*pixel, colour, cover);
            }
        }
    }

    /// Returns the colour at a place in pixels, between the four around it; beyond the edge that of
    /// the edge.
    #[must_use]
    pub fn at(&self, x: f32, y: f32) -> Colour {
        let x = (x - 0.5).clamp(0.0, (self.width - 1) as f32);
        let y = (y - 0.5).clamp(0.0, (self.height - 1) as f32);
        let (column, row) = (x as usize, y as usize);
        let (right, below) = ((column + 1).min(self.width - 1), (row + 1).min(self.height - 1));
        let pixel = |row: usize, column: usize| self.pixels[row * self.width + column];
        let (above, under) = (x - column as f32, y - row as f32);
        mix(
            mix(pixel(row, column), pixel(row, right), above),
            mix(pixel(below, column), pixel(below, right), above),
            under,
        )
    }

    /// As video has it: planes of luma and of both colour differences at half the width and height
    /// (I420, BT.601, limited range). Sides must be even.
    #[must_use]
    pub fn planes(&self) -> [Vec<u8>; 3] {
        let code = |value: f32| (value + 0.5).clamp(0.0, 255.0) as u8;
        let luma = |[r, g, b]: Colour| 65.481 * r + 128.553 * g + 24.966 * b;
        let y = self.pixels.iter().map(|&pixel| code(16.0 + luma(pixel.map(|c| c.clamp(0.0, 1.0))))).collect();
        let (columns, rows) = (self.width / 2, self.height / 2);
        let (mut u, mut v) = (Vec::with_capacity(columns * rows), Vec::with_capacity(columns * rows));
        for row in 0..rows {
            for column in 0..columns {
                let first = 2 * row * self.width + 2 * column;
                let four = [first, first + 1, first + self.width, first + self.width + 1];
                let [r, g, b]: Colour = std::array::from_fn(|at| {
                    four.iter().map(|&pixel| self.pixels[pixel][at].clamp(0.0, 1.0)).sum::<f32>() / 4.0
                });
                u.push(code(128.0 - 37.797 * r - 74.203 * g + 112.0 * b));
                v.push(code(128.0 + 112.0 * r - 93.786 * g - 18.214 * b));
            }
        }
        [y, u, v]
    }
}

/// Returns the whole numbers from `low` to `high`, as far as they are below `count`.
fn clip(low: f32, high: f32, count: usize) -> std::ops::Range<usize> {
    if high < 0.0 {
        return 0..0;
    }
    let end = (high as usize + 1).min(count);
    (low.max(0.0) as usize).min(end)..end
}

/// Smooth noise in [0, 1] by a seed: values at whole places, joined smoothly.
#[must_use]
pub fn noise(seed: u32, x: f32, y: f32) -> f32 {
    let (column, row) = (x.floor(), y.floor());
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (across, down) = (ease(x - column), ease(y - row));
    let at = |dx: i32, dy: i32| scatter(seed, column as i32 + dx, row as i32 + dy);
    let above = at(0, 0) + (at(1, 0) - at(0, 0)) * across;
    let below = at(0, 1) + (at(1, 1) - at(0, 1)) * across;
    above + (below - above) * down
}

/// Returns a number in [0, 1) for a place, as good as random.
#[must_use]
pub fn scatter(seed: u32, x: i32, y: i32) -> f32 {
    let mixed = seed ^ (x as u32).wrapping_mul(0x8da6_b343) ^ (y as u32).wrapping_mul(0xd816_3841);
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x2c1b_3c6d);
    let mixed = (mixed ^ (mixed >> 12)).wrapping_mul(0x297a_2d39);
    ((mixed ^ (mixed >> 15)) >> 8) as f32 / (1 << 24) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_are_where_they_belong() {
        for (hue, wanted) in [
            (0.0, [1.0, 0.0, 0.0]),
            (1.0 / 3.0, [0.0, 1.0, 0.0]),
            (2.0 / 3.0, [0.0, 0.0, 1.0]),
            (1.0 / 6.0, [1.0, 1.0, 0.0]),
        ] {
            let found = hsv(hue, 1.0, 1.0);
            assert!(found.iter().zip(wanted).all(|(one, other)| (one - other).abs() < 1e-5), "{hue}: {found:?}");
        }
        assert_eq!(hsv(0.3, 0.0, 0.5), [0.5; 3]);
    }

    #[test]
    fn planes_are_those_of_the_standard() {
        // Codes of BT.601: white, black, red, blue.
        for (colour, codes) in [
            ([1.0; 3], [235, 128, 128]),
            ([0.0; 3], [16, 128, 128]),
            ([1.0, 0.0, 0.0], [81, 90, 240]),
            ([0.0, 0.0, 1.0], [41, 240, 110]),
        ] {
            let planes = Picture::filled(4, 2, colour).planes();
            assert_eq!(planes.each_ref().map(|plane| plane[0]), codes);
            assert_eq!(planes.map(|plane| plane.len()), [8, 2, 2]);
        }
    }

    #[test]
    fn nothing_is_drawn_outside() {
        let mut picture = Picture::filled(16, 10, [0.0; 3]);
        picture.ellipse((-3.0, 9.0), (0.5, 0.5), [1.0; 3], 0.1, 1.0);
        picture.rectangle((0.2, -4.0), (0.9, -2.0), [1.0; 3], 1.0);
        picture.rectangle((0.2, 4.0), (0.9, 7.0), [1.0; 3], 1.0);
        assert_eq!(picture, Picture::filled(16, 10, [0.0; 3]));
        picture.ellipse((0.5, 0.5), (0.3, 0.3), [1.0; 3], 0.1, 1.0);
        assert_eq!(picture.at(8.0, 5.0), [1.0; 3]);
        assert_eq!(picture.at(-100.0, 5.0), [0.0; 3]);
    }
}
