//! Which bundle to run: the one that was asked for, or the first of the usual places that has one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use divita_runtime::bundle::{Bundle, MANIFEST_FILE};

/// The bundle that ships, from the root of the project.
const SHIPPED: &str = "models/bundles/demo";

/// Where an installed program finds its bundle, from the folder of the program.
const INSTALLED: &str = "../share/divita/bundles/demo";

/// Where it is installed on this system, for a program that lies elsewhere or cannot know where it lies (without /proc).
const OF_THE_SYSTEM: [&str; 2] = ["/usr/local/share/divita/bundles/demo", "/usr/share/divita/bundles/demo"];

/// The option that chooses the bundle.
#[derive(Args)]
pub struct BundleOption {
    /// Bundle of networks: a folder or tar that `divita-models build` wrote. Without it, the first of
    /// `models/bundles/demo`, the one installed beside the program and the system's in /usr/share/divita/bundles
    #[arg(long, value_name = "DIR", env = "DIVITA_BUNDLE")]
    bundle: Option<PathBuf>,
}

impl BundleOption {
    /// Opens and checks the bundle, warns where it is untrained, and says what it wants to be said.
    pub fn open(&self) -> Result<Bundle> {
        let bundle = open_bundle(&self.path()?)?;
        let (name, notice) = (&bundle.manifest().name, &bundle.manifest().notice);
        if !bundle.manifest().trained {
            divita_console::say(format_args!(
                "warning: the bundle {name:?} is untrained (its weights are seeded): the probabilities mean nothing"
            ));
        }
        if let Some(notice) = notice {
            divita_console::say(format_args!("bundle {name:?}: {notice}"));
        }
        Ok(bundle)
    }

    /// Where the bundle is.
    pub fn path(&self) -> Result<PathBuf> {
        if let Some(path) = &self.bundle {
            return Ok(path.clone());
        }
        let program = std::env::current_exe().ok();
        let installed = program.as_deref().and_then(Path::parent).map(|folder| folder.join(INSTALLED));
        let mut places =
            [Some(PathBuf::from(SHIPPED)), installed].into_iter().flatten().chain(OF_THE_SYSTEM.map(Into::into));
        match places.find(|place| place.join(MANIFEST_FILE).is_file()) {
            Some(place) => Ok(place),
            None => bail!(
                "no bundle found: there is no {SHIPPED} here and none is installed; name one with --bundle, or make one with \
                 `divita-models build`"
            ),
        }
    }
}

/// Opens and checks the bundle at `path`; errors name it.
pub fn open_bundle(path: &Path) -> Result<Bundle> {
    Bundle::open(path).with_context(|| format!("the bundle {} cannot be used", path.display()))
}
