//! Progress bars on standard error, and lines above them.

use std::io::{self, Write};
use std::ops::Deref;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// All bars of the program, one below the other. Hidden where standard error is no terminal.
static BARS: LazyLock<MultiProgress> =
    LazyLock::new(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));

/// Number of bars that are drawn.
static DRAWN: AtomicUsize = AtomicUsize::new(0);

/// A progress bar, which is removed from the terminal when it is dropped.
pub struct Bar(ProgressBar);

impl Bar {
    /// Draws a bar below the others: of `length` steps, or without an end.
    ///
    /// # Panics
    /// When `template` is not one of indicatif's.
    #[must_use]
    #[expect(clippy::expect_used, reason = "templates are constants of the program")]
    pub fn new(length: Option<u64>, template: &'static str) -> Self {
        let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let style = ProgressStyle::with_template(template).expect("a template of a progress bar");
        bar.set_style(style.progress_chars("=> "));
        let bar = BARS.add(bar);
        DRAWN.fetch_add(1, Ordering::Relaxed);
        // It takes a thread, which a bar that nobody sees does not need.
        if !BARS.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Bar(bar)
    }
}

impl Deref for Bar {
    type Target = ProgressBar;

    fn deref(&self) -> &ProgressBar {
        &self.0
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        BARS.remove(&self.0);
        DRAWN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Removes the bars until they are drawn again, so that standard output can write to the same
/// terminal.
pub fn clear() {
    // That a terminal is gone, other output finds out.
    let _ = BARS.clear();
}

/// Standard error above the bars.
pub(crate) struct AboveBars;

impl Write for AboveBars {
    /// Writes whole lines.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        // Without a bar below it, indicatif leaves the line without an end.
        if BARS.is_hidden() || DRAWN.load(Ordering::Relaxed) == 0 {
            io::stderr().write_all(lines)?;
        } else {
            let text = String::from_utf8_lossy(lines);
            BARS.println(text.strip_suffix('\n').unwrap_or(&text))?;
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
