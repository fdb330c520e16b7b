//! The roles of pictures in a stream of H.264 that is decoded elsewhere.

use super::access_unit::AccessUnit;
use super::avcc::AvcConfig;
use super::parameter_sets::ParameterSets;
use crate::codecs::Role;

/// Reads the headers of a stream.
pub(crate) struct H264Roles {
    config: AvcConfig,
    sets: ParameterSets,
    unit: AccessUnit,
}

impl H264Roles {
    /// Starts with the contents of an `avcC` box, or nothing for Annex B; `None` if they break the
    /// rules.
    pub fn new(config: &[u8]) -> Option<Self> {
        let (config, mut sets) = (AvcConfig::parse(config)?, ParameterSets::default());
        let mut unit = AccessUnit::default();
        config.parameter_sets.iter().for_each(|set| unit.add(set, &mut sets));
        Some(H264Roles { config, sets, unit })
    }

    /// Returns the role of the picture in `data`; `None` if there is none.
    pub fn role(&mut self, data: &[u8]) -> Option<Role> {
        self.unit.clear();
        self.config.read(data, &mut self.unit, &mut self.sets);
        self.unit.picture.map(|picture| picture.role())
    }
}
