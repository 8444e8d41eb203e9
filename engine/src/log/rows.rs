//! The rows of an entry file, kept in columns as they were decoded: no row allocates anything.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, AsArray, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef};

use super::Digest;
use super::entry::{self, COMMIT_TYPE, CONTENT_COLUMN, CommitRecord, Stored, Version};
use crate::error::{Error, Result};
use crate::tree::EntryType;

/// Columns with few different values: each value is decoded once.
const CODED: [&str; 4] = ["entry_type", "stored", "time_column", "schema"];

/// The schemas that entries name: equal ones share their bytes, in all files of a log.
#[derive(Debug, Default)]
pub(super) struct Schemas(Mutex<HashSet<Arc<[u8]>>>);

impl Schemas {
    fn shared(&self, bytes: &[u8]) -> Arc<[u8]> {
        let mut known = self.0.lock().expect("no thread panics while it holds the schemas");
        match known.get(bytes) {
            Some(shared) => Arc::clone(shared),
            None => {
                let shared: Arc<[u8]> = Arc::from(bytes);
                known.insert(Arc::clone(&shared));
                shared
            }
        }
    }
}

/// A column of few different values: for each row the place of its value.
struct Coded<V> {
    keys: Int32Array,
    values: Vec<V>,
}

impl<V> Coded<V> {
    fn get(&self, row: usize) -> Option<&V> {
        if self.keys.is_null(row) { None } else { self.values.get(self.keys.value(row) as usize) }
    }
}

/// The rows of an entry file, without their content.
pub(super) struct Rows {
    txn: Int64Array,
    entry_type: Coded<Option<EntryType>>,
    node: Int64Array,
    parent: Int64Array,
    name: StringArray,
    number: Int64Array,
    committed_us: Int64Array,
    stored: Coded<Stored>,
    size: Int64Array,
    digest: BinaryArray,
    chunks: BinaryArray,
    rows: Int64Array,
    first_us: Int64Array,
    last_us: Int64Array,
    time_column: Coded<String>,
    schema: Coded<Arc<[u8]>>,
    attributes: StringArray,
}

/// Returns the schema by which rows are read: that of the log, the columns of few values as dictionaries.
pub(super) fn read_schema() -> SchemaRef {
    let fields = entry::schema();
    let coded = |field: &Field| {
        let value = Box::new(field.data_type().clone());
        let coded = DataType::Dictionary(Box::new(DataType::Int32), value);
        if CODED.contains(&field.name().as_str()) {
            field.clone().with_data_type(coded)
        } else {
            field.clone()
        }
    };
    Arc::new(Schema::new(fields.fields().iter().map(|field| coded(field)).collect::<Vec<_>>()))
}

/// Returns the names of the columns that are read: all but the content.
pub(super) fn read_columns(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.fields().iter().map(|field| field.name().as_str()).filter(|name| *name != CONTENT_COLUMN)
}

impl Rows {
    /// Takes a batch of [`read_schema`] apart; `file` is for errors.
    pub(super) fn decode(batch: &RecordBatch, schemas: &Schemas, file: &str) -> Result<Self> {
        let damaged = |detail: String| Error::Damaged { place: file.to_owned(), detail };
        let column = |name: &str| {
            batch.column_by_name(name).ok_or_else(|| damaged(format!("it has no column '{name}'")))
        };
        let wrong = |name: &str| damaged(format!("'{name}' has the wrong type"));
        let long =
            |name: &str| column(name)?.as_primitive_opt::<Int64Type>().cloned().ok_or_else(|| wrong(name));
        let text = |name: &str| column(name)?.as_string_opt::<i32>().cloned().ok_or_else(|| wrong(name));
        let bytes = |name: &str| column(name)?.as_binary_opt::<i32>().cloned().ok_or_else(|| wrong(name));
        let words = |name: &str| -> Result<(Int32Array, &StringArray)> {
            let coded = column(name)?.as_dictionary_opt::<Int32Type>().ok_or_else(|| wrong(name))?;
            let values = coded.values().as_string_opt::<i32>().ok_or_else(|| wrong(name))?;
            Ok((coded.keys().clone(), values))
        };
        let (keys, values) = words("entry_type")?;
        let types = values.iter().flatten().map(|kind| match EntryType::from_name(kind) {
            None if kind != COMMIT_TYPE => Err(damaged(format!("a row has the unknown type '{kind}'"))),
            known => Ok(known),
        });
        let entry_type = Coded { keys, values: types.collect::<Result<_>>()? };
        let (keys, values) = words("stored")?;
        let places = values.iter().flatten().map(|place| {
            Stored::from_name(place).ok_or_else(|| damaged(format!("a row is stored as '{place}'")))
        });
        let stored = Coded { keys, values: places.collect::<Result<_>>()? };
        let (keys, values) = words("time_column")?;
        let time_column = Coded { keys, values: values.iter().flatten().map(str::to_owned).collect() };
        let coded = column("schema")?.as_dictionary_opt::<Int32Type>().ok_or_else(|| wrong("schema"))?;
        let values = coded.values().as_binary_opt::<i32>().ok_or_else(|| wrong("schema"))?;
        let values = values.iter().flatten().map(|bytes| schemas.shared(bytes)).collect();
        let schema = Coded { keys: coded.keys().clone(), values };
        let digest = bytes("digest")?;
        if let Some(row) =
            (0..digest.len()).find(|row| digest.is_valid(*row) && digest.value_length(*row) != 32)
        {
            return Err(damaged(format!("row {row} has a digest of the wrong length")));
        }
        Ok(Self {
            txn: long("txn")?,
            entry_type,
            node: long("node")?,
            parent: long("parent")?,
            name: text("name")?,
            number: long("version")?,
            committed_us: long("committed_us")?,
            stored,
            size: long("size")?,
            digest,
            chunks: bytes("chunks")?,
            rows: long("rows")?,
            first_us: long("first_us")?,
            last_us: long("last_us")?,
            time_column,
            schema,
            attributes: text("attributes")?,
        })
    }

    /// Returns the number of rows.
    pub(super) fn len(&self) -> usize {
        self.txn.len()
    }

    /// Returns the transaction that added a row.
    pub(super) fn txn(&self, row: usize) -> u64 {
        self.txn.value(row) as u64
    }

    /// Returns the type of a row's node; nothing for the record of a commit.
    pub(super) fn entry_type(&self, row: usize) -> Option<EntryType> {
        self.entry_type.get(row).copied().flatten()
    }

    /// Returns the number of a row's node.
    pub(super) fn node(&self, row: usize) -> u64 {
        self.node.value(row) as u64
    }

    /// Returns the number of the directory that holds a row's node.
    pub(super) fn parent(&self, row: usize) -> u64 {
        self.parent.value(row) as u64
    }

    /// Returns the name of a row's node, or a commit's operation.
    pub(super) fn name(&self, row: usize) -> &str {
        self.name.value(row)
    }

    /// Returns the number of a row's version within its node.
    pub(super) fn number(&self, row: usize) -> u64 {
        self.number.value(row) as u64
    }

    /// Returns the size of a row's content.
    pub(super) fn size(&self, row: usize) -> u64 {
        self.size.value(row) as u64
    }

    /// Returns the data rows of a row's content, if it holds any.
    pub(super) fn rows(&self, row: usize) -> Option<u64> {
        self.rows.is_valid(row).then(|| self.rows.value(row) as u64)
    }

    /// Returns the first event time of a row's content.
    pub(super) fn first_us(&self, row: usize) -> Option<i64> {
        self.first_us.is_valid(row).then(|| self.first_us.value(row))
    }

    /// Returns the last event time of a row's content.
    pub(super) fn last_us(&self, row: usize) -> Option<i64> {
        self.last_us.is_valid(row).then(|| self.last_us.value(row))
    }

    /// Returns the column that holds a row's event times.
    pub(super) fn time_column(&self, row: usize) -> Option<&str> {
        self.time_column.get(row).map(String::as_str)
    }

    /// Returns the schema of a row's content; equal ones are the same in memory.
    pub(super) fn schema(&self, row: usize) -> Option<&Arc<[u8]>> {
        self.schema.get(row)
    }

    /// Returns what a row says besides, as a JSON object, or where a link leads.
    pub(super) fn attributes(&self, row: usize) -> Option<&str> {
        self.attributes.is_valid(row).then(|| self.attributes.value(row))
    }

    /// Returns where a row's content is.
    pub(super) fn stored(&self, row: usize) -> Stored {
        self.stored.get(row).copied().unwrap_or(Stored::Nothing)
    }

    /// Returns the digest of a row's content.
    pub(super) fn digest(&self, row: usize) -> Option<Digest> {
        let bytes = self.digest.is_valid(row).then(|| self.digest.value(row))?;
        bytes.try_into().ok().map(Digest)
    }

    /// Returns the digests of the chunks of a row's content.
    pub(super) fn chunks(&self, row: usize) -> &[u8] {
        if self.chunks.is_valid(row) { self.chunks.value(row) } else { &[] }
    }

    /// Returns what a row says about a version.
    pub(super) fn version(&self, row: usize) -> Version {
        Version {
            number: self.number(row),
            txn: self.txn(row),
            committed_us: self.committed_us.value(row),
            size: self.size(row),
            rows: self.rows(row),
            first_us: self.first_us(row),
            last_us: self.last_us(row),
            time_column: self.time_column(row).map(str::to_owned),
            schema: self.schema(row).cloned(),
            attributes: self.attributes(row).map(str::to_owned),
        }
    }

    /// Returns the record of a commit.
    pub(super) fn commit(&self, row: usize) -> CommitRecord {
        CommitRecord {
            txn: self.txn(row),
            committed_us: self.committed_us.value(row),
            operation: self.name(row).to_owned(),
            attributes: self.attributes(row).unwrap_or_default().to_owned(),
        }
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({})", self.len())
    }
}
