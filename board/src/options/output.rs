//! The options of the results: their form and their file.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use divita_console::stdout_has_colours;
use divita_shotlist::ShotListOptions;
use divita_video::Input;

use crate::misuse::Misuse;
use crate::output::{Dependencies, Destination, Format, Rotation, find_format, formats};

/// The option of the results' form.
#[derive(Args)]
pub struct FormatOption {
    /// Form of the results
    #[arg(long, value_name = "FORM", default_value = formats()[0].name, value_parser = format_parser())]
    format: &'static Format,
    /// Show the shots in colour under a table: `auto` on a terminal that has colours, unless
    /// `NO_COLOR` is set
    #[arg(long, value_name = "auto|always|never", default_value = "auto")]
    color: Colour,
}

/// When results have colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colour {
    Auto,
    Always,
    Never,
}

impl FromStr for Colour {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Colour::Auto),
            "always" => Ok(Colour::Always),
            "never" => Ok(Colour::Never),
            _ => Err("choose auto, always or never"),
        }
    }
}

impl FormatOption {
    /// Returns whether the reader of `destination` sees colours.
    fn colours(&self, destination: Destination<'_>) -> bool {
        match self.color {
            Colour::Auto => matches!(destination, Destination::Standard) && stdout_has_colours(),
            Colour::Always => true,
            Colour::Never => false,
        }
    }
}

/// The options of the results of a run.
#[derive(Args)]
pub struct OutputOptions {
    #[command(flatten)]
    format: FormatOption,
    /// Write the results to FILE, which appears whole at the end. An existing FILE stays if no
    /// input gives a result. For shot lists of several films, a folder that gets a file for each
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    shot_list: ShotListArguments,
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

    /// Returns whether the reader of the results sees colours.
    #[must_use]
    pub fn colours(&self) -> bool {
        self.format.colours(self.destination())
    }

    /// Returns how shot lists treat transitions and short shots.
    #[must_use]
    pub fn shot_list(&self) -> ShotListOptions {
        self.shot_list.options()
    }

    /// Returns where the results of `inputs` go.
    ///
    /// # Errors
    /// If several films would share one shot list, or if a run that fills a folder is to be
    /// resumed.
    pub fn destination_of(&self, inputs: &[Input]) -> Result<Destination<'_>, Misuse> {
        let destination = shot_list_destination(self.format.format, self.output.as_deref(), inputs.len())
            .unwrap_or_else(|| Ok(self.destination()))?;
        match destination {
            Destination::Folder(_) if self.resume => {
                Err(Misuse("--resume needs an ordinary file as --output, not a folder".into()))
            }
            destination => Ok(destination),
        }
    }

    /// Returns where the results go, if they are no files in a folder.
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

/// Returns where the shot lists of `films` films go; `None` if the results are no shot lists or
/// share one file.
///
/// # Errors
/// If several shot lists would share one file.
pub fn shot_list_destination<'a>(
    format: &Format,
    output: Option<&'a Path>,
    films: usize,
) -> Option<Result<Destination<'a>, Misuse>> {
    format.shot_list()?;
    match output {
        Some(path) if is_folder(path) => Some(Ok(Destination::Folder(path))),
        _ if films > 1 => Some(Err(Misuse(format!(
            "{films} films need a file each in --format {}: name a folder, such as --output shots/",
            format.name
        )))),
        _ => None,
    }
}

/// Returns whether `path` names a folder: one that exists, or a name that ends with `/`.
#[must_use]
pub fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// The options of shot lists (`--format edl` and others).
#[derive(Args)]
#[command(next_help_heading = "Shot lists (edl, otio, fcpxml, ...)")]
pub struct ShotListArguments {
    /// Split each transition in the middle, so that shots adjoin
    #[arg(long)]
    gap_free: bool,
    /// Join shots shorter than this with the shot before, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    min_length: f64,
    /// Write non-drop timecode at 29.97 and 59.94 frames a second too [default: drop-frame]
    #[arg(long)]
    non_drop: bool,
}

impl ShotListArguments {
    /// Returns how shot lists treat transitions and short shots.
    #[must_use]
    pub fn options(&self) -> ShotListOptions {
        let ShotListArguments { gap_free, min_length, non_drop } = *self;
        ShotListOptions { gap_free, min_length_s: min_length, drop_frame: non_drop.then_some(false) }
    }
}

/// Parses a length in seconds.
fn seconds(text: &str) -> Result<f64, &'static str> {
    let seconds = text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
    seconds.ok_or("give a number of seconds, such as 0.5")
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

    /// Returns whether the reader of the results sees colours.
    #[must_use]
    pub fn colours(&self) -> bool {
        self.format.colours(self.destination())
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
