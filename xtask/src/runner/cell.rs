//! One measured process of one cell, and the checks of what it sent.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use scenarios::wire::{Event, Request};
use scenarios::{Answer, Cell, Phase, Sample};

use super::{Answers, Surroundings, out_of_turn};
use crate::plan::PlannedCell;
use crate::process::{EngineProcess, Fault, FaultKind};
use crate::record::Side;

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
        in_turn: false,
        warm: planned.warm,
    };
    let outcome = exchange(surroundings, planned, &request, answers);
    std::fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    Ok(outcome)
}

/// Runs a cell in two fresh processes, which execute in turn: one, the other, the other, the one.
///
/// What disturbs the machine for longer than an execution then disturbs both alike. `took` is called between executions.
pub(crate) fn run_in_turn(
    sides: [&Surroundings; 2],
    planned: &PlannedCell,
    process: u32,
    answers: Answers,
    took: &mut dyn FnMut(Side, &Sample),
) -> anyhow::Result<[(Outcome, Duration); 2]> {
    let mut players = Vec::with_capacity(2);
    for (place, side) in sides.into_iter().enumerate() {
        let work = side.work.join(format!("{process}-{place}"));
        std::fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
        players.push(Player::start(side, planned, work));
    }
    for execution in 0..=planned.warm {
        let order = if execution % 2 == 0 { [0, 1] } else { [1, 0] };
        for place in order {
            if let Some(sample) = players[place].execute(execution) {
                took(sides[place].side, sample);
            }
        }
    }
    let mut outcomes = Vec::with_capacity(2);
    for player in players {
        let work = player.work.clone();
        outcomes.push(player.end(planned, answers));
        std::fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    }
    Ok(outcomes.try_into().expect("there are two sides"))
}

/// One of two processes that execute in turn.
struct Player {
    engine: Option<EngineProcess>,
    request: Request,
    work: PathBuf,
    samples: Vec<Sample>,
    fault: Option<Fault>,
    /// The time that it was its turn.
    took: Duration,
}

impl Player {
    fn start(side: &Surroundings, planned: &PlannedCell, work: PathBuf) -> Self {
        let began = Instant::now();
        let request = Request::Run {
            cell: planned.cell.clone(),
            ponds_dir: side.ponds.clone(),
            work_dir: work.clone(),
            in_turn: true,
            warm: planned.warm,
        };
        let mut player =
            Self { engine: None, request, work, samples: Vec::new(), fault: None, took: Duration::ZERO };
        match side.start(Duration::from_secs(planned.timeout_s)) {
            Ok(mut engine) => {
                player.fault = engine.hello().err();
                player.engine = Some(engine);
            }
            Err(fault) => player.fault = Some(fault),
        }
        player.took += began.elapsed();
        player
    }

    /// Lets it execute once, unless it has failed; returns what it measured.
    fn execute(&mut self, execution: u32) -> Option<&Sample> {
        let engine = self.engine.as_mut().filter(|_| self.fault.is_none())?;
        let began = Instant::now();
        engine.renew_deadline();
        let request = if execution == 0 { &self.request } else { &Request::Next };
        let sample = engine.send(request).and_then(|()| sample_of(engine));
        self.took += began.elapsed();
        match sample {
            Ok(sample) => self.samples.push(sample),
            Err(fault) => self.fault = Some(fault),
        }
        self.samples.last().filter(|_| self.fault.is_none())
    }

    fn end(mut self, planned: &PlannedCell, answers: Answers) -> (Outcome, Duration) {
        let began = Instant::now();
        if let Some(engine) = self.engine.as_mut().filter(|_| self.fault.is_none()) {
            engine.renew_deadline();
            let ended = listen(engine, &mut self.samples).and_then(|()| engine.finish());
            self.fault = ended.and_then(|()| check(planned, &self.samples, answers)).err();
        }
        let tail = self.engine.map_or_else(String::new, EngineProcess::stderr_tail);
        let failure = self.fault.map(|fault| (fault, tail));
        (Outcome { samples: self.samples, failure }, self.took + began.elapsed())
    }
}

/// Waits for the sample of an execution.
fn sample_of(engine: &mut EngineProcess) -> Result<Sample, Fault> {
    loop {
        match engine.event()? {
            Event::Progress { .. } => {}
            Event::Sample { sample } => return Ok(sample),
            Event::Done { samples } => {
                let message = format!("the engine was done after {samples} samples, before all were taken");
                return Err(Fault::new(FaultKind::SampleCount, message));
            }
            Event::Failed { message } => return Err(Fault::new(FaultKind::Refused, message)),
            other => return Err(out_of_turn(&other)),
        }
    }
}

/// Sends a request about a cell to a fresh process.
pub(crate) fn exchange(
    surroundings: &Surroundings,
    planned: &PlannedCell,
    request: &Request,
    answers: Answers,
) -> Outcome {
    let mut samples = Vec::new();
    let mut engine = match surroundings.start(Duration::from_secs(planned.timeout_s)) {
        Ok(engine) => engine,
        Err(fault) => return Outcome { samples, failure: Some((fault, String::new())) },
    };
    let result = talk(&mut engine, request, &mut samples)
        .and_then(|()| engine.finish())
        .and_then(|()| check(planned, &samples, answers));
    let failure = result.err().map(|fault| (fault, engine.stderr_tail()));
    Outcome { samples, failure }
}

/// Asks an engine how it answers a cell.
pub(crate) fn explain(
    surroundings: &Surroundings,
    planned: &PlannedCell,
) -> anyhow::Result<Result<serde_json::Value, Fault>> {
    let work = surroundings.work.join("explain");
    std::fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let request = Request::Explain {
        cell: planned.cell.clone(),
        ponds_dir: surroundings.ponds.clone(),
        work_dir: work.clone(),
    };
    let timeout = Duration::from_secs(planned.timeout_s);
    let explained = surroundings.start(timeout).and_then(|mut engine| {
        engine.hello()?;
        engine.send(&request)?;
        loop {
            match engine.event()? {
                Event::Progress { .. } => {}
                Event::Explained { analysis } => return Ok(analysis),
                Event::Failed { message } => return Err(Fault::new(FaultKind::Refused, message)),
                other => return Err(out_of_turn(&other)),
            }
        }
    });
    std::fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    Ok(explained)
}

fn talk(engine: &mut EngineProcess, request: &Request, samples: &mut Vec<Sample>) -> Result<(), Fault> {
    engine.hello()?;
    engine.send(request)?;
    listen(engine, samples)
}

/// Takes samples until the engine is done.
fn listen(engine: &mut EngineProcess, samples: &mut Vec<Sample>) -> Result<(), Fault> {
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
        // Without a time there is no ratio, and the cell would be compared with nothing.
        if sample.metrics.get("wall_ns").is_none_or(|time| *time == 0) {
            let message = format!("sample {index} has no wall_ns, or one of 0");
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
