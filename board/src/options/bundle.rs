//! The option that chooses the bundle: one that the user names, an installed one, or the built-in
//! one.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use divita_console::{printable, say};
use divita_runtime::bundle::{Bundle, FileEntry, MANIFEST_FILE};

/// The demo bundle in a checkout of the project.
const SHIPPED: &str = "models/bundles/demo";

/// The bundle of an installed program, from the folder of the program.
const INSTALLED: &str = "../share/divita/bundles/demo";

/// Bundles installed on the system, for a program that lies elsewhere or cannot know where it lies
/// (without /proc).
const SYSTEM: [&str; 2] = ["/usr/local/share/divita/bundles/demo", "/usr/share/divita/bundles/demo"];

/// The option that chooses the bundle.
#[derive(Args)]
pub struct BundleOption {
    /// Bundle of networks: a folder or tar that `divita-models build` wrote [default: the first of
    /// `models/bundles/demo`, the one installed beside the program, the system's in
    /// /usr/share/divita/bundles and the built-in demo bundle]
    #[arg(long, value_name = "DIR", env = "DIVITA_BUNDLE")]
    bundle: Option<PathBuf>,
}

/// Where a bundle is.
#[derive(Clone, Debug)]
pub enum BundlePlace {
    /// A folder or a tar.
    Path(PathBuf),
    /// Inside the program.
    #[cfg(feature = "demo-bundle")]
    BuiltIn,
}

impl BundleOption {
    /// Opens and checks the bundle. Prints its notice, and a warning if it is untrained.
    ///
    /// # Errors
    /// When there is no bundle or it cannot be used.
    pub fn open(&self) -> Result<Bundle> {
        let bundle = self.place()?.open()?;
        let (name, notice) = (&bundle.manifest().name, &bundle.manifest().notice);
        if !bundle.manifest().trained {
            say(format_args!(
                "warning: the bundle {name:?} is untrained (its weights are seeded): the probabilities mean nothing"
            ));
        }
        if let Some(notice) = notice {
            say(format_args!("bundle {name:?}: {notice}"));
        }
        Ok(bundle)
    }

    /// Finds the bundle.
    ///
    /// # Errors
    /// When there is none.
    pub fn place(&self) -> Result<BundlePlace> {
        if let Some(path) = &self.bundle {
            return Ok(BundlePlace::Path(path.clone()));
        }
        let program = std::env::current_exe().ok();
        let installed = program.as_deref().and_then(Path::parent).map(|folder| folder.join(INSTALLED));
        let mut paths = [Some(PathBuf::from(SHIPPED)), installed].into_iter().flatten().chain(SYSTEM.map(Into::into));
        if let Some(path) = paths.find(|path| path.join(MANIFEST_FILE).is_file()) {
            return Ok(BundlePlace::Path(path));
        }
        #[cfg(feature = "demo-bundle")]
        return Ok(BundlePlace::BuiltIn);
        #[cfg(not(feature = "demo-bundle"))]
        anyhow::bail!(
            "no bundle found: there is no {SHIPPED} here and none is installed; name one with --bundle, or make one with \
             `divita-models build`"
        )
    }
}

impl BundlePlace {
    /// Opens and checks the bundle.
    ///
    /// # Errors
    /// When it cannot be used; the message names the place.
    pub fn open(&self) -> Result<Bundle> {
        let bundle = match self {
            BundlePlace::Path(path) => Bundle::open(path),
            #[cfg(feature = "demo-bundle")]
            BundlePlace::BuiltIn => {
                Bundle::from_files("the built-in demo bundle", divita_demo_bundle::FILES.iter().copied())
            }
        };
        bundle.with_context(|| format!("the bundle {self} cannot be used"))
    }
}

impl fmt::Display for BundlePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BundlePlace::Path(path) => f.write_str(&printable(&path.display().to_string())),
            #[cfg(feature = "demo-bundle")]
            BundlePlace::BuiltIn => f.write_str("built into the program"),
        }
    }
}

/// Returns the name of `bundle` and the start of its manifest's sum, which covers every file.
#[must_use]
pub fn bundle_identity(bundle: &Bundle) -> String {
    // A manifest that was read can be written.
    let manifest = serde_json::to_vec(bundle.manifest()).unwrap_or_default();
    format!("{}, {:.16}", bundle.manifest().name, FileEntry::from_data(&manifest).sha256)
}
