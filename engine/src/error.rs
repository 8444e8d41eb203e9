//! The one error type of the library: each variant names the place, and the way out where there is one.

use std::path::{Path, PathBuf};

use arrow::datatypes::DataType;
use datafusion::error::DataFusionError;

/// Result of the library's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in a pond.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no pond where one was expected.
    #[error("no pond at {}; create one with `pond --pond {} init`", .0.display(), .0.display())]
    NoPond(PathBuf),
    /// A pond, or something else, is already there.
    #[error("{} already exists and is not an empty folder; choose another folder for the pond", .0.display())]
    PondExists(PathBuf),
    /// The pond was written by a newer version.
    #[error("{} has pond format {found}, and this program reads format {known} at most; use a newer `pond`", path.display())]
    NewerFormat {
        /// The pond.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this version reads.
        known: u32,
    },
    /// Stored bytes are not what was written.
    #[error("{place} is damaged: {detail}; restore the file from a copy")]
    Damaged {
        /// The stored thing.
        place: String,
        /// What does not fit.
        detail: String,
    },
    /// A path of the pond does not exist.
    #[error("{path} does not exist in the pond{}", hint(near))]
    NotFound {
        /// The path asked for.
        path: String,
        /// A path that does exist and looks like it.
        near: Option<String>,
    },
    /// A path of the pond has another type than the operation needs.
    #[error("{path} is a {found}, and a {expected} is needed; choose another path")]
    WrongType {
        /// The path.
        path: String,
        /// The type it has.
        found: &'static str,
        /// The type needed.
        expected: &'static str,
    },
    /// A path or a pattern is not well formed.
    #[error("bad path '{path}': {reason}")]
    BadPath {
        /// What was given.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A pattern matches nothing that the operation can use.
    #[error("pattern '{pattern}' matches no table or series{}", hint(near))]
    NoMatch {
        /// The pattern.
        pattern: String,
        /// A path that does exist and may have been meant.
        near: Option<String>,
    },
    /// An input file cannot be imported.
    #[error("{}{}{}: {message}", file.display(), line_text(*line), column_text(column))]
    Input {
        /// The file.
        file: PathBuf,
        /// The line or row, from 1, if one is to blame.
        line: Option<u64>,
        /// The column, if one is to blame.
        column: Option<String>,
        /// What is wrong, and what to do.
        message: String,
    },
    /// An option has a value that makes no sense.
    #[error("{option}: {message}")]
    Option {
        /// The option.
        option: &'static str,
        /// What is wrong with its value.
        message: String,
    },
    /// A column whose values are no numbers is to be aggregated.
    #[error("column '{column}' is {found} and has no {aggregate}; name columns of numbers")]
    NotNumeric {
        /// The column.
        column: String,
        /// The type of its values.
        found: DataType,
        /// What was asked of it.
        aggregate: &'static str,
    },
    /// An export cannot be written as asked.
    #[error("{path}: {message}")]
    Export {
        /// The pond path or the output path.
        path: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// The configuration of a derived node is wrong.
    #[error("{place}{}: {message}", config_line(*line))]
    Config {
        /// The node, and the part of its configuration.
        place: String,
        /// The line of the configuration, from 1, if one is to blame.
        line: Option<u64>,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A derived node cannot be made of its inputs.
    #[error("{path}: {message}")]
    Derived {
        /// The node.
        path: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Another process holds the pond or the export folder.
    #[error("{} is being written by another process; try again when it has ended", .0.display())]
    Locked(PathBuf),
    /// A transaction is committed, but the upkeep of the log after it failed.
    #[error(
        "transaction {txn} is committed, but the upkeep of the log failed and will be tried again by the next one: {source}"
    )]
    Upkeep {
        /// The transaction.
        txn: u64,
        /// What failed.
        source: Box<Error>,
    },
    /// The Delta log refused.
    #[error("the log of the pond: {0}")]
    Log(String),
    /// A query is wrong, or failed.
    #[error("query: {0}")]
    Query(String),
    /// A query found no room beside others that run, or needs more memory than all of them may have.
    #[error("query: {0}")]
    Memory(String),
    /// Arrow refused; a defect of the program unless memory ran out.
    #[error("columns: {0}")]
    Arrow(arrow::error::ArrowError),
    /// Parquet could not be written or read.
    #[error("parquet: {0}")]
    Parquet(parquet::errors::ParquetError),
}

impl Error {
    /// Wraps an error of the file system with what was tried and where.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// Makes an error about an input file as a whole.
    pub fn input(file: &Path, message: impl Into<String>) -> Self {
        Self::Input { file: file.to_owned(), line: None, column: None, message: message.into() }
    }

    /// Makes an error about one line of an input file.
    pub fn line(file: &Path, line: u64, message: impl Into<String>) -> Self {
        Self::Input { file: file.to_owned(), line: Some(line), column: None, message: message.into() }
    }

    /// Makes an error about one value of an input file.
    pub fn value(file: &Path, line: u64, column: &str, message: impl Into<String>) -> Self {
        Self::Input {
            file: file.to_owned(),
            line: Some(line),
            column: Some(column.to_owned()),
            message: message.into(),
        }
    }
}

impl From<deltalake::DeltaTableError> for Error {
    fn from(error: deltalake::DeltaTableError) -> Self {
        Self::Log(error.to_string())
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        let is_memory = matches!(error.find_root(), DataFusionError::ResourcesExhausted(_));
        let text = error.strip_backtrace();
        own_error(&error).unwrap_or(if is_memory { Self::Memory(text) } else { Self::Query(text) })
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        own_error(&error).unwrap_or(Self::Arrow(error))
    }
}

impl From<parquet::errors::ParquetError> for Error {
    fn from(error: parquet::errors::ParquetError) -> Self {
        own_error(&error).unwrap_or(Self::Parquet(error))
    }
}

/// Finds damage or a refusal of the file system that went through a library on its way up.
fn own_error(error: &(dyn std::error::Error + 'static)) -> Option<Error> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(Error::Damaged { place, detail }) = error.downcast_ref() {
            return Some(Error::Damaged { place: place.clone(), detail: detail.clone() });
        }
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && let Some(inner) = io.get_ref()
        {
            at = Some(inner);
            continue;
        }
        at = error.source();
    }
    None
}

fn hint(near: &Option<String>) -> String {
    near.as_ref().map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

fn line_text(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(":{line}"))
}

fn config_line(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}

fn column_text(column: &Option<String>) -> String {
    column.as_ref().map_or_else(String::new, |column| format!(": column '{column}'"))
}
