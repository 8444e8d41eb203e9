//! The shape of the repository: layers, file names and sizes.

use std::path::{Path, PathBuf};

/// Modules of the engine, each importing only those before it; the last is the binary.
const LAYERS: [&[&str]; 11] = [
    &["chunks", "error", "metrics", "plants", "knobs", "thresholds", "cache"],
    &["store"],
    &["tree"],
    &["log"],
    &["series"],
    &["query"],
    &["factory"],
    &["import", "export"],
    &["pond"],
    &["cell"],
    &["bin"],
];

/// Modules that a layer may import besides those before it, and why.
const EXCEPTIONS: [(&str, &str); 6] = [
    // A mistyped knob is an error like any.
    ("knobs", "error"),
    // So is a mistyped threshold, which stands in the same file.
    ("thresholds", "error"),
    ("thresholds", "knobs"),
    // The recorder's trace file fails like any file.
    ("metrics", "error"),
    // A planted fault takes its time in a stage.
    ("plants", "metrics"),
    // A planted fault makes caches forget.
    ("cache", "plants"),
];

const LINES_MAX: usize = 600;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Lists the Rust files of the workspace by their path, with their text.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for member in ["scenarios", "datagen", "engine", "xtask"] {
        add(&workspace().join(member), &mut files);
    }
    assert!(files.len() > 50, "the workspace was found");
    files
}

fn add(folder: &Path, files: &mut Vec<(String, String)>) {
    let Ok(listing) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = listing.map(|item| item.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                add(&path, files);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.strip_prefix(workspace()).unwrap().to_str().unwrap().to_owned();
            files.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            faults.push(format!("{name} has {lines} lines, more than {LINES_MAX}"));
        }
        if !text.starts_with("//!") {
            faults.push(format!("{name} does not begin with //!"));
        }
        let file = name.rsplit('/').next().unwrap();
        let vague = ["mod.rs", "utils.rs", "util.rs", "helpers.rs", "helper.rs", "common.rs", "misc.rs"];
        if vague.contains(&file) {
            faults.push(format!("{name} is not called by what it holds"));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

fn layer(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|modules| modules.contains(&module))
        .unwrap_or_else(|| panic!("{module} is in no layer"))
}

/// Finds the modules that a text imports with `crate::…`.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        found.push(name);
    }
    found
}

#[test]
fn modules_import_only_the_layers_below_them() {
    let mut faults = Vec::new();
    for (name, text) in sources() {
        let Some(rest) = name.strip_prefix("engine/src/") else { continue };
        if rest == "lib.rs" || rest.starts_with("bin/") {
            continue;
        }
        let module = rest.split('/').next().unwrap().trim_end_matches(".rs");
        for import in imports(&text) {
            let allowed = import == module
                || layer(&import) < layer(module)
                || EXCEPTIONS.contains(&(module, import.as_str()));
            if !allowed {
                faults.push(format!("{name} imports {import}, which is not below {module}"));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn crates_depend_one_way() {
    let manifest =
        |member: &str| std::fs::read_to_string(workspace().join(member).join("Cargo.toml")).unwrap();
    let depends = |member: &str, on: &str| {
        manifest(member).lines().any(|line| line.split(['.', ' ', '=']).next() == Some(on))
    };
    for (member, refused) in [
        ("scenarios", &["datagen", "engine", "xtask"][..]),
        ("datagen", &["engine", "xtask"]),
        ("engine", &["xtask"]),
        ("xtask", &["engine", "datagen", "datafusion", "deltalake", "arrow", "parquet"]),
    ] {
        for on in refused {
            assert!(!depends(member, on), "{member} must not depend on {on}");
        }
    }
    assert!(depends("engine", "scenarios") && depends("datagen", "scenarios"));
}
