//! How warm the board is: the kernel's thermal zones, and how far each is from the point where it slows down.

use std::fs;
use std::path::Path;

/// Where Linux shows them.
const ZONES: &str = "/sys/class/thermal";

/// The limit of a zone that names no point where it slows down, in degrees Celsius.
const LIMIT: f64 = 95.0;

/// A thermal zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// What it is of, as in "CPU-therm".
    pub name: String,
    /// Degrees Celsius.
    pub celsius: f64,
    /// Degrees Celsius from which the kernel slows the board down, or 95 where it does not say.
    pub limit: f64,
}

/// The zones of this machine but those named in `ignored`; none where it shows none.
pub fn zones(ignored: &[String]) -> Vec<Zone> {
    zones_in(Path::new(ZONES), ignored)
}

/// Degrees that are left to the limit of the zone nearest to its own.
pub fn degrees_left(ignored: &[String]) -> Option<f64> {
    zones(ignored).into_iter().map(|zone| zone.limit - zone.celsius).reduce(f64::min)
}

fn zones_in(folder: &Path, ignored: &[String]) -> Vec<Zone> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut zones: Vec<Zone> = entries
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            let text = |file: &str| Some(fs::read_to_string(folder.join(file)).ok()?.trim().to_owned());
            // In thousandths. A sensor that is off says nothing, or nonsense.
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
    fn zones_are_read_as_linux_shows_them() {
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
