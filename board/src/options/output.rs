//! The options of the results: their form and their file.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::output::{Dependencies, Format, find_format, formats};

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
    /// Skip the files that an earlier run of the same command finished. They are kept in
    /// FILE.resume while the command runs and afterwards; a file that has changed is read again
    #[arg(long, requires = "output")]
    resume: bool,
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

    /// Returns what the results depend on, if the run can be resumed: `names` with values, the form
    /// and the program.
    #[must_use]
    pub fn resume<N: Into<String>>(&self, names: impl IntoIterator<Item = (N, String)>) -> Option<Dependencies> {
        let own = [("format", self.format.name), ("version", env!("CARGO_PKG_VERSION"))];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let names = names.into_iter().map(|(name, value)| (name.into(), value));
        self.resume.then(|| names.chain(own).collect())
    }
}

/// Returns the parser of a form's name.
fn format_parser() -> impl TypedValueParser<Value = &'static Format> {
    let value = |format: &'static Format| PossibleValue::new(format.name).help(format.help);
    // The parser has accepted the name, so the table has it.
    let format = |name: String| find_format(&name).unwrap_or(&formats()[0]);
    PossibleValuesParser::new(formats().iter().map(value)).map(format)
}
