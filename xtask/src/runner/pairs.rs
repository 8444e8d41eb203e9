//! Two sides in turn: in every round each cell once on both, in random order, and a canary.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use scenarios::Sample;

use super::{Answers, Done, Surroundings, cell, copies, kept};
use crate::cli::Tier;
use crate::paired::Call;
use crate::plan::{LEAST_PROCESSES, PlannedCell};
use crate::progress::Progress;
use crate::random;
use crate::record::{BaseHeader, CutLine, Header, Record, RecordWriter, Side};
use crate::timing::{self, Timing};

/// The engines of a comparison.
#[derive(Debug)]
pub(crate) struct Sides {
    /// The base and the head.
    pub(crate) compared: [Surroundings; 2],
    /// The base twice.
    pub(crate) canary: [Surroundings; 2],
}

impl Sides {
    /// Copies the engines for a round: that of the base, which is the canary's as well, that of the head, and that of
    /// the base once more.
    fn copied(&self, seed: u64, round: u32) -> anyhow::Result<Self> {
        let [base, head] = &self.compared;
        let [canary_base, canary_head] = &self.canary;
        let [base, head, again] = copies::anew([base, head, canary_head], seed, round)?;
        let canary_base = Surroundings { engine: base.engine.clone(), ..canary_base.clone() };
        Ok(Self { compared: [base, head], canary: [canary_base, again] })
    }
}

/// Measures the cells of a run in pairs until they are decided, the pairs are used up, or the budget is spent; returns
/// how many processes the budget cut. Where a change was called that is to be confirmed, a third of the budget is left
/// for that.
pub(crate) fn measure_pairs(
    sides: &Sides,
    header: &Header,
    budget: Option<Duration>,
    record: &mut RecordWriter,
    done: &mut Done,
) -> anyhow::Result<u32> {
    let base = header.base.as_ref().expect("a run of pairs has a base");
    let exact = header.tier == Tier::Exact;
    let rounds = if exact { LEAST_PROCESSES } else { base.pairs };
    let looks = timing::family(base, header.planned.len());
    let began = Instant::now();
    let mut decided = BTreeMap::new();
    for round in 0..rounds {
        let is_open = |planned: &&PlannedCell| {
            let id = planned.cell.id();
            !decided.contains_key(&id) && !done.failed.contains(&id)
        };
        let open: Vec<&PlannedCell> = header.planned.iter().filter(is_open).collect();
        if open.is_empty() {
            break;
        }
        let is_to_confirm = base.confirm && decided.values().any(|call: &Call| call.is_change());
        let budget_now = if is_to_confirm { budget.map(|budget| budget / 3 * 2) } else { budget };
        if round >= LEAST_PROCESSES && budget_now.is_some_and(|budget| began.elapsed() >= budget) {
            return Ok(2 * open.len() as u32 * (rounds - round));
        }
        // Counters do not depend on where an engine lies.
        let copied = if exact { None } else { Some(sides.copied(base.seed, round)?) };
        let sides = copied.as_ref().unwrap_or(sides);
        let mut turns: Vec<(&PlannedCell, &[Surroundings; 2])> =
            open.into_iter().map(|planned| (planned, &sides.compared)).collect();
        if let Some(canary) =
            header.planned.iter().find(|planned| is_canary_sound(planned, base, round, done))
        {
            turns.push((canary, &sides.canary));
        }
        let (progress, count) = (done.watch.progress(turns.len()), turns.len());
        for (turn, (planned, sides)) in random::shuffled(turns, base.seed, round).into_iter().enumerate() {
            let left = done.watch.left(count - turn + count * (rounds - round - 1) as usize, budget);
            progress.now(&done.watch.words(planned, &[sides[0].side, sides[1].side], round), left);
            pair(planned, sides, round, random::coin(base.seed, round, turn), record, done, &progress)?;
            progress.step();
        }
        progress.line(&format!(
            "round {} of at most {rounds} is measured; {} cells decided",
            round + 1,
            decided.len()
        ));
        let is_look = looks.as_ref().is_ok_and(|family| family.design.look(round as usize + 1).is_some());
        if !exact && is_look && round + 1 < rounds {
            let so_far = Record::read(record.folder(), CutLine::LeaveOut)?;
            decided = Timing::decided(&so_far).context("cannot look at the pairs so far")?;
            done.watch.decide(decided.values().copied());
        }
    }
    Ok(0)
}

/// Tells whether a cell is that of the canary, and can be measured as such: it could be in the round before. A head that
/// fails is no reason to stop watching the machine.
fn is_canary_sound(planned: &PlannedCell, base: &BaseHeader, round: u32, done: &Done) -> bool {
    let id = planned.cell.id();
    let measured = |side: Side, round: u32| done.processes.contains(&(id.clone(), side, round));
    let is_sound = match round.checked_sub(1) {
        Some(before) => measured(Side::CanaryBase, before) && measured(Side::CanaryHead, before),
        None => !done.failed.contains(&id),
    };
    base.canary.as_ref() == Some(&id) && is_sound
}

/// Measures cells that were called regressed or improved in pairs of other builds, until a deadline; returns whether all
/// were.
pub(crate) fn confirm_pairs(
    sides: &[Surroundings; 2],
    header: &Header,
    flagged: &BTreeSet<&str>,
    deadline: Option<Instant>,
    record: &mut RecordWriter,
    done: &mut Done,
) -> anyhow::Result<bool> {
    let base = header.base.as_ref().expect("a run of pairs has a base");
    let cells: Vec<&PlannedCell> =
        header.planned.iter().filter(|planned| flagged.contains(planned.cell.id().as_str())).collect();
    for round in 0..base.pairs {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(false);
        }
        let cells: Vec<&PlannedCell> =
            cells.iter().copied().filter(|planned| !done.failed.contains(&planned.cell.id())).collect();
        let [base_side, head_side] = sides;
        let sides = &copies::anew([base_side, head_side], !base.seed, round)?;
        let (progress, count) = (done.watch.progress(cells.len()), cells.len());
        // Other orders and coins than those that flagged the cells.
        for (turn, planned) in random::shuffled(cells, !base.seed, round).into_iter().enumerate() {
            let left = done.watch.left(count - turn + count * (base.pairs - round - 1) as usize, None);
            let what = done.watch.words(planned, &[sides[0].side, sides[1].side], round);
            progress.now(&format!("confirm {what}"), left);
            pair(planned, sides, round, random::coin(!base.seed, round, turn), record, done, &progress)?;
            progress.step();
        }
        progress.line(&format!("round {} of {} to confirm is measured", round + 1, base.pairs));
    }
    Ok(true)
}

fn pair(
    planned: &PlannedCell,
    sides: &[Surroundings; 2],
    round: u32,
    head_first: bool,
    record: &mut RecordWriter,
    done: &mut Done,
    progress: &Progress,
) -> anyhow::Result<()> {
    let [base, head] = sides;
    let id = planned.cell.id();
    let is_done = |side: &Surroundings| done.processes.contains(&(id.clone(), side.side, round));
    if is_done(base) && is_done(head) {
        return Ok(());
    }
    let in_order = if head_first { [head, base] } else { [base, head] };
    let mut took =
        |side: Side, sample: &Sample| done.watch.sample(&planned.cell, side, round, sample, progress);
    let outcomes = cell::run_in_turn(in_order, planned, round, Answers::Stated, &mut took)?;
    let mut lines = Vec::new();
    for (side, outcome) in in_order.into_iter().zip(outcomes) {
        lines.extend(kept(side.side, planned, round, outcome, done, progress));
    }
    // Both at once: half a pair would say nothing.
    record.append(&lines)
}
