//! Man pages and shell completions of both programs, as packages install them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;

/// Write the man pages and shell completions of divita and divita-models.
///
/// They are made from the parsers themselves. The programs carry no code for them.
#[derive(Args)]
pub struct Manual {
    /// Folder to write into, which is created. Man pages go to `man`, completions to `completions`
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Shells with completions.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

impl Manual {
    /// Writes the pages and completions.
    pub fn run(&self) -> Result<()> {
        for program in [divita::command_line::command(), divita_models::command_line::command()] {
            let folder = self.folder.join("man");
            create(&folder)?;
            clap_mangen::generate_to(program.clone(), &folder).with_context(|| cannot_write(&folder))?;
            self.write_completions(program)?;
        }
        Ok(())
    }

    fn write_completions(&self, mut program: Command) -> Result<()> {
        let name = program.get_name().to_owned();
        for shell in SHELLS {
            let folder = self.folder.join("completions").join(shell.to_string());
            create(&folder)?;
            clap_complete::generate_to(shell, &mut program, &name, &folder).with_context(|| cannot_write(&folder))?;
        }
        Ok(())
    }
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| cannot_write(folder))
}

fn cannot_write(folder: &Path) -> String {
    format!("cannot write into {}", folder.display())
}
