//! Sessions: how DataFusion is set up for a pond.

use std::sync::Arc;

use datafusion::execution::cache::cache_manager::CacheManagerConfig;
use datafusion::execution::context::{SessionConfig, SessionContext};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use object_store::memory::InMemory;
use url::Url;

use super::streams::FewerStreams;
use super::{aggregates, truncation};
use crate::error::Result;

/// How a query may use the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueryOptions {
    /// Partitions that DataFusion works on at a time.
    pub target_partitions: usize,
    /// Bytes that sorts and aggregations may hold before they spill to disk.
    pub memory_bytes: usize,
}

impl Default for QueryOptions {
    fn default() -> Self {
        let target_partitions = std::thread::available_parallelism().map_or(1, usize::from);
        Self { target_partitions, memory_bytes: 512 * 1024 * 1024 }
    }
}

/// Builds a session.
///
/// # Errors
/// If DataFusion refuses, which would be a defect.
pub(super) fn session(options: QueryOptions, caches: CacheManagerConfig) -> Result<SessionContext> {
    let mut config =
        SessionConfig::new().with_target_partitions(options.target_partitions).with_information_schema(false);
    let settings = config.options_mut();
    settings.optimizer.prefer_existing_sort = true;
    settings.execution.parquet.pushdown_filters = true;
    // Footers of local files are small, and half a mebibyte would read most files whole.
    settings.execution.parquet.metadata_size_hint = Some(64 * 1024);
    // Text keeps the type that it is stored with.
    settings.execution.parquet.schema_force_view_types = false;
    // Column names are kept as they are written, because sensors do not name theirs in lower case.
    settings.sql_parser.enable_ident_normalization = false;
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(options.memory_bytes)))
        .with_cache_manager(caches)
        .build_arc()?;
    let mut rules = PhysicalOptimizer::new().rules;
    rules.insert(0, Arc::new(FewerStreams));
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_physical_optimizer_rules(rules);
    let context = SessionContext::new_with_state(state.build());
    aggregates::register(&context);
    truncation::register(&context);
    // Scans of stored content name a store, though content is read past it.
    let url = Url::parse("pond://content/").expect("the address is valid");
    context.register_object_store(&url, Arc::new(InMemory::new()));
    Ok(context)
}
