//! A full disk: one clear error, the pond as it was, and no half export.
//!
//! The disk is a limit on the size of files (`ulimit -f`) with its signal ignored, so that a write beyond
//! it fails like one to a full disk does.

use std::process::Command;

use crate::pond_command::{TestPond, digests, files_below};

/// Prepares a `pond` command whose files may have this many blocks of 512 bytes.
fn limited(pond: &TestPond, blocks: u32, arguments: &str) -> Command {
    let mut command = Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec {} {arguments}", env!("CARGO_BIN_EXE_pond"));
    command.arg("-c").arg(script).env("POND", pond.root()).current_dir(pond.path(""));
    command
}

fn csv(rows: u64) -> String {
    let mut text = "ts,v,w\n".to_owned();
    for row in 0..rows {
        let noise = row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        text += &format!("{},0.{noise},{}\n", 1_700_000_000 + row * 60, noise ^ 0x5555_5555);
    }
    text
}

#[test]
fn an_import_that_finds_no_room_changes_nothing() {
    for (pond, what) in [(TestPond::new(), "file"), (TestPond::with_files(), "small file")] {
        pond.import("good.csv", &csv(50), "/good.series");
        pond.file("big.csv", csv(30_000));
        pond.file("small.csv", csv(40));
        let content = digests(&pond.root().join("content"));
        for blocks in [0, 1, 8, 64, 256] {
            let mut command = limited(&pond, blocks, "import small.csv big.csv /new");
            let message = pond.fails_as(&mut command);
            assert!(message.contains("File too large"), "{what}, {blocks} blocks: {message}");
            assert_eq!(digests(&pond.root().join("content")), content, "{what}: content was left behind");
        }
        pond.ok(["import", "small.csv", "big.csv", "/new"]);
    }
}

#[test]
fn inline_content_that_finds_no_room_changes_nothing() {
    let pond = TestPond::new();
    pond.import("good.csv", &csv(50), "/good.series");
    pond.file("big.csv", csv(2_000));
    for blocks in [0, 2, 16] {
        let message = pond.fails_as(&mut limited(&pond, blocks, "import big.csv /new.series"));
        assert!(message.contains("File too large"), "{blocks} blocks: {message}");
    }
    let message = pond.fails_as(&mut limited(&pond, 0, "mkdir /new"));
    assert!(message.contains("File too large"), "{message}");
    pond.ok(["import", "big.csv", "/new.series"]);
}

#[test]
fn an_export_that_finds_no_room_leaves_the_old_one() {
    let pond = TestPond::new();
    pond.import("good.csv", &csv(20_000), "/good.series");
    for (blocks, arguments) in [
        (0, "export -p '/*' -d out --temporal year,month"),
        (8, "export -p '/*' -d out --temporal year,month"),
        (200, "export -p '/*' -d out"),
    ] {
        let message = pond.fails_as(&mut limited(&pond, blocks, arguments));
        assert!(message.contains("File too large"), "{blocks} blocks: {message}");
        assert!(message.contains("out"), "{message} names no place");
        assert!(files_below(&pond.path("out")).is_empty());
        assert!(!pond.path(".out.pond-export").exists());
    }
    pond.ok(["export", "-p", "/*", "-d", "out", "--temporal", "year,month"]);
    let before = digests(&pond.path("out"));
    pond.fails_as(&mut limited(
        &pond,
        8,
        "export -p '/*' -d out --temporal year,month --set incremental=off",
    ));
    assert_eq!(digests(&pond.path("out")), before);
}

#[test]
fn a_pond_that_finds_no_room_is_none() {
    let pond = TestPond::without();
    let mut command = limited(&pond, 0, "init");
    let output = command.output().unwrap();
    let message = pond.message(&command, &output);
    assert!(message.contains("File too large"), "{message}");
    assert!(!pond.root().join("pond.json").exists());
}
