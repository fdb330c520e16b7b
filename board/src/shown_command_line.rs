//! The command line of this run as reports and histories show it.

use divita_video::Input;

/// Returns the command line without credentials.
pub(crate) fn shown_command_line() -> String {
    let quoted = |argument: String| {
        let plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%?&*".contains(c);
        match !argument.is_empty() && argument.chars().all(plain) {
            true => argument,
            false => format!("'{}'", argument.replace('\'', "'\\''")),
        }
    };
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let shown = arguments.map(|argument| quoted(Input::new(argument).shown().to_owned()));
    ["divita".to_owned()].into_iter().chain(shown).collect::<Vec<_>>().join(" ")
}
