//! SQL over tables and series: sessions, plans, batches.

mod aggregates;
mod analysis;
mod answer;
mod explain;
mod exported;
mod file_caches;
mod planner;
mod relation;
mod session;
mod streams;
mod truncation;

pub(crate) use analysis::ScanCount;
pub use analysis::{
    ANALYSIS_FORMAT, AggregateOrder, Analysis, Estimate, Finding, Operator, OrderUse, Phase, PhaseTime,
    Planning, Plans, Rule, Scan, Scheme,
};
pub use answer::{Answer, SOURCE};
pub(crate) use answer::{Relations, bounds, query, query_export};
pub(crate) use explain::{Asked, explain};
pub use exported::exported_table;
pub use file_caches::{FileCacheOptions, FileCaches};
pub(crate) use planner::{PlanKey, Planner, Shown, Source, unique_name};
pub(crate) use relation::{plan_sql, quoted, relations_of};
pub use session::QueryOptions;
