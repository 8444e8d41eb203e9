//! Planning a query rule by rule.
//!
//! The session's own analyzer, optimizer and planner run, in its order; between two rules the clock stops
//! while the plan is compared with what it was before. A rule that runs several times is one line.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::physical_planner::DefaultPhysicalPlanner;
use serde::{Deserialize, Serialize};

use super::nanos;
use crate::error::Result;

/// How long planning took, and which rules did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planning {
    /// All phases together.
    pub total_ns: u64,
    /// The phases in order.
    pub phases: Vec<PhaseTime>,
    /// The rules of all phases, in the order of their first run.
    pub rules: Vec<Rule>,
}

impl Planning {
    /// Adds a phase that came before the others.
    pub(in crate::query) fn add_first(&mut self, phase: Phase, ns: u64) {
        self.total_ns += ns;
        self.phases.insert(0, PhaseTime { phase, ns });
    }
}

/// The time of one phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseTime {
    /// The phase.
    pub phase: Phase,
    /// Its elapsed time.
    pub ns: u64,
}

/// A phase of planning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The query becomes a logical plan.
    Parse,
    /// The logical plan is made valid: types, functions.
    Analyze,
    /// The logical plan is made better.
    Optimize,
    /// The logical plan becomes a physical one; tables are asked for their scans.
    Plan,
    /// The physical plan is made better.
    Physical,
}

impl Phase {
    /// Returns the name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Analyze => "analyze",
            Self::Optimize => "optimize",
            Self::Plan => "plan",
            Self::Physical => "physical",
        }
    }
}

/// What one rule did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The phase that it belongs to.
    pub phase: Phase,
    /// Its name.
    pub name: String,
    /// How often it ran.
    pub runs: u32,
    /// How often it changed the plan.
    pub changes: u32,
    /// The time of all its runs.
    pub ns: u64,
}

/// A query that is ready to be executed.
pub(super) struct Planned {
    /// The logical plan as it was given.
    pub logical: String,
    pub optimised: LogicalPlan,
    pub plan: Arc<dyn ExecutionPlan>,
    pub planning: Planning,
}

/// Plans a query as the session would.
pub(super) async fn plan(state: &SessionState, logical: LogicalPlan) -> Result<Planned> {
    let text = logical.display_indent().to_string();
    let mut clock = Clock::new();

    clock.begin(Phase::Analyze, &text);
    let options = state.config_options();
    let analyzed = state.analyzer().execute_and_check(logical, options, |plan, rule| {
        clock.lap(rule.name(), || plan.display_indent().to_string());
    })?;
    clock.end();

    clock.begin(Phase::Optimize, &analyzed.display_indent().to_string());
    let optimised = state.optimizer().optimize(analyzed, state, |plan, rule| {
        clock.lap(rule.name(), || plan.display_indent().to_string());
    })?;
    clock.end();

    // Without rules, so that what the planner makes itself is a phase of its own.
    let bare = SessionStateBuilder::new_from_existing(state.clone())
        .with_physical_optimizer_rules(Vec::new())
        .build();
    clock.begin(Phase::Plan, "");
    let initial = state.query_planner().create_physical_plan(&optimised, &bare).await?;
    clock.end();

    clock.begin(Phase::Physical, &physical_text(initial.as_ref()));
    let plan = DefaultPhysicalPlanner::default().optimize_physical_plan(initial, state, |plan, rule| {
        clock.lap(rule.name(), || physical_text(plan));
    })?;
    clock.end();
    Ok(Planned { logical: text, optimised, plan, planning: clock.planning() })
}

fn physical_text(plan: &dyn ExecutionPlan) -> String {
    displayable(plan).indent(false).to_string()
}

/// Times phases and the rules in them.
struct Clock {
    phases: Vec<PhaseTime>,
    rules: Vec<Rule>,
    phase: Phase,
    /// When the clock was last started.
    since: Instant,
    /// Time of the phase that its rules took.
    spent_ns: u64,
    /// What the plan looked like after the last rule.
    last: u64,
}

impl Clock {
    fn new() -> Self {
        let (phase, since) = (Phase::Analyze, Instant::now());
        Self { phases: Vec::new(), rules: Vec::new(), phase, since, spent_ns: 0, last: 0 }
    }

    fn begin(&mut self, phase: Phase, text: &str) {
        (self.phase, self.spent_ns, self.last) = (phase, 0, hash(text));
        self.since = Instant::now();
    }

    fn lap(&mut self, name: &str, text: impl FnOnce() -> String) {
        let ns = nanos(self.since);
        let now = hash(&text());
        let known = self.rules.iter().position(|rule| rule.phase == self.phase && rule.name == name);
        let index = known.unwrap_or_else(|| {
            self.rules.push(Rule { phase: self.phase, name: name.to_owned(), runs: 0, changes: 0, ns: 0 });
            self.rules.len() - 1
        });
        let rule = &mut self.rules[index];
        rule.runs += 1;
        rule.changes += u32::from(now != self.last);
        rule.ns += ns;
        self.spent_ns += ns;
        self.last = now;
        self.since = Instant::now();
    }

    /// Ends the phase; what came after its last rule belongs to it.
    fn end(&mut self) {
        self.phases.push(PhaseTime { phase: self.phase, ns: self.spent_ns + nanos(self.since) });
    }

    fn planning(self) -> Planning {
        let total_ns = self.phases.iter().map(|phase| phase.ns).sum();
        Planning { total_ns, phases: self.phases, rules: self.rules }
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, RecordBatch};
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    fn context(target_partitions: usize) -> SessionContext {
        let context =
            SessionContext::new_with_config(SessionConfig::new().with_target_partitions(target_partitions));
        for name in ["a", "b"] {
            let column = |values: [i64; 4]| Arc::new(Int64Array::from_iter_values(values)) as _;
            let batch =
                RecordBatch::try_from_iter([("k", column([1, 2, 3, 4])), ("v", column([4, 3, 2, 1]))]);
            context.register_batch(name, batch.unwrap()).unwrap();
        }
        context
    }

    #[test]
    fn the_plan_is_the_sessions_own() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for sql in [
            "SELECT * FROM a",
            "SELECT k % 2 AS g, sum(v), sum(v + 1) FROM a WHERE v > 1 GROUP BY 1 ORDER BY 1 LIMIT 3",
            "SELECT * FROM a JOIN b USING (k) WHERE a.v < b.v OR a.v > 2",
            "SELECT * FROM a WHERE v = (SELECT max(v) FROM b) UNION ALL SELECT * FROM b",
            "SELECT sum(v) OVER (PARTITION BY k ORDER BY v) FROM a",
        ] {
            for target_partitions in [1, 4] {
                let context = context(target_partitions);
                let state = context.state();
                let parse = || runtime.block_on(state.create_logical_plan(sql)).unwrap();
                let planned = runtime.block_on(plan(&state, parse())).unwrap();
                assert_eq!(
                    planned.optimised.display_indent().to_string(),
                    state.optimize(&parse()).unwrap().display_indent().to_string()
                );
                let own = runtime.block_on(state.create_physical_plan(&parse())).unwrap();
                assert_eq!(physical_text(planned.plan.as_ref()), physical_text(own.as_ref()), "{sql}");
            }
        }
    }
}
