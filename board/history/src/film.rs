//! Records a film of a run: buffers its shots and clips, and writes them in one transaction.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::database::Database;
use crate::error::{Error, Result};
use crate::stored;

/// How often a live source is written. A kill loses at most the shots and clips of this time.
pub const LIVE_INTERVAL: Duration = Duration::from_secs(30);

/// Maximum number of clips, and of shots, that a live source buffers while the file cannot be
/// written. Beyond it, the oldest are dropped.
pub const LIVE_BUFFER: usize = 3600;

/// What is known when a film begins.
#[derive(Debug, Clone, PartialEq)]
pub struct FilmFacts {
    /// The name as the user wrote it, without credentials.
    pub name: String,
    /// Whether the source is endless: a camera or a stream.
    pub live: bool,
    /// The time at which reading began.
    pub started: Timestamp,
    /// Size of the file in bytes.
    pub size: Option<u64>,
    /// Width of the picture in pixels.
    pub width: Option<u32>,
    /// Height of the picture in pixels.
    pub height: Option<u32>,
    /// Frame rate of the file, in frames a second.
    pub frame_rate: Option<f64>,
}

impl FilmFacts {
    /// Creates the facts of a file of which only the name is known.
    #[must_use]
    pub fn new(name: &str, started: Timestamp) -> Self {
        let name = name.to_owned();
        Self { name, live: false, started, size: None, width: None, height: None, frame_rate: None }
    }

    /// Returns the facts with `live` set.
    #[must_use]
    pub fn with_live(self, live: bool) -> Self {
        Self { live, ..self }
    }
}

/// A shot, with the meanings of the event `shot`.
#[derive(Debug, Clone, PartialEq)]
pub struct ShotFacts<'a> {
    /// Position among the shots, from 0. Must grow.
    pub index: u32,
    /// Time of its first frame, in seconds.
    pub start_s: f64,
    /// Time of its end, in seconds.
    pub end_s: f64,
    /// How it began: `cut`, `fade` and so on.
    pub kind: String,
    /// Index of its first decoded frame.
    pub first_frame: u64,
    /// Number of its decoded frames.
    pub frames: u64,
    /// Time of the clock, only of live sources.
    pub time: Option<Timestamp>,
    /// The probabilities of the shot, in the order of the bundle's labels; empty without clips.
    pub probabilities: &'a [f32],
}

/// A clip, with the meanings of the events `clip` and `genres`.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipFacts<'a> {
    /// Position among the clips, from 0. Must grow.
    pub index: u32,
    /// Index of its shot.
    pub shot: u32,
    /// Time of its first frame, in seconds.
    pub start_s: f64,
    /// Time of its end, in seconds.
    pub end_s: f64,
    /// Time of its keyframe, in seconds.
    pub keyframe_s: f64,
    /// Number of black frames that fill its end.
    pub padded: u32,
    /// Time of the clock, only of live sources.
    pub time: Option<Timestamp>,
    /// The final probabilities of the clip, in the order of the bundle's labels; empty if the
    /// bundle gives none.
    pub probabilities: &'a [f32],
}

/// The result of a film, with the meanings of the event `result`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResultFacts<'a> {
    /// The probabilities in the order of the bundle's labels; empty without a bundle.
    pub probabilities: &'a [f32],
    /// Number of decoded frames.
    pub frames: u64,
    /// Number of snippets.
    pub snippets: u64,
    /// End of the last frame, in seconds.
    pub duration_s: f64,
    /// Working rate, in frames a second.
    pub fps: Option<f64>,
    /// `shot` or `seq`.
    pub segmentation: Option<&'a str>,
    /// `single-label`, if each input has exactly one label.
    pub task: Option<&'a str>,
    /// Whether the weights are trained; none without a bundle.
    pub trained: Option<bool>,
    /// What the bundle's author wants to be shown.
    pub notice: Option<&'a str>,
    /// Number of clips dropped because the board was too slow.
    pub dropped_clips: u64,
    /// Number of frames lost through damage.
    pub lost_frames: u64,
    /// Whether the whole input was read and no picture was lost.
    pub complete: bool,
}

/// A shot as the tables hold it.
#[derive(Debug)]
struct StoredShot {
    number: u32,
    start: i64,
    length: i64,
    kind: String,
    first_frame: i64,
    frames: i64,
    time: Option<i64>,
    /// In steps of 0.0001; none without clips.
    probabilities: Option<Vec<u16>>,
}

/// A clip as the tables hold it.
#[derive(Debug)]
struct StoredClip {
    number: u32,
    shot: u32,
    start: i64,
    length: i64,
    keyframe: i64,
    padded: u32,
    time: Option<i64>,
    probabilities: Vec<u8>,
}

/// The facts that are known when a film begins, as the tables hold them.
#[derive(Debug)]
struct StoredFilm {
    name: String,
    live: bool,
    started: i64,
    size: Option<i64>,
    width: Option<u32>,
    height: Option<u32>,
    frame_rate: Option<f64>,
}

/// A result as the tables hold it.
#[derive(Debug)]
struct StoredResult {
    probabilities: Vec<f64>,
    frames: i64,
    snippets: i64,
    duration: f64,
    fps: Option<f64>,
    segmentation: Option<String>,
    task: Option<String>,
    trained: Option<bool>,
    notice: Option<String>,
    dropped_clips: i64,
    lost_frames: i64,
    complete: bool,
}

/// A film that is being recorded.
///
/// A file is written whole by [`Film::finish`]: dropped or killed before, it leaves nothing. A live
/// source is written every [`LIVE_INTERVAL`], and stays marked as incomplete until
/// [`Film::finish`]. Memory: about 100 bytes a clip of a file.
#[derive(Debug)]
pub struct Film {
    database: Arc<Database>,
    run: i64,
    /// The genres of the labels.
    genres: Arc<[i64]>,
    facts: StoredFilm,
    /// The row of the film, once written.
    id: Option<i64>,
    shots: VecDeque<StoredShot>,
    clips: VecDeque<StoredClip>,
    next_shot: u32,
    next_clip: u32,
    /// Numbers of recorded shots and clips.
    recorded: (i64, i64),
    result: Option<StoredResult>,
    error: Option<String>,
    ended: bool,
    /// Time of the last write of a live source, also of one that failed.
    written: Instant,
}

impl Film {
    pub(crate) fn begin(database: Arc<Database>, run: i64, genres: Arc<[i64]>, facts: &FilmFacts) -> Result<Self> {
        let facts = StoredFilm {
            name: facts.name.clone(),
            live: facts.live,
            started: facts.started.as_millisecond(),
            size: facts.size.map(|size| stored::integer("a size", size)).transpose()?,
            width: facts.width,
            height: facts.height,
            frame_rate: facts.frame_rate.map(|rate| stored::finite("a frame rate", rate)).transpose()?,
        };
        Ok(Self {
            database,
            run,
            genres,
            facts,
            id: None,
            shots: VecDeque::new(),
            clips: VecDeque::new(),
            next_shot: 0,
            next_clip: 0,
            recorded: (0, 0),
            result: None,
            error: None,
            ended: false,
            written: Instant::now(),
        })
    }

    /// Sets the size of the picture and the frame rate, if they were unknown at the beginning.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Value`] for a frame rate that is not finite.
    pub fn picture(&mut self, width: u32, height: u32, frame_rate: Option<f64>) -> Result<()> {
        self.facts.frame_rate = frame_rate.map(|rate| stored::finite("a frame rate", rate)).transpose()?;
        (self.facts.width, self.facts.height) = (Some(width), Some(height));
        Ok(())
    }

    /// Records a clip.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Value`] for a fact that cannot be stored; the clip is left out. Of a live
    /// source, also the error of a write; the clip stays in the buffer for the next attempt.
    pub fn clip(&mut self, facts: &ClipFacts) -> Result<()> {
        self.check_open()?;
        let steps = self.steps(facts.probabilities)?;
        let start = stored::microseconds("the start of a clip", facts.start_s)?;
        let clip = StoredClip {
            number: facts.index,
            shot: facts.shot,
            start,
            length: stored::microseconds("the end of a clip", facts.end_s)? - start,
            keyframe: stored::microseconds("the keyframe of a clip", facts.keyframe_s)? - start,
            padded: facts.padded,
            time: facts.time.map(Timestamp::as_millisecond),
            probabilities: stored::to_bytes(&steps),
        };
        self.next_clip = following("the index of a clip", facts.index, self.next_clip)?;
        self.recorded.1 += 1;
        self.clips.push_back(clip);
        self.write_if_due()
    }

    /// Records a shot that ended.
    ///
    /// # Errors
    ///
    /// As [`Film::clip`].
    pub fn shot(&mut self, facts: &ShotFacts) -> Result<()> {
        self.check_open()?;
        let start = stored::microseconds("the start of a shot", facts.start_s)?;
        let steps = self.steps(facts.probabilities)?;
        let shot = StoredShot {
            number: facts.index,
            start,
            length: stored::microseconds("the end of a shot", facts.end_s)? - start,
            kind: facts.kind.clone(),
            first_frame: stored::integer("the first frame of a shot", facts.first_frame)?,
            frames: stored::integer("the frames of a shot", facts.frames)?,
            time: facts.time.map(Timestamp::as_millisecond),
            probabilities: (!steps.is_empty()).then_some(steps),
        };
        self.next_shot = following("the index of a shot", facts.index, self.next_shot)?;
        self.recorded.0 += 1;
        self.shots.push_back(shot);
        self.write_if_due()
    }

    /// Records the result. A later one replaces it.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Value`] for a fact that cannot be stored.
    pub fn result(&mut self, facts: &ResultFacts) -> Result<()> {
        self.check_open()?;
        self.check_count(facts.probabilities)?;
        let text = |text: Option<&str>| text.map(str::to_owned);
        self.result = Some(StoredResult {
            probabilities: facts.probabilities.iter().map(|one| stored::exact(*one)).collect::<Result<_>>()?,
            frames: stored::integer("the frames", facts.frames)?,
            snippets: stored::integer("the snippets", facts.snippets)?,
            duration: stored::finite("a duration", facts.duration_s)?,
            fps: facts.fps.map(|fps| stored::finite("a working rate", fps)).transpose()?,
            segmentation: text(facts.segmentation),
            task: text(facts.task),
            trained: facts.trained,
            notice: text(facts.notice),
            dropped_clips: stored::integer("the dropped clips", facts.dropped_clips)?,
            lost_frames: stored::integer("the lost frames", facts.lost_frames)?,
            complete: facts.complete,
        });
        Ok(())
    }

    /// Records that the input failed. `message` must be without credentials.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Ended`] after the end of the film.
    pub fn error(&mut self, message: &str) -> Result<()> {
        self.check_open()?;
        self.error = Some(message.to_owned());
        Ok(())
    }

    /// Writes what a live source has recorded so far, if [`LIVE_INTERVAL`] has passed.
    ///
    /// [`Film::clip`] and [`Film::shot`] do this themselves. Call it also while a source sends
    /// nothing.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written. The next attempt is after another
    /// [`LIVE_INTERVAL`].
    pub fn write_if_due(&mut self) -> Result<()> {
        if !self.facts.live || self.ended || self.written.elapsed() < LIVE_INTERVAL {
            return Ok(());
        }
        self.write_now()
    }

    /// Writes what a live source has recorded so far. Does nothing for a file.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written. Nothing is lost then, up to [`LIVE_BUFFER`].
    pub fn write_now(&mut self) -> Result<()> {
        if !self.facts.live || self.ended {
            return Ok(());
        }
        self.written = Instant::now();
        let written = self.write(false);
        if written.is_err() {
            self.clips.drain(..self.clips.len().saturating_sub(LIVE_BUFFER));
            self.shots.drain(..self.shots.len().saturating_sub(LIVE_BUFFER));
        }
        written
    }

    /// Writes the film in one transaction, and returns its number.
    ///
    /// Called again after an error, it tries again. Called again after success, it only returns
    /// the number.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written. Then nothing of a file is stored, and of a
    /// live source what was written before.
    pub fn finish(&mut self) -> Result<i64> {
        if !self.ended {
            self.write(true)?;
            self.ended = true;
        }
        self.id.ok_or(Error::Ended)
    }

    /// Writes the row, the result and the buffers.
    fn write(&mut self, ended: bool) -> Result<()> {
        let id = self.database.write(|connection| {
            let id = self.write_film(connection, ended)?;
            self.write_result(connection, id)?;
            self.write_shots(connection, id)?;
            self.write_clips(connection, id)?;
            Ok(id)
        })?;
        self.id = Some(id);
        self.shots.clear();
        self.clips.clear();
        Ok(())
    }

    fn write_film(&self, connection: &Connection, ended: bool) -> rusqlite::Result<i64> {
        let (facts, result) = (&self.facts, self.result.as_ref());
        // A row that another process has deleted meanwhile is made again.
        let row = "INSERT INTO film (id, run, name, live, state, started, size, width, height, frame_rate,
                       duration, frames, snippets, lost_frames, dropped_clips, fps, segmentation, task,
                       trained, notice, complete, error, shots, clips)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
                 ?20, ?21, ?22, ?23, ?24)
             ON CONFLICT (id) DO UPDATE SET state = ?5, width = ?8, height = ?9, frame_rate = ?10,
                 duration = ?11, frames = ?12, snippets = ?13, lost_frames = ?14, dropped_clips = ?15,
                 fps = ?16, segmentation = ?17, task = ?18, trained = ?19, notice = ?20, complete = ?21,
                 error = ?22, shots = ?23, clips = ?24";
        connection.prepare_cached(row)?.execute(params![
            self.id,
            self.run,
            facts.name,
            facts.live,
            i64::from(ended),
            facts.started,
            facts.size,
            facts.width,
            facts.height,
            facts.frame_rate,
            result.map(|result| result.duration),
            result.map(|result| result.frames),
            result.map(|result| result.snippets),
            result.map(|result| result.lost_frames),
            result.map(|result| result.dropped_clips),
            result.and_then(|result| result.fps),
            result.and_then(|result| result.segmentation.as_deref()),
            result.and_then(|result| result.task.as_deref()),
            result.and_then(|result| result.trained),
            result.and_then(|result| result.notice.as_deref()),
            result.map(|result| result.complete),
            self.error,
            self.recorded.0,
            self.recorded.1,
        ])?;
        Ok(self.id.unwrap_or_else(|| connection.last_insert_rowid()))
    }

    fn write_result(&self, connection: &Connection, film: i64) -> rusqlite::Result<()> {
        let Some(result) = &self.result else { return Ok(()) };
        let row = "INSERT OR REPLACE INTO film_genre (film, genre, probability) VALUES (?1, ?2, ?3)";
        let mut row = connection.prepare_cached(row)?;
        for (genre, probability) in self.genres.iter().zip(&result.probabilities) {
            row.execute(params![film, genre, probability])?;
        }
        Ok(())
    }

    fn write_shots(&self, connection: &Connection, film: i64) -> rusqlite::Result<()> {
        let row = "INSERT INTO shot (film, number, start, length, kind, first_frame, frames, time)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let mut row = connection.prepare_cached(row)?;
        let genre = "INSERT INTO shot_genre (shot, genre, probability) VALUES (?1, ?2, ?3)";
        let mut genre = connection.prepare_cached(genre)?;
        for shot in &self.shots {
            let StoredShot { number, start, length, kind, first_frame, frames, time, probabilities } = shot;
            row.execute(params![film, number, start, length, kind, first_frame, frames, time])?;
            let id = connection.last_insert_rowid();
            for (label, probability) in self.genres.iter().zip(probabilities.iter().flatten()) {
                genre.execute(params![id, label, probability])?;
            }
        }
        Ok(())
    }

    fn write_clips(&self, connection: &Connection, film: i64) -> rusqlite::Result<()> {
        let row = "INSERT INTO clip (film, number, shot, start, length, keyframe, padded, time, probabilities)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let mut row = connection.prepare_cached(row)?;
        for clip in &self.clips {
            let StoredClip { number, shot, start, length, keyframe, padded, time, probabilities } = clip;
            row.execute(params![film, number, shot, start, length, keyframe, padded, time, probabilities])?;
        }
        Ok(())
    }

    fn check_open(&self) -> Result<()> {
        if self.ended { Err(Error::Ended) } else { Ok(()) }
    }

    /// Checks that there is one probability for each label.
    fn check_count(&self, probabilities: &[f32]) -> Result<()> {
        if probabilities.len() == self.genres.len() {
            return Ok(());
        }
        let value = probabilities.len().to_string();
        Err(Error::Value { what: "a list of probabilities", value, why: "not the number of the bundle's labels" })
    }

    /// Returns probabilities in steps of 0.0001. A clip or a shot may have none.
    fn steps(&self, probabilities: &[f32]) -> Result<Vec<u16>> {
        if probabilities.is_empty() {
            return Ok(Vec::new());
        }
        self.check_count(probabilities)?;
        probabilities.iter().map(|one| stored::step(*one)).collect()
    }
}

/// Returns the least index that may follow `index`, which must be at least `next`.
fn following(what: &'static str, index: u32, next: u32) -> Result<u32> {
    match index.checked_add(1) {
        Some(following) if index >= next => Ok(following),
        _ => Err(Error::Value { what, value: index.to_string(), why: "not after the last one" }),
    }
}
