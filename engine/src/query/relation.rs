//! SQL over named relations, and how names become tables.
//!
//! DataFusion's own planner resolves names on the syntax tree, in a map that belongs to one query: a name
//! in a text, a column, an alias or a common table expression is never mistaken for a relation, and nothing
//! is registered where another query could see it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result as PlanResult, TableReference, plan_datafusion_err};
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::{SQLOptions, SessionState};
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion::logical_expr::{
    AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::sql::parser::Statement;
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

use crate::error::{Error, Result};

const ONLY_QUERIES: &str = "only queries are allowed, such as SELECT";

/// Plans a query over relations by their names.
///
/// # Errors
/// If the text is no query, names a relation that is not given, or does not fit the relations' columns.
pub(crate) fn plan_sql(
    state: &SessionState,
    sql: &str,
    relations: &BTreeMap<String, Arc<dyn TableProvider>>,
) -> Result<LogicalPlan> {
    let names = Names { state, relations };
    let planner = SqlToRel::new_with_options(&names, parser_options(state));
    let statement = parse(state, sql)?;
    if matches!(statement, Statement::CopyTo(_)) {
        // Planned, it would ask for the types of files that it may write.
        return Err(Error::Query(format!("COPY is not supported; {ONLY_QUERIES}")));
    }
    let plan = planner.statement_to_plan(statement)?;
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)
        .map_err(|error| match Error::from(error) {
            Error::Query(text) => Error::Query(format!("{text}; {ONLY_QUERIES}")),
            other => other,
        })?;
    Ok(plan)
}

/// Returns the relations that a query names, those of its common table expressions left out.
///
/// # Errors
/// If the text is not exactly one query.
pub(crate) fn relations_of(state: &SessionState, sql: &str) -> Result<BTreeSet<String>> {
    let statement = parse(state, sql)?;
    let is_query =
        matches!(&statement, Statement::Statement(inner) if matches!(inner.as_ref(), SqlStatement::Query(_)));
    if !is_query {
        return Err(Error::Query(ONLY_QUERIES.to_owned()));
    }
    let named = state.resolve_table_references(&statement)?;
    Ok(named.iter().map(TableReference::to_string).collect())
}

/// Writes a name so that SQL takes it as it is.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn parse(state: &SessionState, sql: &str) -> Result<Statement> {
    let dialect = state.config_options().sql_parser.dialect;
    Ok(state.sql_to_statement(sql, &dialect)?)
}

fn parser_options(state: &SessionState) -> ParserOptions {
    let options = &state.config_options().sql_parser;
    ParserOptions {
        parse_float_as_decimal: options.parse_float_as_decimal,
        enable_ident_normalization: options.enable_ident_normalization,
        enable_options_value_normalization: options.enable_options_value_normalization,
        support_varchar_with_length: options.support_varchar_with_length,
        map_string_types_to_utf8view: options.map_string_types_to_utf8view,
        collect_spans: options.collect_spans,
        default_null_ordering: options.default_null_ordering.as_str().into(),
    }
}

/// What the planner may name: the relations of one query, and the functions of the session.
struct Names<'a> {
    state: &'a SessionState,
    relations: &'a BTreeMap<String, Arc<dyn TableProvider>>,
}

impl ContextProvider for Names<'_> {
    fn get_table_source(&self, name: TableReference) -> PlanResult<Arc<dyn TableSource>> {
        let found = match &name {
            TableReference::Bare { table } => self.relations.get(table.as_ref()),
            _ => None,
        };
        found.map(|provider| provider_as_source(Arc::clone(provider))).ok_or_else(|| {
            let known: Vec<&str> = self.relations.keys().map(String::as_str).collect();
            let hint = match scenarios::nearest(name.table(), known.iter().copied()) {
                Some(close) if name.schema().is_none() => format!("did you mean '{close}'?"),
                _ => format!("the query may name {}", known.join(", ")),
            };
            plan_datafusion_err!("relation '{name}' is not known; {hint}")
        })
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> PlanResult<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(name, schema))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        self.state.relation_planners()
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        None
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.state.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        sorted(self.state.scalar_functions().keys())
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        sorted(self.state.higher_order_functions().keys())
    }

    fn udaf_names(&self) -> Vec<String> {
        sorted(self.state.aggregate_functions().keys())
    }

    fn udwf_names(&self) -> Vec<String> {
        sorted(self.state.window_functions().keys())
    }
}

/// Sorts names, so that a suggestion among equals is always the same.
fn sorted<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut names: Vec<String> = names.cloned().collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, RecordBatch, StringArray};
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::datasource::MemTable;
    use datafusion::execution::context::SessionContext;
    use datafusion::prelude::DataFrame;

    use super::super::session::{QueryOptions, session};
    use super::*;

    fn context() -> SessionContext {
        session(QueryOptions::default(), Default::default()).unwrap()
    }

    /// Relations `a` and `b` of a column `v`, and `a` also has texts that look like relations.
    fn relations() -> BTreeMap<String, Arc<dyn TableProvider>> {
        let table = |v: f64| -> Arc<dyn TableProvider> {
            let batch = RecordBatch::try_from_iter([
                ("v", Arc::new(Float64Array::from(vec![v])) as _),
                ("a", Arc::new(StringArray::from(vec!["a"])) as _),
            ])
            .unwrap();
            Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap())
        };
        [("a", 1.0), ("b", 2.0), ("my series", 3.0)].map(|(name, v)| (name.to_owned(), table(v))).into()
    }

    fn answer(sql: &str) -> String {
        let context = context();
        let plan = plan_sql(&context.state(), sql, &relations()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let frame = DataFrame::new(context.state(), plan);
        let batches = runtime.block_on(frame.collect()).unwrap();
        let text = pretty_format_batches(&batches).unwrap().to_string();
        text.lines().skip(3).filter(|line| !line.starts_with('+')).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn names_are_resolved_where_they_name_relations() {
        let check = |sql: &str, expect: &str| assert_eq!(answer(sql), expect, "{sql}");
        check("SELECT v FROM a", "| 1.0 |");
        check("SELECT v, a FROM a WHERE a = 'a'", "| 1.0 | a |");
        check("SELECT a.v AS b, b.v AS a FROM a JOIN b ON a.a = b.a", "| 1.0 | 2.0 |");
        check("SELECT b.v FROM a AS b", "| 1.0 |");
        check("WITH a AS (SELECT v + 10 AS v FROM b) SELECT v FROM a", "| 12.0 |");
        check("WITH x AS (SELECT v FROM a) SELECT x.v, a.v FROM x CROSS JOIN a", "| 1.0 | 1.0 |");
        check("SELECT v FROM \"my series\"", "| 3.0 |");
        check("SELECT 'from b' AS \"b\", v FROM a", "| from b | 1.0 |");
        check("SELECT v FROM (SELECT v FROM b) AS a", "| 2.0 |");
        check("SELECT x.v FROM a AS x WHERE EXISTS (SELECT 1 FROM b AS y WHERE y.v > x.v)", "| 1.0 |");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |sql: &str, expect: &str| {
            let error = plan_sql(&context().state(), sql, &relations()).unwrap_err().to_string();
            assert!(error.contains(expect), "{sql}: {error}");
        };
        check("SELECT * FROM c", "relation 'c' is not known; did you mean 'a'?");
        check("SELECT * FROM measurements", "the query may name a, b, my series");
        check("SELECT * FROM A", "relation 'A' is not known");
        check("SELECT * FROM s.a", "relation 's.a' is not known");
        check("SELECT w FROM a", "No field named w");
        check("CREATE TABLE x AS SELECT * FROM a", "DDL not supported");
        check("COPY a TO 'x.parquet'", "not supported");
        check("INSERT INTO a VALUES (1.0, 'x')", "not supported");
        check("SELEC v FROM a", "ParserError");
    }

    #[test]
    fn the_relations_of_a_query_are_known_without_planning() {
        let state = context().state();
        let names = |sql: &str| {
            relations_of(&state, sql).map(|names| names.into_iter().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(names("WITH x AS (SELECT * FROM a) SELECT * FROM x JOIN q USING (v)").unwrap(), "a q");
        assert!(names("EXPLAIN SELECT 1").is_err());
        assert!(names("SELECT 1; SELECT 2").is_err());
        assert!(names("DROP TABLE a").is_err());
    }
}
