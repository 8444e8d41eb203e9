//! The `datagen` command, run as users run it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::canon::{known, rows};

fn datagen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_datagen")).args(arguments).output().expect("the command starts")
}

fn written(folder: &Path, arguments: &[&str]) -> String {
    let output = datagen(&[&["--out", folder.to_str().expect("UTF-8")], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "no bar without a terminal");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn refused(arguments: &[&str]) -> String {
    let output = datagen(arguments);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).expect("UTF-8")
}

/// Compares every file in a folder with what the library generates.
fn assert_holds_tiny(folder: &Path, extension: &str, read: fn(&Path, &SchemaRef) -> RecordBatch) {
    let spec = known("tiny");
    for series in spec.series() {
        for version in 1..=series.versions() {
            let path = folder.join(format!("v{version}{}", series.path())).with_extension(extension);
            assert_eq!(read(&path, &series.schema(version)), rows(&series, version), "{}", path.display());
        }
    }
    let stations = spec.stations();
    let path = folder.join("stations").with_extension(extension);
    assert_eq!(read(&path, &stations.schema()), stations);
}

fn read_parquet(path: &Path, schema: &SchemaRef) -> RecordBatch {
    let file = File::open(path).expect("the file is there");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet").build().expect("a reader");
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().expect("whole");
    concat_batches(schema, &batches).expect("the schema of the series")
}

/// Reads CSV with the offset for the zone's name, which Arrow only knows with a time zone database.
fn read_csv(path: &Path, schema: &SchemaRef) -> RecordBatch {
    let offset = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Timestamp(..) => Arc::new(field.as_ref().clone().with_data_type(offset.clone())),
        _ => Arc::clone(field),
    });
    let read_schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let file = File::open(path).expect("the file is there");
    let reader = arrow::csv::ReaderBuilder::new(Arc::clone(&read_schema)).with_header(true).build(file);
    let batches: Vec<RecordBatch> = reader.expect("a reader").collect::<Result<_, _>>().expect("whole");
    let batch = concat_batches(&read_schema, &batches).expect("one schema");
    let columns = batch.columns().iter().map(|column| match column.data_type() {
        DataType::Timestamp(..) => {
            Arc::new(column.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("UTC"))
                as ArrayRef
        }
        _ => Arc::clone(column),
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect()).expect("the schema of the series")
}

#[test]
fn parquet_reads_back_equal() {
    let folder = tempfile::tempdir().expect("a folder");
    let summary = written(folder.path(), &["--size", "tiny", "--format", "parquet"]);
    assert_holds_tiny(folder.path(), "parquet", read_parquet);
    assert!(summary.starts_with("tiny: 14 files, 2,2"), "{summary}");
}

#[test]
fn csv_reads_back_equal() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), &["--size", "tiny", "--format", "csv"]);
    assert_holds_tiny(folder.path(), "csv", read_csv);
    let series = known("tiny").series();
    let path = folder.path().join(format!("v1{}", series[0].path())).with_extension("csv");
    let text = fs::read_to_string(path).expect("text");
    let lines: Vec<&str> = text.lines().take(2).collect();
    assert!(lines[0].starts_with("timestamp,salinity_psu,temperature_c,"), "{}", lines[0]);
    assert!(lines[1].starts_with("2023-12-31T00:00:00Z,"), "{}", lines[1]);
}

#[test]
fn row_groups_stay_small_and_files_repeat() {
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    for folder in &folders {
        written(folder.path(), &["--size", "rows-1m"]);
    }
    let bytes =
        folders.each_ref().map(|folder| fs::read(folder.path().join("v1/readings.parquet")).expect("it"));
    assert!(bytes[0] == bytes[1], "the same bytes twice");
    let file = File::open(folders[0].path().join("v1/readings.parquet")).expect("it");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
    let groups: Vec<i64> = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(groups.iter().sum::<i64>(), 1_000_000);
    assert!(groups.iter().all(|rows| *rows <= 131_072), "{groups:?}");
}

#[test]
fn a_folder_in_use_is_refused_unless_forced() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("mine.txt"), "mine").expect("writable");
    let path = folder.path().to_str().expect("UTF-8");
    assert_eq!(
        refused(&["--size", "tiny", "--out", path]),
        format!("error: '{path}' is not empty; choose another folder or add --force to write into it\n")
    );
    let summary = written(folder.path(), &["--size", "tiny", "--force"]);
    assert!(summary.ends_with("note: 1 file that was there before was kept\n"), "{summary}");
    assert_holds_tiny(folder.path(), "parquet", read_parquet);
    assert_eq!(fs::read_to_string(folder.path().join("mine.txt")).expect("kept"), "mine");
}

#[test]
fn what_cannot_be_written_is_named_and_leaves_no_part() {
    let folder = tempfile::tempdir().expect("a folder");
    let spot = folder.path().join("a-file");
    fs::write(&spot, "").expect("writable");
    let path = spot.to_str().expect("UTF-8");
    let text = refused(&["--size", "tiny", "--out", path]);
    assert!(text.starts_with(&format!("error: cannot write '{path}': ")), "{text}");
    assert!(text.ends_with("; choose a writable folder with --out\n"), "{text}");
    assert_eq!(text.lines().count(), 1);

    // A folder in the place of a file: the file cannot be put there, and its unfinished form goes.
    let taken = folder.path().join("pond");
    fs::create_dir_all(taken.join("stations.csv/in-the-way")).expect("writable");
    let text =
        refused(&["--size", "tiny", "--format", "csv", "--force", "--out", taken.to_str().expect("UTF-8")]);
    assert!(text.contains("stations.csv'"), "{text}");
    assert!(!taken.join("stations.csv.tmp").exists());
}

/// `/dev/full` fails every write as a full disk does; a link to it stands in for the unfinished file.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    for extension in ["csv", "parquet"] {
        let unfinished = folder.path().join(format!("stations.{extension}.tmp"));
        std::os::unix::fs::symlink("/dev/full", &unfinished).expect("writable");
        let path = folder.path().to_str().expect("UTF-8");
        let text = refused(&["--size", "tiny", "--force", "--format", extension, "--out", path]);
        assert_eq!(
            text,
            format!(
                "error: cannot write '{path}/stations.{extension}': No space left on device (os error 28); \
                 free some space or choose another folder with --out\n"
            )
        );
        assert!(!unfinished.exists());
    }
}

#[test]
fn lists_print_and_write_nothing() {
    let sizes = String::from_utf8(datagen(&["--list"]).stdout).expect("UTF-8");
    assert_eq!(sizes.lines().count(), 15, "a head and fourteen sizes");
    let series = String::from_utf8(datagen(&["--list", "--size", "tiny"]).stdout).expect("UTF-8");
    assert_eq!(series.lines().count(), 8);
    assert!(series.lines().nth(1).expect("two lines").ends_with("tide.series (2 versions)"), "{series}");
}

#[test]
fn usage_errors_say_what_to_do() {
    assert!(refused(&["--size", "tinny", "--out", "never-made"]).contains("did you mean 'tiny'?"));
    assert!(refused(&["--size", "tiny"]).contains("--out <DIR>"));
    let help = String::from_utf8(datagen(&["--help"]).stdout).expect("UTF-8");
    assert!(help.contains("cargo xtask datagen --size small --out"), "{help}");
}
