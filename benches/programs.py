"""Builds the project's programs for the comparisons."""

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def build(features=()):
    """Builds the programs with `features`. Returns the folder that holds them."""
    manifest = ["--manifest-path", ROOT / "Cargo.toml"]
    wanted = ["--features", ",".join(features)] if features else []
    subprocess.run(["cargo", "build", "--release", "--workspace", "--bins", *wanted, *manifest], check=True)
    metadata = subprocess.run(["cargo", "metadata", "--no-deps", "--format-version", "1", *manifest], check=True, stdout=subprocess.PIPE)
    return Path(json.loads(metadata.stdout)["target_directory"]) / "release"
