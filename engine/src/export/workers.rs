//! Units of work on several threads, in any order; their results come in the order of the units.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// Runs units with `jobs` workers, of which the caller's thread is one. A unit that finds no memory beside others runs
/// again when they are done, alone. After a failure, units that have not begun have no result.
pub(super) fn run<T: Send>(
    units: usize,
    jobs: usize,
    unit: impl Fn(usize) -> Result<T> + Sync,
) -> Vec<Option<Result<T>>> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let results: Mutex<Vec<Option<Result<T>>>> = Mutex::new((0..units).map(|_| None).collect());
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= units {
                break;
            }
            let result = unit(index);
            failed.fetch_or(result.as_ref().is_err_and(|error| !lacks_memory(error)), Ordering::Relaxed);
            results.lock().expect("no worker panics while it stores a result")[index] = Some(result);
        }
    };
    let jobs = jobs.clamp(1, units.max(1));
    std::thread::scope(|scope| {
        (1..jobs).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    let mut results = results.into_inner().expect("no worker panicked while it stored a result");
    if jobs > 1 && !failed.into_inner() {
        for (index, result) in results.iter_mut().enumerate() {
            if matches!(result, Some(Err(error)) if lacks_memory(error)) {
                *result = Some(unit(index));
            }
        }
    }
    results
}

fn lacks_memory(error: &Error) -> bool {
    matches!(error, Error::Memory(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Error {
        Error::Memory("none left".to_owned())
    }

    #[test]
    fn results_come_in_the_order_of_the_units() {
        for jobs in [0, 1, 3, 100] {
            let results: Vec<usize> = run(20, jobs, |index| Ok(index * 2))
                .into_iter()
                .map(|result| result.unwrap().unwrap())
                .collect();
            assert_eq!(results, (0..20).map(|index| index * 2).collect::<Vec<_>>());
        }
        assert!(run(0, 4, |_| Ok(())).is_empty());
    }

    #[test]
    fn what_finds_no_memory_beside_others_runs_again_alone() {
        let running = AtomicUsize::new(0);
        let tries = AtomicUsize::new(0);
        let results = run(6, 2, |index| {
            let beside = running.fetch_add(1, Ordering::SeqCst);
            let result = if index == 2 && tries.fetch_add(1, Ordering::SeqCst) == 0 {
                Err(memory())
            } else {
                Ok(beside)
            };
            running.fetch_sub(1, Ordering::SeqCst);
            result
        });
        assert_eq!(tries.into_inner(), 2);
        assert!(matches!(results[2], Some(Ok(0))), "nothing ran beside it: {:?}", results[2]);
        assert!(results.iter().all(|result| matches!(result, Some(Ok(_)))));
    }

    #[test]
    fn what_finds_no_memory_alone_fails() {
        for jobs in [1, 2] {
            let tries = AtomicUsize::new(0);
            let results = run(1, jobs, |_| -> Result<()> {
                tries.fetch_add(1, Ordering::SeqCst);
                Err(memory())
            });
            assert!(matches!(results[0], Some(Err(Error::Memory(_)))));
            assert_eq!(tries.into_inner(), 1, "one unit has nobody beside it");
        }
    }

    #[test]
    fn a_failure_ends_the_others() {
        let results =
            run(1_000, 2, |index| if index == 3 { Err(Error::Query("wrong".to_owned())) } else { Ok(()) });
        assert!(matches!(results[3], Some(Err(Error::Query(_)))));
        assert!(results.iter().any(Option::is_none));
    }
}
