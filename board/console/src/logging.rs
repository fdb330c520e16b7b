//! Log messages on standard error, one line each.

use std::io::{Write, stderr};

use anstream::{AutoStream, ColorChoice};
use env_logger::{Builder, Env, Target, WriteStyle};
use log::LevelFilter;

use crate::printable;
use crate::progress::AboveBars;

/// Starts the log. `filter` selects messages where `RUST_LOG` is not set, as in `warn,tract=error`.
pub fn start(filter: &str) {
    let style = match AutoStream::choice(&stderr()) {
        ColorChoice::Never => WriteStyle::Never,
        _ => WriteStyle::Always,
    };
    Builder::from_env(Env::default().default_filter_or(filter))
        // These clients write addresses and requests, with what is secret in them.
        .filter_module("retina", LevelFilter::Error)
        .filter_module("ureq", LevelFilter::Error)
        .format(|out, record| {
            let style = out.default_level_style(record.level());
            // Messages contain file names and texts of devices.
            writeln!(out, "[{style}{:<5}{style:#}] {}", record.level(), printable(&record.args().to_string()))
        })
        .target(Target::Pipe(Box::new(AboveBars)))
        .write_style(style)
        .init();
}
