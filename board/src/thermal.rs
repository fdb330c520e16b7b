//! The board's temperature: the kernel's thermal zones and their limits.

use std::fs;
use std::path::Path;

/// Folder of the zones in Linux.
const ZONES: &str = "/sys/class/thermal";

/// Limit of a zone without a passive trip point, in degrees Celsius.
const LIMIT: f64 = 95.0;

/// A thermal zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// Name of the sensor, as in "CPU-therm".
    pub name: String,
    /// Temperature in degrees Celsius.
    pub celsius: f64,
    /// Temperature from which the kernel slows the board down, in degrees Celsius; 95 if unknown.
    pub limit: f64,
}

/// Returns the zones of this machine except those named in `ignored`.
#[must_use]
pub fn zones(ignored: &[String]) -> Vec<Zone> {
    zones_in(Path::new(ZONES), ignored)
}

/// Returns the degrees left to the limit of the hottest zone, relative to its limit; `None` without
/// zones.
#[must_use]
pub fn degrees_left(ignored: &[String]) -> Option<f64> {
    zones(ignored).into_iter().map(|zone| zone.limit - zone.celsius).reduce(f64::min)
}

fn zones_in(folder: &Path, ignored: &[String]) -> Vec<Zone> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut zones: Vec<Zone> = entries
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            let text = |file: &str| Some(fs::read_to_string(folder.join(file)).ok()?.trim().to_owned());
            // In thousandths. A sensor that is off gives nothing, or nonsense.
            let degrees = |file: &str| Some(text(file)?.parse::<f64>().ok()? / 1000.0);
            let celsius = degrees("temp").filter(|celsius| (-40.0..150.0).contains(celsius))?;
            let passive = (0..16).find(|k| text(&format!("trip_point_{k}_type")).as_deref() == Some("passive"));
            let limit = passive.and_then(|k| degrees(&format!("trip_point_{k}_temp")));
            let limit = limit.filter(|limit| (40.0..130.0).contains(limit)).unwrap_or(LIMIT);
            Some(Zone { name: text("type")?, celsius, limit })
        })
        .filter(|zone| !ignored.contains(&zone.name))
        .collect();
    zones.sort_by(|a, b| a.name.cmp(&b.name));
    zones
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_read_from_the_files_of_linux() {
        let folder = tempfile::tempdir().unwrap();
        for (zone, files) in [
            (
                "thermal_zone0",
                &[
                    ("type", "CPU-therm"),
                    ("temp", "48500"),
                    ("trip_point_0_type", "active"),
                    ("trip_point_1_type", "passive"),
                    ("trip_point_1_temp", "97000"),
                ][..],
            ),
            ("thermal_zone1", &[("type", "AO-therm"), ("temp", "60000"), ("trip_point_0_type", "critical")]),
            ("thermal_zone3", &[("type", "PMIC-Die"), ("temp", "100000")]),
            ("thermal_zone2", &[("type", "off"), ("temp", "-256000")]),
            ("cooling_device0", &[("type", "pwm-fan")]),
        ] {
            let place = folder.path().join(zone);
            fs::create_dir(&place).unwrap();
            files.iter().for_each(|(name, text)| fs::write(place.join(name), format!("{text}\n")).unwrap());
        }
        let expected = [
            Zone { name: "AO-therm".into(), celsius: 60.0, limit: LIMIT },
            Zone { name: "CPU-therm".into(), celsius: 48.5, limit: 97.0 },
        ];
        assert_eq!(zones_in(folder.path(), &["PMIC-Die".to_owned()]), expected);
        assert_eq!(zones_in(&folder.path().join("nothing"), &[]), []);
    }
}
