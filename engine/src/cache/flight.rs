//! A value on its way: one thread computes it, others may wait for it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};

pub(super) struct Flight<V> {
    pilot: ThreadId,
    outcome: Mutex<Outcome<V>>,
    landed: Condvar,
}

enum Outcome<V> {
    InTheAir,
    Arrived(V),
    Lost,
}

impl<V: Clone> Flight<V> {
    /// Begins a flight that the calling thread flies.
    pub(super) fn new() -> Self {
        Self { pilot: thread::current().id(), outcome: Mutex::new(Outcome::InTheAir), landed: Condvar::new() }
    }

    pub(super) fn is_of_this_thread(&self) -> bool {
        self.pilot == thread::current().id()
    }

    /// Waits for the value; there is none if computing it failed.
    pub(super) fn wait(&self) -> Option<V> {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*outcome {
                Outcome::InTheAir => {}
                Outcome::Arrived(value) => return Some(value.clone()),
                Outcome::Lost => return None,
            }
            outcome = self.landed.wait(outcome).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the flight and wakes those who wait.
    pub(super) fn land(&self, value: Option<V>) {
        let outcome = value.map_or(Outcome::Lost, Outcome::Arrived);
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
        self.landed.notify_all();
    }
}
