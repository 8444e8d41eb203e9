//! Ctrl-C and SIGTERM: what the harness has started ends, nothing more is recorded, and what it holds is put away.
//!
//! Engines and builds have process groups of their own, so that a Ctrl-C reaches the harness alone: a process that it
//! ended would else look like a crash. One thread waits for signals as long as the harness lives. With the first it
//! kills the groups that are registered here; whoever waits for one of them goes on and fails, and so the stack
//! unwinds. A second signal ends the harness at once, and the next one cleans up as after a kill.

use std::collections::BTreeSet;
use std::process::Child;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long a process that a signal has ended waits for the same signal to reach the harness.
const SETTLE: Duration = Duration::from_millis(300);

/// The first signal; 0 for none.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// The process groups to end.
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Whether signals are taken.
static WATCHED: Once = Once::new();

/// Begins to take signals, if nobody does: a command that runs another one would take each signal twice.
pub(crate) fn watch() -> anyhow::Result<()> {
    let mut begun = Ok(());
    WATCHED.call_once(|| begun = begin());
    begun
}

fn begin() -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot take signals")?;
    let taken = move || {
        for signal in signals.forever() {
            if SIGNAL.swap(signal, Ordering::SeqCst) != 0 {
                std::process::exit(128 + signal);
            }
            for group in GROUPS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                kill(*group);
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(taken).context("cannot wait for signals")?;
    Ok(())
}

/// Returns the exit code of a harness that was interrupted, if it was: 130 after Ctrl-C, 143 after SIGTERM.
pub(crate) fn exit_code() -> Option<u8> {
    match SIGNAL.load(Ordering::SeqCst) {
        0 => None,
        signal => Some(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
    }
}

/// Fails once the harness is interrupted.
pub(crate) fn check() -> anyhow::Result<()> {
    if exit_code().is_some() {
        bail!("interrupted");
    }
    Ok(())
}

/// Waits a moment for a signal that has ended a child and may be on its way to the harness.
pub(crate) fn settle() {
    let until = Instant::now() + SETTLE;
    while exit_code().is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The process group of a child, which ends when the harness is interrupted.
///
/// It is dropped before the child is waited for: later its number may be another's.
#[derive(Debug)]
pub(crate) struct Group(i32);

impl Group {
    /// Registers the group that a child leads.
    pub(crate) fn led_by(child: &Child) -> Self {
        let group = Pid::from_child(child).as_raw_nonzero().get();
        let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        groups.insert(group);
        if exit_code().is_some() {
            // The signal came before the group was known.
            kill(group);
        }
        Self(group)
    }
}

impl Group {
    /// Ends it.
    pub(crate) fn kill(&self) {
        kill(self.0);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

fn kill(group: i32) {
    // A group that is gone needs no end.
    let _ = Pid::from_raw(group).map(|group| kill_process_group(group, Signal::KILL));
}
