//! The model card: the README.md of a bundle.

use divita_runtime::bundle::Manifest;

/// The card of a bundle with seeded weights, Markdown.
pub(crate) fn text(manifest: &Manifest, seed: u64) -> String {
    let name = &manifest.name;
    let labels = manifest.labels.join(", ");
    let rates = manifest.working_rates.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let tool = &manifest.provenance.tool;
    let licence = &manifest.licence;
    format!(
        "# {name}

**The weights of this bundle are not trained.** They are random numbers drawn from seed {seed}. The probabilities that
come out have no meaning: they say nothing about any film. The bundle exists so that the program can be tried, tested
and timed from end to end with networks of the real size and cost, until a trained bundle takes its place.

| | |
|---|---|
| Architecture | `{architecture}`: ShuffleNet V2 x1.0 on the keyframe of each clip, 3D ShuffleNet V2 x1.0 on all its frames, a Clip Aggregation Transformer over {clips} clips for each; the two logit vectors are averaged |
| Labels | {labels} |
| Working rates | {rates} frames a second |
| Trained on | nothing |
| Quality | none: the output is noise by construction |
| Made by | {tool}, seed {seed} |
| Licence | {licence} |

The shot detector in `shots.safetensors` is the one thing in it that was trained, by `divita-models fit-shots` on videos cut together from real
footage.

`manifest.json` holds the preprocessing of each stream, the cost, and the size and SHA-256 of every file.
The same seed and tool version give the same networks, byte for byte, on every machine; the outputs in
`golden.safetensors` are those of the processor that it was built on.
",
        architecture = manifest.architecture,
        clips = manifest.snippet_clips,
    )
}
