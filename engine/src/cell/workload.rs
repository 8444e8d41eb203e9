//! The workloads: what is measured, and what is not.
//!
//! Measured is the operation alone, from opening the pond (cold) or from looking for newer transactions
//! (warm) to its result. Making inputs, emptying folders and checking the answer is not.

use std::fs;
use std::path::Path;
use std::time::Instant;

use chrono::{DateTime, SecondsFormat};
use scenarios::{Answer, Cell, Phase, Sample, Workload};

use super::digest::Canon;
use super::prepare::data;
use super::process::{cpu_time, peak_rss_bytes};
use crate::error::{Error, Result};
use crate::export::{ExportOptions, Manifest};
use crate::import::ImportOptions;
use crate::metrics::{Totals, allocations};
use crate::pond::{Pond, PondOptions};
use crate::query::QueryOptions;
use crate::series::{Series, TimeRange, Units};
use crate::tree::{EntryType, Pattern};

/// Runs a cell once cold and `warm` times more.
pub(super) fn run(cell: &Cell, ponds_dir: &Path, work_dir: &Path, warm: u32) -> Result<Vec<Sample>> {
    let data = data(cell, ponds_dir)?;
    if !data.path.exists() {
        return Err(Error::NoPond(data.path));
    }
    let task = Task { cell, data: &data.path, work_dir, versions: latest(&data.spec) };
    let mut pond: Option<Pond> = None;
    let mut samples = Vec::with_capacity(warm as usize + 1);
    for iteration in 0..=warm {
        task.clean()?;
        let (begin, recorded) = (Reading::take(), Recorded::before(pond.as_ref()));
        let outcome = task.measured(&mut pond)?;
        let metrics = begin.until_now(&recorded, pond.as_ref());
        samples.push(Sample {
            phase: if iteration == 0 { Phase::Cold } else { Phase::Warm },
            iteration,
            metrics,
            answer: task.answer(pond.as_ref(), outcome)?,
        });
        if matches!(cell.workload, Workload::Import | Workload::Open) {
            pond = None;
        }
    }
    Ok(samples)
}

fn latest(spec: &datagen::PondSpec) -> u32 {
    spec.series().iter().map(datagen::Series::versions).max().unwrap_or(1)
}

/// One cell, with its folders.
struct Task<'a> {
    cell: &'a Cell,
    data: &'a Path,
    work_dir: &'a Path,
    versions: u32,
}

/// What a measured operation leaves for the check of its answer.
enum Outcome {
    Nodes(Vec<String>),
    Table(Box<Canon>),
    Exported(Manifest),
    Imported,
}

impl Task<'_> {
    /// Empties the folders that the operation writes to; a re-export gets its first export.
    fn clean(&self) -> Result<()> {
        if self.cell.workload == Workload::ReExport {
            if !self.work_dir.join("out").exists() {
                self.open()?.export(&self.export_options()?, &|_, _| ())?;
            }
            return Ok(());
        }
        for name in ["out", "pond"] {
            let folder = self.work_dir.join(name);
            if folder.exists() {
                fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
            }
        }
        if self.cell.workload == Workload::Import {
            Pond::init(&self.work_dir.join("pond"), PondOptions::default())?;
        }
        Ok(())
    }

    fn open(&self) -> Result<Pond> {
        let root =
            if self.cell.workload == Workload::Import { &self.work_dir.join("pond") } else { self.data };
        Pond::open(root, PondOptions::default())
    }

    /// The operation, from opening or refreshing the pond to its result.
    fn measured(&self, pond: &mut Option<Pond>) -> Result<Outcome> {
        match pond {
            Some(pond) => drop(pond.refresh()?),
            None => *pond = Some(self.open()?),
        }
        let pond = pond.as_ref().expect("the pond was just opened");
        match self.cell.workload {
            Workload::Open => Ok(Outcome::Nodes(paths(pond, "/**")?)),
            Workload::Pattern => {
                let listed = pond.list(self.parameter("pattern")?)?;
                let lines = listed.into_iter().map(|one| format!("{} {}", one.path, one.captures.join("|")));
                Ok(Outcome::Nodes(lines.collect()))
            }
            Workload::Query => self.query(pond),
            Workload::Export | Workload::ReExport => {
                pond.export(&self.export_options()?, &|_, _| ()).map(Outcome::Exported)
            }
            Workload::Import => {
                for version in 1..=self.versions {
                    let folder = self.data.join(format!("v{version}"));
                    pond.import(&[folder], "/", &ImportOptions::default(), &|_| ())?;
                }
                Ok(Outcome::Imported)
            }
            Workload::Append | Workload::QueryExport | Workload::Commit => Err(Error::Option {
                option: "workload",
                message: format!("{} is not known to this engine", self.cell.workload),
            }),
        }
    }

    fn query(&self, pond: &Pond) -> Result<Outcome> {
        let number: usize = self.number("series", 0)?;
        let all = pond.list("/**")?;
        let queryable: Vec<_> = all.iter().filter(|one| one.entry_type.is_queryable()).collect();
        let listed = queryable.get(number).ok_or_else(|| Error::Option {
            option: "series",
            message: format!("there are {} series, so {number} is none", queryable.len()),
        })?;
        let series = pond.series(&listed.path)?;
        let sql = sql(self.parameter("query")?, &series)?;
        let options = QueryOptions { target_partitions: 1, ..QueryOptions::default() };
        let answer = pond.query(&listed.path, &sql, options)?;
        let mut canon = Canon::new(true);
        canon.table(&answer.schema(), answer)?;
        Ok(Outcome::Table(Box::new(canon)))
    }

    /// Checks what the operation did, by reading back what it wrote.
    fn answer(&self, pond: Option<&Pond>, outcome: Outcome) -> Result<Answer> {
        let pond = pond.expect("the pond is open while an operation is checked");
        let mut canon = Canon::new(false);
        match outcome {
            Outcome::Table(canon) => return Ok(canon.answer()),
            Outcome::Nodes(lines) => {
                lines.iter().for_each(|line| canon.text(line));
                canon.count(lines.len() as u64);
            }
            Outcome::Imported => {
                for one in pond.list("/**")?.iter().filter(|one| one.entry_type == EntryType::Series) {
                    let series = pond.series(&one.path)?;
                    canon.text(&one.path);
                    canon.table(series.schema(), series.batches(TimeRange::default())?)?;
                }
            }
            Outcome::Exported(manifest) => self.read_back(&manifest, &mut canon)?,
        }
        Ok(canon.answer())
    }

    /// Reads every exported file, and finds files that the manifest does not name.
    fn read_back(&self, manifest: &Manifest, canon: &mut Canon) -> Result<()> {
        let out = self.work_dir.join("out");
        let mut named: Vec<String> = Vec::new();
        for target in &manifest.targets {
            for file in &target.files {
                let path = out.join(&file.path);
                let reader = fs::File::open(&path).map_err(Error::io("read", &path))?;
                let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(reader)?;
                let schema = builder.schema().clone();
                canon.text(&file.path);
                let rows = canon.table(&schema, builder.build()?.map(|batch| batch.map_err(Error::from)))?;
                if rows != file.rows {
                    let message = format!("it holds {rows} rows, the manifest says {}", file.rows);
                    return Err(Error::Export { path: file.path.clone(), message });
                }
                named.push(file.path.clone());
            }
        }
        let mut found = Vec::new();
        data_files(&out, &out, &mut found)?;
        named.sort();
        found.sort();
        if named != found {
            let stale = found.iter().find(|file| !named.contains(file)).cloned().unwrap_or_default();
            return Err(Error::Export { path: stale, message: "the manifest does not name it".to_owned() });
        }
        Ok(())
    }

    fn export_options(&self) -> Result<ExportOptions> {
        Ok(ExportOptions {
            patterns: vec![Pattern::parse(self.parameter("pattern")?)?],
            dir: self.work_dir.join("out"),
            temporal: Units::parse(self.parameter("temporal")?)?,
            range: TimeRange { start_us: self.time("start")?, end_us: self.time("end")? },
            jobs: self.number("jobs", 1)?,
            replace: false,
        })
    }

    fn parameter(&self, key: &'static str) -> Result<&str> {
        let missing = || Error::Option { option: key, message: "the cell does not give it".to_owned() };
        self.cell.parameter(key).ok_or_else(missing)
    }

    fn number(&self, key: &'static str, default: usize) -> Result<usize> {
        let Some(text) = self.cell.parameter(key) else { return Ok(default) };
        text.parse()
            .map_err(|_| Error::Option { option: key, message: format!("'{text}' is no whole number") })
    }

    fn time(&self, key: &'static str) -> Result<Option<i64>> {
        let Some(text) = self.cell.parameter(key) else { return Ok(None) };
        let time = DateTime::parse_from_rfc3339(text)
            .map_err(|error| Error::Option { option: key, message: format!("'{text}': {error}") })?;
        Ok(Some(time.timestamp_micros()))
    }
}

/// Writes the query of a kind for a series: over its first float column, around the middle of its time.
fn sql(kind: &str, series: &Series) -> Result<String> {
    let bad = |message: String| Error::Option { option: "query", message };
    let schema = series.schema();
    let time = series.time().ok_or_else(|| bad("the series has no time column".to_owned()))?;
    let time = schema.field(time).name();
    let float = schema.fields().iter().find(|field| field.data_type().is_floating());
    let value = float.ok_or_else(|| bad("the series has no float column".to_owned()))?.name();
    let (first, last) = series.bounds().ok_or_else(|| bad("the series has no rows".to_owned()))?;
    let middle = first + (last - first) / 2;
    let at = |us: i64| {
        let time = DateTime::from_timestamp_micros(us).unwrap_or_default();
        format!("TIMESTAMP '{}'", time.to_rfc3339_opts(SecondsFormat::Micros, true))
    };
    match kind {
        "point" => {
            Ok(format!("SELECT * FROM source WHERE \"{time}\" >= {} ORDER BY \"{time}\" LIMIT 1", at(middle)))
        }
        "range" => Ok(format!(
            "SELECT count(*) AS n, avg(\"{value}\") AS mean FROM source WHERE \"{time}\" >= {} AND \"{time}\" < {}",
            at(middle),
            at(middle + (last - first) / 8)
        )),
        "aggregate" => Ok(format!(
            "SELECT date_bin(INTERVAL '1 hour', \"{time}\") AS hour, count(*) AS n, avg(\"{value}\") AS mean, \
             min(\"{value}\") AS low, max(\"{value}\") AS high FROM source GROUP BY 1 ORDER BY 1"
        )),
        other => Err(bad(format!("'{other}' is no query; write point, range or aggregate"))),
    }
}

fn paths(pond: &Pond, pattern: &str) -> Result<Vec<String>> {
    Ok(pond.list(pattern)?.into_iter().map(|one| one.path).collect())
}

/// Adds the Parquet files below a folder, by their path from `root`.
fn data_files(root: &Path, folder: &Path, found: &mut Vec<String>) -> Result<()> {
    for item in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = item.map_err(Error::io("list", folder))?.path();
        if path.is_dir() {
            data_files(root, &path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "parquet") {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            found.push(relative.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

/// Clocks and allocations at one moment.
struct Reading {
    wall: Instant,
    cpu: std::time::Duration,
    allocations: (u64, u64),
}

/// The counters before an operation; a pond that is opened by it begins at zero.
struct Recorded(Totals);

impl Recorded {
    fn before(pond: Option<&Pond>) -> Self {
        Self(pond.map_or_else(Totals::default, |pond| pond.recorder().totals()))
    }
}

impl Reading {
    fn take() -> Self {
        Self { allocations: allocations(), cpu: cpu_time(), wall: Instant::now() }
    }

    /// Returns all metrics from this moment until now.
    fn until_now(&self, before: &Recorded, pond: Option<&Pond>) -> std::collections::BTreeMap<String, u64> {
        let wall = self.wall.elapsed();
        let cpu = cpu_time().saturating_sub(self.cpu);
        let (count, bytes) = allocations();
        let mut metrics =
            pond.map_or_else(Default::default, |pond| pond.recorder().totals().since(&before.0));
        let ns = |duration: std::time::Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        metrics.insert("wall_ns".to_owned(), ns(wall));
        metrics.insert("cpu_ns".to_owned(), ns(cpu));
        metrics.insert("alloc_count".to_owned(), count - self.allocations.0);
        metrics.insert("alloc_bytes".to_owned(), bytes - self.allocations.1);
        if let Some(bytes) = peak_rss_bytes() {
            metrics.insert("peak_rss_bytes".to_owned(), bytes);
        }
        metrics
    }
}
