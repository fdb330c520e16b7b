//! Shot lists for editors: turns the shots of a film into files that other programs read.
//!
//! A [`Film`] has shots with presentation times and decoded frames. [`ShotList::new`] gives each
//! shot its frames at a constant rate, joins short shots and closes gaps. A [`ShotListFormat`] of
//! [`FORMATS`] writes the list. All formats name the same frames ([`FrameIndex::frames`]).
//!
//! [`read_films`] makes films from events that `divita shots --format jsonl` or
//! `divita classify --format jsonl` has written.
#![doc = include_str!("../README.md")]

mod clock_time;
mod error;
mod film;
pub mod formats;
mod frame_index;
mod frame_rate;
mod markup;
mod media_address;
mod shot_list;
mod stored_events;
mod timecode;
mod title;

pub use error::ShotListError;
pub use film::{Film, Shot};
pub use formats::{FORMATS, ShotListFormat};
pub use frame_index::FrameIndex;
pub use frame_rate::FrameRate;
pub use shot_list::{ListedShot, ShotList, ShotListOptions};
pub use stored_events::{StoredEventsError, read_films};
pub use timecode::{Timecode, TimecodeError};
