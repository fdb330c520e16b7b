//! The last ten minutes of a source: its genre probabilities and its latest shots.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};

/// Minutes of probabilities, in milliseconds.
const KEPT_MS: i64 = 10 * 60 * 1000;

/// Minimum time between two points in milliseconds. A point that is nearer to the one before it
/// gives way to the next.
const STEP_MS: i64 = 1000;

/// Number of shots kept.
const SHOTS: usize = 20;

/// The last ten minutes of a source.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    points: VecDeque<Point>,
    shots: VecDeque<Value>,
}

/// Probabilities after a clip.
#[derive(Clone, Debug)]
struct Point {
    /// Milliseconds since 1970.
    at: i64,
    /// A probability for each label of the bundle, in its order.
    values: Vec<f32>,
}

impl History {
    /// Adds the probabilities `values` at the time `now`.
    pub fn add(&mut self, now: Timestamp, values: &[f32]) {
        let at = now.as_millisecond();
        // The clock may have been set back.
        self.points.retain(|point| point.at > at - KEPT_MS && point.at <= at);
        let before = self.points.len().checked_sub(2).and_then(|index| self.points.get(index));
        if let (Some(before), Some(latest)) = (before, self.points.back())
            && latest.at - before.at < STEP_MS
        {
            self.points.pop_back();
        }
        self.points.push_back(Point { at, values: values.to_vec() });
    }

    /// Adds a shot, as the record of its event.
    pub fn add_shot(&mut self, record: Value) {
        if self.shots.len() == SHOTS {
            self.shots.pop_front();
        }
        self.shots.push_back(record);
    }

    /// Returns JSON: `labels`, the points as arrays of time and probabilities, the shots.
    pub fn json(&self, labels: &[String]) -> Value {
        let point = |point: &Point| -> Value {
            let values = point.values.iter().map(|value| json!((f64::from(*value) * 1e4).round() / 1e4));
            std::iter::once(json!(point.at)).chain(values).collect()
        };
        json!({
            "genres": labels,
            "points": self.points.iter().map(point).collect::<Vec<_>>(),
            "shots": self.shots,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(history: &History) -> Vec<i64> {
        history.points.iter().map(|point| point.at).collect()
    }

    #[test]
    fn ten_minutes_are_kept_at_one_point_a_second() {
        let mut history = History::default();
        let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap();
        // Ten clips a second, as of a file.
        for number in 0..100 {
            history.add(at(100 * number), &[number as f32]);
        }
        assert_eq!(times(&history), [0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 9900]);
        for second in 10..2000 {
            history.add(at(1000 * second), &[0.25]);
        }
        let kept = times(&history);
        assert_eq!((kept.len(), kept[0], kept[599]), (600, 1_400_000, 1_999_000));
        // The clock is set back by minutes, then by half an hour: the points in its future go.
        history.add(at(1_700_500), &[0.25]);
        history.add(at(1_701_500), &[0.25]);
        let kept = times(&history);
        assert_eq!(
            (kept.len(), kept[0], kept[299..].to_vec()),
            (302, 1_400_000, vec![1_699_000, 1_700_000, 1_701_500])
        );
        history.add(at(5000), &[0.5]);
        assert_eq!(times(&history), [5000]);
        for index in 0..30 {
            history.add_shot(json!({ "index": index }));
        }
        let text = history.json(&["comedy".into()]);
        assert_eq!(text["points"], json!([[5000, 0.5]]));
        assert_eq!((&text["genres"], &text["shots"][0]["index"]), (&json!(["comedy"]), &json!(10)));
        assert_eq!(text["shots"].as_array().unwrap().len(), 20);
    }
}
