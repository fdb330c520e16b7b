//! Runs work on all processors and returns the results in order.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Runs `run` for each number below `count`, each on its own thread.
pub fn for_numbers<T: Send>(count: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..count).map(|at| scope.spawn(move || run(at))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Runs `run` for each of `items`, as many at once as there are processors. Returns the results in
/// the order of `items`.
pub fn for_each<I: Sync, T: Send>(items: &[I], run: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let some = |_| {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break done };
            done.push((at, run(item)));
        }
    };
    let mut done: Vec<_> =
        for_numbers(thread::available_parallelism().map_or(1, NonZero::get), some).into_iter().flatten().collect();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Runs `run` for each of `items`, each on its own thread, the first on this thread. Returns the
/// results in the order of `items`.
pub fn for_each_mut<I: Send, T: Send>(items: &mut [I], run: impl Fn(&mut I) -> T + Sync) -> Vec<T> {
    let Some((first, others)) = items.split_first_mut() else { return Vec::new() };
    thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = others.iter_mut().map(|item| scope.spawn(move || run(item))).collect();
        let first = run(first);
        let others =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        [first].into_iter().chain(others).collect()
    })
}
