//! Shot lists as other programs read them: every format names the same frames, whatever the frame
//! rate and the name of the film.
#![allow(clippy::unwrap_used)]

mod editors;
mod ffmpeg;
mod films;
mod hostile_names;
mod pages;
mod programs;
mod scenedetect;
mod stored_events;
