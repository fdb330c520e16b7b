//! Made films for tests and for the example: shots, clips, probabilities and JPEG keyframes.

use divita_report::{
    ActiveArea, Bundle, Clip, DroppedClip, FilmReport, GenreContributions, IndexEntry, Keyframe, LostPictures, Shot,
    ShotShare, Snippet, keyframe_size,
};
use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};

const LABELS: [&str; 10] =
    ["action", "adventure", "comedy", "crime", "drama", "fantasy", "horror", "romance", "science fiction", "thriller"];
const KINDS: [&str; 6] = ["cut", "cut", "cut", "gradual", "fade", "black"];

/// A generator of numbers that repeats itself on every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Returns a made film with this duration and number of shots, with a clip for each second.
pub fn film(name: &str, duration_s: f64, shots: usize) -> FilmReport {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let weights: Vec<f64> = (0..shots).map(|_| 0.25 + 3.0 * numbers.next().powi(3)).collect();
    let unit = duration_s / weights.iter().sum::<f64>();
    let (mut made, mut clips, mut start_s) = (Vec::new(), Vec::new(), 0.0);
    let mut mood = [0.0_f64; LABELS.len()];
    let size = keyframe_size(shots);
    for (index, weight) in weights.iter().enumerate() {
        let end_s = start_s + weight * unit;
        for (at, mood) in mood.iter_mut().enumerate() {
            let base = [-1.5, -2.0, -3.0, -0.4, 0.9, -3.5, -2.4, -2.2, -4.0, 0.1][at];
            *mood += 0.15 * (base - *mood) + 1.1 * (numbers.next() - 0.5);
        }
        let mut probabilities = |noise: f64| -> Vec<f32> {
            mood.iter().map(|logit| (1.0 / (1.0 + (-logit - noise * (numbers.next() - 0.5)).exp())) as f32).collect()
        };
        let of_shot = probabilities(0.0);
        let seconds = ((end_s - start_s).round() as usize).max(1);
        for second in 0..seconds {
            let time = |at: usize| start_s + (end_s - start_s) * at as f64 / seconds as f64;
            let (start_s, end_s) = (time(second), time(second + 1));
            clips.push(Clip { start_s, end_s, shot: index, probabilities: probabilities(1.5) });
        }
        let first_frame = (start_s * 24.0).round() as u64;
        made.push(Shot {
            index,
            start_s,
            end_s,
            kind: if index == 0 { "start" } else { KINDS[(numbers.next() * 6.0) as usize] }.to_owned(),
            first_frame,
            frames: ((end_s * 24.0).round() as u64).saturating_sub(first_frame),
            start_timecode: timecode(start_s),
            end_timecode: timecode(end_s),
            probabilities: Some(of_shot),
            active: (index % 40 < 30).then_some(ActiveArea { x: 0, y: 138, width: 1920, height: 804 }),
            keyframe: Some(keyframe(&mut numbers, size.width, size.quality)),
        });
        start_s = end_s;
    }
    let snippets = clips.chunks(30).map(|clips| Snippet {
        start_s: clips[0].start_s,
        end_s: clips[clips.len() - 1].end_s,
        probabilities: mean(clips),
    });
    let snippets: Vec<Snippet> = snippets.collect();
    let probabilities = mean(&clips);
    FilmReport {
        film: name.to_owned(),
        duration_s,
        frames: (duration_s * 24.0) as u64,
        frame_rate: Some(24.0),
        size: Some((1920, 1080)),
        working_rate: 4.0,
        segmentation: "shot".to_owned(),
        bundle: bundle(),
        command_line: format!("divita classify '{name}' --report report.html --fps 4"),
        version: "0.2.0".to_owned(),
        created: "2026-11-30 14:02 UTC".to_owned(),
        labels: LABELS.map(str::to_owned).to_vec(),
        probabilities,
        snippets,
        contributions: [4, 9, 3].map(|label| contributions(&made, label)).to_vec(),
        clips,
        shots: made,
        lost: vec![LostPictures { at_s: 0.62 * duration_s, end_s: 0.62 * duration_s + 0.458, frames: 11 }],
        dropped_clips: vec![DroppedClip { start_s: 0.3 * duration_s, end_s: 0.3 * duration_s + 1.0, shot: shots / 3 }],
        errors: Vec::new(),
        complete: false,
    }
}

/// Returns the entry of a film for an index.
#[allow(dead_code)]
pub fn entry(film: &FilmReport, page: &str) -> IndexEntry {
    let mut genres: Vec<(String, f32)> = film.labels.iter().cloned().zip(film.probabilities.iter().copied()).collect();
    genres.sort_by(|one, other| other.1.total_cmp(&one.1));
    IndexEntry {
        film: film.film.clone(),
        page: page.to_owned(),
        duration_s: film.duration_s,
        shots: film.shots.len(),
        genres,
        keyframe: film.shots.get(film.shots.len() / 2).and_then(|shot| shot.keyframe.clone()),
        bundle: film.bundle.clone(),
        errors: film.errors.clone(),
        complete: film.complete,
    }
}

fn bundle() -> Bundle {
    let facts = [
        ("Trained on", "1,200 synthetic trailers"),
        ("Classes", "10 genres"),
        ("Test muAP", "61.2% on synthetic trailers"),
        ("Intended use", "to try the program; its results say nothing of films"),
    ];
    Bundle {
        name: "demo".to_owned(),
        notice: Some("trained on synthetic trailers: it knows nothing of films".to_owned()),
        trained: true,
        task: "multi-label".to_owned(),
        architecture: "ShuffleNet V2 and ShuffleNet V2 3D, late fusion, 3.4 million parameters".to_owned(),
        card: facts.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        licence: Some("MIT OR Apache-2.0".to_owned()),
        provenance: Some("models/recipes/demo.sh, seed 1".to_owned()),
    }
}

fn mean(clips: &[Clip]) -> Vec<f32> {
    (0..LABELS.len())
        .map(|label| clips.iter().map(|clip| clip.probabilities[label]).sum::<f32>() / clips.len().max(1) as f32)
        .collect()
}

fn contributions(shots: &[Shot], label: usize) -> GenreContributions {
    let value = |shot: &Shot| shot.probabilities.as_ref().map_or(0.0, |all| all[label]);
    let mut order: Vec<&Shot> = shots.iter().collect();
    order.sort_by(|one, other| value(other).total_cmp(&value(one)));
    let share = |shot: &&Shot, sign: f32| ShotShare {
        shot: shot.index,
        logits: sign * (0.1 + (value(shot) - 0.5).abs() * 1.3),
    };
    GenreContributions {
        label,
        raising: order.iter().take(6).map(|shot| share(shot, 1.0)).collect(),
        lowering: order.iter().rev().take(3).map(|shot| share(shot, -1.0)).collect(),
    }
}

fn timecode(seconds: f64) -> String {
    let frames = (seconds * 24.0).round() as u64;
    format!("{:02}:{:02}:{:02}:{:02}", frames / 86_400, frames / 1_440 % 60, frames / 24 % 60, frames % 24)
}

/// Returns a made picture: sky, hills and a figure, with some grain.
fn keyframe(numbers: &mut Numbers, width: u32, quality: u8) -> Keyframe {
    let height = width * 9 / 16;
    let colours: Vec<[f64; 3]> =
        (0..3).map(|_| [numbers.next(), numbers.next(), numbers.next()].map(|one| 30.0 + 190.0 * one)).collect();
    let (horizon, wave, middle, light) =
        (0.4 + 0.4 * numbers.next(), 3.0 + 9.0 * numbers.next(), numbers.next(), 0.35 + 0.65 * numbers.next());
    let mut pixels = Vec::with_capacity((3 * width * height) as usize);
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
            let hill = horizon + 0.06 * (wave * u).sin() + 0.03 * (3.0 * wave * u).cos();
            let is_figure = ((u - middle) / 0.09).powi(2) + ((v - 0.7) / 0.28).powi(2) < 1.0;
            let colour = if is_figure { colours[2] } else { colours[usize::from(v > hill)] };
            let shade = light * (1.1 - 0.5 * (v - 0.3).abs()) + 0.08 * (numbers.next() - 0.5);
            pixels.extend(colour.map(|channel| (channel * shade).clamp(0.0, 255.0) as u8));
        }
    }
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, quality).encode(&pixels, width, height, ExtendedColorType::Rgb8).unwrap();
    Keyframe { jpeg, width, height }
}
