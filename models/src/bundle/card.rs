//! The model card: the README.md of a bundle.

use divita_runtime::bundle::{Manifest, Stream, Task};

use super::{contents::Contents, rate_cost};

/// Formats the card of a bundle as Markdown.
pub(crate) fn text(manifest: &Manifest, contents: &Contents) -> String {
    let streams = &manifest.streams;
    let stream = |name: &str, backbone: &str, stream: &Option<Stream>| {
        stream.as_ref().map(|stream| {
            format!(
                "{name} stream: {backbone}, and a head over {} clips, {} parameters",
                manifest.snippet_clips, stream.parameters
            )
        })
    };
    let backbone = |at: usize| contents.streams.get(at).map_or("", |stream| stream.backbone.name());
    let last = contents.streams.len() - 1;
    let described = [
        stream("image", &format!("`{}` on the keyframe of each clip", backbone(0)), &streams.image),
        stream("video", &format!("`{}` on all its frames", backbone(last)), &streams.video),
    ];
    let mut described: Vec<String> = described.into_iter().flatten().collect();
    if described.len() > 1 {
        described.push("the logits are averaged".to_owned());
    }
    let listed = |rates: &[u32]| rates.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let rates = listed(&manifest.working_rates);
    let tried = match &contents.trained_at[..] {
        [] => String::new(),
        trained if trained == manifest.working_rates => String::new(),
        trained => format!("; trained at {}, the others are untried", listed(trained)),
    };
    let one = match manifest.task {
        Task::MultiLabel => "",
        Task::SingleLabel => "; a video has exactly one: probabilities are a softmax and sum to 1",
    };
    let mut rows = vec![
        ("Architecture".to_owned(), format!("`{}`; {}", manifest.architecture, described.join("; "))),
        ("Labels".to_owned(), format!("{}{one}", manifest.labels.join(", "))),
        ("Working rates".to_owned(), format!("{rates} frames a second{tried}")),
    ];
    for (name, stream) in [("image", &streams.image), ("video", &streams.video)] {
        rows.extend(stream.as_ref().map(|stream| (format!("Preprocessing, {name}"), stream.input.to_string())));
    }
    if contents.trained_at == [rate_cost::TRAINED_AT] {
        rows.extend(rate_cost::describe(contents).map(|cost| ("Cost of lower rates".to_owned(), cost)));
    }
    rows.extend(contents.facts.iter().cloned());
    rows.extend(manifest.metrics.iter().map(|(name, value)| (name.clone(), format!("{value:.4}"))));
    rows.push(("Made by".to_owned(), manifest.provenance.tool.clone()));
    rows.push(("Licence".to_owned(), manifest.licence.clone()));
    let rows: String = rows.iter().map(|(name, fact)| format!("| {name} | {fact} |\n")).collect();
    let notice =
        manifest.notice.as_ref().map(|notice| format!("Shown with every result: **{notice}**\n\n")).unwrap_or_default();
    format!(
        "# {name}

{notice}{about}

| | |
|---|---|
{rows}
The shot detector in `shots.safetensors` was trained by `divita-models fit-shots` on videos cut together from real footage.

`manifest.json` holds the preprocessing of each stream, the cost, and the size and SHA-256 of every file. The outputs in
`golden.safetensors` are those of the processor that it was built on; everything else is the same, byte for byte, wherever it is built.
",
        name = manifest.name,
        about = contents.about,
    )
}
