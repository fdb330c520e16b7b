//! The progress bar of long work on a terminal, with the remaining time.

use std::time::Duration;

use crate::training::{
    Epoch,
    epochs::{Step, TrainingProgress},
};
use divita_console::progress::Bar;

/// Creates a bar of `length` steps, with its message in front.
pub fn bar(length: u64) -> Bar {
    Bar::new(Some(length), "{msg} [{wide_bar}] {percent:>3} %  {eta} left")
}

/// Shows training as a bar, and logs each epoch.
pub struct TrainingBar {
    bar: Bar,
}

impl TrainingBar {
    /// Creates a bar that shows the first step or video.
    pub fn new() -> TrainingBar {
        TrainingBar { bar: bar(0) }
    }
}

impl TrainingProgress for TrainingBar {
    fn begin_cutting(&self, videos: usize) {
        self.bar.set_length(videos as u64);
        self.bar.set_message("cutting videos into clips");
    }

    fn cut_video(&self) {
        self.bar.inc(1);
    }

    fn finish_cutting(&self) {
        self.bar.reset();
    }

    fn step(&self, Step { epoch, epochs, step, steps, loss }: Step) {
        if step <= 1 {
            self.bar.reset();
        }
        self.bar.set_length(steps as u64);
        self.bar.set_position(step as u64);
        self.bar.set_message(format!("epoch {epoch} of {epochs}, loss {loss:.4}"));
    }

    fn epoch(&self, epoch: &Epoch, duration: Duration) {
        let areas = epoch.areas;
        let percent = |area: Option<f64>| area.map_or_else(|| "-".to_owned(), |area| format!("{:.2}", 100.0 * area));
        log::info!(
            "epoch {}: loss {:.4}, validation {:.4}, {}muAP {}, mAP {}, rate {:.2e}, {:.1} s{}",
            epoch.epoch,
            epoch.train_loss,
            epoch.validation_loss,
            areas.top_1.map(|share| format!("top-1 {:.2}, ", 100.0 * share)).unwrap_or_default(),
            percent(areas.mu_ap),
            percent(areas.m_ap),
            epoch.rate,
            duration.as_secs_f64(),
            if epoch.best { ", best" } else { "" }
        );
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
