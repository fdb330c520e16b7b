//! An error and its causes in one line.

/// Returns the message of `error` and its causes, separated by colons.
///
/// Leaves out a cause that the line contains already, because many errors repeat their causes.
#[must_use]
pub fn in_one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string().replace('\n', " ");
        if line.is_empty() {
            line = text;
        } else if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn each_cause_appears_once() {
        let io = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let cause = io().to_string();
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open it ({source}); check its name")]
        struct Repeats {
            source: std::io::Error,
        }
        let repeats = anyhow::Error::from(Repeats { source: io() }).context("film.mp4");
        assert_eq!(in_one_line(&repeats), format!("film.mp4: cannot open it ({cause}); check its name"));
        let plain: anyhow::Error = Err::<(), _>(io()).context("cannot open it").unwrap_err();
        assert_eq!(in_one_line(&plain), format!("cannot open it: {cause}"));
    }
}
