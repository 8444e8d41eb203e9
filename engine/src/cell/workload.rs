//! The workloads: what is measured, and what is not.
//!
//! Measured is the operation alone, from opening the pond (cold) or from looking for newer transactions
//! (warm) to its result. Making inputs, emptying folders and checking the answer is not.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::datatypes::Schema;
use chrono::{DateTime, SecondsFormat};
use datagen::PondSpec;
use scenarios::{Answer, Cell, Phase, Sample, Settings, Workload};

use super::append::append_day;
use super::commit;
use super::digest::Canon;
use super::prepare::data;
use super::reading::{Reading, Recorded};
use crate::error::{Error, Result};
use crate::export::{ExportOptions, Manifest};
use crate::import::ImportOptions;
use crate::knobs::Knobs;
use crate::plants;
use crate::pond::{Explain, ExplainOptions, Explained, Pond, PondOptions};
use crate::query::QueryOptions;
use crate::series::{Series, TimeRange, Units};
use crate::tree::{EntryType, Pattern};

/// What is told of each sample, before the next execution begins.
pub(super) type Took<'a> = &'a mut dyn FnMut(Sample) -> std::io::Result<()>;

/// Runs a cell once cold and `warm` times more.
pub(super) fn run(cell: &Cell, ponds_dir: &Path, work_dir: &Path, warm: u32, took: Took<'_>) -> Result<()> {
    let data = data(cell, ponds_dir)?;
    if !data.path.exists() {
        return Err(Error::NoPond(data.path));
    }
    let task = Task { cell, spec: &data.spec, data: &data.path, work_dir, knobs: knobs(cell)? };
    let mut pond: Option<Pond> = None;
    for iteration in 0..=warm {
        task.set_up(iteration == 0)?;
        let (begin, recorded) = (Reading::take(), Recorded::before(pond.as_ref()));
        let outcome = task.measured(&mut pond)?;
        let recorder = pond.as_ref().map(|pond| pond.recorder().as_ref());
        plants::after_measured(begin.elapsed(), begin.allocated(), recorder);
        let metrics = begin.until_now(&recorded, pond.as_ref());
        let sample = Sample {
            phase: if iteration == 0 { Phase::Cold } else { Phase::Warm },
            iteration,
            metrics,
            answer: task.answer(pond.as_ref(), outcome)?,
        };
        // These begin anew each time, or the second answer would not be the first.
        let anew = [Workload::Import, Workload::Open, Workload::Append, Workload::Commit];
        if anew.contains(&cell.workload) {
            pond = None;
        }
        took(sample).map_err(Error::io("talk to", Path::new("the harness")))?;
    }
    Ok(())
}

/// Returns the tuned settings, with one worker and as the cell's parameters say.
fn knobs(cell: &Cell) -> Result<Knobs> {
    let mut settings = Settings::default();
    let mut parameters = cell.parameters.clone();
    parameters.entry("jobs".to_owned()).or_insert_with(|| "1".to_owned());
    let bad = |message: String| Error::Option { option: "knob", message };
    settings.apply(&parameters).map_err(bad)?;
    Ok(Knobs::from(settings))
}

/// Does once what a cell does with rows, and explains it.
pub(super) fn explain(cell: &Cell, ponds_dir: &Path, work_dir: &Path) -> Result<Explained> {
    let data = data(cell, ponds_dir)?;
    let task = Task { cell, spec: &data.spec, data: &data.path, work_dir, knobs: knobs(cell)? };
    let options = PondOptions { knobs: task.knobs.clone(), accesses: true, ..PondOptions::default() };
    let pond = Pond::open(&data.path, options)?;
    let options = ExplainOptions { query: task.query_options(), ..ExplainOptions::default() };
    match cell.workload {
        Workload::Query => {
            let (path, sql) = task.asked(&pond)?;
            pond.explain(Explain::Sql { path: &path, sql: &sql }, options)
        }
        Workload::Pattern | Workload::Export | Workload::ReExport | Workload::Append => {
            let range = TimeRange { start_us: task.time("start")?, end_us: task.time("end")? };
            pond.explain(Explain::Pattern { pattern: task.parameter("pattern")?, range }, options)
        }
        _ => Err(Error::Option {
            option: "workload",
            message: format!(
                "there is nothing to explain about {}; explain a query or an export",
                cell.workload
            ),
        }),
    }
}

/// One cell, with its folders.
struct Task<'a> {
    cell: &'a Cell,
    spec: &'a PondSpec,
    data: &'a Path,
    work_dir: &'a Path,
    knobs: Knobs,
}

/// What a measured operation leaves for the check of its answer.
enum Outcome {
    Nodes(Vec<String>),
    Table(Box<Canon>),
    Exported(Manifest),
    Imported,
    /// The number of the new version.
    Committed(u64),
}

impl Task<'_> {
    /// Readies the folders that the operation reads and writes; none of this is measured. A history to
    /// commit to is copied once, and grows.
    fn set_up(&self, first: bool) -> Result<()> {
        match self.cell.workload {
            Workload::Open | Workload::Pattern | Workload::Query => Ok(()),
            Workload::Export => self.remove("out"),
            Workload::Import => {
                self.remove("pond")?;
                Pond::init(&self.work_dir.join("pond"), PondOptions::default()).map(drop)
            }
            Workload::ReExport | Workload::QueryExport => self.export_once(),
            Workload::Append => {
                self.remove("out")?;
                self.copy_pond()?;
                self.export_once()?;
                append_day(&self.open()?, self.number("appended", 1)?)
            }
            Workload::Commit if first => self.copy_pond(),
            Workload::Commit => Ok(()),
            Workload::Callgrind | Workload::Criterion => Err(self.no_operation()),
        }
    }

    fn remove(&self, name: &str) -> Result<()> {
        let folder = self.work_dir.join(name);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", &folder)(error))
            }
            _ => Ok(()),
        }
    }

    /// Makes the first export, if it is not there.
    fn export_once(&self) -> Result<()> {
        if !self.work_dir.join("out").exists() {
            self.open()?.export(&self.export_options()?, &|_, _| ())?;
        }
        Ok(())
    }

    /// Copies the pond, so that the operation may write to it.
    fn copy_pond(&self) -> Result<()> {
        self.remove("pond")?;
        commit::link_pond(self.data, &self.work_dir.join("pond"))
    }

    fn root(&self) -> PathBuf {
        match self.cell.workload {
            Workload::Import | Workload::Append | Workload::Commit => self.work_dir.join("pond"),
            _ => self.data.to_owned(),
        }
    }

    fn open(&self) -> Result<Pond> {
        Pond::open(&self.root(), PondOptions { knobs: self.knobs.clone(), ..PondOptions::default() })
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
            Workload::Export | Workload::ReExport | Workload::Append => {
                pond.export(&self.export_options()?, &|_, _| ()).map(Outcome::Exported)
            }
            Workload::QueryExport => self.query_export(pond),
            Workload::Import => {
                let versions = self.spec.series().iter().map(datagen::Series::versions).max();
                for version in 1..=versions.unwrap_or(1) {
                    let folder = self.data.join(format!("v{version}"));
                    pond.import(&[folder], "/", &ImportOptions::default(), &|_| ())?;
                }
                Ok(Outcome::Imported)
            }
            Workload::Commit => commit::commit(pond, self.spec).map(Outcome::Committed),
            Workload::Callgrind | Workload::Criterion => Err(self.no_operation()),
        }
    }

    fn no_operation(&self) -> Error {
        let message = format!("{} is run by cargo, not by the engine", self.cell.workload);
        Error::Option { option: "workload", message }
    }

    /// Asks the exported files what [`Task::query`] asks a series, about the first series of the pattern.
    fn query_export(&self, pond: &Pond) -> Result<Outcome> {
        let listed = pond.list(self.parameter("pattern")?)?;
        let first = listed.iter().find(|one| one.entry_type.is_queryable()).ok_or_else(|| {
            Error::NoMatch { pattern: self.parameter("pattern").unwrap_or_default().to_owned(), near: None }
        })?;
        let sql = stored_sql(self.parameter("query")?, &pond.series(&first.path)?)?;
        let answer = pond.query_export(&self.work_dir.join("out"), &sql, self.query_options())?;
        let mut canon = Canon::new(true);
        canon.table(&answer.schema(), answer)?;
        Ok(Outcome::Table(Box::new(canon)))
    }

    /// Returns the path that a query is about, and the query.
    fn asked(&self, pond: &Pond) -> Result<(String, String)> {
        let kind = self.parameter("query")?;
        let path = match self.cell.parameter("path") {
            Some(path) => path.to_owned(),
            None => self.numbered(pond)?,
        };
        let sql = match pond.derived(&path)? {
            Some(node) => sql(kind, &node.schema, node.time_column.as_deref(), None)?,
            None => stored_sql(kind, &pond.series(&path)?)?,
        };
        Ok((path, sql))
    }

    /// Returns the path of the series that the cell gives by number.
    fn numbered(&self, pond: &Pond) -> Result<String> {
        let number: usize = self.number("series", 0)?;
        let all = pond.list("/**")?;
        let queryable: Vec<_> = all.iter().filter(|one| one.entry_type.is_queryable()).collect();
        let listed = queryable.get(number).ok_or_else(|| Error::Option {
            option: "series",
            message: format!("there are {} series, so {number} is none", queryable.len()),
        })?;
        Ok(listed.path.clone())
    }

    /// Returns how a query may use the machine: as many partitions as there are workers.
    fn query_options(&self) -> QueryOptions {
        QueryOptions { target_partitions: self.knobs.jobs(), ..QueryOptions::default() }
    }

    fn query(&self, pond: &Pond) -> Result<Outcome> {
        let (path, sql) = self.asked(pond)?;
        let answer = pond.query(&path, &sql, self.query_options())?;
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
            Outcome::Committed(number) => return commit::answer(pond, self.spec, number),
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
                let rows = canon.file(&schema, builder.build()?.map(|batch| batch.map_err(Error::from)))?;
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
            jobs: self.knobs.jobs(),
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
fn stored_sql(kind: &str, series: &Series) -> Result<String> {
    let time = series.time().map(|column| series.schema().field(column).name().as_str());
    sql(kind, series.schema(), time, series.bounds())
}

/// Returns the query of a kind over a relation with these columns and bounds.
fn sql(kind: &str, schema: &Schema, time: Option<&str>, bounds: Option<(i64, i64)>) -> Result<String> {
    let bad = |message: &str| Error::Option { option: "query", message: message.to_owned() };
    let time = time.ok_or_else(|| bad("there is no time column"))?;
    if kind == "combined" {
        return Ok(format!(
            "SELECT site, date_trunc('hour', \"{time}\") AS hour, avg(temperature_c) AS mean FROM source \
             GROUP BY 1, 2 ORDER BY 1, 2"
        ));
    }
    let float = schema.fields().iter().find(|field| field.data_type().is_floating());
    let value = float.ok_or_else(|| bad("there is no float column"))?.name();
    if kind == "aggregate" {
        return Ok(format!(
            "SELECT date_bin(INTERVAL '1 hour', \"{time}\") AS hour, count(*) AS n, avg(\"{value}\") AS mean, \
             min(\"{value}\") AS low, max(\"{value}\") AS high FROM source GROUP BY 1 ORDER BY 1"
        ));
    }
    let (first, last) =
        bounds.ok_or_else(|| bad("the bounds are not known; ask a stored series with rows"))?;
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
        other => Err(bad(&format!("'{other}' is no query; write point, range, aggregate or combined"))),
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
