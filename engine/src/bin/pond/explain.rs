//! `pond explain`.

use anyhow::{Context, Result};
use engine::{Explain, ExplainOptions, Pond, QueryOptions};

use crate::cli::{ExplainArguments, ExplainFormat};
use crate::{output, times};

pub(crate) fn run(pond: &Pond, arguments: &ExplainArguments) -> Result<()> {
    let target = match &arguments.sql {
        Some(sql) => Explain::Sql { path: &arguments.pattern, sql },
        None => {
            let range = times::range(arguments.start.as_deref(), arguments.end.as_deref())?;
            Explain::Pattern { pattern: &arguments.pattern, range }
        }
    };
    let mut query = QueryOptions::default();
    query.target_partitions = arguments.partitions.unwrap_or(query.target_partitions);
    let explained = pond.explain(target, ExplainOptions { query, plans_max: arguments.plans })?;
    if let Some(path) = &arguments.svg {
        let plan = explained.plans.first().context("--svg: there is no plan to draw; leave out --plans 0")?;
        std::fs::write(path, plan.analysis.picture())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    match arguments.format {
        ExplainFormat::Text => output::line(&explained.text()),
        ExplainFormat::Json => output::line(&serde_json::to_string_pretty(&explained)?),
    }
}
