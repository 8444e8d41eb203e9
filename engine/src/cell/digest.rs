//! Digests of answers in canonical form: the same rows give the same digest however they are batched.
//!
//! Per column, the validity of each row and the values of the valid rows are hashed apart, so a batch
//! without nulls hashes like a part of one with them. Floats of query answers are rounded to nine
//! significant digits, because the order of additions is the engine's own affair.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, filter, is_not_null};
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef};
use scenarios::Answer;

use crate::error::Result;

/// Digits of a digest in answers.
const DIGEST_DIGITS: usize = 16;

/// Hashes rows, or texts, in canonical form.
#[derive(Debug)]
pub struct Canon {
    whole: blake3::Hasher,
    columns: Vec<(blake3::Hasher, blake3::Hasher)>,
    round: bool,
    rows: u64,
}

impl Canon {
    /// Begins a digest; `round` makes floats count to nine significant digits.
    pub fn new(round: bool) -> Self {
        Self { whole: blake3::Hasher::new(), columns: Vec::new(), round, rows: 0 }
    }

    /// Adds a text, such as a path.
    pub fn text(&mut self, text: &str) {
        self.whole.update(&(text.len() as u64).to_le_bytes());
        self.whole.update(text.as_bytes());
    }

    /// Adds all rows of a table whose batches follow.
    ///
    /// # Errors
    /// If a batch cannot be read.
    pub fn table(
        &mut self,
        schema: &SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch>>,
    ) -> Result<u64> {
        self.columns = schema.fields().iter().map(|_| Default::default()).collect();
        let mut rows = 0;
        for batch in batches {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            for (index, column) in batch.columns().iter().enumerate() {
                self.column(index, column)?;
            }
        }
        for (field, (validity, values)) in schema.fields().iter().zip(std::mem::take(&mut self.columns)) {
            self.text(field.name());
            self.whole.update(validity.finalize().as_bytes());
            self.whole.update(values.finalize().as_bytes());
        }
        self.rows += rows;
        Ok(rows)
    }

    /// Counts rows that are not of a table, such as matches.
    pub fn count(&mut self, rows: u64) {
        self.rows += rows;
    }

    /// Ends the digest.
    pub fn answer(self) -> Answer {
        let digest = self.whole.finalize().to_hex();
        Answer { rows: self.rows, digest: digest[..DIGEST_DIGITS].to_owned() }
    }

    fn column(&mut self, index: usize, column: &ArrayRef) -> Result<()> {
        let valid = is_not_null(column)?;
        let (validity, values) = &mut self.columns[index];
        let bits: Vec<u8> = valid.values().iter().map(u8::from).collect();
        validity.update(&bits);
        let column = if column.null_count() > 0 { filter(column, &valid)? } else { ArrayRef::clone(column) };
        match column.data_type() {
            DataType::Timestamp(..) | DataType::Int64 => {
                let numbers = cast(&column, &DataType::Int64)?;
                for number in numbers.as_primitive::<Int64Type>().values() {
                    values.update(&number.to_le_bytes());
                }
            }
            DataType::Float64 if !self.round => {
                for number in column.as_primitive::<Float64Type>().values() {
                    values.update(&number.to_bits().to_le_bytes());
                }
            }
            DataType::Float64 => {
                for number in column.as_primitive::<Float64Type>().values() {
                    values.update(format!("{number:.8e};").as_bytes());
                }
            }
            _ => {
                let texts = cast(&column, &DataType::Utf8)?;
                for text in texts.as_string::<i32>().iter().flatten() {
                    values.update(&(text.len() as u64).to_le_bytes());
                    values.update(text.as_bytes());
                }
            }
        }
        Ok(())
    }
}
