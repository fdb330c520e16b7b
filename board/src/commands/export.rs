//! `divita export`: shot lists from stored events.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use divita_console::whole_file::write_whole;
use divita_shotlist::{FORMATS, Film, ShotListFormat, read_films};
use divita_video::Input;

use crate::options::{ShotListArguments, shot_list_destination};
use crate::output::{Destination, Sink, film_names, find_format};
use crate::session::Outcome;

/// Write shot lists from events that `divita shots --format jsonl` or `divita classify --format
/// jsonl` has stored, without reading the films again.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita export events.jsonl --format edl --output film.edl\n  \
    divita export archive.jsonl --format otio --output lists/\n  \
    divita classify --format jsonl film.mp4 | divita export - --format webvtt --gap-free")]
pub struct Export {
    /// JSON Lines with events; `-` reads standard input
    #[arg(value_name = "EVENTS", required = true)]
    events: Vec<PathBuf>,
    /// Form of the shot lists
    #[arg(long, value_name = "FORM", value_parser = format_parser())]
    format: &'static ShotListFormat,
    /// Write the shot list to FILE, or one file for each film into a folder [default: print it]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    shot_list: ShotListArguments,
}

impl Export {
    /// Returns whether the results go to standard output.
    pub fn prints(&self) -> bool {
        self.output.is_none()
    }

    /// Writes the shot lists.
    pub fn run(&self) -> Result<Outcome> {
        let mut films = Vec::new();
        for path in &self.events {
            films.extend(read(path).with_context(|| format!("{} cannot be used", path.display()))?);
        }
        if films.is_empty() {
            bail!("the events are of no film");
        }
        let options = self.shot_list.options();
        let text = |film: &Film| self.format.text(film, &options).with_context(|| film.name.clone());
        let output = self.output.as_deref();
        let form = find_format(self.format.name).context("no such form")?;
        let destination = match shot_list_destination(form, output, films.len()).transpose()? {
            Some(Destination::Folder(folder)) => {
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("cannot make the folder {}", folder.display()))?;
                let names: Vec<Input> = films.iter().map(|film| Input::new(film.name.clone())).collect();
                for (film, name) in films.iter().zip(film_names(&names, self.format.extension, &[])) {
                    let file = folder.join(name);
                    write_whole(&file, text(film)?.as_bytes())
                        .with_context(|| format!("cannot write {}", file.display()))?;
                }
                return Ok(Outcome::Done);
            }
            _ => output.map_or(Destination::Standard, Destination::File),
        };
        let mut sink = Sink::open(destination, &[], false, "")?;
        films.iter().try_for_each(|film| sink.write(&text(film)?))?;
        sink.finish()?;
        Ok(Outcome::Done)
    }
}

/// Reads the films of a file, or of standard input.
fn read(path: &PathBuf) -> Result<Vec<Film>> {
    let events: Box<dyn BufRead> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(BufReader::new(File::open(path)?)),
    };
    Ok(read_films(events)?)
}

/// Returns the parser of a form's name.
fn format_parser() -> impl TypedValueParser<Value = &'static ShotListFormat> {
    let value = |format: &'static ShotListFormat| PossibleValue::new(format.name).help(format.help);
    // The parser has accepted the name, so the table has it.
    let format = |name: String| ShotListFormat::from_name(&name).unwrap_or(&FORMATS[0]);
    PossibleValuesParser::new(FORMATS.iter().map(value)).map(format)
}
