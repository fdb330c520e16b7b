//! `divita-models unpack`: unpacks and verifies published stores.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use crate::representations::{
    SourceMark, Store,
    published_stores::{self, PUBLISHED_STORES, RECORD, TABLE, TABLE_MD5},
    unpack, unpacked_path,
};
use anyhow::{Context, bail};
use clap::Args;

/// Unpack archives of representations and verify them
///
/// Unpacks each ARCHIVE (NAME.zarr.tar.gz) to the folder NAME.zarr, which appears complete or not
/// at all. An archive with the name of a published one must have the published MD5. The folder
/// records what was verified, for `train` and `build`. Archives that are already unpacked are
/// skipped.
///
/// `train`, `distill` and `reproduce` unpack archives themselves, beside the archive. Use this
/// command to unpack elsewhere, or to accept an archive with another MD5.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    divita-models unpack downloads/*.zarr.tar.gz --output trailers12k\n  \
    divita-models unpack --list > MD5SUMS")]
pub struct Unpack {
    /// Archives
    #[arg(value_name = "ARCHIVE", required_unless_present = "list")]
    archives: Vec<PathBuf>,
    /// Folder for the stores [default: the folder of each archive]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// MD5 that the archive must have instead of the published one. Every result then states that
    /// the data is not the published data
    #[arg(long, value_name = "SUM", value_parser = md5)]
    md5: Option<String>,
    /// List the published files and their MD5 in the format of `md5sum`, then exit
    #[arg(long)]
    list: bool,
}

/// Parses an MD5 and converts it to lower case.
fn md5(text: &str) -> Result<String, String> {
    let is_sum = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_sum { Ok(text.to_lowercase()) } else { Err("give 32 hexadecimal digits".to_owned()) }
}

impl Unpack {
    /// Unpacks the archives, or prints the list.
    pub fn run(self) -> anyhow::Result<()> {
        if self.list {
            return list();
        }
        if self.md5.is_some() && self.archives.len() > 1 {
            bail!("--md5 applies to one archive: give one ARCHIVE");
        }
        for archive in &self.archives {
            self.unpack(archive)?;
        }
        Ok(())
    }

    fn unpack(&self, archive: &Path) -> anyhow::Result<()> {
        let Some(beside) = unpacked_path(archive) else {
            bail!("{} is not an archive of a store: its name must end with .zarr.tar.gz", archive.display());
        };
        let store = match &self.output {
            Some(folder) => folder.join(beside.file_name().unwrap_or_default()),
            None => beside,
        };
        if store.is_dir() {
            Store::open(&store)?;
            return check_mark(&store, archive, self.md5.as_deref());
        }
        if let Some(folder) = &self.output {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        unpack(archive, &store, self.md5.as_deref())?;
        Ok(())
    }
}

/// Returns whether a store that is there already was unpacked from an archive with the sum that is
/// asked for, or the published one.
fn check_mark(store: &Path, archive: &Path, md5: Option<&str>) -> anyhow::Result<()> {
    let published = published_stores::at_path(archive).map(|published| published.md5);
    let Some(wanted) = md5.or(published) else {
        log::info!("{} is already unpacked", store.display());
        return Ok(());
    };
    match SourceMark::read(store) {
        Some(mark) if mark.md5 == wanted => log::info!("{} is already unpacked and verified", store.display()),
        Some(mark) => bail!(
            "{} was unpacked from an archive with MD5 {}, not {wanted}: remove it to unpack this one",
            store.display(),
            mark.md5
        ),
        None => log::warn!("{} was not unpacked by this program: its bytes are not verified", store.display()),
    }
    Ok(())
}

fn list() -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    log::info!("published at {RECORD}");
    writeln!(out, "{TABLE_MD5}  {TABLE}")?;
    for published in PUBLISHED_STORES {
        writeln!(out, "{}  {}", published.md5, published.archive())?;
    }
    Ok(())
}
