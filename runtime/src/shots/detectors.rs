//! The table of shot detectors.

use super::detector_entry::DetectorEntry;
use super::evidence_detector;

/// Every detector by name; the default first.
pub static DETECTORS: &[DetectorEntry] = &[evidence_detector::ENTRY];

/// Returns the detector with this name, or `None` if there is none.
#[must_use]
pub fn detector(name: &str) -> Option<&'static DetectorEntry> {
    DETECTORS.iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_detector_is_found_by_its_name() {
        for entry in DETECTORS {
            assert!(std::ptr::eq(detector(entry.name).unwrap(), entry), "{}", entry.name);
        }
        assert!(detector("other").is_none());
    }
}
