//! The roles of pictures in a stream of HEVC that is decoded elsewhere.

use super::config::HvcConfig;
use super::nal::{self, PictureKind};
use super::parameter_sets::ParameterSets;
use crate::codecs::Role;
use crate::codecs::nal_units;

/// Reads the headers of a stream.
pub(crate) struct HevcRoles {
    config: HvcConfig,
    sets: ParameterSets,
}

impl HevcRoles {
    /// Starts with the contents of an `hvcC` box, or nothing for Annex B; `None` if they break the
    /// rules.
    pub fn new(config: &[u8]) -> Option<Self> {
        let (config, mut sets) = (HvcConfig::parse(config)?, ParameterSets::default());
        config.parameter_sets.iter().for_each(|set| add(&mut sets, set));
        Some(HevcRoles { config, sets })
    }

    /// Returns the role of the picture in `data`; `None` if there is none.
    pub fn role(&mut self, data: &[u8]) -> Option<Role> {
        let (sets, mut picture) = (&mut self.sets, None);
        nal_units::split(data, self.config.length_bytes, |unit| match nal::kind(unit) {
            Some(kind) if nal::is_slice(kind) => picture = picture.or_else(|| PictureKind::read(kind, unit)),
            _ => add(sets, unit),
        });
        let picture: PictureKind = picture?;
        // Without its parameter set nothing is known of its sub-layers.
        let highest = self.sets.sequence_of(picture.parameters).map(|(sequence, _)| sequence.highest_sub_layer);
        Some(picture.role(highest.unwrap_or(u32::MAX)))
    }
}

/// Adds `unit` to `sets` if it is a parameter set.
fn add(sets: &mut ParameterSets, unit: &[u8]) {
    if let Some(kind @ nal::VIDEO_PARAMETERS..=nal::PICTURE_PARAMETERS) = nal::kind(unit)
        && let Err(error) = sets.add(kind, unit)
    {
        log::debug!("a parameter set is not understood: {error}");
    }
}
