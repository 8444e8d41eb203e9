//! Tests of the record.

use super::*;

pub(crate) fn header() -> Header {
    let cell = scenarios::Cell {
        suite: "s".into(),
        scenario: "open".into(),
        workload: scenarios::Workload::Open,
        point: vec![("size".into(), "tiny".into())],
        parameters: BTreeMap::new(),
        expected: None,
    };
    let machine = crate::fingerprint::Machine {
        cpu: "c".into(),
        cores: 2,
        memory_gib: 1,
        kernel: "k".into(),
        rustc: "r".into(),
        os: "o".into(),
    };
    Header {
        format: FORMAT,
        run: "r".into(),
        started: "t".into(),
        suite: "s".into(),
        filters: Vec::new(),
        tier: Tier::All,
        against: None,
        base: None,
        engine_digest: "d".into(),
        thresholds: Thresholds::default(),
        context: Context {
            revision: "v".into(),
            engine_version: "1".into(),
            profile: "release".into(),
            arch: "a".into(),
            machine,
        },
        suite_cells: vec![cell.id()],
        planned: vec![PlannedCell { cell, warm: 0, processes: 2, timeout_s: 1 }],
    }
}

fn text_of(lines: &[Line]) -> String {
    lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect()
}

fn sample(metric: &str) -> Line {
    Line::Sample(SampleLine {
        cell: "s/open[size=tiny]".into(),
        side: Side::Head,
        process: 0,
        phase: Phase::Cold,
        iteration: 0,
        metrics: [(metric.to_owned(), 1)].into_iter().collect(),
        answer: Answer { rows: 1, digest: "d".into() },
    })
}

fn end() -> Line {
    Line::End(EndLine { ended: "t".into(), processes_cut: 0 })
}

fn parse(text: &str, cut_line: CutLine) -> Result<Record, String> {
    Record::parse(text, cut_line).map_err(|error| format!("{error:#}"))
}

#[test]
fn a_record_is_read_back() {
    let text = text_of(&[Line::Header(Box::new(header())), sample("wall_ns"), end()]);
    let record = parse(&text, CutLine::Refuse).unwrap();
    assert_eq!(record.header, header());
    assert_eq!(record.samples.len(), 1);
    assert!(record.end.is_some());
}

#[test]
fn a_cut_line_is_refused_or_left_out() {
    let whole = text_of(&[Line::Header(Box::new(header())), sample("wall_ns")]);
    let cut = &whole[..whole.len() - 5];
    let error = parse(cut, CutLine::Refuse).unwrap_err();
    insta::assert_snapshot!(error, @"the last line is cut off; the run was interrupted: continue it with --resume");
    assert!(parse(cut, CutLine::LeaveOut).unwrap().samples.is_empty());
}

#[test]
fn a_process_that_is_not_whole_is_refused_or_left_out() {
    let begun = text_of(&[Line::Header(Box::new(header())), sample("wall_ns")]);
    let error = parse(&begun, CutLine::Refuse).unwrap_err();
    insta::assert_snapshot!(error, @"the last process is not whole; the run was interrupted: continue it with --resume");
    assert!(parse(&begun, CutLine::LeaveOut).unwrap().samples.is_empty());
}

#[test]
fn what_is_not_understood_is_refused() {
    let check = |text: &str, expect: &str| {
        let error = parse(text, CutLine::Refuse).unwrap_err();
        assert!(error.contains(expect), "{error}");
    };
    let first = text_of(&[Line::Header(Box::new(header()))]);
    check("", "line 1 is no header");
    check("{}\n", "line 1 is no header");
    let newer = Header { format: FORMAT + 1, ..header() };
    check(&text_of(&[Line::Header(Box::new(newer))]), "newer than 3");
    check(&format!("{first}{}", text_of(&[sample("wall_sn"), end()])), "unknown metric wall_sn");
    check(&format!("{first}{}", text_of(&[end(), sample("wall_ns")])), "line 3: it comes after the end");
    check(&format!("{first}{first}"), "second header");
    check(&format!("{first}{{\"line\":\"sample\",\"wall_ns\":NaN}}\n"), "line 2 is damaged");
    let stranger = text_of(&[sample("wall_ns"), end()]).replace("tiny", "small");
    check(&format!("{first}{stranger}"), "was not planned");
}
