//! Worker threads that several clients share: bounded queues, turns between clients, results in
//! order.
//!
//! A client that has a worker of its own runs jobs itself when its share of the pool is in use. A
//! client without one cannot wait. Its jobs come first. If too many of such jobs wait, the pool
//! drops the oldest one of the client that has most.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::panics;

/// Jobs of one client that the pool holds for each thread if no other client has work. The number
/// covers the time in which the client runs a job itself and prepares the next one.
const JOBS_PER_THREAD: usize = 4;

/// Jobs of a client that cannot wait that may be missing besides those that wait. So many are
/// missing only if a job does not end. The client then stops, which shows.
const MAX_BEHIND: usize = 32;

/// The state of one thread that runs jobs.
pub(crate) trait Worker: Send + 'static {
    /// What a client submits.
    type Job: Send + 'static;
    /// What a job computes.
    type Output: Send + 'static;
    /// Why a job failed.
    type Error: Send + 'static;

    /// Runs one job.
    ///
    /// # Errors
    /// Returns an error if the job fails. Other jobs go on.
    fn run(&mut self, job: &Self::Job) -> Result<Self::Output, Self::Error>;

    /// Makes the worker usable again after a job panicked, and returns the job's error.
    fn recover(&mut self, panic: String) -> Self::Error;

    /// Frees the memory of a job that is dropped.
    fn discard(job: &mut Self::Job);
}

/// The end of a job.
pub(crate) enum Outcome<W: Worker> {
    /// It was run, with this result.
    Done(W::Job, Result<W::Output, W::Error>),
    /// The pool was behind, and dropped it.
    Dropped(W::Job),
}

/// Runs `job`. A panic is the job's error.
fn run<W: Worker>(worker: &mut W, job: W::Job) -> Outcome<W> {
    let result = match panics::catch(|| worker.run(&job)) {
        Ok(result) => result,
        Err(panic) => Err(worker.recover(panic)),
    };
    Outcome::Done(job, result)
}

/// What the pool knows of one client.
struct Client<W: Worker> {
    /// Jobs that no thread has started, oldest first, with their numbers.
    waiting: VecDeque<(u64, W::Job)>,
    /// Jobs that threads of the pool run now.
    running: usize,
    /// Whether the client is in the list of turns.
    has_turn: bool,
    /// Number of the oldest job that was not received.
    oldest: u64,
    /// Results from number `oldest` on; `None` for jobs that wait or run.
    results: VecDeque<Option<Outcome<W>>>,
    /// Notified when a result arrives.
    arrived: Arc<Condvar>,
    /// Whether the pool may drop its jobs.
    is_droppable: bool,
}

impl<W: Worker> Client<W> {
    fn is_active(&self) -> bool {
        !self.waiting.is_empty() || self.running > 0
    }

    fn store(&mut self, number: u64, done: Outcome<W>) {
        let place = usize::try_from(number - self.oldest).ok().and_then(|index| self.results.get_mut(index));
        if let Some(place) = place {
            *place = Some(done);
        }
    }

    /// Returns the result of the oldest job if the job is done.
    fn take_oldest(&mut self) -> Option<Outcome<W>> {
        self.results.front()?.as_ref()?;
        self.oldest += 1;
        self.results.pop_front().flatten()
    }

    /// Drops the oldest job that waits.
    fn drop_oldest(&mut self) {
        if let Some((number, mut job)) = self.waiting.pop_front() {
            W::discard(&mut job);
            self.store(number, Outcome::Dropped(job));
            self.arrived.notify_one();
        }
    }
}

struct State<W: Worker> {
    clients: HashMap<u64, Client<W>>,
    next_client: u64,
    /// Clients with waiting jobs, in the order in which threads serve them: one job a turn. Those
    /// that cannot wait come before all others.
    urgent: VecDeque<u64>,
    turns: VecDeque<u64>,
    /// Time that the threads have spent on jobs of clients that cannot wait.
    busy: Duration,
    /// Time of such a job, as a mean of which the latest job is an eighth.
    each: Option<Duration>,
    /// Whether the threads must end.
    closed: bool,
}

impl<W: Worker> State<W> {
    /// Gives the client `id` a turn after the others of its kind.
    fn add_turn(&mut self, id: u64, is_urgent: bool) {
        if is_urgent { &mut self.urgent } else { &mut self.turns }.push_back(id);
    }

    /// Returns the number of places for jobs of clients that cannot wait.
    fn places(&self, threads: usize) -> usize {
        JOBS_PER_THREAD * self.droppable().filter(|client| client.is_active()).count().max(threads)
    }

    /// Returns the clients whose jobs may be dropped.
    fn droppable(&self) -> impl Iterator<Item = &Client<W>> {
        self.clients.values().filter(|client| client.is_droppable)
    }

    /// Returns the number of their jobs that wait.
    fn waiting(&self) -> usize {
        self.droppable().map(|client| client.waiting.len()).sum()
    }

    /// Drops the oldest job of the busiest client while more jobs of droppable clients wait than
    /// the places of `threads` threads. `newest` is the client that submitted last.
    fn drop_surplus(&mut self, threads: usize, newest: u64) {
        for _ in self.places(threads)..self.waiting() {
            let droppable = self.clients.iter_mut().filter(|(_, client)| client.is_droppable);
            if let Some((_, busiest)) = droppable.max_by_key(|(id, client)| (client.waiting.len(), **id == newest)) {
                busiest.drop_oldest();
            }
        }
    }
}

struct Shared<W: Worker> {
    state: Mutex<State<W>>,
    /// Notified when a job is submitted or the pool closes.
    submitted: Condvar,
}

impl<W: Worker> Shared<W> {
    /// Locks the state. No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs jobs until the pool closes.
    fn work(&self, worker: &mut W) {
        let mut state = self.lock();
        loop {
            if state.closed {
                return;
            }
            let next = state.urgent.pop_front().or_else(|| state.turns.pop_front());
            let Some(id) = next else {
                state = self.submitted.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(client) = state.clients.get_mut(&id) else { continue };
            let job = client.waiting.pop_front();
            client.has_turn = !client.waiting.is_empty();
            client.running += usize::from(job.is_some());
            let (has_turn, is_urgent) = (client.has_turn, client.is_droppable);
            if has_turn {
                state.add_turn(id, is_urgent);
            }
            let Some((number, job)) = job else { continue };
            drop(state);
            let started = Instant::now();
            let done = run(worker, job);
            state = self.lock();
            if is_urgent {
                let time = started.elapsed();
                state.busy += time;
                state.each = Some(state.each.map_or(time, |each| each * 7 / 8 + time / 8));
            }
            if let Some(client) = state.clients.get_mut(&id) {
                client.running -= 1;
                client.store(number, done);
                client.arrived.notify_one();
            }
        }
    }
}

/// Threads that end when the last handle to the pool is dropped.
struct Threads<W: Worker> {
    shared: Arc<Shared<W>>,
    handles: Vec<JoinHandle<()>>,
}

impl<W: Worker> Drop for Threads<W> {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.submitted.notify_all();
        for handle in self.handles.drain(..) {
            // Jobs cannot make a thread panic, so there is no result to handle.
            let _ = handle.join();
        }
    }
}

/// A pool of threads, each with one [`Worker`]. Clones share the threads.
pub(crate) struct FairPool<W: Worker>(Arc<Threads<W>>);

impl<W: Worker> Clone for FairPool<W> {
    fn clone(&self) -> Self {
        FairPool(Arc::clone(&self.0))
    }
}

impl<W: Worker> FairPool<W> {
    /// Starts one thread for each worker, named `name-0`, `name-1` and so on.
    ///
    /// # Errors
    /// Returns the operating system's error if it starts no thread.
    pub fn start(name: &str, workers: Vec<W>) -> io::Result<Self> {
        let state = State {
            clients: HashMap::new(),
            next_client: 0,
            urgent: VecDeque::new(),
            turns: VecDeque::new(),
            busy: Duration::ZERO,
            each: None,
            closed: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), submitted: Condvar::new() });
        let mut threads = Threads { shared: Arc::clone(&shared), handles: Vec::with_capacity(workers.len()) };
        for (index, mut worker) in workers.into_iter().enumerate() {
            let shared = Arc::clone(&shared);
            let thread = thread::Builder::new().name(format!("{name}-{index}"));
            threads.handles.push(thread.spawn(move || shared.work(&mut worker))?);
        }
        Ok(FairPool(Arc::new(threads)))
    }

    /// Returns the number of threads.
    pub fn threads(&self) -> usize {
        self.0.handles.len()
    }

    /// Returns the number of jobs that no thread has started.
    pub fn waiting(&self) -> usize {
        self.0.shared.lock().clients.values().map(|client| client.waiting.len()).sum()
    }

    /// Returns the time that the threads have spent on jobs of clients that cannot wait, all
    /// together.
    pub fn busy(&self) -> Duration {
        self.0.shared.lock().busy
    }

    /// Adds a client. Its thread runs jobs with `own` while the pool is full. Without it, the pool
    /// drops jobs instead.
    pub fn client(&self, own: Option<W>) -> FairQueue<W> {
        let arrived = Arc::new(Condvar::new());
        let client = Client {
            waiting: VecDeque::new(),
            running: 0,
            has_turn: false,
            oldest: 0,
            results: VecDeque::new(),
            arrived: Arc::clone(&arrived),
            is_droppable: own.is_none(),
        };
        let mut state = self.0.shared.lock();
        let id = state.next_client;
        state.next_client += 1;
        state.clients.insert(id, client);
        drop(state);
        FairQueue { pool: self.clone(), id, own, arrived, submitted: 0, received: 0 }
    }
}

/// One client's queue into a [`FairPool`]. Results come back in the order of submission.
///
/// Dropping a queue discards its waiting jobs.
pub(crate) struct FairQueue<W: Worker> {
    pool: FairPool<W>,
    id: u64,
    /// Runs jobs on the client's thread. `None` if the pool may drop jobs instead.
    own: Option<W>,
    arrived: Arc<Condvar>,
    /// Jobs submitted.
    submitted: u64,
    /// Results received.
    received: u64,
}

impl<W: Worker> FairQueue<W> {
    /// Returns whether so many results are missing that the oldest must be received before the next
    /// job is submitted. If the pool may drop jobs, that is so only where a job does not end.
    pub fn is_full(&self) -> bool {
        let places = match self.own {
            Some(_) => JOBS_PER_THREAD * (self.pool.threads() + 1),
            None => MAX_BEHIND + self.pool.0.shared.lock().places(self.pool.threads()),
        };
        self.submitted - self.received >= places as u64
    }

    /// Returns whether there is nothing to receive.
    pub fn is_empty(&self) -> bool {
        self.submitted == self.received
    }

    /// Submits a job. If the client's share of the pool is in use, runs the job on this thread, or
    /// has the pool drop a job if it may.
    ///
    /// The clients that have work share the pool's places equally. Each has one place at least.
    pub fn submit(&mut self, job: W::Job) {
        let number = self.submitted;
        self.submitted += 1;
        let shared = &self.pool.0.shared;
        let mut state = shared.lock();
        let others = state.clients.iter().filter(|(id, client)| **id != self.id && client.is_active()).count();
        let places = (JOBS_PER_THREAD * self.pool.threads() / (others + 1)).max(1);
        // The client stays in the map until this queue is dropped.
        let Some(client) = state.clients.get_mut(&self.id) else { return };
        client.results.push_back(None);
        let has_place = self.pool.threads() > 0 && client.waiting.len() + client.running < places;
        let own = match &mut self.own {
            Some(own) if !has_place => own,
            own => {
                client.waiting.push_back((number, job));
                if !client.has_turn {
                    client.has_turn = true;
                    state.add_turn(self.id, own.is_none());
                }
                if own.is_none() {
                    state.drop_surplus(self.pool.threads(), self.id);
                }
                drop(state);
                shared.submitted.notify_one();
                return;
            }
        };
        drop(state);
        let done = run(own, job);
        if let Some(client) = shared.lock().clients.get_mut(&self.id) {
            client.store(number, done);
        }
    }

    /// Drops waiting jobs of this client, if the pool may, the oldest first, until those of all
    /// such clients are expected to take at most the time `limit`. The newest `kept` jobs stay.
    pub fn shorten(&mut self, limit: Duration, kept: usize) {
        let mut state = self.pool.0.shared.lock();
        let Some(each) = state.each else { return };
        let time = |waiting: usize| each * u32::try_from(waiting / self.pool.threads().max(1)).unwrap_or(u32::MAX);
        let mut waiting = state.waiting();
        let client = state.clients.get_mut(&self.id).filter(|client| client.is_droppable);
        if let Some(client) = client {
            while client.waiting.len() > kept && time(waiting) > limit {
                client.drop_oldest();
                waiting -= 1;
            }
        }
    }

    /// Returns what became of the oldest job, once it is done.
    pub fn try_receive(&mut self) -> Option<Outcome<W>> {
        if self.is_empty() {
            return None;
        }
        let done = self.pool.0.shared.lock().clients.get_mut(&self.id)?.take_oldest()?;
        self.received += 1;
        Some(done)
    }

    /// Waits for the oldest job and returns what became of it, or `None` if the queue is empty.
    /// While the oldest job runs elsewhere, runs this client's waiting jobs, if the client can.
    pub fn receive(&mut self) -> Option<Outcome<W>> {
        if self.is_empty() {
            return None;
        }
        let shared = &self.pool.0.shared;
        let mut state = shared.lock();
        loop {
            let client = state.clients.get_mut(&self.id)?;
            if let Some(done) = client.take_oldest() {
                self.received += 1;
                return Some(done);
            }
            let own = self.own.as_mut().and_then(|own| Some((own, client.waiting.pop_front()?)));
            match own {
                Some((own, (number, job))) => {
                    drop(state);
                    let done = run(own, job);
                    state = shared.lock();
                    state.clients.get_mut(&self.id)?.store(number, done);
                }
                None => state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl<W: Worker> Drop for FairQueue<W> {
    fn drop(&mut self) {
        let client = self.pool.0.shared.lock().clients.remove(&self.id);
        // Jobs are dropped outside the lock.
        drop(client);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use super::*;

    /// A job of the tests.
    enum Job {
        /// Returns the number.
        Number(u32),
        /// Waits for permission, then returns the number.
        Wait(u32, Receiver<()>),
        Fail,
        Panic,
    }

    /// Reports the number of each job that it starts.
    struct TestWorker {
        started: Sender<u32>,
        recovered: bool,
    }

    impl Worker for TestWorker {
        type Job = Job;
        type Output = u32;
        type Error = String;

        fn run(&mut self, job: &Job) -> Result<u32, String> {
            match job {
                Job::Number(number) => {
                    let _ = self.started.send(*number);
                    Ok(*number)
                }
                Job::Wait(number, permission) => {
                    let _ = self.started.send(*number);
                    permission.recv_timeout(Duration::from_secs(60)).map_err(|error| error.to_string())?;
                    Ok(*number)
                }
                Job::Fail => Err("failed".into()),
                Job::Panic => panic!("a job panics"),
            }
        }

        fn recover(&mut self, panic: String) -> String {
            self.recovered = true;
            panic
        }

        fn discard(job: &mut Job) {
            *job = Job::Fail;
        }
    }

    fn pool(threads: usize) -> (FairPool<TestWorker>, Sender<u32>, Receiver<u32>) {
        let (started, starts) = channel();
        let worker = || TestWorker { started: started.clone(), recovered: false };
        let pool = FairPool::start("test", (0..threads).map(|_| worker()).collect()).unwrap();
        (pool, started, starts)
    }

    fn client(pool: &FairPool<TestWorker>) -> FairQueue<TestWorker> {
        pool.client(Some(TestWorker { started: channel().0, recovered: false }))
    }

    /// The result of a job that no pool may drop.
    fn result(outcome: Outcome<TestWorker>) -> Result<u32, String> {
        match outcome {
            Outcome::Done(_, result) => result,
            Outcome::Dropped(_) => panic!("a job was dropped"),
        }
    }

    fn results(queue: &mut FairQueue<TestWorker>) -> Vec<Result<u32, String>> {
        std::iter::from_fn(|| queue.receive()).map(result).collect()
    }

    /// What became of the jobs that are done: the number of each that was run, `None` for others.
    fn outcomes(queue: &mut FairQueue<TestWorker>) -> Vec<Option<u32>> {
        let number = |outcome| match outcome {
            Outcome::Done(_, result) => result.ok(),
            Outcome::Dropped(_) => None,
        };
        std::iter::from_fn(|| queue.try_receive()).map(number).collect()
    }

    #[test]
    fn results_come_in_the_order_of_submission_whatever_the_number_of_threads_and_clients() {
        for threads in [0, 1, 3] {
            let (pool, ..) = pool(threads);
            thread::scope(|scope| {
                for first in [0, 1000, 2000] {
                    let mut queue = client(&pool);
                    scope.spawn(move || {
                        let mut found = Vec::new();
                        for number in first..first + 500 {
                            while queue.is_full() {
                                found.extend(queue.receive().map(|outcome| result(outcome).unwrap()));
                            }
                            queue.submit(Job::Number(number));
                            let done = std::iter::from_fn(|| queue.try_receive());
                            found.extend(done.map(|outcome| result(outcome).unwrap()));
                        }
                        found.extend(results(&mut queue).into_iter().map(Result::unwrap));
                        assert_eq!(found, (first..first + 500).collect::<Vec<_>>());
                    });
                }
            });
        }
    }

    #[test]
    fn clients_take_turns() {
        let (pool, _, starts) = pool(1);
        let (mut fast, mut slow) = (client(&pool), client(&pool));
        let (permit, permission) = channel();
        fast.submit(Job::Wait(0, permission));
        assert_eq!(starts.recv_timeout(Duration::from_secs(60)), Ok(0));
        // The only thread is busy, so these jobs wait.
        (1..4).for_each(|number| fast.submit(Job::Number(number)));
        slow.submit(Job::Number(100));
        permit.send(()).unwrap();
        // Only the pool's thread reports starts, because the clients do not receive yet.
        let order: Vec<u32> = (0..4).map(|_| starts.recv_timeout(Duration::from_secs(60)).unwrap()).collect();
        assert_eq!(order, [1, 100, 2, 3]);
    }

    #[test]
    fn a_client_with_a_full_share_runs_jobs_itself_and_leaves_places_to_others() {
        let (pool, _, starts) = pool(1);
        let (mut fast, mut slow) = (client(&pool), client(&pool));
        let (permit, permission) = channel();
        slow.submit(Job::Wait(100, permission));
        assert_eq!(starts.recv_timeout(Duration::from_secs(60)), Ok(100));
        // Two clients have work, so each has half of the places.
        (0..4).for_each(|number| fast.submit(Job::Number(number)));
        let state = pool.0.shared.lock();
        assert_eq!(state.clients[&fast.id].waiting.len(), JOBS_PER_THREAD / 2);
        assert_eq!(state.clients[&fast.id].results.iter().flatten().count(), 4 - JOBS_PER_THREAD / 2);
        drop(state);
        // The rest is done without the pool's only thread, which is still busy.
        assert_eq!(results(&mut fast), (0..4).map(Ok).collect::<Vec<_>>());
        permit.send(()).unwrap();
        assert_eq!(results(&mut slow), [Ok(100)]);
    }

    #[test]
    fn of_clients_that_cannot_wait_the_busiest_loses_its_oldest_job() {
        let (pool, _, starts) = pool(1);
        let (mut busy, mut calm, mut patient) = (pool.client(None), pool.client(None), client(&pool));
        let (permit, permission) = channel();
        calm.submit(Job::Wait(100, permission));
        assert_eq!(starts.recv_timeout(Duration::from_secs(60)), Ok(100));
        // Jobs of a client that can wait are not dropped, and take nobody's place. Nor does a
        // client without jobs.
        patient.submit(Job::Number(200));
        let mut idle = pool.client(None);
        calm.submit(Job::Number(101));
        // Two clients share the places of two threads.
        let places = u32::try_from(2 * JOBS_PER_THREAD).unwrap();
        (0..places + 2).for_each(|number| busy.submit(Job::Number(number)));
        assert!(!busy.is_full());
        // All but one of the places, which the calm client's job has.
        assert_eq!(outcomes(&mut busy), [None; 3]);
        calm.submit(Job::Number(102));
        assert_eq!(outcomes(&mut busy), [None]);
        assert_eq!(outcomes(&mut calm), []);
        // Once both have as many, each loses its own.
        let before = pool.waiting();
        (103..107).for_each(|number| calm.submit(Job::Number(number)));
        assert_eq!((outcomes(&mut calm), pool.waiting()), (vec![], before));
        permit.send(()).unwrap();
        let done = |queue: &mut FairQueue<TestWorker>| {
            std::iter::from_fn(|| queue.receive()).filter(|outcome| matches!(outcome, Outcome::Done(..))).count()
        };
        assert_eq!((done(&mut calm), done(&mut busy), done(&mut patient)), (5, 4, 1));
        assert!(idle.receive().is_none());
        // Those that cannot wait come first.
        let order: Vec<u32> = starts.try_iter().collect();
        assert!(order.iter().rev().skip(1).all(|number| *number != 200), "{order:?}");
        assert!(pool.busy() > Duration::ZERO);
    }

    #[test]
    fn a_client_that_cannot_wait_stops_behind_a_job_that_does_not_end() {
        let (pool, _, starts) = pool(1);
        let mut own = pool.client(None);
        let (permit, permission) = channel();
        own.submit(Job::Wait(100, permission));
        assert_eq!(starts.recv_timeout(Duration::from_secs(60)), Ok(100));
        let mut submitted = 1;
        while !own.is_full() {
            own.submit(Job::Number(1));
            submitted += 1;
            assert!(submitted < 1000);
        }
        assert!(submitted > 2 * JOBS_PER_THREAD, "{submitted}");
        // What was dropped takes no memory.
        let state = pool.0.shared.lock();
        let is_freed = |outcome: &Outcome<TestWorker>| matches!(outcome, Outcome::Dropped(Job::Fail));
        assert!(state.clients[&own.id].results.iter().flatten().all(is_freed));
        drop(state);
        permit.send(()).unwrap();
        assert_eq!(std::iter::from_fn(|| own.receive()).count(), submitted);
        assert!(!own.is_full());
    }

    #[test]
    fn a_client_that_ends_waits_for_no_more_jobs_than_it_has_time_for() {
        let (pool, _, starts) = pool(1);
        let (mut own, mut other) = (pool.client(None), client(&pool));
        let hold = |queue: &mut FairQueue<TestWorker>| {
            let (permit, permission) = channel();
            queue.submit(Job::Wait(100, permission));
            while starts.recv_timeout(Duration::from_secs(60)).unwrap() != 100 {}
            permit
        };
        let permit = hold(&mut other);
        (0..4).for_each(|number| own.submit(Job::Number(number)));
        other.submit(Job::Number(101));
        // Nothing is known of the time of a job yet.
        own.shorten(Duration::ZERO, 0);
        assert_eq!(outcomes(&mut own), []);
        permit.send(()).unwrap();
        assert_eq!(results(&mut own), [Ok(0), Ok(1), Ok(2), Ok(3)]);
        assert_eq!(results(&mut other), [Ok(100), Ok(101)]);

        let permit = hold(&mut other);
        (0..4).for_each(|number| own.submit(Job::Number(number)));
        own.shorten(Duration::from_secs(3600), 0);
        assert_eq!(outcomes(&mut own), []);
        own.shorten(Duration::ZERO, 1);
        other.shorten(Duration::ZERO, 0);
        assert_eq!(outcomes(&mut own), [None; 3]);
        permit.send(()).unwrap();
        assert_eq!((results(&mut own), results(&mut other)), (vec![Ok(3)], vec![Ok(100)]));
    }

    #[test]
    fn errors_and_panics_stay_with_their_job() {
        for threads in [0, 1, 2] {
            let (pool, ..) = pool(threads);
            let (mut bad, mut good) = (client(&pool), client(&pool));
            bad.submit(Job::Panic);
            good.submit(Job::Number(1));
            bad.submit(Job::Fail);
            good.submit(Job::Number(2));
            bad.submit(Job::Number(3));
            assert_eq!(results(&mut good), [Ok(1), Ok(2)]);
            let found = results(&mut bad);
            assert!(found[0].as_ref().is_err_and(|error| error.starts_with("a job panics")), "{found:?}");
            assert_eq!(found[1..], [Err("failed".into()), Ok(3)]);
        }
    }

    #[test]
    fn threads_end_with_the_last_handle_in_any_order_of_drops() {
        let (pool, started, starts) = pool(2);
        let shared = Arc::downgrade(&pool.0.shared);
        let (mut first, mut second) = (client(&pool), client(&pool));
        drop(pool);
        (0..5).for_each(|number| first.submit(Job::Number(number)));
        // Its waiting jobs are discarded.
        drop(first);
        second.submit(Job::Number(9));
        assert_eq!(results(&mut second), [Ok(9)]);
        drop((second, started));
        assert!(shared.upgrade().is_none());
        // All workers are gone.
        assert!(starts.iter().all(|number| number < 10));
    }
}
