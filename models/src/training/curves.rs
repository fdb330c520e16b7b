//! The plot of a training run: losses above, muAP and, where there is one, top-1 accuracy below, over epochs. SVG.

use std::fmt::Write;

use super::Epoch;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 38.0;

/// A line of a panel: its name, its colour, a value each epoch where there is one.
struct Line {
    name: &'static str,
    colour: &'static str,
    values: Vec<Option<f64>>,
}

/// The plot of these epochs.
#[must_use]
pub fn svg(epochs: &[Epoch]) -> String {
    let line = |name, colour, value: fn(&Epoch) -> Option<f64>| Line {
        name,
        colour,
        values: epochs.iter().map(value).map(|value| value.filter(|value| value.is_finite())).collect(),
    };
    let losses = [
        line("training", "#1f77b4", |epoch| Some(epoch.train_loss)),
        line("validation", "#d62728", |epoch| Some(epoch.validation_loss)),
    ];
    let areas = line("muAP", "#2ca02c", |epoch| epoch.areas.mu_ap.map(|area| 100.0 * area));
    let top_1 = line("top-1", "#9467bd", |epoch| epoch.areas.top_1.map(|share| 100.0 * share));
    let (loss, measure, measures) = match top_1.values.iter().any(Option::is_some) {
        true => ("cross entropy", "validation top-1 and muAP, %", vec![top_1, areas]),
        false => ("binary cross entropy", "validation muAP, %", vec![areas]),
    };
    let best = epochs.iter().rposition(|epoch| epoch.best);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        2.0 * HEIGHT
    );
    panel(&mut out, 0.0, loss, &losses, best);
    panel(&mut out, HEIGHT, measure, &measures, best);
    out.push_str("</svg>\n");
    out
}

fn panel(out: &mut String, top: f64, title: &str, lines: &[Line], best: Option<usize>) {
    let values = || lines.iter().flat_map(|line| &line.values).flatten();
    let (low, high) =
        values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
    let step = step((high - low).max(1e-6) / 4.0);
    let (low, high) =
        ((low / step).floor() * step, ((high / step).ceil() * step).max((low / step).floor() * step + step));
    let epochs = lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
    let x = |epoch: usize| LEFT + (WIDTH - LEFT - RIGHT) * epoch as f64 / (epochs.max(2) - 1) as f64;
    let y = |value: f64| top + TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low);
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let mut put = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    put(format!("<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{title}</text>", top + 20.0));
    for tick in 0..=((high - low) / step).round() as usize {
        let value = low + tick as f64 * step;
        put(format!(
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.decimals$}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y(value) + 4.0,
            y = y(value)
        ));
    }
    let every = (self::step(epochs as f64 / 8.0).max(1.0)) as usize;
    for epoch in (0..epochs).filter(|epoch| (epoch + 1) % every == 0 || *epoch == 0) {
        let bottom = top + HEIGHT - BOTTOM;
        put(format!("<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>", x(epoch), bottom + 16.0, epoch + 1));
    }
    put(format!(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">epoch</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        top + HEIGHT - 6.0
    ));
    if let Some(best) = best {
        put(format!(
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{}\" y2=\"{}\" stroke=\"#999\" stroke-dasharray=\"4 3\"><title>best</title></line>",
            top + TOP,
            top + HEIGHT - BOTTOM,
            x = x(best)
        ));
    }
    for (at, Line { name, colour, values }) in lines.iter().enumerate() {
        let mut points = String::new();
        for (epoch, value) in values.iter().enumerate() {
            if let Some(value) = value {
                let _ = write!(points, "{:.1},{:.1} ", x(epoch), y(*value));
            }
        }
        put(format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
            points.trim_end()
        ));
        // A single epoch is no line.
        if let Some(&value) = values.last().and_then(Option::as_ref) {
            put(format!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\" fill=\"{colour}\"/>",
                x(values.len() - 1),
                y(value)
            ));
        }
        put(format!(
            "<text x=\"{}\" y=\"{}\" fill=\"{colour}\">{name}</text>",
            WIDTH - RIGHT + 12.0,
            top + TOP + 14.0 + 18.0 * at as f64
        ));
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn step(least: f64) -> f64 {
    let power = 10f64.powf(least.max(1e-12).log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| *step >= least).unwrap_or(10.0 * power)
}
