//! Entries: the rows of the log, and their Arrow schema.
//!
//! An entry is a version of a node, or the record of a commit. Entries are only ever added.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::content::Digest;
use crate::error::Result;
use crate::tree::{EntryType, NodeId};

/// What a version is, apart from its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// The version's number within its node, from 1; directories have version 0 only.
    pub number: u64,
    /// The transaction that added it.
    pub txn: u64,
    /// When it was committed, in microseconds since the epoch.
    pub committed_us: i64,
    /// Size of its content in bytes.
    pub size: u64,
    /// Rows, if it holds rows.
    pub rows: Option<u64>,
    /// First event time, inclusive, in microseconds since the epoch.
    pub first_us: Option<i64>,
    /// Last event time, inclusive, in microseconds since the epoch.
    pub last_us: Option<i64>,
    /// The column that holds event times.
    pub time_column: Option<String>,
    /// The Arrow schema, as an IPC message.
    pub schema: Option<Arc<[u8]>>,
    /// Further facts as a JSON object: where it was imported from.
    pub attributes: Option<String>,
}

/// The record of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRecord {
    /// The transaction's number, from 1.
    pub txn: u64,
    /// When it was committed, in microseconds since the epoch.
    pub committed_us: i64,
    /// What was done, such as `import`.
    pub operation: String,
    /// The details as a JSON object.
    pub attributes: String,
}

/// Where an entry's content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// There is none.
    Nothing,
    /// In this row.
    Inline,
    /// In a file named by the digest.
    File,
}

impl Stored {
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Inline => Some("inline"),
            Self::File => Some("file"),
        }
    }

    /// Finds a place by its name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Inline, Self::File].into_iter().find(|place| place.name() == Some(name))
    }
}

/// One row of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// A type of node, or nothing for the record of a commit.
    pub entry_type: Option<EntryType>,
    pub node: NodeId,
    pub parent: NodeId,
    /// The node's name, or a commit's operation.
    pub name: String,
    pub version: Version,
    pub stored: Stored,
    pub digest: Option<Digest>,
    pub chunks: Option<Vec<u8>>,
    /// The content, if it is inline.
    pub content: Option<Vec<u8>>,
}

/// The name of the column that only content reads touch.
pub(super) const CONTENT_COLUMN: &str = "content";

/// The type of rows that are records of commits.
pub(super) const COMMIT_TYPE: &str = "commit";

/// Returns the schema of the log's rows.
pub(super) fn schema() -> SchemaRef {
    let long = |name: &str, nullable| Field::new(name, DataType::Int64, nullable);
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let bytes = |name: &str| Field::new(name, DataType::Binary, true);
    Arc::new(Schema::new(vec![
        long("txn", false),
        text("entry_type", false),
        long("node", false),
        long("parent", false),
        text("name", false),
        long("version", false),
        long("committed_us", false),
        text("stored", true),
        long("size", false),
        bytes("digest"),
        bytes("chunks"),
        long("rows", true),
        long("first_us", true),
        long("last_us", true),
        text("time_column", true),
        bytes("schema"),
        text("attributes", true),
        bytes(CONTENT_COLUMN),
    ]))
}

/// Encodes entries as one batch of [`schema`].
pub(super) fn encode(entries: &[Entry]) -> Result<RecordBatch> {
    let long = |value: &dyn Fn(&Entry) -> Option<i64>| -> ArrayRef {
        let mut builder = Int64Builder::with_capacity(entries.len());
        entries.iter().for_each(|entry| builder.append_option(value(entry)));
        Arc::new(builder.finish())
    };
    let text = |value: &dyn Fn(&Entry) -> Option<String>| -> ArrayRef {
        let mut builder = StringBuilder::new();
        entries.iter().for_each(|entry| builder.append_option(value(entry)));
        Arc::new(builder.finish())
    };
    let bytes = |value: &dyn for<'a> Fn(&'a Entry) -> Option<&'a [u8]>| -> ArrayRef {
        let mut builder = BinaryBuilder::new();
        entries.iter().for_each(|entry| builder.append_option(value(entry)));
        Arc::new(builder.finish())
    };
    let columns = vec![
        long(&|e| Some(e.version.txn as i64)),
        text(&|e| Some(e.entry_type.map_or(COMMIT_TYPE, EntryType::name).to_owned())),
        long(&|e| Some(e.node as i64)),
        long(&|e| Some(e.parent as i64)),
        text(&|e| Some(e.name.clone())),
        long(&|e| Some(e.version.number as i64)),
        long(&|e| Some(e.version.committed_us)),
        text(&|e| e.stored.name().map(str::to_owned)),
        long(&|e| Some(e.version.size as i64)),
        bytes(&|e| e.digest.as_ref().map(|digest| digest.0.as_slice())),
        bytes(&|e| e.chunks.as_deref()),
        long(&|e| e.version.rows.map(|rows| rows as i64)),
        long(&|e| e.version.first_us),
        long(&|e| e.version.last_us),
        text(&|e| e.version.time_column.clone()),
        bytes(&|e| e.version.schema.as_deref()),
        text(&|e| e.version.attributes.clone()),
        bytes(&|e| e.content.as_deref()),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
