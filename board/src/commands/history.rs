//! `divita history`: lists, searches and exports recorded runs.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use divita_console::printable;
use divita_history::export::{Row, csv_fields, csv_header, json};
use divita_history::{ClipRow, FilmRow, History, Query, RunRow, ShotRow};

use crate::misuse::Misuse;
use crate::output::{Destination, Sink, csv_line};
use crate::session::Outcome;

/// List, search and export the history that `--history` has recorded.
///
/// Without a query, lists all films, the newest first. A query selects films, or shots with `--show
/// shots`. Terms: `genre NAME > 0.6` (also `>=`, `<`, `<=`), `name PATTERN`, `since DATE`, `until
/// DATE`, `bundle NAME`, `duration > SECONDS`, `error`, `incomplete`, joined by `and`, `or`, `not`
/// and parentheses.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita history archive.sqlite\n  \
    divita history archive.sqlite 'genre horror > 0.6 and not error'\n  \
    divita history archive.sqlite --show shots 'genre romance > 0.8'\n  \
    divita history archive.sqlite --show clips --film 12 --format csv > clips.csv\n  \
    divita history archive.sqlite --forget-film 12")]
pub struct HistoryCommand {
    /// The SQLite file
    #[arg(value_name = "FILE.sqlite")]
    file: PathBuf,
    /// What to select, in one argument or several
    #[arg(value_name = "QUERY")]
    query: Vec<String>,
    /// What to list. Clips need a film
    #[arg(long, value_name = "films|shots|clips|runs", default_value = "films", hide_possible_values = true)]
    show: Show,
    /// Only of the film with this number
    #[arg(long, value_name = "N")]
    film: Option<i64>,
    /// List at most this number
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Form of the list
    #[arg(long, value_name = "table|jsonl|csv", default_value = "table", hide_possible_values = true)]
    format: Form,
    /// Write the list to FILE, which appears whole at the end
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Delete the film with this number
    #[arg(long, value_name = "N", conflicts_with_all = ["query", "forget_run", "check"])]
    forget_film: Option<i64>,
    /// Delete the run with this number and its films
    #[arg(long, value_name = "N", conflicts_with_all = ["query", "check"])]
    forget_run: Option<i64>,
    /// Read the whole file and report damage
    #[arg(long, conflicts_with = "query")]
    check: bool,
}

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Show {
    Films,
    Shots,
    Clips,
    Runs,
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Table,
    Jsonl,
    Csv,
}

/// A row of a table for people.
trait TableRow: Row {
    /// Headings of the columns. The last column may have any width.
    const HEADINGS: &'static [&'static str];

    /// Returns the fields.
    fn fields(&self) -> Vec<String>;
}

impl TableRow for FilmRow {
    const HEADINGS: &'static [&'static str] = &["film", "started", "seconds", "shots", "genres", "name"];

    fn fields(&self) -> Vec<String> {
        let state = match (&self.error, self.complete) {
            (Some(error), _) => format!("  ERROR {}", printable(error)),
            (None, false) => "  INCOMPLETE".to_owned(),
            (None, true) => String::new(),
        };
        let seconds = self.duration_s.map_or(String::new(), |seconds| format!("{seconds:.1}"));
        let (film, shots) = (self.film.to_string(), self.shots.to_string());
        let name = printable(&self.name).into_owned() + &state;
        vec![film, minute(&self.started), seconds, shots, leading(&self.probabilities), name]
    }
}

impl TableRow for ShotRow {
    const HEADINGS: &'static [&'static str] = &["film", "shot", "start s", "end s", "genres", "name"];

    fn fields(&self) -> Vec<String> {
        let times = [self.start_s, self.end_s].map(|seconds| format!("{seconds:.3}"));
        let [start, end] = times;
        let (film, index) = (self.film.to_string(), self.index.to_string());
        vec![film, index, start, end, leading(&self.probabilities), printable(&self.name).into_owned()]
    }
}

impl TableRow for ClipRow {
    const HEADINGS: &'static [&'static str] = &["film", "clip", "shot", "start s", "end s", "genres"];

    fn fields(&self) -> Vec<String> {
        let [start, end] = [self.start_s, self.end_s].map(|seconds| format!("{seconds:.3}"));
        let numbers = [self.film.to_string(), self.index.to_string(), self.shot.to_string(), start, end];
        numbers.into_iter().chain([leading(&self.probabilities)]).collect()
    }
}

impl TableRow for RunRow {
    const HEADINGS: &'static [&'static str] = &["run", "started", "films", "bundle", "command"];

    fn fields(&self) -> Vec<String> {
        let bundle = printable(self.bundle.as_deref().unwrap_or("")).into_owned();
        let (run, films) = (self.run.to_string(), self.films.to_string());
        vec![run, minute(&self.started), films, bundle, printable(&self.command).into_owned()]
    }
}

/// Returns a time without seconds.
fn minute(time: &str) -> String {
    time.chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// Number of genres in a row.
const GENRES: usize = 2;

/// Returns the most probable genres in words.
fn leading(probabilities: &divita_history::Probabilities) -> String {
    let mut ranked: Vec<_> = probabilities.0.iter().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let words = ranked.iter().take(GENRES).map(|(genre, value)| format!("{} {value:.2}", printable(genre)));
    words.collect::<Vec<_>>().join(", ")
}

impl HistoryCommand {
    /// Returns whether the list goes to standard output.
    pub fn prints(&self) -> bool {
        self.output.is_none()
    }

    /// Lists, or deletes.
    pub fn run(&self) -> Result<Outcome> {
        if let Some(film) = self.forget_film {
            History::open(&self.file)?.forget_film(film)?;
            return Ok(Outcome::Done);
        }
        if let Some(run) = self.forget_run {
            History::open(&self.file)?.forget_run(run)?;
            return Ok(Outcome::Done);
        }
        let query = self.query.join(" ");
        let query = match query.trim() {
            "" => Query::default(),
            text => Query::parse(text).map_err(|error| Misuse(error.to_string()))?,
        };
        let has_query = query != Query::default();
        if has_query && (self.film.is_some() || matches!(self.show, Show::Clips | Show::Runs)) {
            return Err(Misuse("a query selects films or shots of all films".into()).into());
        }
        let history = History::open_to_read(&self.file)?;
        if self.check {
            let damage = history.check()?;
            if !damage.is_empty() {
                bail!("{} is damaged: {}", self.file.display(), damage.join("; "));
            }
            return Ok(Outcome::Done);
        }
        let genres = history.genres()?;
        let mut sink = Sink::open(
            self.output.as_deref().map_or(Destination::Standard, Destination::File),
            &[],
            self.format == Form::Table,
            "",
        )?;
        let limit = self.limit.unwrap_or(usize::MAX);
        match (self.show, self.film) {
            (Show::Films, Some(film)) => {
                let films = history.films(&query, None)?;
                self.write(&mut sink, &genres, films.into_iter().filter(|row| row.film == film).map(Ok))?;
            }
            (Show::Films, None) => {
                self.write(&mut sink, &genres, history.films(&query, self.limit)?.into_iter().map(Ok))?
            }
            (Show::Shots, Some(film)) => self.write(&mut sink, &genres, history.shots_of(film)?.take(limit))?,
            (Show::Shots, None) => {
                self.write(&mut sink, &genres, history.shots(&query, self.limit)?.into_iter().map(Ok))?
            }
            (Show::Clips, Some(film)) => self.write(&mut sink, &genres, history.clips(film)?.take(limit))?,
            (Show::Clips, None) => return Err(Misuse("clips are listed of one film: add --film N".into()).into()),
            (Show::Runs, _) => self.write(&mut sink, &[], history.runs()?.into_iter().take(limit).map(Ok))?,
        }
        sink.finish()?;
        Ok(Outcome::Done)
    }

    /// Writes `rows`. CSV has a column for each of `genres`.
    fn write<R: TableRow>(
        &self,
        sink: &mut Sink,
        genres: &[String],
        rows: impl Iterator<Item = divita_history::Result<R>>,
    ) -> Result<()> {
        match self.format {
            Form::Table => {
                let rows = rows.map(|row| row.map(|row| row.fields())).collect::<divita_history::Result<Vec<_>>>()?;
                sink.write(&table(R::HEADINGS, &rows))
            }
            Form::Jsonl => {
                for row in rows {
                    sink.write(&(json(&row?) + "\n"))?;
                }
                Ok(())
            }
            Form::Csv => {
                sink.write(&csv_line(csv_header::<R>(genres))?)?;
                for row in rows {
                    sink.write(&csv_line(csv_fields(&row?, genres))?)?;
                }
                Ok(())
            }
        }
    }
}

/// Returns a table with aligned columns.
fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let headings: Vec<String> = headings.iter().map(|&heading| heading.to_owned()).collect();
    let all = || [&headings].into_iter().chain(rows);
    let width = |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let mut text = String::new();
    for row in all() {
        let last = row.len().saturating_sub(1);
        for (column, (field, width)) in row.iter().zip(&widths).enumerate() {
            match column {
                _ if column == last => text += field,
                _ => text += &format!("{field:<width$}  "),
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
