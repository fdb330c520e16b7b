//! The program `divita-models`: builds, trains and verifies what `divita` runs.

use std::process::ExitCode;

fn main() -> ExitCode {
    divita_models::command_line::run()
}
