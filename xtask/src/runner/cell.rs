//! One measured process of one cell, and the checks of what it sent.

use std::time::Duration;

use anyhow::Context as _;
use scenarios::wire::{Event, Request};
use scenarios::{Answer, Cell, Phase, Sample};

use super::{Answers, Surroundings, out_of_turn};
use crate::plan::PlannedCell;
use crate::process::{EngineProcess, Fault, FaultKind};

/// What one process gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The samples, also those before a failure.
    pub(crate) samples: Vec<Sample>,
    /// What went wrong, and the end of standard error.
    pub(crate) failure: Option<(Fault, String)>,
}

/// Runs a cell in a fresh process, with a fresh work folder that is removed afterwards.
pub(crate) fn run(
    surroundings: &Surroundings,
    planned: &PlannedCell,
    process: u32,
    answers: Answers,
) -> anyhow::Result<Outcome> {
    let work = surroundings.work.join(process.to_string());
    std::fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let request = Request::Run {
        cell: planned.cell.clone(),
        ponds_dir: surroundings.ponds.clone(),
        work_dir: work.clone(),
        warm: planned.warm,
    };
    let outcome = exchange(surroundings, planned, &request, answers);
    std::fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    Ok(outcome)
}

/// Sends a request about a cell to a fresh process.
pub(crate) fn exchange(
    surroundings: &Surroundings,
    planned: &PlannedCell,
    request: &Request,
    answers: Answers,
) -> Outcome {
    let mut samples = Vec::new();
    let mut engine = match EngineProcess::start(&surroundings.engine, Duration::from_secs(planned.timeout_s))
    {
        Ok(engine) => engine,
        Err(fault) => return Outcome { samples, failure: Some((fault, String::new())) },
    };
    let result = talk(&mut engine, request, &mut samples)
        .and_then(|()| engine.finish())
        .and_then(|()| check(planned, &samples, answers));
    let failure = result.err().map(|fault| (fault, engine.stderr_tail()));
    Outcome { samples, failure }
}

fn talk(engine: &mut EngineProcess, request: &Request, samples: &mut Vec<Sample>) -> Result<(), Fault> {
    engine.hello()?;
    engine.send(request)?;
    loop {
        match engine.event()? {
            Event::Progress { .. } => {}
            Event::Sample { sample } => samples.push(sample),
            Event::Done { samples: said } if said as usize == samples.len() => return Ok(()),
            Event::Done { samples: said } => {
                let message = format!("the engine says it sent {said} samples, but {} came", samples.len());
                return Err(Fault::new(FaultKind::SampleCount, message));
            }
            Event::Failed { message } => return Err(Fault::new(FaultKind::Refused, message)),
            other => return Err(out_of_turn(&other)),
        }
    }
}

/// Checks the samples of one process: number, order, metrics, answers.
fn check(planned: &PlannedCell, samples: &[Sample], answers: Answers) -> Result<(), Fault> {
    let asked = planned.warm as usize + 1;
    if samples.len() != asked {
        let message = format!("{asked} samples were asked for, but {} came", samples.len());
        return Err(Fault::new(FaultKind::SampleCount, message));
    }
    for (index, sample) in samples.iter().enumerate() {
        let phase = if index == 0 { Phase::Cold } else { Phase::Warm };
        if sample.phase != phase || sample.iteration as usize != index {
            let message = format!(
                "sample {index} is said to be {} and number {}",
                sample.phase.name(),
                sample.iteration
            );
            return Err(Fault::new(FaultKind::SampleCount, message));
        }
        let unknown = sample.unknown_metrics();
        if !unknown.is_empty() {
            let message = format!("unknown metric {}; build harness and engine anew", unknown.join(", "));
            return Err(Fault::new(FaultKind::UnknownMetric, message));
        }
        if !sample.metrics.contains_key("wall_ns") {
            let message = format!("sample {index} has no wall_ns");
            return Err(Fault::new(FaultKind::SampleCount, message));
        }
        if answers == Answers::Stated {
            check_answer(&planned.cell, sample)?;
        }
    }
    Ok(())
}

fn check_answer(cell: &Cell, sample: &Sample) -> Result<(), Fault> {
    match &cell.expected {
        Some(expected) if *expected == sample.answer => Ok(()),
        Some(expected) => {
            let message = format!(
                "wrong answer in the {} execution {}: {}, expected {expected}",
                sample.phase.name(),
                sample.iteration,
                sample.answer
            );
            Err(Fault::new(FaultKind::WrongAnswer, message))
        }
        None => Err(Fault::new(
            FaultKind::NoAnswer,
            format!(
                "the suite states no answer; if {} is right, add to [scenario.answers] of '{}' in \
                 scenarios/suites/{}.toml: {}",
                sample.answer,
                cell.scenario,
                cell.suite,
                missing_answer_line(cell, &sample.answer)
            ),
        )),
    }
}

/// Writes the TOML line that states a cell's answer.
fn missing_answer_line(cell: &Cell, answer: &Answer) -> String {
    format!("{:?} = {{ rows = {}, digest = {:?} }}", cell.key(), answer.rows, answer.digest)
}
