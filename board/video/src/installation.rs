//! How the program was installed, so that a hint names something that works on this machine.

use std::path::Path;

/// Folders that packages install programs into.
const OF_PACKAGES: [&str; 3] = ["/usr/bin", "/bin", "/opt"];

/// Returns how to get a program with `feature` of `package`, as an imperative.
#[must_use]
pub fn how_to_get(package: &str, feature: &str) -> String {
    let program = std::env::current_exe().ok();
    hint(program.as_deref(), package, feature)
}

fn hint(program: Option<&Path>, package: &str, feature: &str) -> String {
    let is_packaged = program.is_some_and(|program| OF_PACKAGES.iter().any(|folder| program.starts_with(folder)));
    match is_packaged {
        true => format!(
            "the installed package was built without the feature {package}/{feature}: install a package that has it, or \
             build divita from its sources"
        ),
        false => format!("build it in: cargo build --release --features {package}/{feature}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_program_of_a_checkout_is_told_to_build() {
        let of = |program: &str| hint(Some(Path::new(program)), "divita", "gstreamer");
        assert!(of("/usr/bin/divita").contains("installed package") && !of("/usr/bin/divita").contains("cargo"));
        for own in ["/home/me/divita/target/release/divita", "/usr/local/src/divita/target/release/divita"] {
            assert!(of(own).ends_with("cargo build --release --features divita/gstreamer"), "{}", of(own));
        }
    }
}
