//! How the pictures of a track are shown: the shape of their pixels, their colour, how they are
//! turned.

use divita_runtime::frame::{Orientation, SampleAspect};

use super::ebml::{Id, find, find_float, find_unsigned};
use crate::presentation::{ContainerFacts, StatedColour};

const PIXEL_WIDTH: Id = 0xb0;
const PIXEL_HEIGHT: Id = 0xba;
const CROP_BOTTOM: Id = 0x54aa;
const CROP_TOP: Id = 0x54bb;
const CROP_LEFT: Id = 0x54cc;
const CROP_RIGHT: Id = 0x54dd;
const DISPLAY_WIDTH: Id = 0x54b0;
const DISPLAY_HEIGHT: Id = 0x54ba;
const DISPLAY_UNIT: Id = 0x54b2;
const COLOUR: Id = 0x55b0;
const MATRIX_COEFFICIENTS: Id = 0x55b1;
const RANGE: Id = 0x55b9;
const TRANSFER_CHARACTERISTICS: Id = 0x55ba;
const PROJECTION: Id = 0x7670;
const PROJECTION_TYPE: Id = 0x7671;
const YAW: Id = 0x7673;
const PITCH: Id = 0x7674;
const ROLL: Id = 0x7675;

/// Reads the element `Video` of a track.
pub(super) fn read(video: &[u8]) -> ContainerFacts {
    ContainerFacts {
        orientation: find(video, PROJECTION).and_then(orientation).unwrap_or_default(),
        pixel: pixel(video),
        colour: find(video, COLOUR).map(colour).unwrap_or_default(),
        ..ContainerFacts::default()
    }
}

/// Returns the transfer characteristics that the element `Video` states, by their number in ITU-T
/// H.273.
pub(super) fn transfer(video: &[u8]) -> Option<u8> {
    u8::try_from(find_unsigned(find(video, COLOUR)?, TRANSFER_CHARACTERISTICS)?).ok()
}

/// Returns the shape of a pixel: the picture, cropped, is shown in the shape of the display size,
/// whatever its unit is. `None` where no size is stated, or where its unit is unknown.
fn pixel(video: &[u8]) -> Option<SampleAspect> {
    const UNKNOWN_UNIT: u64 = 4;
    let field = |id| find_unsigned(video, id);
    if field(DISPLAY_UNIT).unwrap_or(0) >= UNKNOWN_UNIT {
        return None;
    }
    let side = |pixels, crop: [Id; 2]| {
        let cropped = field(crop[0]).unwrap_or(0).saturating_add(field(crop[1]).unwrap_or(0));
        field(pixels)?.checked_sub(cropped)
    };
    let (width, height) = (side(PIXEL_WIDTH, [CROP_LEFT, CROP_RIGHT])?, side(PIXEL_HEIGHT, [CROP_TOP, CROP_BOTTOM])?);
    let across = field(DISPLAY_WIDTH)?.checked_mul(height)?;
    let down = field(DISPLAY_HEIGHT)?.checked_mul(width)?;
    // Of 64 bits the highest 32 are kept.
    let shift = 32u32.saturating_sub(across.max(down).leading_zeros());
    SampleAspect::new(u32::try_from(across >> shift).ok()?, u32::try_from(down >> shift).ok()?)
}

fn colour(colour: &[u8]) -> StatedColour {
    let matrix = find_unsigned(colour, MATRIX_COEFFICIENTS).and_then(|matrix| u32::try_from(matrix).ok());
    // 0 is unspecified, 3 is said by the other fields.
    let full_range = match find_unsigned(colour, RANGE) {
        Some(1) => Some(false),
        Some(2) => Some(true),
        _ => None,
    };
    StatedColour::new(matrix, full_range)
}

/// Returns how pictures are turned. Yaw, which comes first, mirrors if it is half a turn; roll
/// turns against the clock. `None` for everything that is not flat or not a turn by quarters.
fn orientation(projection: &[u8]) -> Option<Orientation> {
    let angle = |id| find_float(projection, id).unwrap_or(0.0);
    if find_unsigned(projection, PROJECTION_TYPE).unwrap_or(0) != 0 || angle(PITCH) != 0.0 {
        return None;
    }
    let mirror = match angle(YAW).abs() {
        0.0 => 1,
        180.0 => -1,
        _ => return None,
    };
    let quarters = angle(ROLL) / 90.0;
    if quarters.fract() != 0.0 || quarters.abs() > 4.0 {
        log::warn!("a picture turned by {} degrees is shown as it is stored", angle(ROLL));
        return None;
    }
    let [a, b, c, d] = match quarters.rem_euclid(4.0) {
        0.0 => [1, 0, 0, 1],
        1.0 => [0, -1, 1, 0],
        2.0 => [-1, 0, 0, -1],
        3.0 => [0, 1, -1, 0],
        _ => return None,
    };
    Orientation::from_matrix([mirror * a, mirror * b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::matroska::tests::{element, number};

    #[test]
    fn display_sizes_make_shapes_of_pixels() {
        let shape = |fields: &[(Id, u64)]| {
            let video: Vec<u8> = fields.iter().flat_map(|&(id, value)| number(id, value)).collect();
            read(&video).pixel.map(SampleAspect::ratio)
        };
        let pixels = [(PIXEL_WIDTH, 720), (PIXEL_HEIGHT, 576)];
        let shown = |width, height| [(DISPLAY_WIDTH, width), (DISPLAY_HEIGHT, height)];
        assert_eq!(shape(&pixels), None);
        assert_eq!(shape(&[&pixels[..], &shown(1024, 576)].concat()), Some(64.0 / 45.0));
        assert_eq!(shape(&[&pixels[..], &shown(16, 9), &[(DISPLAY_UNIT, 3)]].concat()), Some(64.0 / 45.0));
        assert_eq!(shape(&[&pixels[..], &shown(16, 9), &[(DISPLAY_UNIT, 4)]].concat()), None);
        let cropped = [&pixels[..], &shown(704, 576), &[(CROP_LEFT, 8), (CROP_RIGHT, 8)]].concat();
        assert_eq!(shape(&cropped), Some(1.0));
        for hostile in [shown(u64::MAX, 1), shown(0, 0), shown(1, u64::MAX)] {
            assert_eq!(shape(&[&pixels[..], &hostile].concat()), None, "{hostile:?}");
        }
        assert_eq!(shape(&[&pixels[..], &shown(1, 1), &[(CROP_TOP, u64::MAX), (CROP_BOTTOM, 1)]].concat()), None);
    }

    #[test]
    fn projections_turn_and_mirror() {
        let turned = |yaw: f32, pitch: f32, roll: f32| {
            let fields = [(YAW, yaw), (PITCH, pitch), (ROLL, roll)];
            let fields = fields.map(|(id, angle)| element(id, &angle.to_be_bytes())).concat();
            read(&element(PROJECTION, &fields)).orientation
        };
        assert_eq!(turned(0.0, 0.0, 0.0), Orientation::Upright);
        assert_eq!(turned(0.0, 0.0, -90.0), Orientation::Rotate90);
        assert_eq!(turned(0.0, 0.0, 90.0), Orientation::Rotate270);
        assert_eq!(turned(0.0, 0.0, 180.0), Orientation::Rotate180);
        assert_eq!(turned(180.0, 0.0, 0.0), Orientation::FlipHorizontal);
        assert_eq!(turned(-180.0, 0.0, 180.0), Orientation::FlipVertical);
        // Mirrored and then turned against the clock is EXIF's 5.
        assert_eq!(turned(180.0, 0.0, 90.0), Orientation::Transpose);
        for odd in [[0.0, 10.0, 90.0], [10.0, 0.0, 90.0], [0.0, 0.0, 45.0], [0.0, 0.0, f32::NAN], [0.0, 0.0, 1e30]] {
            let [yaw, pitch, roll] = odd;
            assert_eq!(turned(yaw, pitch, roll), Orientation::Upright, "{odd:?}");
        }
    }

    #[test]
    fn colour_is_that_of_the_numbers() {
        let fields = [number(MATRIX_COEFFICIENTS, 9), number(RANGE, 2)].concat();
        assert_eq!(read(&element(COLOUR, &fields)).colour, StatedColour::new(Some(9), Some(true)));
        assert_eq!(transfer(&element(COLOUR, &number(TRANSFER_CHARACTERISTICS, 16))), Some(16));
        assert_eq!(transfer(&element(COLOUR, &number(TRANSFER_CHARACTERISTICS, 300))), None);
        assert_eq!(transfer(&element(COLOUR, &fields)), None);
    }
}
