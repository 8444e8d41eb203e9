//! Tables and series as rows: all versions together, sorted by time.
//!
//! A series is the union of its versions, by column name; a table is its last version. Rows of equal
//! time come in the order of their versions. Two ways lead to the rows: [`Series::batches`] reads them in
//! order on the caller's thread, and [`SeriesTable`] shows them to DataFusion with their order declared.

mod caches;
mod calendar;
mod chain;
mod content_reader;
mod merge;
mod provider;
mod pruning;
mod reader;
mod reduce;
mod schema;
mod small;
mod stored;
mod sum;
mod writer;

pub(crate) use caches::{NodeVersion, SeriesCaches};
pub use calendar::{Unit, Units};
pub(crate) use content_reader::BYTES_SCANNED;
pub(crate) use merge::Merge;
pub(crate) use provider::{FILES_PRUNED, FILES_SCANNED, PATH_LABEL, SeriesTable};
pub use reader::{Batches, Series, TimeRange};
pub(crate) use reduce::{Aggregate, ReduceColumn, Reducer};
pub(crate) use schema::{decode_schema, empty_field, encode_schema, is_empty_field, unite};
pub(crate) use stored::{StoredGroup, StoredGroups, footer_span};
pub(crate) use sum::Sum;
pub(crate) use writer::{SortedWriter, time_values};
