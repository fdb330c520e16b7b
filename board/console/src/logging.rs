//! Log messages on standard error, one line each.

use std::io::Write;

use env_logger::{Builder, Env};

use crate::printable;

/// Starts the log. `filter` says which messages are shown where `RUST_LOG` does not.
pub fn start(filter: &str) {
    Builder::from_env(Env::default().default_filter_or(filter))
        .format(|out, record| {
            let style = out.default_level_style(record.level());
            // Names of files and messages of devices stand in them.
            writeln!(out, "[{style}{:<5}{style:#}] {}", record.level(), printable(&record.args().to_string()))
        })
        .init();
}
