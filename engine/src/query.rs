//! SQL over one table or series: a session, a plan, batches.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::context::{SQLOptions, SessionConfig, SessionContext};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use object_store::memory::InMemory;
use scenarios::Stage;
use tokio::runtime::Runtime;

use crate::error::{Error, Result};
use crate::metrics::{Counter, Recorder};
use crate::series::{Series, SeriesTable};

/// The name by which a query calls the file it reads.
pub const SOURCE: &str = "source";

/// How a query may use the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// The batches of a query's answer.
pub struct Answer {
    stream: SendableRecordBatchStream,
    runtime: Arc<Runtime>,
    recorder: Arc<Recorder>,
}

/// Runs a query over a series, which it calls `source`.
///
/// Only queries are allowed: nothing that makes, changes or writes tables.
///
/// # Errors
/// If the query is wrong.
pub(crate) fn query(
    series: Series,
    sql: &str,
    options: QueryOptions,
    runtime: &Arc<Runtime>,
) -> Result<Answer> {
    let recorder = Arc::clone(series.recorder());
    let context = {
        let _stage = recorder.stage(Stage::Session);
        recorder.count(Counter::SessionsBuilt, 1);
        session(options)?
    };
    let table = SeriesTable::new(series);
    {
        let _stage = recorder.stage(Stage::TableRegistration);
        context.register_table(SOURCE, Arc::new(table))?;
    }
    let plan = {
        let _stage = recorder.stage(Stage::QueryPlanning);
        recorder.count(Counter::PlansBuilt, 1);
        let only_queries =
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let planned = runtime.block_on(async {
            let frame = context.sql_with_options(sql, only_queries).await?;
            frame.create_physical_plan().await
        });
        planned.map_err(refused)?
    };
    let _stage = recorder.stage(Stage::Execution);
    let _entered = runtime.enter();
    let stream = execute_stream(plan, context.task_ctx())?;
    Ok(Answer { stream, runtime: Arc::clone(runtime), recorder: Arc::clone(&recorder) })
}

/// Adds the way out to what the planner says.
fn refused(error: DataFusionError) -> Error {
    let hint = |text: &str| match text {
        _ if text.contains(" not supported: ") => Some("only queries are allowed, such as SELECT"),
        _ if text.contains("table '") && text.contains("not found") => {
            Some("a query calls the path it is about `source`")
        }
        _ => None,
    };
    match Error::from(error) {
        Error::Query(text) => Error::Query(match hint(&text) {
            Some(hint) => format!("{text}; {hint}"),
            None => text,
        }),
        other => other,
    }
}

impl Answer {
    /// Returns the columns of the answer.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }
}

impl Iterator for Answer {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let _stage = self.recorder.stage(Stage::Execution);
        let next = self.runtime.block_on(self.stream.next())?;
        Some(next.map_err(Error::from))
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answer")
    }
}

fn session(options: QueryOptions) -> Result<SessionContext> {
    let mut config =
        SessionConfig::new().with_target_partitions(options.target_partitions).with_information_schema(false);
    config.options_mut().optimizer.prefer_existing_sort = true;
    config.options_mut().execution.parquet.pushdown_filters = true;
    // Column names are kept as they are written, because sensors do not name theirs in lower case.
    config.options_mut().sql_parser.enable_ident_normalization = false;
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(options.memory_bytes)))
        .build_arc()?;
    let context = SessionContext::new_with_config_rt(config, runtime);
    // Scans name a store, though content is read past it.
    let url = url::Url::parse("pond://content/").expect("the address is valid");
    context.register_object_store(&url, Arc::new(InMemory::new()));
    Ok(context)
}
