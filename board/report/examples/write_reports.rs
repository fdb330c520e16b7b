//! Writes reports of made films into a folder: `short.html`, `long.html` (two hours),
//! `hostile.html` and `index.html`. Prints their sizes and how long they took.
//!
//! `cargo run --release -p divita-report --example write_reports -- FOLDER`
#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use divita_report::{film_page, index_page};

#[path = "../tests/sample/mod.rs"]
mod sample;

fn main() {
    let folder = PathBuf::from(env::args_os().nth(1).unwrap_or_else(|| "reports".into()));
    fs::create_dir_all(&folder).unwrap();
    let short = sample::film("Sintel trailer (2010).mp4", 92.5, 31);
    let long = sample::film("The Long Afternoon – Director's Cut.mkv", 7_200.0, 2_200);
    let mut hostile = sample::film(&"<script>alert(1)</script>\"'&\u{202e}]]> ".repeat(300), 40.0, 12);
    hostile.labels.iter_mut().for_each(|label| *label = format!("<img src=x onerror=alert(1)> {}", label.repeat(9)));
    hostile.bundle.trained = false;
    hostile.bundle.notice = Some("</p><script>alert(2)</script> \u{202e}gnirts ".repeat(20));
    hostile.errors = vec!["could not read it: <b>broken</b> ]]> --> ".repeat(10)];
    hostile.clips[3].probabilities[0] = f32::NAN;
    hostile.probabilities[1] = f32::INFINITY;
    let films = [(&short, "short.html"), (&long, "long.html"), (&hostile, "hostile.html")];
    for (film, name) in films {
        write(&folder.join(name), || film_page(film).unwrap());
    }
    let entries = films.map(|(film, name)| sample::entry(film, name));
    write(&folder.join("index.html"), || index_page(&entries).unwrap());
}

/// Writes a page and prints its size and the shortest of three times.
fn write(path: &Path, make: impl Fn() -> String) {
    let (mut page, mut shortest) = (String::new(), f64::INFINITY);
    for _ in 0..3 {
        let begin = Instant::now();
        page = make();
        shortest = shortest.min(begin.elapsed().as_secs_f64());
    }
    println!("{}: {} bytes, {:.1} ms", path.display(), page.len(), 1000.0 * shortest);
    fs::write(path, page).unwrap();
}
