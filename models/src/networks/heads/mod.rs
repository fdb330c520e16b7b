//! The table of heads.
//!
//! To add a head, write one file that exports a [`Head`] and add one line to [`HEADS`]. Every
//! command that reads or trains heads then knows its name.

mod cat;
mod conv;
mod ctt_mmc_a;
mod fastvideo;
mod gru;
mod mean;

use std::str::FromStr;

pub use cat::CAT;
pub use conv::CONV;
pub use ctt_mmc_a::CTT_MMC_A;
pub use fastvideo::FASTVIDEO;
pub use gru::GRU;
pub use mean::MEAN;

use super::head::Head;

/// Every head, in the order of help texts and errors.
pub const HEADS: [Head; 6] = [CAT, GRU, CONV, MEAN, CTT_MMC_A, FASTVIDEO];

impl Default for Head {
    /// Returns the paper's head.
    fn default() -> Head {
        CAT
    }
}

impl FromStr for Head {
    type Err = String;

    /// Finds the head by its name.
    fn from_str(name: &str) -> Result<Head, String> {
        let names = || HEADS.map(Head::name).join(", ");
        HEADS.into_iter().find(|head| head.name() == name).ok_or_else(|| format!("choose one of {}", names()))
    }
}
