//! Entries: the rows of the log, and their Arrow and Delta schemas.
//!
//! An entry is a version of a node, or the record of a commit. Entries are only ever added.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};

use super::content::Digest;
use crate::error::{Error, Result};
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// There is none.
    Nothing,
    /// In this row.
    Inline,
    /// In a file named by the digest.
    File,
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
    /// The content, if it is inline; read on demand, so absent in entries that were read back.
    pub content: Option<Vec<u8>>,
}

/// The name of the column that only content reads touch.
pub(super) const CONTENT_COLUMN: &str = "content";

const COMMIT_TYPE: &str = "commit";

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
        text(&|e| match e.stored {
            Stored::Nothing => None,
            Stored::Inline => Some("inline".to_owned()),
            Stored::File => Some("file".to_owned()),
        }),
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

/// Decodes a batch of [`schema`] without its content column; `file` is for errors.
pub(super) fn decode(batch: &RecordBatch, file: &str) -> Result<Vec<Entry>> {
    let damaged = |detail: String| Error::Damaged { place: file.to_owned(), detail };
    let column =
        |name: &str| batch.column_by_name(name).ok_or_else(|| damaged(format!("it has no column '{name}'")));
    let long = |name: &str| {
        let column = column(name)?;
        column.as_primitive_opt::<Int64Type>().ok_or_else(|| damaged(format!("'{name}' is no long")))
    };
    let text = |name: &str| {
        column(name)?.as_string_opt::<i32>().ok_or_else(|| damaged(format!("'{name}' is no text")))
    };
    let bytes = |name: &str| {
        column(name)?.as_binary_opt::<i32>().ok_or_else(|| damaged(format!("'{name}' is no binary")))
    };
    let (txn, node, parent) = (long("txn")?, long("node")?, long("parent")?);
    let (version, committed, size) = (long("version")?, long("committed_us")?, long("size")?);
    let (rows, first, last) = (long("rows")?, long("first_us")?, long("last_us")?);
    let (entry_type, name, stored) = (text("entry_type")?, text("name")?, text("stored")?);
    let (time_column, attributes) = (text("time_column")?, text("attributes")?);
    let (digest, chunks, schema) = (bytes("digest")?, bytes("chunks")?, bytes("schema")?);

    let mut entries: Vec<Entry> = Vec::with_capacity(batch.num_rows());
    let mut last_schema: Option<Arc<[u8]>> = None;
    for row in 0..batch.num_rows() {
        let kind = entry_type.value(row);
        let parsed = EntryType::from_name(kind);
        if parsed.is_none() && kind != COMMIT_TYPE {
            return Err(damaged(format!("row {row} has the unknown type '{kind}'")));
        }
        let stored = match stored.is_valid(row).then(|| stored.value(row)) {
            None => Stored::Nothing,
            Some("inline") => Stored::Inline,
            Some("file") => Stored::File,
            Some(other) => return Err(damaged(format!("row {row} is stored as '{other}'"))),
        };
        let digest = match digest.is_valid(row).then(|| digest.value(row)) {
            None => None,
            Some(bytes) => Some(Digest(
                bytes
                    .try_into()
                    .map_err(|_| damaged(format!("row {row} has a digest of the wrong length")))?,
            )),
        };
        // Neighbours mostly have the same schema; they share its bytes.
        let schema = schema.is_valid(row).then(|| match &last_schema {
            Some(shared) if shared.as_ref() == schema.value(row) => Arc::clone(shared),
            _ => {
                let shared: Arc<[u8]> = Arc::from(schema.value(row));
                last_schema = Some(Arc::clone(&shared));
                shared
            }
        });
        entries.push(Entry {
            entry_type: parsed,
            node: node.value(row) as u64,
            parent: parent.value(row) as u64,
            name: name.value(row).to_owned(),
            version: Version {
                number: version.value(row) as u64,
                txn: txn.value(row) as u64,
                committed_us: committed.value(row),
                size: size.value(row) as u64,
                rows: rows.is_valid(row).then(|| rows.value(row) as u64),
                first_us: first.is_valid(row).then(|| first.value(row)),
                last_us: last.is_valid(row).then(|| last.value(row)),
                time_column: time_column.is_valid(row).then(|| time_column.value(row).to_owned()),
                schema,
                attributes: attributes.is_valid(row).then(|| attributes.value(row).to_owned()),
            },
            stored,
            digest,
            chunks: chunks.is_valid(row).then(|| chunks.value(row).to_vec()),
            content: None,
        });
    }
    Ok(entries)
}
