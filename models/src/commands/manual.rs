//! `divita-models manual`: the man pages and shell completions of both programs, as packages install them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

/// Write the man pages and shell completions of divita and divita-models, for packages
///
/// They are made from the command lines themselves. It is here, and not in divita, so that the program of the boards stays small.
#[derive(Args)]
pub struct Manual {
    /// Folder to write into; it is made where it is not there. Man pages come into `man`, completions into `completions`
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// The shells that are served.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

impl Manual {
    /// Writes them.
    pub fn run(self) -> Result<()> {
        for program in [divita::command_line::command(), crate::Cli::command()] {
            let folder = self.folder.join("man");
            make(&folder)?;
            clap_mangen::generate_to(program.clone(), &folder).with_context(|| cannot_write(&folder))?;
            self.completions(program)?;
        }
        Ok(())
    }

    fn completions(&self, mut program: Command) -> Result<()> {
        let name = program.get_name().to_owned();
        for shell in SHELLS {
            let folder = self.folder.join("completions").join(shell.to_string());
            make(&folder)?;
            clap_complete::generate_to(shell, &mut program, &name, &folder).with_context(|| cannot_write(&folder))?;
        }
        Ok(())
    }
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| cannot_write(folder))
}

fn cannot_write(folder: &Path) -> String {
    format!("cannot write into {}", folder.display())
}
