//! The plot of a training run as SVG: losses at the top; muAP, and top-1 accuracy for single-label
//! tasks, at the bottom.

use divita_plot::{Anchor, Area, COLOURS, Page, Scale, round_step};

use super::epoch::Epoch;

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

/// Returns the plot of these epochs.
#[must_use]
pub fn svg(epochs: &[Epoch]) -> String {
    let line = |name, colour, value: fn(&Epoch) -> Option<f64>| Line {
        name,
        colour,
        values: epochs.iter().map(value).map(|value| value.filter(|value| value.is_finite())).collect(),
    };
    let losses = [
        line("training", COLOURS[0], |epoch| Some(epoch.train_loss)),
        line("validation", COLOURS[1], |epoch| Some(epoch.validation_loss)),
    ];
    let areas = line("muAP", COLOURS[2], |epoch| epoch.areas.mu_ap.map(|area| 100.0 * area));
    let top_1 = line("top-1", COLOURS[4], |epoch| epoch.areas.top_1.map(|share| 100.0 * share));
    let (loss, measure, measures) = match top_1.values.iter().any(Option::is_some) {
        true => ("cross entropy", "validation top-1 and muAP, %", vec![top_1, areas]),
        false => ("binary cross entropy", "validation muAP, %", vec![areas]),
    };
    let best = epochs.iter().rposition(|epoch| epoch.best);
    let mut page = Page::new(WIDTH);
    panel(&mut page, 0.0, loss, &losses, best);
    panel(&mut page, HEIGHT, measure, &measures, best);
    page.finish(2.0 * HEIGHT)
}

fn panel(page: &mut Page, top: f64, title: &str, lines: &[Line], best: Option<usize>) {
    let values = || lines.iter().flat_map(|line| &line.values).flatten();
    let (low, high) =
        values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    let scale = Scale::linear(low, high, 4);
    let epochs = lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
    let area = Area { left: LEFT, top: top + TOP, width: WIDTH - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM };
    let x = |epoch: usize| area.left + area.width * epoch as f64 / (epochs.max(2) - 1) as f64;
    let y = |value: f64| area.bottom() - area.height * scale.share(value);
    page.heading((LEFT, top + 20.0), title);
    page.horizontal_grid(area, &scale);
    let every = (round_step(epochs as f64 / 8.0).max(1.0)) as usize;
    for epoch in (0..epochs).filter(|epoch| (epoch + 1) % every == 0 || *epoch == 0) {
        page.text((x(epoch), area.bottom() + 16.0), Anchor::Middle, &(epoch + 1).to_string());
    }
    page.text((area.left + area.width / 2.0, top + HEIGHT - 6.0), Anchor::Middle, "epoch");
    if let Some(best) = best {
        page.line((x(best), area.top), (x(best), area.bottom()), "stroke=\"#999\" stroke-dasharray=\"4 3\"");
    }
    for (at, Line { name, colour, values }) in lines.iter().enumerate() {
        let points = values.iter().enumerate().filter_map(|(epoch, value)| Some((x(epoch), y((*value)?))));
        page.polyline(&points.collect::<Vec<_>>(), colour);
        // A single epoch is no line.
        if let Some(&value) = values.last().and_then(Option::as_ref) {
            let tip = format!("{name}: {value:.4}");
            page.circle((x(values.len() - 1), y(value)), 2.5, &format!("fill=\"{colour}\""), &tip);
        }
        let place = (area.right() + 12.0, area.top + 14.0 + 18.0 * at as f64);
        page.styled_text(place, Anchor::Start, &format!("fill=\"{colour}\""), name);
    }
}
