//! The roles of pictures in a stream that a decoder outside this crate decodes.

use super::Role;
use super::h264::H264Roles;
#[cfg(feature = "hevc")]
use super::hevc::HevcRoles;

/// Reads the headers of a stream.
pub(crate) enum PictureRoles {
    H264(H264Roles),
    #[cfg(feature = "hevc")]
    Hevc(HevcRoles),
}

impl PictureRoles {
    /// Reads a stream of H.264 with this configuration: the contents of an `avcC` box, or nothing
    /// for Annex B. `None` if the configuration breaks its rules.
    pub fn h264(config: &[u8]) -> Option<Self> {
        H264Roles::new(config).map(PictureRoles::H264)
    }

    /// Reads a stream of HEVC with this configuration: the contents of an `hvcC` box, or nothing
    /// for Annex B. `None` if the configuration breaks its rules, and without the feature `hevc`.
    pub fn hevc(config: &[u8]) -> Option<Self> {
        #[cfg(feature = "hevc")]
        return HevcRoles::new(config).map(PictureRoles::Hevc);
        #[cfg(not(feature = "hevc"))]
        return Some(config).and(None);
    }

    /// Returns the role of the picture in `data`; `None` if there is none.
    pub fn role(&mut self, data: &[u8]) -> Option<Role> {
        match self {
            PictureRoles::H264(roles) => roles.role(data),
            #[cfg(feature = "hevc")]
            PictureRoles::Hevc(roles) => roles.role(data),
        }
    }
}
