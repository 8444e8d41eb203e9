//! What a reader sees: the terminal report, the message of a regression, report.md, report.json, charts.

use crate::workspace::Workspace;

#[test]
fn the_terminal_report_of_a_first_run() {
    let workspace = Workspace::new();
    let ran = workspace.expect(0, "", &["bench"]);
    insta::assert_snapshot!(workspace.redacted(&ran.stdout), @r"
    run [run] of revision unknown
    machine: [machine]
    compared with nothing

    cell                 cold     ±     warm     ±  cold CPU  peak RSS  rows  verdict
    open[size=tiny]   4.36 ms  0 ns  1.09 ms  0 ns   3.92 ms  30.0 MiB     8  not compared
    open[size=small]  9.00 ms  0 ns  2.25 ms  0 ns   8.10 ms  30.1 MiB   100  not compared
    query[]           4.00 ms  0 ns  1.00 ms  0 ns   3.60 ms  30.0 MiB     8  not compared

    Notes
      nothing was compared: suite 'smoke' has no baseline (baselines/smoke.json); if the numbers of a complete run are right: cargo xtask baseline bless smoke --reason '…'

    Files
      target/pondmark/runs/[run]/report.html
      target/pondmark/runs/[run]/report.md
      target/pondmark/runs/[run]/charts/stages-cold.png
      target/pondmark/runs/[run]/charts/stages-warm.png
      target/pondmark/runs/[run]/charts/scaling-cold.png
      target/pondmark/runs/[run]/charts/resources.png

    PASS, nothing compared: smoke: 3 not compared (exit code 0)
    ");
}

#[test]
fn the_message_of_a_regression() {
    let workspace = Workspace::new();
    workspace.bless();
    let ran = workspace.expect(1, "open=extra-request", &["bench", "--tier", "exact"]);
    insta::assert_snapshot!(workspace.redacted(&ran.stdout), @r"
    run [run] of revision unknown
    machine: [machine]
    compared with baseline baselines/smoke.json of revision unknown

    cell                 cold     ±     warm     ±  cold CPU  peak RSS  rows  verdict
    open[size=tiny]   4.36 ms  0 ns  1.09 ms  0 ns   3.92 ms  30.0 MiB     8  regressed
    open[size=small]  9.00 ms  0 ns  2.25 ms  0 ns   8.10 ms  30.1 MiB   100  regressed
    query[]           4.00 ms  0 ns  1.00 ms  0 ns   3.60 ms  30.0 MiB     8  unchanged

    REGRESSED smoke/open[size=tiny]
      regressed: cold store_data_requests 8 → 9 requests, +12.5 %
      regressed: warm store_data_requests 0 → 9 requests, from nothing
      again: cargo xtask bench 'smoke/open[size=tiny]' --tier exact

    REGRESSED smoke/open[size=small]
      regressed: cold store_data_requests 100 → 101 requests, +1.0 %
      regressed: warm store_data_requests 0 → 101 requests, from nothing
      again: cargo xtask bench 'smoke/open[size=small]' --tier exact

    Notes
      times not compared: the tier is exact

    Files
      target/pondmark/runs/[run]/report.html
      target/pondmark/runs/[run]/report.md
      target/pondmark/runs/[run]/charts/stages-cold.png
      target/pondmark/runs/[run]/charts/stages-warm.png
      target/pondmark/runs/[run]/charts/ratio-counters.png
      target/pondmark/runs/[run]/charts/scaling-cold.png
      target/pondmark/runs/[run]/charts/resources.png

    REGRESSION: smoke: 2 regressed, 1 unchanged (exit code 1)
    ");
}

#[test]
fn the_markdown_report() {
    let workspace = Workspace::new();
    workspace.bless();
    let ran = workspace.expect(5, "open=fewer-rows;query=crash", &["bench", "smoke", "tiny", "query"]);
    assert!(ran.stdout.contains("FAILED"));
    insta::assert_snapshot!(workspace.redacted(&workspace.read_latest("report.md")), @r"
    ## ❌ FAILED: smoke: 1 failed, 1 improved (exit code 5)

    Revision unknown, compared with baseline baselines/smoke.json of revision unknown.

    | verdict | cell | phase | metric | what |
    | :-- | :-- | :-- | :-- | :-- |
    | failed | `smoke/query[]` |  |  | process 0: the engine ended with exit code 101 |
    | improved | `smoke/open[size=tiny]` | cold | rows_read | 11,520 → 11,519 rows, -0.0087 % |
    | improved | `smoke/open[size=tiny]` | warm | rows_read | 11,520 → 11,519 rows, -0.0087 % |

    To see it again:

    ```sh
    cargo xtask bench 'smoke/query[]'
    ```

    If what improved is right: `cargo xtask baseline bless smoke --reason '…'`

    **Notes**

    - times are compared as advice: they do not gate

    <details><summary>Standard error of failed cells</summary>

    `smoke/query[]`

    ```text
    thread 'main' panicked at fake_engine: planned
    ```


    </details>

    <details><summary>All cells</summary>

    | cell | cold | ± | warm | ± | cold CPU | peak RSS | rows | verdict |
    | :-- | --: | --: | --: | --: | --: | --: | --: | :-- |
    | open[size=tiny] | 4.36 ms | 0 ns | 1.09 ms | 0 ns | 3.92 ms | 30.0 MiB | 8 | improved |
    | query[] | – | – | – | – | – | – | – | failed |

    </details>

    <details><summary>Stages, cold, medians of time</summary>

    | cell | stage | time | share |
    | :-- | :-- | --: | --: |
    | open[size=tiny] | transaction | 392 µs | 9.0 % |
    | open[size=tiny] | pattern_match | 218 µs | 5.0 % |
    | open[size=tiny] | file_discovery | 43.6 µs | 1.0 % |
    | open[size=tiny] | type_detection | 349 µs | 8.0 % |
    | open[size=tiny] | factory | 174 µs | 4.0 % |
    | open[size=tiny] | provider_creation | 305 µs | 7.0 % |
    | open[size=tiny] | session | 131 µs | 3.0 % |
    | open[size=tiny] | table_registration | 436 µs | 10.0 % |
    | open[size=tiny] | sql_generation | 262 µs | 6.0 % |
    | open[size=tiny] | query_planning | 87.2 µs | 2.0 % |
    | open[size=tiny] | execution | 392 µs | 9.0 % |
    | open[size=tiny] | parquet_read | 218 µs | 5.0 % |
    | open[size=tiny] | partition_write | 43.6 µs | 1.0 % |
    | open[size=tiny] | metadata_collection | 349 µs | 8.0 % |

    </details>

    <details><summary>Charts</summary>

    ![stages-cold](charts/stages-cold.svg)

    ![stages-warm](charts/stages-warm.svg)

    ![ratio-cold](charts/ratio-cold.svg)

    ![ratio-warm](charts/ratio-warm.svg)

    ![ratio-counters](charts/ratio-counters.svg)

    ![resources](charts/resources.svg)

    </details>

    <details><summary>Machine</summary>

    Run [run], [machine]

    </details>
    ");
}

#[test]
fn a_report_can_be_made_again() {
    let workspace = Workspace::new();
    let first = workspace.expect(0, "", &["bench"]);
    let files = ["report.md", "report.json", "charts/stages-cold.svg", "charts/scaling-cold.svg"];
    let before: Vec<String> = files.iter().map(|file| workspace.read_latest(file)).collect();
    for file in files {
        std::fs::remove_file(workspace.latest().join(file)).unwrap();
    }
    let again = workspace.expect(0, "", &["report"]);
    assert_eq!(again.stdout, first.stdout);
    let after: Vec<String> = files.iter().map(|file| workspace.read_latest(file)).collect();
    assert_eq!(after, before);
    let run = workspace.latest();
    let markdown = workspace.expect(0, "", &["report", run.to_str().unwrap(), "--markdown"]);
    assert_eq!(markdown.stdout, workspace.read_latest("report.md"));
}

#[test]
fn charts_are_drawn_twice() {
    let workspace = Workspace::new();
    workspace.bless();
    workspace.expect(1, "open=extra-request", &["bench"]);
    let mut names: Vec<String> = workspace
        .latest()
        .join("charts")
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort_unstable();
    insta::assert_snapshot!(names.join("\n"), @r"
    ratio-cold.png
    ratio-cold.svg
    ratio-counters.png
    ratio-counters.svg
    ratio-warm.png
    ratio-warm.svg
    resources.png
    resources.svg
    scaling-cold.png
    scaling-cold.svg
    stages-cold.png
    stages-cold.svg
    stages-warm.png
    stages-warm.svg
    ");
    for name in names {
        let bytes = std::fs::read(workspace.latest().join("charts").join(&name)).unwrap();
        let start: &[u8] = if name.ends_with(".png") { b"\x89PNG" } else { b"<svg" };
        assert!(bytes.starts_with(start), "{name}");
    }
}

#[test]
fn the_json_report_is_versioned() {
    let workspace = Workspace::new();
    workspace.bless();
    workspace.expect(1, "open=extra-request", &["bench"]);
    let report: serde_json::Value = serde_json::from_str(&workspace.read_latest("report.json")).unwrap();
    assert_eq!(report["format"], 2);
    assert_eq!(report["verdict"], "regressed");
    assert_eq!(report["exit_code"], 1);
    assert_eq!(report["cells"][0]["cell"], "smoke/open[size=tiny]");
    assert_eq!(report["cells"][0]["phases"]["cold"]["exact"]["store_data_requests"], 9);
    assert_eq!(report["findings"][0]["metric"], "store_data_requests");
    assert_eq!(report["findings"][0]["base"], 8);
    assert_eq!(report["findings"][0]["head"], 9);
}
