//! `cargo xtask bisect`: halve a range of commits until the one that made a cell worse is found.
//!
//! Each commit is measured in pairs beside the good one. What is worse at the bad one is looked for; that something else is
//! worse at a commit says nothing of it. What was said is kept in a log, so that an interrupted search goes on where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use scenarios::Metric;
use serde::{Deserialize, Serialize};

use super::beside::{self, Engines};
use super::print;
use crate::cli::{BenchOptions, BisectOptions, Tier};
use crate::exit::{Exit, Stop};
use crate::interrupt;
use crate::paths::Paths;
use crate::random;
use crate::revision::Revision;
use crate::selection::{self, Selection};
use crate::timing::{GATED, Timing};
use crate::verdict::{Comparison, Verdict};

/// What is known of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Known {
    /// As the good one.
    Good,
    /// Worse.
    Bad,
    /// It does not build, fails, or does not tell.
    Unknown,
}

/// A line of the log.
#[derive(Debug, Serialize, Deserialize)]
struct LogLine {
    commit: String,
    known: Known,
    /// The metrics that are worse.
    worse: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(paths: &Paths, options: &BisectOptions) -> anyhow::Result<Exit> {
    let selection = cell(paths, &options.cell)?;
    let id = selection.cells[0].id();
    let commits = Revision::between(paths, &options.good, &options.bad)?;
    if commits.is_empty() {
        let message = format!("no commit lies between {} and {}", options.good, options.bad);
        return Err(Stop::error(Exit::Usage, message));
    }
    // By what the words mean now: a branch moves.
    let good = Revision::commit(paths, &options.good)?;
    let log = Log::open(paths, &format!("{id} {good} {options:?}"))?;
    let sought = match &options.metric {
        Some(metric) if Metric::kind_of(metric).is_none() => {
            return Err(Stop::error(Exit::Usage, format!("'{metric}' is no metric; wall_ns is one")));
        }
        metric => metric.clone().map(|metric| vec![metric]),
    };
    let mut search = Search { paths, options, selection, log, sought };
    let last = commits.len() - 1;
    let (known, worse) = search.known(&commits[last])?;
    search.sought = Some(worse.clone());
    if known != Known::Bad {
        let message = format!("{id} is not shown to be worse at {} than at {}", options.bad, options.good);
        return Err(Stop::error(Exit::Inconclusive, message));
    }
    let found = narrow(commits.len(), |place| Ok(search.known(&commits[place])?.0))?;
    let worse = worse.join(", ");
    let mut text = match found.as_slice() {
        [one] => format!("{id} became worse ({worse}) with {}\n", describe(paths, &commits[*one])),
        some => {
            let mut text = format!(
                "{id} became worse ({worse}) with one of these, between which nothing could be told:\n"
            );
            for place in some {
                text.push_str(&format!("  {}\n", describe(paths, &commits[*place])));
            }
            text
        }
    };
    text.push_str(&format!("log: {}\n", Paths::shown(&search.log.path)));
    print(&text)?;
    Ok(if found.len() == 1 { Exit::Pass } else { Exit::Inconclusive })
}

/// Finds the first bad place among places of which the last is bad; several if those between are unknown.
fn narrow(
    places: usize,
    mut known: impl FnMut(usize) -> anyhow::Result<Known>,
) -> anyhow::Result<Vec<usize>> {
    let mut seen: BTreeMap<usize, Known> = BTreeMap::from([(places - 1, Known::Bad)]);
    loop {
        let bad =
            seen.iter().find(|(_, known)| **known == Known::Bad).map_or(places - 1, |(place, _)| *place);
        let good =
            seen.range(..bad).rev().find(|(_, known)| **known == Known::Good).map(|(place, _)| place + 1);
        let open: Vec<usize> = (good.unwrap_or(0)..bad).filter(|place| !seen.contains_key(place)).collect();
        let Some(middle) = open.get(open.len() / 2) else {
            return Ok((good.unwrap_or(0)..=bad).collect());
        };
        seen.insert(*middle, known(*middle)?);
    }
}

struct Search<'a> {
    paths: &'a Paths,
    options: &'a BisectOptions,
    selection: Selection,
    log: Log,
    /// The metrics whose change is looked for; before the bad commit is measured maybe any.
    sought: Option<Vec<String>>,
}

/// What is known of a commit, and which metrics are worse.
type Said = (Known, Vec<String>);

impl Search<'_> {
    fn known(&mut self, commit: &str) -> anyhow::Result<Said> {
        if let Some(said) = self.log.known.get(commit) {
            return Ok(said.clone());
        }
        let said = self.measure(commit)?;
        if said.0 != Known::Unknown {
            // What did not tell today may tell tomorrow.
            self.log.add(commit, &said)?;
        }
        eprintln!("{}: {:?}", describe(self.paths, commit), said.0);
        Ok(said)
    }

    fn measure(&self, commit: &str) -> anyhow::Result<Said> {
        let told = |known| Ok((known, Vec::new()));
        let find = |word: &str| {
            let message = format!("'{word}' is no revision");
            Revision::find(self.paths, word)?.ok_or_else(|| Stop::error(Exit::Usage, message))
        };
        let (good, commit) = (find(&self.options.good)?, find(commit)?);
        if good.has_sources_of(&commit) {
            return told(Known::Good);
        }
        let engines = match Engines::of(self.paths, good, commit) {
            Ok(engines) => engines,
            Err(error) => {
                interrupt::check()?;
                eprintln!("{error:#}");
                return told(Known::Unknown);
            }
        };
        let options = BenchOptions {
            tier: if self.options.exact { Tier::Exact } else { Tier::All },
            pairs: self.options.pairs,
            margin: self.options.margin,
            no_confirm: true,
            ..BenchOptions::default()
        };
        let measured = beside::measure(self.paths, &options, &self.selection, &engines);
        let is_incomparable = |error: &anyhow::Error| {
            error.downcast_ref::<Stop>().is_some_and(|stop| stop.exit == Exit::Incomparable)
        };
        let (_, _, evaluation) = match measured {
            Err(error) if is_incomparable(&error) => {
                eprintln!("{error:#}");
                return told(Known::Unknown);
            }
            other => other?,
        };
        Ok(said(
            &evaluation.comparison,
            evaluation.timing.as_ref(),
            self.sought.as_deref(),
            self.options.exact,
        ))
    }
}

/// Says what the comparison of a commit's only cell tells of the metrics that are sought, of all if none are named.
fn said(comparison: &Comparison, timing: Option<&Timing>, sought: Option<&[String]>, exact: bool) -> Said {
    let is_sought = |metric: &str| sought.is_none_or(|sought| sought.iter().any(|name| name == metric));
    let regressed = comparison.findings.iter().filter(|finding| finding.verdict == Verdict::Regressed);
    let worse: BTreeSet<&str> = regressed
        .filter_map(|finding| finding.metric.as_deref())
        .filter(|metric| is_sought(metric))
        .collect();
    if !worse.is_empty() {
        return (Known::Bad, worse.into_iter().map(str::to_owned).collect());
    }
    let verdict = comparison.verdict();
    // A counter more or less makes counters incomparable, and not times.
    let counters = sought.is_some_and(|sought| sought.iter().all(|metric| metric == GATED))
        || matches!(verdict, Verdict::Regressed | Verdict::Unchanged | Verdict::Improved);
    let times = exact || !is_sought(GATED) || timing.is_some_and(Timing::is_none_slower);
    let is_good = counters && times && verdict != Verdict::Failed;
    (if is_good { Known::Good } else { Known::Unknown }, Vec::new())
}

/// Selects one cell.
pub(super) fn cell(paths: &Paths, word: &str) -> anyhow::Result<Selection> {
    let mut selections = selection::select(&paths.suites(), &[word.to_owned()])?;
    match selections.as_slice() {
        [selection] if selection.cells.len() == 1 => Ok(selections.remove(0)),
        _ => {
            let cells =
                selections.iter().flat_map(|selection| &selection.cells).take(5).map(|cell| cell.id());
            let cells: Vec<String> = cells.collect();
            let message = format!("'{word}' means several cells: {}, …; name one", cells.join(", "));
            Err(Stop::error(Exit::Usage, message))
        }
    }
}

fn describe(paths: &Paths, commit: &str) -> String {
    let line = crate::fingerprint::output_of("git", &["log", "-1", "--format=%h %s", commit], &paths.root);
    line.unwrap_or_else(|| commit.to_owned())
}

/// What was said of commits, in a file.
struct Log {
    path: PathBuf,
    known: BTreeMap<String, Said>,
}

impl Log {
    fn open(paths: &Paths, what: &str) -> anyhow::Result<Self> {
        let folder = paths.target.join("pondmark/bisect");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join(format!("{:016x}.jsonl", random::seed(what)));
        let known = read(&path)?;
        if !known.is_empty() {
            eprintln!("{} commits are known from {}", known.len(), Paths::shown(&path));
        }
        Ok(Self { path, known })
    }

    fn add(&mut self, commit: &str, said: &Said) -> anyhow::Result<()> {
        let (known, worse) = said.clone();
        let line = serde_json::to_string(&LogLine { commit: commit.to_owned(), known, worse })? + "\n";
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", self.path.display()))?;
        self.known.insert(commit.to_owned(), said.clone());
        Ok(())
    }
}

/// Reads a log; a last line that was cut off by a kill is removed.
fn read(path: &Path) -> anyhow::Result<BTreeMap<String, Said>> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        other => other.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    if whole.len() < text.len() {
        // Else the next line would go on in the middle of this one.
        std::fs::OpenOptions::new().write(true).open(path)?.set_len(whole.len() as u64)?;
    }
    let lines = whole.lines().enumerate().map(|(number, line)| {
        let line: LogLine = serde_json::from_str(line)
            .with_context(|| format!("{}:{} is damaged; remove the file", path.display(), number + 1))?;
        Ok((line.commit, (line.known, line.worse)))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Finding;

    #[test]
    fn the_first_bad_place_is_found_in_few_steps() {
        for first in 0..40 {
            let mut steps = 0;
            let found = narrow(40, |place| {
                steps += 1;
                Ok(if place < first { Known::Good } else { Known::Bad })
            });
            assert_eq!(found.unwrap(), [first]);
            assert!(steps <= 6, "{steps}");
        }
        assert_eq!(narrow(1, |_| unreachable!("the last place is known")).unwrap(), [0]);
    }

    #[test]
    fn what_is_not_sought_does_not_count() {
        let comparison = |verdicts: &[(&str, Verdict)]| {
            let mut comparison = Comparison::default();
            comparison.cells.insert("c".to_owned(), Verdict::Unchanged);
            for (metric, verdict) in verdicts {
                comparison.add(Finding {
                    cell: "c".to_owned(),
                    verdict: *verdict,
                    phase: None,
                    metric: Some((*metric).to_owned()),
                    text: String::new(),
                    base: None,
                    head: None,
                });
            }
            comparison
        };
        let check = |verdicts: &[(&str, Verdict)], sought: Option<&str>, expect: Known, worse: &[&str]| {
            let sought = sought.map(|metric| vec![metric.to_owned()]);
            let told = said(&comparison(verdicts), None, sought.as_deref(), true);
            assert_eq!(
                (told.0, told.1.iter().map(String::as_str).collect::<Vec<_>>().as_slice()),
                (expect, worse)
            );
        };
        let (rows, bytes) = (("rows_read", Verdict::Regressed), ("bytes_written", Verdict::Regressed));
        check(&[], None, Known::Good, &[]);
        check(&[rows, bytes], None, Known::Bad, &["bytes_written", "rows_read"]);
        check(&[rows, bytes], Some("rows_read"), Known::Bad, &["rows_read"]);
        check(&[bytes], Some("rows_read"), Known::Good, &[]);
        check(&[("rows_read", Verdict::Improved)], Some("rows_read"), Known::Good, &[]);
        check(&[("rows_read", Verdict::Incomparable)], Some("rows_read"), Known::Unknown, &[]);
        check(&[("rows_read", Verdict::Failed)], Some("rows_read"), Known::Unknown, &[]);
        // Without pairs nothing is known of times.
        let told = said(&comparison(&[]), None, Some(&[GATED.to_owned()]), false);
        assert_eq!(told.0, Known::Unknown);
    }

    #[test]
    fn unknown_places_leave_several() {
        let found = narrow(8, |place| {
            Ok(match place {
                0..3 => Known::Good,
                3..5 => Known::Unknown,
                _ => Known::Bad,
            })
        });
        assert_eq!(found.unwrap(), [3, 4, 5]);
    }
}
