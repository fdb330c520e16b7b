//! The options of the results: their form and their file.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::output::{Format, find_format, formats};

/// The options of the results.
#[derive(Args)]
pub struct OutputOptions {
    /// Form of the results
    #[arg(long, value_name = "FORM", default_value = formats()[0].name, value_parser = format_parser())]
    format: &'static Format,
    /// Write the results to FILE, which appears whole at the end. An existing FILE stays if no
    /// input gives a result
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl OutputOptions {
    /// Returns the form of the results.
    #[must_use]
    pub fn format(&self) -> &'static Format {
        self.format
    }

    /// Returns the file of the results; standard output without one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.output.as_deref()
    }
}

/// Returns the parser of a form's name.
fn format_parser() -> impl TypedValueParser<Value = &'static Format> {
    let value = |format: &'static Format| PossibleValue::new(format.name).help(format.help);
    // The parser has accepted the name, so the table has it.
    let format = |name: String| find_format(&name).unwrap_or(&formats()[0]);
    PossibleValuesParser::new(formats().iter().map(value)).map(format)
}
