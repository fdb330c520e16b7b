//! The program `divita`: it says what genres a video is, on the board that the video reaches.

use std::process::ExitCode;

fn main() -> ExitCode {
    divita_board::command_line::run()
}
