//! An engine that measures nothing, for tests of the harness: it scripts good and bad behaviour.
//!
//! `FAKE_ENGINE` holds a behaviour for each scenario, `;` apart: `open=crash;query=hang`. Others are good.
//! One side of a claim is named by a slash: `plan-hits/tuned=crash`; one of two binaries by its file: `open@old=crash`.
//! With `FAKE_STATE`, a folder, behaviours can differ between processes.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use scenarios::wire::{Event, PROTOCOL, Request};
use scenarios::{Answer, CACHES, Cell, LEDGER, Phase, STAGES, Sample, Settings};

/// Tests change this in a copy of the binary, so that it is another engine.
const BUILD: &[u8] = b"scripted engine, build A";

fn main() {
    std::hint::black_box(BUILD);
    let behaviours = behaviours();
    let everywhere = of_binary(&behaviours, "*").map_or("good", String::as_str);
    match everywhere {
        "no-hello" => return,
        "wrong-protocol" => hello(PROTOCOL + 1),
        "late-hello" => say(&Event::Done { samples: 0 }),
        _ => hello(PROTOCOL),
    }
    let mut lines = std::io::stdin().lock().lines();
    while let Some(line) = lines.next() {
        let line = line.expect("the harness writes text");
        match Request::from_line(&line).expect("the harness writes requests") {
            Request::Prepare { cell, ponds_dir } => prepare(&cell, &ponds_dir, &behaviours),
            Request::Next => panic!("the harness lets only runs in turn go on"),
            Request::Run { cell, work_dir, in_turn, warm, .. } => {
                export(&cell, &work_dir);
                assert!(work_dir.is_dir(), "the harness makes the work folder");
                let mut next = || {
                    let line = lines.next().expect("a run in turn goes on").expect("the harness writes text");
                    assert_eq!(
                        Request::from_line(&line).expect("the harness writes requests"),
                        Request::Next
                    );
                };
                let mut nothing = || ();
                let next: &mut dyn FnMut() = if in_turn { &mut next } else { &mut nothing };
                run(&cell, &work_dir, warm, behaviour(&behaviours, &cell), next);
            }
            Request::Explain { cell, .. } => {
                let analysis = serde_json::json!({ "format": 1, "cell": cell.id() });
                say(&Event::Explained { analysis });
            }
        }
    }
    if everywhere == "bad-end" {
        std::process::exit(7);
    }
}

fn behaviours() -> BTreeMap<String, String> {
    let script = std::env::var("FAKE_ENGINE").unwrap_or_default();
    let pairs = script.split(';').filter_map(|part| part.split_once('='));
    pairs.map(|(scenario, behaviour)| (scenario.to_owned(), behaviour.to_owned())).collect()
}

fn behaviour<'a>(behaviours: &'a BTreeMap<String, String>, cell: &Cell) -> &'a str {
    let side = cell.point.iter().find(|(name, _)| name == "side").map_or("", |(_, side)| side);
    let own = behaviours.get(&format!("{}/{side}", cell.scenario));
    own.or_else(|| of_binary(behaviours, &cell.scenario)).map_or("good", String::as_str)
}

fn of_binary<'a>(behaviours: &'a BTreeMap<String, String>, name: &str) -> Option<&'a String> {
    let binary = std::env::current_exe().expect("a process has a binary");
    let binary = binary.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    behaviours.get(&format!("{name}@{binary}")).or_else(|| behaviours.get(name))
}

fn prepare(cell: &Cell, ponds_dir: &Path, behaviours: &BTreeMap<String, String>) {
    assert!(ponds_dir.is_dir(), "the harness makes the folder of ponds");
    if behaviour(behaviours, cell) == "unpreparable" {
        return say(&Event::Failed { message: "no such size".to_owned() });
    }
    say(&Event::Progress { what: "rows".to_owned(), done: 1, total: 2 });
    let files = files(cell);
    say(&Event::Prepared { built: false, files, rows: files * 1440 });
}

fn run(cell: &Cell, work_dir: &Path, warm: u32, behaviour: &str, next: &mut dyn FnMut()) {
    match behaviour {
        "crash" => {
            eprintln!("thread 'main' panicked at fake_engine: planned");
            std::process::exit(101);
        }
        "markup" => {
            eprintln!("</pre><script>alert(2)</script>");
            std::process::exit(101);
        }
        "abort" => std::process::abort(),
        "hang" => std::thread::sleep(std::time::Duration::from_secs(600)),
        "nap" => std::thread::sleep(std::time::Duration::from_secs(4)),
        "doze" => std::thread::sleep(std::time::Duration::from_millis(100)),
        "garbage" => println!("starting up..."),
        "refuse" => return say(&Event::Failed { message: "cannot open the pond".to_owned() }),
        "early-end" => std::process::exit(0),
        "cut-line" => {
            let line = Event::Sample { sample: sample(cell, work_dir, 0, behaviour) }.to_line();
            print!("{}", &line[..line.len() / 2]);
            std::io::stdout().flush().expect("standard output is open");
            std::process::exit(0);
        }
        _ => {}
    }
    say(&Event::Progress { what: "running".to_owned(), done: 0, total: 1 });
    let samples = if behaviour == "short" { warm } else { warm + 1 };
    for iteration in 0..samples {
        if iteration > 0 {
            next();
        }
        let mut sample = sample(cell, work_dir, iteration, behaviour);
        if behaviour.starts_with("burn") {
            let times = if behaviour == "burn-more" { 2 } else { 1 };
            sample.metrics.insert("cpu_ns".to_owned(), cell::workload::run(times));
        }
        say(&Event::Sample { sample });
    }
    let said = if behaviour == "wrong-count" { samples + 1 } else { samples };
    say(&Event::Done { samples: said });
    if behaviour == "chatter" {
        println!("bye");
    }
    if behaviour == "slow" {
        std::thread::sleep(std::time::Duration::from_millis(1200));
    }
}

fn sample(cell: &Cell, work_dir: &Path, iteration: u32, behaviour: &str) -> Sample {
    let files = files(cell);
    let cold = iteration == 0;
    let each = 5_000 * cell.key().len() as u64;
    let wall_ns = if cold { 4_000_000 + files * each } else { 1_000_000 + files * each / 4 };
    let mut metrics = BTreeMap::new();
    let mut set = |name: &str, value: u64| metrics.insert(name.to_owned(), value);
    set("wall_ns", wall_ns);
    set("cpu_ns", wall_ns * 9 / 10);
    set("peak_rss_bytes", (30 << 20) + files * 1024);
    set("alloc_count", 10_000 + files);
    set("rows_read", files * 1440);
    set("store_data_requests", if cold { files } else { 0 });
    set("plans_built", u64::from(cold));
    for (index, stage) in STAGES.iter().enumerate() {
        let share = (index as u64 * 7 + cell.scenario.len() as u64 * 3 + files) % 11;
        set(&format!("stage.{}.ns", stage.name()), wall_ns * share / 100);
        set(&format!("stage.{}.count", stage.name()), index as u64 % 5);
    }
    if cell.suite == LEDGER {
        turn_knobs(cell, work_dir, cold, &mut metrics);
    }
    let mut set = |name: &str, value: u64| metrics.insert(name.to_owned(), value);
    match behaviour {
        "extra-request" => set("store_data_requests", files + 1),
        "extra-read" => set("stage.parquet_read.count", 9),
        "fewer-rows" => set("rows_read", files * 1440 - 1),
        "unstable" => set("rows_read", u64::from(std::process::id())),
        "unknown-metric" => set("rows_raed", 1),
        "no-time" => set("wall_ns", 0),
        "slower" => set("wall_ns", wall_ns * (2 + files % 3)),
        percent if percent.starts_with("percent-") => {
            let percent: u64 = percent["percent-".len()..].parse().expect("the script gives a number");
            // A tenth of a second, so that few executions are long enough, and a little noise of the process.
            let noise = u64::from(std::process::id()) * 7919 % 1_000;
            set("wall_ns", 1_000 * (100_000 + noise) * (100 + percent) / 100)
        }
        "more-allocations" => set("alloc_count", 2 * (10_000 + files)),
        _ => None,
    };
    if behaviour == "lost-metric" {
        metrics.remove("rows_read");
    }
    let digest = if behaviour == "wrong-answer" { "ffffffffffffffff" } else { "00000000deadbeef" };
    Sample {
        phase: if cold { Phase::Cold } else { Phase::Warm },
        iteration,
        metrics,
        answer: Answer { rows: files, digest: digest.to_owned() },
    }
}

/// Makes a sample depend on the knobs: a cache that is on serves every warm look-up, a name that is stable
/// halves the time of registrations, and every cache takes a tenth off the whole.
fn turn_knobs(cell: &Cell, work_dir: &Path, cold: bool, metrics: &mut BTreeMap<String, u64>) {
    let mut settings = Settings::default();
    settings.apply(&cell.parameters).expect("the harness plans knobs that exist");
    // The harness numbers the processes of a cell by their work folder; a little noise follows from it.
    let process = work_dir.file_name().and_then(|name| name.to_string_lossy().parse::<u64>().ok());
    let process = process.expect("work folders are numbered");
    let files = files(cell);
    let mut percent = 100;
    for cache in CACHES {
        let on = settings.get(&format!("{cache}_cache")) == "on";
        let hits = if on && !cold { files } else { 0 };
        percent -= if on && !cold { 10 } else { 0 };
        metrics.insert(format!("cache.{cache}.hits"), hits);
        metrics.insert(format!("cache.{cache}.misses"), if on { files - hits } else { 0 });
        let built = match cache {
            "provider" => "providers_built",
            "schema" => "schemas_read",
            "plan" => "plans_built",
            _ => continue,
        };
        metrics.insert(built.to_owned(), files - hits);
    }
    let noise = 100 + process * (7 + percent / 10) % 11;
    let halved = if settings.get("names") == "stable" { 2 } else { 1 };
    metrics.insert("stage.table_registration.ns".to_owned(), 1_000_000 * noise / halved);
    metrics.insert("wall_ns".to_owned(), 10_000 * percent * noise);
}

/// Leaves an export of nothing, for those who take it away.
fn export(cell: &Cell, work_dir: &Path) {
    if cell.workload == scenarios::Workload::Export && cell.suite == "peers" {
        let out = work_dir.join("out");
        std::fs::create_dir(&out).expect("the harness makes an empty work folder");
        std::fs::write(out.join("manifest.json"), "{}").expect("the folder is writable");
    }
}

/// Burns processor time where the engine measures, and where it does not, under names like those of the engine.
mod cell {
    pub(crate) mod workload {
        use std::time::{Duration, Instant};

        const PIECE: Duration = Duration::from_millis(20);

        /// Returns the time that was measured, in ns.
        #[inline(never)]
        pub(crate) fn run(times: u32) -> u64 {
            let began = Instant::now();
            measured(times);
            let measured_ns = began.elapsed().as_nanos() as u64;
            check_answer();
            measured_ns
        }

        #[inline(never)]
        fn measured(times: u32) {
            burn();
            (1..times).for_each(|_| burn_more());
        }

        #[inline(never)]
        fn burn() {
            turn();
        }

        #[inline(never)]
        fn burn_more() {
            turn();
            std::hint::black_box(());
        }

        #[inline(never)]
        fn check_answer() {
            turn();
        }

        fn turn() {
            let began = Instant::now();
            let mut sum = 0_u64;
            while began.elapsed() < PIECE {
                sum = std::hint::black_box((0..10_000).fold(sum, |sum, next| sum.wrapping_mul(31) + next));
            }
        }
    }
}

fn files(cell: &Cell) -> u64 {
    match cell.parameter("size") {
        Some("tiny") => 8,
        Some("small") => 100,
        Some("medium") => 1000,
        _ => 1,
    }
}

fn hello(protocol: u32) {
    let state: Option<PathBuf> = std::env::var_os("FAKE_STATE").map(PathBuf::from);
    if let Some(state) = state {
        // One file a process: tests count how many were started.
        std::fs::write(state.join(std::process::id().to_string()), "").expect("the folder is there");
    }
    let (engine, profile) = ("0.0.0-fake".to_owned(), "release".to_owned());
    say(&Event::Hello { protocol, engine, pond_format: 1, profile });
}

fn say(event: &Event) {
    println!("{}", event.to_line());
}
