//! The option that limits the schemes of inputs.

use clap::Args;
use divita_video::AllowedSchemes;
use divita_video::schemes::parse_scheme;

/// The option that limits schemes.
#[derive(Args, Clone, Debug, Default)]
pub struct SchemesOption {
    /// Only open inputs with these schemes, such as `https` or `file,rtsp`; `file` stands for paths and `-` too. For programs that
    /// pass on inputs of other people [default: all]
    #[arg(long, value_name = "SCHEME,...", value_delimiter = ',', value_parser = parse_scheme)]
    schemes: Vec<String>,
}

impl SchemesOption {
    /// Returns the schemes that inputs may have.
    #[must_use]
    pub fn allowed(&self) -> AllowedSchemes {
        self.schemes.clone().into()
    }
}
