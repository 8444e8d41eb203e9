//! Watches an export: its thresholds, each told once when it is crossed, and with `--live` what it does.
//!
//! A thread of its own reads, eight times a second, what is counted anyway; the export's workers lock nothing for it but
//! the name of the series that they begin, and only if that is shown. The thread is ended and waited for before the
//! export returns. Without thresholds and without `--live` there is none, and the bar is the plain one.

mod live;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use engine::{ExportStep, Pond, Totals, cpu_time, resident_memory};
use indicatif::ProgressBar;
use scenarios::{CACHES, Crossing, IO_WAIT, STORE_ERRORS, Thresholds};

use crate::terminal;
use live::{Live, Moment};

/// How often is looked at what was counted, and drawn.
const LOOKS_HZ: u8 = 8;

/// A shorter export is judged by its waiting when it has ended.
const WAITING_JUDGED: Duration = Duration::from_secs(1);

/// Whether stages and counters are compiled in.
const COUNTED: bool = cfg!(feature = "metrics");

/// What watches an export.
pub(crate) struct Watch<'a> {
    pond: &'a Pond,
    thresholds: Thresholds,
    bar: ProgressBar,
    /// Whether the bar has what goes on below it.
    is_live: bool,
    /// Whether there is anything to look at.
    is_watched: bool,
    steps: Steps,
    began: Instant,
    cpu_before: Duration,
    before: Totals,
}

/// How far the export is.
#[derive(Default)]
struct Steps {
    done: AtomicU64,
    total: AtomicU64,
    /// The path that was begun last.
    now: Mutex<String>,
}

impl<'a> Watch<'a> {
    /// Begins to watch; `live` asks for the view, which a terminal alone can show.
    ///
    /// # Errors
    /// If the view is asked for, and nothing is counted that it could show.
    pub(crate) fn new(pond: &'a Pond, thresholds: Thresholds, live: bool) -> Result<Self> {
        if live && !COUNTED {
            bail!("--live shows what the feature `metrics` counts; build `pond` with its default features");
        }
        if !COUNTED && thresholds.get("planning_ms").is_some() {
            eprintln!(
                "note: planning_ms is not watched: this `pond` was built without the feature `metrics`"
            );
        }
        let live_bar = live.then(|| terminal::live_bar(LOOKS_HZ)).flatten();
        let is_live = live_bar.is_some();
        let bar = live_bar.unwrap_or_else(|| {
            let bar = terminal::count_bar(0);
            bar.set_message("exporting");
            bar
        });
        let is_watched = is_live || !thresholds.is_empty();
        Ok(Self {
            pond,
            thresholds,
            bar,
            is_live,
            is_watched,
            steps: Steps::default(),
            began: Instant::now(),
            cpu_before: cpu_time(),
            before: if is_watched { pond.recorder().totals() } else { Totals::default() },
        })
    }

    /// Runs the export, which tells its steps; returns what it returned, and the thresholds that were crossed.
    pub(crate) fn over<T>(
        &self,
        export: impl FnOnce(&(dyn Fn(ExportStep<'_>) + Sync)) -> T,
    ) -> (T, Vec<Crossing>) {
        let outcome = std::thread::scope(|scope| {
            // Dropped at the end, also by a panic of the export, which then does not wait for ever.
            let (running, ended) = channel::<()>();
            let watcher = self.is_watched.then(|| scope.spawn(move || self.look(&ended)));
            let exported = export(&|step| self.step(step));
            drop(running);
            let crossed = watcher.map(|watcher| watcher.join().expect("looking at counters does not panic"));
            (exported, crossed.unwrap_or_default())
        });
        self.bar.finish_and_clear();
        outcome
    }

    /// Takes note of a step, on the thread of the worker that came to it.
    fn step(&self, step: ExportStep<'_>) {
        match step {
            ExportStep::Begun { path } if self.is_live => {
                path.clone_into(&mut self.steps.now.lock().expect("no thread panics while it holds a name"));
            }
            ExportStep::Done { done, total } if self.is_live => {
                // Workers come here in any order.
                self.steps.done.fetch_max(done, Relaxed);
                self.steps.total.store(total, Relaxed);
            }
            ExportStep::Done { done, total } => {
                self.bar.set_length(total);
                self.bar.set_position(done);
            }
            _ => {}
        }
    }

    /// Looks until the export has ended, and once after that.
    fn look(&self, ended: &Receiver<()>) -> Vec<Crossing> {
        let period = Duration::from_secs(1) / u32::from(LOOKS_HZ);
        let is_on: Vec<&str> = CACHES.into_iter().filter(|cache| self.pond.knobs().cache(cache)).collect();
        let mut live = Live::new(is_on.clone());
        let mut crossed = Vec::new();
        let mut told = BTreeSet::new();
        loop {
            let has_ended = ended.recv_timeout(period) != Err(RecvTimeoutError::Timeout);
            let used = self.used();
            for crossing in self.thresholds.crossed(&used, |cache| is_on.contains(&cache)) {
                let name = crossing.threshold().name;
                let is_early = name == IO_WAIT && !has_ended && self.began.elapsed() < WAITING_JUDGED;
                if !is_early && told.insert((name, crossing.cache())) {
                    let advice = crossing.threshold().advice;
                    self.bar.suspend(|| eprintln!("warning: {crossing}; try {advice}"));
                    crossed.push(crossing);
                }
            }
            if has_ended {
                return crossed;
            }
            if self.is_live {
                self.show(&mut live, used);
            }
        }
    }

    fn show(&self, live: &mut Live, used: BTreeMap<String, u64>) {
        let moment = Moment {
            elapsed: self.began.elapsed(),
            done: self.steps.done.load(Relaxed),
            total: self.steps.total.load(Relaxed),
            now: self.steps.now.lock().expect("no thread panics while it holds a name").clone(),
            memory: resident_memory(),
            used,
        };
        let (done, total) = (moment.done, moment.total);
        // The text first: each of the two draws.
        self.bar.set_message(live.text(moment));
        self.bar.update(|bar| {
            if total > 0 {
                bar.set_len(total);
            }
            bar.set_pos(done);
        });
    }

    /// Returns what the export has used so far, by the names that samples have; memory and errors are of the command.
    fn used(&self) -> BTreeMap<String, u64> {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let recorder = self.pond.recorder();
        let mut used = recorder.totals().since(&self.before);
        for (cache, stats) in self.pond.cache_stats() {
            used.insert(format!("cache.{cache}.hits"), stats.hits);
            used.insert(format!("cache.{cache}.misses"), stats.misses);
        }
        used.insert("wall_ns".to_owned(), ns(self.began.elapsed()));
        used.insert("cpu_ns".to_owned(), ns(cpu_time().saturating_sub(self.cpu_before)));
        used.insert(STORE_ERRORS.to_owned(), recorder.store_errors());
        if let Some(memory) = resident_memory() {
            used.insert("peak_rss_bytes".to_owned(), memory.peak_bytes);
        }
        used
    }
}
