//! Draws muAP against parameters and multiply-accumulates: the paper's Figure 10, with the paper's
//! points and ours.

use divita_plot::{Anchor, Area, COLOURS, Page, Scale, text_width};

use super::published_results::{Figure, Row, Setting};
use crate::networks::{Backbone, zoo::NETWORKS};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 400.0;
const TOP: f64 = 108.0;
const LEFT: f64 = 64.0;
const GAP: f64 = 64.0;
/// Radius of a point.
const RADIUS: f64 = 5.0;

/// A network of the figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Name, as the paper has it.
    pub name: String,
    /// The paper's point.
    pub paper: Place,
    /// Our point; none where the row was not trained.
    pub ours: Option<Place>,
}

/// A network's measure and costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// muAP in percent: mean and standard deviation.
    pub mu_ap: (f64, f64),
    /// Parameters in millions.
    pub parameters_m: f64,
    /// Multiply-accumulates of a snippet of 30 clips of 24 frames, thousand millions.
    pub macs_g: f64,
}

/// Frames of a clip that the paper's costs are for.
const CLIP_FRAMES: usize = 24;

impl Point {
    /// Returns the point of a row of Table 10, with `ours`, mean and standard deviation of muAP in
    /// percent; none for a row whose network has no published cost.
    #[must_use]
    pub fn new(row: &Row, ours: Option<Figure>) -> Option<Point> {
        let Setting::Heads(heads) = row.setting else { return None };
        let streams: Vec<Backbone> =
            [heads.image, heads.video].into_iter().flatten().map(|made| made.backbone).collect();
        let network = NETWORKS.iter().find(|network| network.streams == streams)?;
        let paper = network.paper?;
        let (parameters_m, macs_g) = (paper.parameters_m, paper.macs_g);
        let counted = |mu_ap| Place {
            mu_ap,
            parameters_m: network.parameters() as f64 / 1e6,
            macs_g: network.macs_per_snippet(CLIP_FRAMES) as f64 / 1e9,
        };
        let paper = Place { mu_ap: row.figures[0], parameters_m, macs_g };
        Some(Point { name: row.name.to_owned(), paper, ours: ours.map(counted) })
    }
}

/// Draws the figure.
#[must_use]
pub fn svg(points: &[Point]) -> String {
    let mut page = Page::new(WIDTH);
    page.styled_text((LEFT, 32.0), Anchor::Start, "font-size=\"18\" font-weight=\"bold\"", "muAP against cost");
    let about = "Bars are the standard deviation over the splits. Costs are of backbones and heads, per snippet of 30 \
        clips of 24 frames.";
    page.text((LEFT, 52.0), Anchor::Start, about);
    page.legend((LEFT, 76.0), &[("paper", COLOURS[0]), ("here", COLOURS[1])]);
    let places = || points.iter().flat_map(|point| std::iter::once(&point.paper).chain(&point.ours));
    let ends = places().flat_map(|place| [place.mu_ap.0 - place.mu_ap.1, place.mu_ap.0 + place.mu_ap.1]);
    let (low, high) = range(ends);
    let measure = Scale::linear(low, high, 6);
    let (_, most) = range(places().map(|place| place.parameters_m));
    let (least, most_macs) = range(places().map(|place| place.macs_g));
    let width = (WIDTH - LEFT - GAP - 40.0) / 2.0;
    let left = Area { left: LEFT, top: TOP, width, height: HEIGHT };
    let right = Area { left: LEFT + width + GAP, ..left };
    let parameters = Scale::linear(0.0, most, 6);
    panel(&mut page, left, "parameters, millions", points, [&parameters, &measure], |place| place.parameters_m);
    let macs = Scale::logarithmic(least, most_macs);
    let axis = "multiply-accumulates per snippet, thousand millions (logarithmic)";
    panel(&mut page, right, axis, points, [&macs, &measure], |place| place.macs_g);
    page.text((LEFT, TOP - 6.0), Anchor::Start, "muAP, %");
    page.finish(TOP + HEIGHT + 56.0)
}

/// Returns the smallest and the largest of `values`.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// Draws the points over one cost.
fn panel(
    page: &mut Page,
    area: Area,
    axis: &str,
    points: &[Point],
    [across, up]: [&Scale; 2],
    cost: impl Fn(&Place) -> f64,
) {
    page.horizontal_grid(area, up);
    page.vertical_grid(area, across);
    page.text((area.left + area.width / 2.0, area.bottom() + 38.0), Anchor::Middle, axis);
    let spot = |place: &Place| {
        let y = |value: f64| area.bottom() - area.height * up.share(value);
        let (mean, deviation) = place.mu_ap;
        let x = area.left + area.width * across.share(cost(place));
        (x, y(mean), [y(mean - deviation), y(mean + deviation)])
    };
    for Point { name, paper, ours } in points {
        for (place, colour, whose) in [(Some(paper), COLOURS[0], "paper"), (ours.as_ref(), COLOURS[1], "here")] {
            let Some(place) = place else { continue };
            let (x, y, [low, high]) = spot(place);
            page.line((x, low), (x, high), &format!("stroke=\"{colour}\" stroke-width=\"1.5\" opacity=\"0.6\""));
            let (mean, deviation) = place.mu_ap;
            let tip = format!("{name}, {whose}: muAP {mean:.2} ± {deviation:.2}, {:.1}", cost(place));
            page.circle((x, y), RADIUS, &format!("fill=\"{colour}\" stroke=\"white\""), &tip);
        }
    }
    label(page, area, points, spot);
}

/// Writes the name of each network beside its point of the paper, to the side and at the height
/// where no other name is.
fn label(page: &mut Page, area: Area, points: &[Point], spot: impl Fn(&Place) -> (f64, f64, [f64; 2])) {
    let mut written: Vec<Area> = Vec::new();
    let places = points.iter().flat_map(|point| std::iter::once(&point.paper).chain(&point.ours));
    let spots: Vec<(f64, f64)> = places.map(&spot).map(|(x, y, _)| (x, y)).collect();
    for point in points {
        let (x, y, _) = spot(&point.paper);
        let width = text_width(&point.name);
        let at = |dx: f64, dy: f64| Area {
            left: if dx > 0.0 { x + dx } else { x + dx - width },
            top: y + dy - 10.0,
            width,
            height: 13.0,
        };
        let overlaps = |one: &Area| {
            one.left < area.left
                || one.right() > area.right() + 30.0
                || written.iter().any(|other| {
                    one.left < other.right()
                        && other.left < one.right()
                        && one.top < other.bottom()
                        && other.top < one.bottom()
                })
                || spots.iter().any(|&(x, y)| {
                    x + RADIUS > one.left
                        && x - RADIUS < one.right()
                        && y + RADIUS > one.top
                        && y - RADIUS < one.bottom()
                })
        };
        let tried = [4.0, -10.0, 18.0, -24.0, 32.0].into_iter().flat_map(|dy| [at(9.0, dy), at(-9.0, dy)]);
        let place = tried.into_iter().find(|one| !overlaps(one)).unwrap_or(at(9.0, 4.0));
        page.text((place.left, place.top + 10.0), Anchor::Start, &point.name);
        written.push(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::published_results::ROWS;

    #[test]
    fn the_points_of_table_10_are_those_of_the_figure() {
        let rows = ROWS.iter().filter(|row| row.table == 10);
        let points: Vec<Point> = rows.filter_map(|row| Point::new(row, Some((50.0, 1.0)))).collect();
        assert_eq!(points.len(), 8);
        let fusion = points.iter().find(|point| point.name == "ShuffleNet-F").unwrap();
        assert_eq!(fusion.paper, Place { mu_ap: (72.11, 0.56), parameters_m: 3.3, macs_g: 12.9 });
        let ours = fusion.ours.unwrap();
        assert!((ours.parameters_m - 3.35).abs() < 0.01 && (ours.macs_g - 12.93).abs() < 0.05, "{ours:?}");
    }

    #[test]
    fn every_network_has_a_point_in_both_panels_where_it_belongs() {
        let place = |mu_ap, parameters_m, macs_g| Place { mu_ap: (mu_ap, 0.5), parameters_m, macs_g };
        let points = [
            Point { name: "small".to_owned(), paper: place(70.0, 1.7, 4.3), ours: None },
            Point { name: "large".to_owned(), paper: place(75.0, 55.6, 1946.1), ours: Some(place(74.0, 55.0, 1950.0)) },
        ];
        let svg = svg(&points);
        assert_eq!(svg.matches("<circle").count(), 2 * 3);
        assert_eq!(svg.matches(">small</text>").count(), 2);
        for words in ["small, paper: muAP 70.00 ± 0.50, 1.7", "large, here: muAP 74.00 ± 0.50, 1950.0", ">1000</text>"]
        {
            assert!(svg.contains(words), "{words:?} is not in {svg}");
        }
        // More costs more to the right, better is higher.
        let circle = |tip: &str| {
            let line = svg.lines().find(|line| line.contains(tip)).unwrap();
            let number = |name: &str| {
                line.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap()
            };
            (number("cx"), number("cy"))
        };
        let (small, large) =
            (circle("small, paper: muAP 70.00 ± 0.50, 1.7"), circle("large, paper: muAP 75.00 ± 0.50, 55.6"));
        assert!(small.0 < large.0 && small.1 > large.1);
    }
}
