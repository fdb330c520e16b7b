//! The configuration file: TOML with a table for each command and a key for each of its options.
//!
//! A value becomes the default of its option. So the command line overrides it, the option itself
//! checks it, and no option can be missing here.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgAction, Command};
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use divita_video::Input;

/// Commands without a table, because they have no options.
const WITHOUT_TABLE: [&str; 2] = ["config", "help"];

/// Name of the tables of `divita serve`'s sources.
const SOURCES: &str = "source";

/// Returns `command` with the values of the file at `path` as defaults.
///
/// # Errors
/// When the file cannot be read or has an unknown key. The message names the nearest key.
pub fn apply(command: Command, path: &Path) -> Result<Command> {
    let text =
        fs::read_to_string(path).with_context(|| format!("the configuration {} cannot be read", path.display()))?;
    with_text(command, &text).with_context(|| format!("the configuration {} cannot be used", path.display()))
}

/// Parses TOML.
///
/// # Errors
/// On one line, with the number of the line in `text`.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        // The parser's own message takes several lines.
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        anyhow::anyhow!("line {line}: {}", error.message().replace('\n', " "))
    })
}

fn with_text(mut command: Command, text: &str) -> Result<Command> {
    let tables: Table = parse(text)?;
    for (name, table) in tables {
        // `divita serve` reads the sources itself, and again on SIGHUP.
        if name == SOURCES && matches!(table, Value::Array(_)) {
            continue;
        }
        let names: Vec<String> = subcommands(&command).map(|command| command.get_name().to_owned()).collect();
        if !names.contains(&name) {
            bail!("[{name}] is no command{}", nearest(&name, &names));
        }
        let Value::Table(table) = table else { bail!("{name} is a command: write its options under [{name}]") };
        for (key, value) in table {
            let keys: Vec<String> =
                command.find_subcommand(&name).into_iter().flat_map(options).map(self::key).collect();
            if !keys.contains(&key) {
                bail!("[{name}] has no option {key}{}", nearest(&key, &keys));
            }
            let values = values(&value).with_context(|| format!("{key} of [{name}] is no value of an option"))?;
            let argument =
                command.find_subcommand(&name).into_iter().flat_map(options).find(|one| self::key(one) == key);
            match argument.map(Arg::get_action) {
                Some(ArgAction::SetTrue) if !value.is_bool() => {
                    bail!("{key} of [{name}] is a switch: give true or false")
                }
                Some(ArgAction::Set) if values.len() != 1 => bail!("{key} of [{name}] takes one value"),
                _ => {}
            }
            command = command.mut_subcommand(&name, |command| {
                command.mut_args(|argument| match self::key(&argument) == key {
                    true => with_default(argument, &values),
                    false => argument,
                })
            });
        }
    }
    Ok(command)
}

/// Returns the argument with another default. An argument with a default is not required.
fn with_default(argument: Arg, values: &[String]) -> Arg {
    if matches!(argument.get_action(), ArgAction::SetTrue) {
        return argument.default_value(if values == ["true"] { "true" } else { "false" });
    }
    // Help shows defaults, and an address may contain a password.
    let is_secret =
        argument.is_hide_default_value_set() || values.iter().any(|value| Input::from(value).shown() != value);
    argument.required(false).default_values(values.to_vec()).hide_default_value(is_secret)
}

/// Returns a configuration with all defaults, for `divita config`.
pub fn template(command: &Command) -> String {
    let mut text = String::from(
        "# Configuration of divita: pass it with --config FILE or in DIVITA_CONFIG. Options on the command line override it.\n",
    );
    for command in subcommands(command) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        text += &format!("\n{}[{}]\n", comment(&about), command.get_name());
        for argument in options(command) {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            text += &comment(&help);
            let several = matches!(argument.get_action(), ArgAction::Append);
            let defaults: Vec<String> =
                argument.get_default_values().iter().map(|value| to_toml(&value.to_string_lossy())).collect();
            let key = key(argument);
            text += &match (matches!(argument.get_action(), ArgAction::SetTrue), several, defaults.as_slice()) {
                (true, ..) => format!("{key} = {}\n", defaults.first().is_some_and(|value| value == "true")),
                (_, true, values) if !values.is_empty() => format!("{key} = [{}]\n", values.join(", ")),
                (_, false, [value]) => format!("{key} = {value}\n"),
                (_, true, _) => format!("# {key} = []\n"),
                _ => format!("# {key} =\n"),
            };
        }
    }
    text
}

/// Returns `text` as comments of at most 100 characters a line.
fn comment(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= 100 => *line += &format!(" {word}"),
            _ => lines.push(format!("# {word}")),
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

fn subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !WITHOUT_TABLE.contains(&command.get_name()))
}

/// Returns the arguments of a command that can be configured.
fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    let fixed = |argument: &Arg| ["help", "version", "config"].contains(&argument.get_id().as_str());
    command.get_arguments().filter(move |argument| !fixed(argument))
}

/// Returns the key of an argument: the name of an option, or the id of a positional argument.
fn key(argument: &Arg) -> String {
    argument.get_long().unwrap_or(argument.get_id().as_str()).to_owned()
}

/// Returns a value as words of the command line; `None` for a table or a date.
fn values(value: &Value) -> Option<Vec<String>> {
    Some(match value {
        Value::String(text) => vec![text.clone()],
        Value::Integer(number) => vec![number.to_string()],
        Value::Float(number) => vec![number.to_string()],
        Value::Boolean(yes) => vec![yes.to_string()],
        Value::Array(several) => several.iter().map(values).collect::<Option<Vec<_>>>()?.concat(),
        Value::Datetime(_) | Value::Table(_) => return None,
    })
}

/// Returns a word of the command line as TOML.
fn to_toml(word: &str) -> String {
    let number = word.parse::<i64>().is_ok() || word.parse::<f64>().is_ok_and(f64::is_finite);
    if number { word.to_owned() } else { Value::String(word.to_owned()).to_string() }
}

/// Returns a hint with the nearest word in `known`, or all of them if none is near.
fn nearest(word: &str, known: &[String]) -> String {
    let near = known.iter().map(|one| (strsim::damerau_levenshtein(word, one), one)).min();
    match near {
        Some((distance, one)) if distance <= 1 + one.len() / 3 => format!("; did you mean {one}?"),
        _ => format!("; there are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        let classify = Command::new("classify")
            .about("Genres of videos")
            .arg(Arg::new("inputs").required(true).action(ArgAction::Append))
            .arg(Arg::new("fps").long("fps").default_value("4").help("Working rate"))
            .arg(Arg::new("duration").long("duration").value_parser(clap::value_parser!(f64)))
            .arg(Arg::new("quiet").long("quiet").action(ArgAction::SetTrue));
        Command::new("divita").subcommand(classify).subcommand(Command::new("config"))
    }

    fn fps(text: &str, arguments: &[&str]) -> (String, Vec<String>, bool) {
        let words = ["divita", "classify"].iter().chain(arguments);
        let matches = with_text(command(), text).unwrap().try_get_matches_from(words).unwrap();
        let (_, matches) = matches.subcommand().unwrap();
        let inputs = matches.get_many::<String>("inputs").unwrap().cloned().collect();
        (matches.get_one::<String>("fps").unwrap().clone(), inputs, matches.get_flag("quiet"))
    }

    #[test]
    fn the_command_line_overrides_the_file_and_the_file_the_default() {
        let file = "[classify]\nfps = 8\ninputs = [\"a.mp4\", \"b.mp4\"]\nquiet = true\n";
        assert_eq!(fps("", &["x"]), ("4".into(), vec!["x".into()], false));
        assert_eq!(fps(file, &[]), ("8".into(), vec!["a.mp4".into(), "b.mp4".into()], true));
        assert_eq!(fps(file, &["--fps", "12", "x"]), ("12".into(), vec!["x".into()], true));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_nearest() {
        for (text, words) in [
            ("[classify]\nfsp = 8", "[classify] has no option fsp; did you mean fps?"),
            ("[classify]\nbrightness = 8", "there are inputs, fps, duration, quiet"),
            ("[clasify]\nfps = 8", "did you mean classify?"),
            ("fps = 8", "[fps] is no command"),
            ("classify = 8", "write its options under [classify]"),
            ("[classify]\nfps = { a = 1 }", "no value of an option"),
            ("[classify]\nfps = [4, 8]", "takes one value"),
            ("[classify]\nquiet = \"yes please\"", "is a switch: give true or false"),
            ("[classify]\n\nfps = \n", "line 3"),
            ("[config]\nx = 1", "is no command"),
        ] {
            let error = with_text(command(), text).err().map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(error.contains(words), "{text:?}: {error}");
        }
        // The option itself checks its value.
        let wrong = with_text(command(), "[classify]\nduration = \"long\"").unwrap();
        assert!(wrong.try_get_matches_from(["divita", "classify", "x"]).is_err());
    }

    #[test]
    fn the_template_changes_nothing() {
        let template = template(&command());
        assert!(template.contains("# Working rate\nfps = 4\n") && template.contains("quiet = false"), "{template}");
        let file = with_text(command(), &template).unwrap();
        let matches = file.try_get_matches_from(["divita", "classify", "x"]).unwrap();
        assert_eq!(matches.subcommand().unwrap().1.get_one::<String>("fps").unwrap(), "4");
    }
}
