//! Probes for silent success: the harness is run with something wrong, and must not end with 0.
//!
//! Each probe has a workspace of its own with one cell and an engine that is a script.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use scenarios::wire::PROTOCOL;

use crate::exit::Exit;
use crate::interrupt;
use crate::paths;
use crate::report::{Align, Table};

/// The suite of every probe.
const SUITE: &str = r#"
about = "one cell"
[[scenario]]
name = "open"
about = "opens"
workload = "open"
warm = 1
timeout_s = 20
with = { size = "tiny" }
[scenario.answers]
"" = { rows = 8, digest = "00000000deadbeef" }
"#;

/// What is wrong.
type Wrong = fn(&Place) -> anyhow::Result<()>;

/// A probe: what is wrong, what is run, and how that must end.
pub(crate) struct Probe {
    name: &'static str,
    wrong: Wrong,
    arguments: &'static [&'static str],
    expected: Exit,
}

/// All probes; the first has nothing wrong, so that the others mean something.
pub(crate) const PROBES: [Probe; 13] = [
    probe("nothing wrong", nothing, &["bench"], Exit::Pass),
    probe("no baseline of that name", nothing, &["bench", "--against", "nobody"], Exit::Incomparable),
    probe("a filter that finds nothing", nothing, &["bench", "smoke/close"], Exit::Usage),
    probe("an engine without samples", |place| place.engine("", ""), &["bench"], Exit::Failed),
    probe(
        "a metric that is no number",
        |place| place.engine(&sample("NaN", 8), &sample("NaN", 8)),
        &["bench"],
        Exit::Failed,
    ),
    probe(
        "a wrong answer",
        |place| place.engine(&sample("1000", 9), &sample("1000", 9)),
        &["bench"],
        Exit::Failed,
    ),
    probe(
        "a renamed cell",
        |place| place.replace("scenarios/suites/smoke.toml", "\"open\"\nabout", "\"opened\"\nabout"),
        &["bench"],
        Exit::Incomparable,
    ),
    probe("a baseline of another architecture", another_architecture, &["bench"], Exit::Incomparable),
    probe("a truncated baseline", truncated, &["bench"], Exit::Usage),
    probe(
        "a baseline of a newer form",
        |place| place.replace("baselines/smoke.json", "\"format\": ", "\"format\": 9"),
        &["bench"],
        Exit::Usage,
    ),
    probe("a baseline of the first form, with fewer rows read", first_form, &["bench"], Exit::Regression),
    probe(
        "a base that fails",
        |place| place.script("old", "exit 3"),
        &["bench", "--against", "old"],
        Exit::Incomparable,
    ),
    probe(
        "a head that fails",
        |place| {
            place.engine(&sample("1000", 8), &sample("1000", 8))?;
            place.rename("engine", "old")?;
            place.script("engine", "exit 3")
        },
        &["bench", "--against", "old"],
        Exit::Failed,
    ),
];

const fn probe(
    name: &'static str,
    wrong: Wrong,
    arguments: &'static [&'static str],
    expected: Exit,
) -> Probe {
    Probe { name, wrong, arguments, expected }
}

/// What came of a probe.
#[derive(Clone, Debug)]
pub(crate) struct Probed {
    name: &'static str,
    expected: Exit,
    code: Option<i32>,
}

impl Probed {
    /// Tells whether the harness ended as it must.
    pub(crate) fn is_right(&self) -> bool {
        self.code == Some(self.expected as i32)
    }
}

/// Runs all probes, each in a folder below `work`.
pub(crate) fn run(work: &Path) -> anyhow::Result<Vec<Probed>> {
    let mut probed = Vec::with_capacity(PROBES.len());
    for (number, probe) in PROBES.iter().enumerate() {
        let place = Place::make(work.join(format!("probe-{number}")))?;
        (probe.wrong)(&place).with_context(|| format!("cannot set up the probe '{}'", probe.name))?;
        let code = place.run(probe.arguments)?;
        interrupt::check()?;
        probed.push(Probed { name: probe.name, expected: probe.expected, code });
    }
    Ok(probed)
}

/// Makes the table of all probes.
pub(crate) fn table(probed: &[Probed]) -> Table {
    let mut table =
        Table::new(&[("probe", Align::Left), ("must end with", Align::Right), ("ended with", Align::Right)]);
    for one in probed {
        let code = one.code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        let ended = if one.is_right() { code } else { format!("{code}: WRONG") };
        table.row(vec![one.name.to_owned(), (one.expected as i32).to_string(), ended]);
    }
    table
}

/// A workspace with one cell, an engine, and a baseline that fits.
struct Place {
    root: PathBuf,
}

impl Place {
    fn make(root: PathBuf) -> anyhow::Result<Self> {
        let place = Self { root };
        place.write("scenarios/suites/smoke.toml", SUITE)?;
        place.engine(&sample("1000", 8), &sample("1000", 8))?;
        for arguments in [&["bench"][..], &["baseline", "bless", "--reason", "a probe"]] {
            let code = place.run(arguments)?;
            anyhow::ensure!(code == Some(0), "'{}' of a probe ended with {code:?}", arguments.join(" "));
        }
        Ok(place)
    }

    fn run(&self, arguments: &[&str]) -> anyhow::Result<Option<i32>> {
        let mut command = Command::new(paths::harness()?);
        command
            .args(arguments)
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.env("PONDMARK_ROOT", &self.root).env("PONDMARK_ENGINE", self.root.join("engine"));
        // A word after --against is no revision of a repository around this folder.
        command
            .env("GIT_CEILING_DIRECTORIES", "/")
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("PONDMARK_WORK");
        Ok(command.status().context("cannot start the harness")?.code())
    }

    /// Writes an engine that says one thing for its cold and another for its warm execution.
    fn engine(&self, cold: &str, warm: &str) -> anyhow::Result<()> {
        let said = [
            cold.replace("PHASE", "cold").replace("ITERATION", "0"),
            warm.replace("PHASE", "warm").replace("ITERATION", "1"),
        ];
        let said: Vec<String> =
            said.iter().filter(|line| !line.is_empty()).map(|line| format!("echo '{line}';")).collect();
        let samples = said.len();
        self.script(
            "engine",
            &format!(
                r#"echo '{{"event":"hello","protocol":{PROTOCOL},"engine":"0.1.0","pond_format":1,"profile":"release"}}'
while read -r line; do
  case "$line" in
    *'"request":"prepare"'*) echo '{{"event":"prepared","built":false,"files":8,"rows":8}}' ;;
    *'"request":"next"'*) ;;
    *) {} echo '{{"event":"done","samples":{samples}}}' ;;
  esac
done"#,
                said.join(" ")
            ),
        )
    }

    fn script(&self, name: &str, text: &str) -> anyhow::Result<()> {
        self.write(name, &format!("#!/bin/sh\n{text}\n"))?;
        std::fs::set_permissions(self.root.join(name), std::fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.root.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn rename(&self, from: &str, to: &str) -> anyhow::Result<()> {
        Ok(std::fs::rename(self.root.join(from), self.root.join(to))?)
    }

    fn replace(&self, name: &str, from: &str, to: &str) -> anyhow::Result<()> {
        let path = self.root.join(name);
        let before =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let after = before.replace(from, to);
        anyhow::ensure!(after != before, "{} does not hold {from}", path.display());
        self.write(name, &after)
    }
}

/// One execution, as the engine says it.
fn sample(wall_ns: &str, rows: u64) -> String {
    format!(
        r#"{{"event":"sample","sample":{{"phase":"PHASE","iteration":ITERATION,"metrics":{{"wall_ns":{wall_ns},"rows_read":8}},"answer":{{"rows":{rows},"digest":"00000000deadbeef"}}}}}}"#
    )
}

fn nothing(_: &Place) -> anyhow::Result<()> {
    Ok(())
}

fn another_architecture(place: &Place) -> anyhow::Result<()> {
    let arch = format!("\"arch\": \"{}\"", std::env::consts::ARCH);
    place.replace("baselines/smoke.json", &arch, "\"arch\": \"vax\"")
}

/// The form that the first baselines had, which is still read.
fn first_form(place: &Place) -> anyhow::Result<()> {
    place.replace("baselines/smoke.json", "\"rows_read\": 8", "\"rows_read\": 7")?;
    let path = place.root.join("baselines/smoke.json");
    let mut baseline: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
    let keys = baseline.as_object_mut().context("a baseline is an object")?;
    keys.retain(|key, _| !["run", "started", "changes", "accepted"].contains(&key.as_str()));
    keys.insert("format".to_owned(), 1.into());
    place.write("baselines/smoke.json", &serde_json::to_string_pretty(&baseline)?)
}

fn truncated(place: &Place) -> anyhow::Result<()> {
    let path = place.root.join("baselines/smoke.json");
    let text = std::fs::read_to_string(&path)?;
    place.write("baselines/smoke.json", &text[..text.len() / 2])
}
