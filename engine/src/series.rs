//! Tables and series as rows: all versions together, sorted by time.
//!
//! A series is the union of its versions, by column name; a table is its last version. Rows of equal
//! time come in the order of their versions. Two ways lead to the rows: [`Series::batches`] reads them in
//! order on the caller's thread, and [`SeriesTable`] shows them to DataFusion with their order declared.

mod calendar;
mod chain;
mod merge;
mod provider;
mod reader;
mod schema;
mod writer;

pub use calendar::{Unit, Units};
pub(crate) use merge::Merge;
pub(crate) use provider::SeriesTable;
pub use reader::{Batches, Series, TimeRange};
pub(crate) use schema::{decode_schema, empty_field, encode_schema, unite};
pub(crate) use writer::{SortedWriter, time_values};
