//! The options of the results: their form and their file.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::output::{Dependencies, Destination, Format, Rotation, find_format, formats};

/// The option of the results' form.
#[derive(Args)]
pub struct FormatOption {
    /// Form of the results
    #[arg(long, value_name = "FORM", default_value = formats()[0].name, value_parser = format_parser())]
    format: &'static Format,
}

/// The options of the results of a run.
#[derive(Args)]
pub struct OutputOptions {
    #[command(flatten)]
    format: FormatOption,
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
        self.format.format
    }

    /// Returns where the results go.
    #[must_use]
    pub fn destination(&self) -> Destination<'_> {
        self.output.as_deref().map_or(Destination::Standard, Destination::File)
    }

    /// Returns what the results depend on, if the run can be resumed: `names` with values, the form
    /// and the program.
    #[must_use]
    pub fn resume<N: Into<String>>(&self, names: impl IntoIterator<Item = (N, String)>) -> Option<Dependencies> {
        let own = [("format", self.format.format.name), ("version", env!("CARGO_PKG_VERSION"))];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let names = names.into_iter().map(|(name, value)| (name.into(), value));
        self.resume.then(|| names.chain(own).collect())
    }
}

/// The options of the results of a service.
#[derive(Args)]
pub struct ServiceOutputOptions {
    #[command(flatten)]
    format: FormatOption,
    /// Append the results to FILE, which makes room for a new one when it is full [default: print
    /// them]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Size at which FILE is full, in MiB
    #[arg(long, value_name = "MIB", default_value = "64", value_parser = clap::value_parser!(u32).range(1..))]
    output_mib: u32,
    /// Number of full files to keep, FILE.1 (the newest) to FILE.N
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u16))]
    output_keep: u16,
}

impl ServiceOutputOptions {
    /// Returns the form of the results.
    #[must_use]
    pub fn format(&self) -> &'static Format {
        self.format.format
    }

    /// Returns where the results go.
    #[must_use]
    pub fn destination(&self) -> Destination<'_> {
        let rotation = Rotation { max_bytes: u64::from(self.output_mib) << 20, keep: self.output_keep.into() };
        self.output.as_deref().map_or(Destination::Standard, |path| Destination::Log(path, rotation))
    }
}

/// Returns the parser of a form's name.
fn format_parser() -> impl TypedValueParser<Value = &'static Format> {
    let value = |format: &'static Format| PossibleValue::new(format.name).help(format.help);
    // The parser has accepted the name, so the table has it.
    let format = |name: String| find_format(&name).unwrap_or(&formats()[0]);
    PossibleValuesParser::new(formats().iter().map(value)).map(format)
}
