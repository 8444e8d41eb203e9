//! `cargo xtask bisect`: halve a range of commits until the one that made a cell worse is found.
//!
//! Each commit is measured in pairs beside the good one. What was said is kept in a log, so that an interrupted search
//! goes on where it was.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
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
use crate::timing::Timing;
use crate::verdict::Verdict;

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
    let mut search = Search { paths, options, selection, log };
    let last = commits.len() - 1;
    if search.known(&commits[last])? != Known::Bad {
        let message = format!("{id} is not shown to be worse at {} than at {}", options.bad, options.good);
        return Err(Stop::error(Exit::Inconclusive, message));
    }
    let found = narrow(commits.len(), |place| search.known(&commits[place]))?;
    let mut text = match found.as_slice() {
        [one] => format!("{id} became worse with {}\n", describe(paths, &commits[*one])),
        some => {
            let mut text =
                format!("{id} became worse with one of these, between which nothing could be told:\n");
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
}

impl Search<'_> {
    fn known(&mut self, commit: &str) -> anyhow::Result<Known> {
        if let Some(known) = self.log.known.get(commit) {
            return Ok(*known);
        }
        let known = self.measure(commit)?;
        if known != Known::Unknown {
            // What did not tell today may tell tomorrow.
            self.log.add(commit, known)?;
        }
        eprintln!("{}: {known:?}", describe(self.paths, commit));
        Ok(known)
    }

    fn measure(&self, commit: &str) -> anyhow::Result<Known> {
        let find = |word: &str| {
            let message = format!("'{word}' is no revision");
            Revision::find(self.paths, word)?.ok_or_else(|| Stop::error(Exit::Usage, message))
        };
        let (good, commit) = (find(&self.options.good)?, find(commit)?);
        if good.has_sources_of(&commit) {
            return Ok(Known::Good);
        }
        let engines = match Engines::of(self.paths, good, commit) {
            Ok(engines) => engines,
            Err(error) => {
                interrupt::check()?;
                eprintln!("{error:#}");
                return Ok(Known::Unknown);
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
                return Ok(Known::Unknown);
            }
            other => other?,
        };
        // What was shown to be less than some percent may still be the change that is looked for.
        let may_be_slower = evaluation.timing.as_ref().is_some_and(Timing::is_any_slower);
        Ok(match evaluation.comparison.verdict() {
            Verdict::Regressed => Known::Bad,
            Verdict::Unchanged if may_be_slower => Known::Unknown,
            Verdict::Unchanged | Verdict::Improved => Known::Good,
            _ => Known::Unknown,
        })
    }
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
    known: BTreeMap<String, Known>,
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

    fn add(&mut self, commit: &str, known: Known) -> anyhow::Result<()> {
        let line = serde_json::to_string(&LogLine { commit: commit.to_owned(), known })? + "\n";
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", self.path.display()))?;
        self.known.insert(commit.to_owned(), known);
        Ok(())
    }
}

/// Reads a log; a last line that was cut off by a kill is removed.
fn read(path: &Path) -> anyhow::Result<BTreeMap<String, Known>> {
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
        Ok((line.commit, line.known))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
