//! Times in hours, minutes, seconds and milliseconds.

/// Returns a time as `HH:MM:SS.mmm`, rounded to the nearest millisecond. Negative times become
/// zero.
pub(crate) fn clock_time(time_s: f64) -> String {
    from_milliseconds(milliseconds(time_s))
}

/// Returns the nearest millisecond, zero for negative times.
pub(crate) fn milliseconds(time_s: f64) -> u64 {
    // The conversion saturates.
    (time_s * 1000.0).round() as u64
}

/// Returns a number of milliseconds as `HH:MM:SS.mmm`.
pub(crate) fn from_milliseconds(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, milliseconds % 1000)
}
