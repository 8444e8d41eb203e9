//! What `--live` shows below the bar: where an export is, its rates, its caches, its memory.
//!
//! Pure: moments in, text out. Rates and shares are of the last seconds, everything else is of the whole export.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use engine::ResidentMemory;
use scenarios::STAGES;

use crate::terminal;

/// How far back rates and shares look.
const WINDOW: Duration = Duration::from_secs(3);

/// Stages shown: those that took most.
const STAGES_SHOWN: usize = 2;

/// Everything that is known of an export at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Moment {
    /// Since the export began.
    pub elapsed: Duration,
    /// Series that are done.
    pub done: u64,
    /// All series; none before they are known.
    pub total: u64,
    /// The path that was begun last.
    pub now: String,
    /// The memory of the process.
    pub memory: Option<ResidentMemory>,
    /// What was counted so far, by the names that samples have.
    pub used: BTreeMap<String, u64>,
}

/// The view of an export.
#[derive(Debug)]
pub(super) struct Live {
    /// The caches that are on.
    caches: Vec<&'static str>,
    /// The moments of the window, the oldest first.
    window: VecDeque<Moment>,
}

impl Moment {
    fn of(&self, name: &str) -> u64 {
        self.used.get(name).copied().unwrap_or(0)
    }

    /// Estimates the rest, if it takes as long for each series as what is done.
    fn left(&self) -> Option<Duration> {
        let rest = self.total.checked_sub(self.done)?;
        let each = self.elapsed.checked_div(u32::try_from(self.done).ok()?)?;
        each.checked_mul(u32::try_from(rest).ok()?)
    }
}

impl Live {
    /// Makes a view of caches that are on.
    pub(super) fn new(caches: Vec<&'static str>) -> Self {
        Self { caches, window: VecDeque::new() }
    }

    /// Returns what is shown at a moment: the rest of the bar's line, and the lines below it.
    pub(super) fn text(&mut self, moment: Moment) -> String {
        let is_old = |oldest: &Moment| oldest.elapsed + WINDOW < moment.elapsed;
        while self.window.len() > 1 && self.window.front().is_some_and(is_old) {
            self.window.pop_front();
        }
        let then = self.window.front().cloned().unwrap_or_default();
        let left = moment.left().map_or_else(String::new, |left| format!(", {} left", seconds(left)));
        let lines = [
            format!("  {}{left}", seconds(moment.elapsed)),
            format!("  now     {}", now(&then, &moment)),
            format!("  rates   {}", rates(&then, &moment)),
            format!("  caches  {}", self.caches(&moment)),
            format!("  memory  {}", memory(&then, &moment)),
        ];
        self.window.push_back(moment);
        lines.join("\n")
    }

    /// Says what share of its look-ups each cache answered that was asked for anything.
    fn caches(&self, moment: &Moment) -> String {
        let mut texts = Vec::new();
        for cache in &self.caches {
            let of = |what: &str| moment.of(&format!("cache.{cache}.{what}"));
            let (hits, lookups) = (of("hits"), of("hits") + of("misses"));
            if lookups > 0 {
                texts.push(format!("{cache} {} of {lookups}", percent(hits, lookups)));
            }
        }
        if texts.is_empty() { "no look-ups yet".to_owned() } else { format!("hits: {}", texts.join(", ")) }
    }
}

/// Says which series was begun last, and which stages took most of the window's time.
fn now(then: &Moment, moment: &Moment) -> String {
    let path = if moment.now.is_empty() { "matching the pattern" } else { &moment.now };
    let took = STAGES.map(|stage| {
        let metric = format!("stage.{}.ns", stage.name());
        (moment.of(&metric).saturating_sub(then.of(&metric)), stage.name())
    });
    let all: u64 = took.iter().map(|(ns, _)| ns).sum();
    let mut most: Vec<(u64, &str)> = took.into_iter().filter(|(ns, _)| *ns > 0).collect();
    // Stages come in the order of the pipeline, which decides between equals.
    most.sort_by_key(|(ns, _)| std::cmp::Reverse(*ns));
    let most = most.iter().take(STAGES_SHOWN).map(|(ns, stage)| format!("{stage} {}", percent(*ns, all)));
    let most = most.collect::<Vec<_>>().join(", ");
    if most.is_empty() { path.to_owned() } else { format!("{path}; {most}") }
}

fn rates(then: &Moment, moment: &Moment) -> String {
    let span = moment.elapsed.saturating_sub(then.elapsed).as_secs_f64();
    let rate = |name| match moment.of(name).saturating_sub(then.of(name)) as f64 / span {
        rate if rate.is_finite() => rate.round() as u64,
        _ => 0,
    };
    let kept = match moment.of("partitions_reused") {
        0 => String::new(),
        kept => format!(", {kept} were there already"),
    };
    format!(
        "{} rows/s, {}/s, {} files written{kept}",
        rate("rows_written"),
        terminal::size(rate("bytes_written")),
        moment.of("files_written")
    )
}

fn memory(then: &Moment, moment: &Moment) -> String {
    let resident = moment.memory.map_or_else(
        || "not told by the system".to_owned(),
        |memory| {
            let (now, peak) = (terminal::size(memory.now_bytes), terminal::size(memory.peak_bytes));
            format!("{now} now, {peak} at the peak")
        },
    );
    let grown = |name| moment.of(name).saturating_sub(then.of(name));
    let busy = grown("cpu_ns") as f64 / grown("wall_ns").max(1) as f64;
    format!("{resident}; {busy:.1} processors at work")
}

/// Writes a share; nothing is a share of nothing.
fn percent(part: u64, whole: u64) -> String {
    format!("{:.0} %", part as f64 * 100.0 / whole.max(1) as f64)
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(seconds: u64, done: u64, used: &[(&str, u64)]) -> Moment {
        let second_ns = 1_000_000_000;
        let mut used: BTreeMap<String, u64> =
            used.iter().map(|(name, of)| ((*name).to_owned(), *of)).collect();
        used.insert("wall_ns".to_owned(), seconds * second_ns);
        used.insert("cpu_ns".to_owned(), seconds * second_ns * 3 / 2);
        Moment {
            elapsed: Duration::from_secs(seconds),
            done,
            total: 8,
            now: if done == 0 { String::new() } else { "/bay/sonde.series".to_owned() },
            memory: Some(ResidentMemory { now_bytes: 64 << 20, peak_bytes: 80 << 20 }),
            used,
        }
    }

    #[test]
    fn an_export_is_shown_as_it_goes_on() {
        let mut live = Live::new(vec!["schema", "footer"]);
        let begin = [
            "  0 s",
            "  now     matching the pattern",
            "  rates   0 rows/s, 0 B/s, 0 files written",
            "  caches  no look-ups yet",
            "  memory  64.0 MiB now, 80.0 MiB at the peak; 0.0 processors at work",
        ];
        assert_eq!(live.text(moment(0, 0, &[])), begin.join("\n"));
        let used = [
            ("rows_written", 2_000_000),
            ("bytes_written", 20 << 20),
            ("files_written", 14),
            ("stage.partition_write.ns", 600),
            ("stage.parquet_read.ns", 300),
            ("stage.transaction.ns", 100),
            ("cache.footer.hits", 3),
            ("cache.footer.misses", 1),
            ("cache.plan.misses", 9),
        ];
        let later = [
            "  2 s, 2 s left",
            "  now     /bay/sonde.series; partition_write 60 %, parquet_read 30 %",
            "  rates   1000000 rows/s, 10.0 MiB/s, 14 files written",
            "  caches  hits: footer 75 % of 4",
            "  memory  64.0 MiB now, 80.0 MiB at the peak; 1.5 processors at work",
        ];
        assert_eq!(live.text(moment(2, 4, &used)), later.join("\n"));
    }

    #[test]
    fn rates_and_shares_are_of_the_last_seconds() {
        let mut live = Live::new(Vec::new());
        for (seconds, rows, read) in [(0, 0, 0), (1, 900, 500), (5, 900, 500), (7, 1_100, 510)] {
            let used = [("rows_written", rows), ("stage.parquet_read.ns", read), ("partitions_reused", 2)];
            let text = live.text(moment(seconds, 1, &used));
            let told = |expect: &str| assert!(text.contains(expect), "{seconds}: {text}");
            match seconds {
                1 => told("900 rows/s"),
                // The last moment stays, however long ago it was.
                5 => told(" 0 rows/s"),
                7 => {
                    told("100 rows/s");
                    told("parquet_read 100 %");
                    told("0 files written, 2 were there already");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn the_rest_is_estimated_from_what_is_done() {
        let left = |done, total, seconds| {
            let elapsed = Duration::from_secs(seconds);
            Moment { elapsed, done, total, ..Moment::default() }.left().map(|left| left.as_secs())
        };
        assert_eq!(left(0, 10, 5), None);
        assert_eq!(left(5, 10, 5), Some(5));
        assert_eq!(left(10, 10, 5), Some(0));
        assert_eq!(seconds(Duration::from_secs(59)), "59 s");
        assert_eq!(seconds(Duration::from_secs(3_725)), "1 h 2 min");
    }
}
