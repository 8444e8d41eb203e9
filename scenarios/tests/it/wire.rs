//! The line protocol: what is written reads back the same, and strangers are refused.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;
use scenarios::wire::{Event, Request};
use scenarios::{Answer, Cell, Phase, Sample, Workload};

fn cell(parameters: BTreeMap<String, String>) -> Cell {
    Cell {
        suite: "s".into(),
        scenario: "n".into(),
        workload: Workload::ReExport,
        point: vec![("size".into(), "tiny".into())],
        parameters,
        expected: Some(Answer { rows: 3, digest: "ab".into() }),
    }
}

proptest! {
    #[test]
    fn requests_read_back_the_same(
        parameters in prop::collection::btree_map(".*", ".*", 0..4),
        warm in 0u32..9,
        folder in "[a-z/]{1,9}",
    ) {
        let request =
            Request::Run { cell: cell(parameters), ponds_dir: folder.clone().into(), work_dir: folder.into(), in_turn: warm % 2 == 1, warm };
        let line = request.to_line();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(Request::from_line(&line).unwrap(), request);
    }

    #[test]
    fn samples_read_back_the_same(metrics in prop::collection::btree_map(".*", any::<u64>(), 0..9), rows: u64) {
        let answer = Answer { rows, digest: "00ff".into() };
        let event = Event::Sample { sample: Sample { phase: Phase::Warm, iteration: 4, metrics, answer } };
        let line = event.to_line();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(Event::from_line(&line).unwrap(), event);
    }
}

#[test]
fn explanations_read_back_the_same() {
    let (cell, folder) = (cell(BTreeMap::new()), PathBuf::from("/p"));
    let request = Request::Explain { cell, ponds_dir: folder.clone(), work_dir: folder };
    assert_eq!(Request::from_line(&request.to_line()).unwrap(), request);
    let analysis =
        serde_json::json!({ "format": 1, "rows": u64::MAX, "plans": ["a\nb", null, { "x": 0.5 }] });
    let event = Event::Explained { analysis };
    assert!(!event.to_line().contains('\n'));
    assert_eq!(Event::from_line(&event.to_line()).unwrap(), event);
}

#[test]
fn strangers_are_refused() {
    assert!(Event::from_line("{\"event\":\"hallo\"}").is_err());
    assert!(Event::from_line("{\"event\":\"done\",\"samples\":1,\"more\":2}").is_err());
    assert!(Event::from_line("thread panicked").is_err());
    assert!(Request::from_line("{\"request\":\"run\"}").is_err());
}
