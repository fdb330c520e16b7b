//! A service: named sources, each on a thread of its own, that can be added, changed and removed
//! while the others go on.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, Scope};
use std::time::Duration;

use anyhow::{Context, Result};
use divita_video::session::SessionOptions;
use divita_video::stop::Stop;
use divita_video::{AllowedSchemes, Input, SourceInfo};

use super::worker::{Reading, Report};
use super::{MAX_REPORTS, Method, Outcome, pass_on};
use crate::observers::{Observers, Source};

/// Time after which a service that nothing is reported to checks the requests to stop and to
/// reload.
const PATIENCE: Duration = Duration::from_millis(100);

/// A source of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Served<S> {
    /// Its name, which differs from those of the others.
    pub name: String,
    /// Its input.
    pub input: Input,
    /// What its method needs.
    pub settings: S,
}

/// A source whose session has not ended.
struct Running<S> {
    source: Served<S>,
    stop: Stop,
}

/// Runs a session for each of `sources` until all have ended or a request to stop comes, and ends
/// the observers.
///
/// `reload` is called at least ten times a second, and returns the new sources when the user has
/// changed them. A source that is not among them ends, with its result. One that has changed ends,
/// and begins anew. A new one begins, and so does one that failed before. The others notice
/// nothing.
///
/// # Errors
/// Those of the observers, and that no thread can be started.
pub fn serve<S: Clone + PartialEq + Send + Sync>(
    sources: Vec<Served<S>>,
    mut reload: impl FnMut() -> Option<Vec<Served<S>>>,
    (allowed, stop): (&AllowedSchemes, &Stop),
    mut observers: Observers,
    method: impl Fn(&S, &SourceInfo) -> Result<Box<dyn Method>> + Sync,
) -> Result<Outcome> {
    let outcome = thread::scope(|scope| {
        let (send, reports) = sync_channel(MAX_REPORTS);
        let mut service =
            Service { wanted: sources, running: BTreeMap::new(), ended: Vec::new(), next: 0, allowed, method: &method };
        let mut outcome = service.update(scope, &send).map(|()| Outcome::Done);
        while let Ok(so_far) = outcome {
            if service.running.is_empty() {
                break;
            }
            if stop.is_asked() {
                service.running.values().for_each(|running| running.stop.ask());
            } else if let Some(sources) = reload() {
                let before = std::mem::replace(&mut service.wanted, sources);
                service.ended.clear();
                let gone = before.iter().filter(|source| !service.is_known(source));
                gone.for_each(|source| observers.removed(&source.name));
                if let Err(error) = service.update(scope, &send) {
                    outcome = Err(error);
                    break;
                }
            }
            let (number, report) = match reports.recv_timeout(PATIENCE) {
                Ok(report) => report,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let Some(Running { source, .. }) = service.running.get(&number) else { continue };
            let is_closed = matches!(report, Report::Closed(_));
            let source = Source { number, name: &source.name, input: &source.input };
            outcome = pass_on(&mut observers, source, report).map(|read| so_far.and(read));
            if is_closed && outcome.is_ok() {
                let source = service.closed(number);
                if let Some(source) = source.filter(|source| !service.is_known(source)) {
                    observers.removed(&source.name);
                }
                if !stop.is_asked()
                    && let Err(error) = service.update(scope, &send)
                {
                    outcome = Err(error);
                }
            }
        }
        service.running.values().for_each(|running| running.stop.ask());
        outcome
    })?;
    observers.finish()?;
    Ok(outcome)
}

/// The sources that are wanted and those that run.
struct Service<'a, S, M> {
    wanted: Vec<Served<S>>,
    running: BTreeMap<usize, Running<S>>,
    /// Sources that ended without being asked to.
    ended: Vec<Served<S>>,
    /// Number of the next session.
    next: usize,
    allowed: &'a AllowedSchemes,
    method: &'a M,
}

impl<'a, S, M> Service<'a, S, M>
where
    S: Clone + PartialEq + Send + Sync,
    M: Fn(&S, &SourceInfo) -> Result<Box<dyn Method>> + Sync,
{
    /// Ends the sources that are not wanted, and begins those that do not run yet.
    fn update<'scope>(&mut self, scope: &'scope Scope<'scope, '_>, reports: &SyncSender<(usize, Report)>) -> Result<()>
    where
        'a: 'scope,
        S: 'scope,
    {
        let unwanted = self.running.values().filter(|running| !self.wanted.contains(&running.source));
        unwanted.for_each(|running| running.stop.ask());
        // One that has changed begins when the session with its name has ended.
        let is_running = |name: &str| self.running.values().any(|running| running.source.name == name);
        let missing = |source: &&Served<S>| !is_running(&source.name) && !self.ended.contains(source);
        for source in self.wanted.iter().filter(missing).cloned().collect::<Vec<_>>() {
            self.start(scope, reports.clone(), source).context("cannot start a thread for a source")?;
        }
        Ok(())
    }

    fn start<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        reports: SyncSender<(usize, Report)>,
        source: Served<S>,
    ) -> io::Result<()>
    where
        'a: 'scope,
        S: 'scope,
    {
        let (number, stop, method) = (self.next, Stop::default(), self.method);
        let options = SessionOptions { allowed: self.allowed.clone(), until: None, stop: stop.clone() };
        let Served { input, settings, .. } = source.clone();
        let run = move || {
            let reading = Reading { number, input: &input, options: &options, reports: &reports };
            let closed = reading.run(|info| method(&settings, info));
            // A service that has ended does not listen.
            let _ = reports.send((number, Report::Closed(closed)));
        };
        thread::Builder::new().name(format!("source-{number}")).spawn_scoped(scope, run)?;
        self.running.insert(number, Running { source, stop });
        self.next += 1;
        Ok(())
    }

    /// Returns whether `source` is wanted or runs, perhaps with other settings. One of its name
    /// with another input is another source.
    fn is_known(&self, source: &Served<S>) -> bool {
        let running = self.running.values().map(|running| &running.source);
        let is_same = |other: &Served<S>| (&other.name, &other.input) == (&source.name, &source.input);
        self.wanted.iter().chain(running).any(is_same)
    }

    /// Removes a session that has ended, and returns its source.
    fn closed(&mut self, number: usize) -> Option<Served<S>> {
        let Running { source, stop } = self.running.remove(&number)?;
        if !stop.is_asked() {
            self.ended.push(source.clone());
        }
        Some(source)
    }
}
