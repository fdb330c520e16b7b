//! A line of coloured blocks: the shots of a film, each in the colour of its most probable genre.

use std::collections::BTreeMap;

use divita_console::printable;
use divita_runtime::bundle::Task;
use divita_runtime::event::{ClipGenres, Event, Probabilities};

/// Width of the line in characters.
const WIDTH: usize = 60;

/// Colours of the genres of most shots, of the palette of 256 colours. They are nearest to those of
/// Okabe and Ito, which people with any kind of colour vision can tell apart.
const COLOURS: [u8; 6] = [32, 166, 36, 214, 175, 74];

/// The shots of a film so far.
#[derive(Default)]
pub(super) struct ShotTimeline {
    /// Index, start and end in seconds of each shot.
    shots: Vec<(usize, f64, f64)>,
    /// The final probabilities of the clips of each shot.
    clips: BTreeMap<usize, Vec<Probabilities>>,
}

impl ShotTimeline {
    /// Adds the shot or the clips of an event. Ignores other events.
    pub(super) fn add(&mut self, event: &Event) {
        match event {
            Event::Shot { index, start_s, end_s, .. } => self.shots.push((*index, *start_s, *end_s)),
            Event::Snippet { clips, .. } => {
                for ClipGenres { shot, probabilities, .. } in clips {
                    self.clips.entry(*shot).or_default().extend(probabilities.clone());
                }
            }
            _ => {}
        }
    }

    /// Returns the line and its legend, with the colour codes of terminals. Neighbouring shots
    /// alternate between the upper and the lower half of the line. A dot is no shot. An empty text
    /// if no shot has genres.
    pub(super) fn draw(&self, duration_s: f64, task: Task) -> String {
        let leaders = self.leaders(task);
        let genres = self.genres(&leaders);
        if genres.is_empty() || duration_s <= 0.0 {
            return String::new();
        }
        let colour = |genre: &str| genres.iter().position(|(name, _)| *name == genre).and_then(|at| COLOURS.get(at));
        let paint = |text: &str, colour: Option<&u8>| match colour {
            Some(colour) => format!("\x1b[38;5;{colour}m{text}\x1b[0m"),
            None => text.to_owned(),
        };
        let mut line = String::from("  ");
        for column in 0..WIDTH {
            let at_s = (column as f64 + 0.5) / WIDTH as f64 * duration_s;
            let found = self.shots.iter().find(|(_, start_s, end_s)| (*start_s..*end_s).contains(&at_s));
            line += &match found {
                Some((shot, ..)) => {
                    let block = if shot % 2 == 0 { "▀" } else { "▄" };
                    paint(block, leaders.get(shot).and_then(|genre| colour(genre)))
                }
                None => "·".to_owned(),
            };
        }
        let entry = |(name, _): &(&str, f64)| format!("{} {}", paint("■", colour(name)), printable(name));
        let legend: Vec<String> = genres.iter().take(COLOURS.len()).map(entry).collect();
        format!("{line}\n  {}\n", legend.join("  "))
    }

    /// Returns the most probable genre of each shot with clips.
    fn leaders(&self, task: Task) -> BTreeMap<usize, String> {
        let leader = |(&shot, clips): (&usize, &Vec<Probabilities>)| {
            let mean = Probabilities::mean(clips, task)?;
            mean.ranked().first().map(|(label, _)| (shot, (*label).to_owned()))
        };
        self.clips.iter().filter_map(leader).collect()
    }

    /// Returns the most probable genres of the shots, and how many seconds of shots each has, the
    /// most seconds first.
    fn genres<'a>(&self, leaders: &'a BTreeMap<usize, String>) -> Vec<(&'a str, f64)> {
        let mut genres: Vec<(&str, f64)> = Vec::new();
        for (shot, start_s, end_s) in &self.shots {
            let Some(genre) = leaders.get(shot) else { continue };
            match genres.iter_mut().find(|(name, _)| name == genre) {
                Some((_, seconds)) => *seconds += end_s - start_s,
                None => genres.push((genre, end_s - start_s)),
            }
        }
        genres.sort_by(|a, b| b.1.total_cmp(&a.1));
        genres
    }
}
