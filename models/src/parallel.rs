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

/// Runs `run` for each of `items`, with as many at once as there are `workers`: each worker, on a
/// thread of its own, takes the next item. The first error ends the work: no item is begun after
/// it.
///
/// # Errors
/// The first error of `run`.
pub fn share<W: Send, I: Sync, E: Send>(
    workers: Vec<W>,
    items: &[I],
    run: impl Fn(&mut W, &I) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let mut workers = workers;
    let work = |worker: &mut W| {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = run(worker, item) {
                next.store(items.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    };
    for_each_mut(&mut workers, work).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn workers_share_the_items_up_to_an_error() {
        for count in [1, 3] {
            let seen = Mutex::new(Vec::new());
            let items: Vec<usize> = (0..50).collect();
            let see = |worker: &mut usize, item: &usize| {
                *worker += 1;
                seen.lock().unwrap().push(*item);
                if *item == 30 { Err("thirty") } else { Ok(()) }
            };
            assert_eq!(share(vec![0; count], &items, see), Err("thirty"));
            let mut seen = seen.into_inner().unwrap();
            seen.sort_unstable();
            assert_eq!(seen[..31], items[..31]);
            assert!(seen.len() <= 30 + count, "nothing is begun after an error: {seen:?}");
            assert_eq!(share(vec![0; count], &items[..30], |_, _| Ok::<_, ()>(())), Ok(()));
        }
    }
}
