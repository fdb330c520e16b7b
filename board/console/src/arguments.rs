//! Command lines: parsers of arguments, and errors without credentials.

use clap::builder::{OsStringValueParser, TypedValueParser};
use divita_video::{Input, redact_arguments};

use crate::say;

/// Returns the parser of an input, which may be in any encoding.
pub fn input_parser() -> impl TypedValueParser<Value = Input> {
    OsStringValueParser::new().map(Input::new)
}

/// Prints `error` and ends the program as clap does, without the credentials of addresses that the
/// message would repeat.
pub fn exit(error: &clap::Error) -> ! {
    let text = error.render().to_string();
    let redacted = redact_arguments(&text);
    if redacted == text {
        error.exit();
    }
    redacted.trim_end().lines().for_each(say);
    std::process::exit(error.exit_code());
}
