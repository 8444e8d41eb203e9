//! A snapshot that followed its log equals one that is built anew, whatever commits and folds came between.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Barrier};

use bytes::Bytes;
use proptest::prelude::*;

use super::content::Digest;
use super::entry::{Entry, Stored, Version};
use super::files::{self, EntryFile};
use super::history::{Columns, Loaded};
use super::layout::Layout;
use super::rows::Schemas;
use super::snapshot::Snapshot;
use super::{Summary, checked};
use crate::error::Result;
use crate::metrics::Recorder;
use crate::tree::{EntryType, NodeId, ROOT};

#[derive(Clone, Debug)]
enum Step {
    /// Commits an entry for each number; what it is depends on the number.
    Commit(Vec<u8>),
    /// Folds those files whose bit is set, the first of them put last if asked.
    Fold(u64, bool),
    /// Follows the log, and compares with a snapshot that is built anew.
    Look,
    /// Keeps the snapshot, which must stay as it is.
    Keep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => prop::collection::vec(any::<u8>(), 0..7).prop_map(Step::Commit),
        2 => (any::<u64>(), any::<bool>()).prop_map(|(bits, turn)| Step::Fold(bits, turn)),
        3 => Just(Step::Look),
        1 => Just(Step::Keep),
    ];
    prop::collection::vec(step, 1..24)
}

/// A log without Delta: its entry files, and what is in them.
struct Files {
    layout: Layout,
    recorder: Arc<Recorder>,
    schemas: Schemas,
    current: Vec<(Arc<Loaded>, Vec<Entry>)>,
    written: usize,
    txn: u64,
    /// Types and versions of all nodes.
    nodes: Vec<(EntryType, u64)>,
}

impl Files {
    fn new(folder: &Path) -> Self {
        let layout = Layout::create(&folder.join("pond"), 0).unwrap();
        layout.lay_out().unwrap();
        let mut files = Self {
            layout,
            recorder: Arc::new(Recorder::new(false)),
            schemas: Schemas::default(),
            current: Vec::new(),
            written: 0,
            txn: 0,
            nodes: Vec::new(),
        };
        files.commit(&[]);
        files
    }

    fn write(&mut self, entries: Vec<Entry>) {
        let bytes = Bytes::from(files::encode_file(&entries).unwrap());
        self.written += 1;
        let name = format!("f-{:04}-{}.parquet", self.written, checked::digest(&bytes).unwrap());
        let path = self.layout.log_dir().join(name);
        fs::write(&path, &bytes).unwrap();
        let file = Arc::new(EntryFile::new(path, bytes.len() as u64));
        let rows = file.read_rows(&self.schemas, &self.recorder).unwrap();
        self.current.push((Arc::new(Loaded { file, rows }), entries));
    }

    /// Commits entries in one file, or in two if there are many.
    fn commit(&mut self, choices: &[u8]) {
        self.txn += 1;
        let mut entries = Vec::new();
        if self.nodes.is_empty() {
            self.nodes.push((EntryType::Dir, 1));
            entries.push(self.entry(Some(EntryType::Dir), ROOT, ROOT, "", 0));
        }
        for choice in choices {
            entries.push(self.chosen(usize::from(*choice)));
            if entries.len() == 4 {
                self.write(std::mem::take(&mut entries));
            }
        }
        entries.push(self.entry(None, ROOT, ROOT, "test", 0));
        self.write(entries);
    }

    fn chosen(&mut self, choice: usize) -> Entry {
        let pick = |files: &Self, is: fn(EntryType) -> bool| -> Option<NodeId> {
            let all = files.nodes.iter().enumerate().filter(|(_, (entry_type, _))| is(*entry_type));
            let all: Vec<_> = all.map(|(node, _)| node as NodeId).collect();
            (!all.is_empty()).then(|| all[choice % all.len()])
        };
        if let Some(node) = pick(self, EntryType::is_queryable).filter(|_| choice >= 128) {
            let (entry_type, version) = &mut self.nodes[node as usize];
            *version += 1;
            let (entry_type, version) = (*entry_type, *version);
            return self.entry(Some(entry_type), node, ROOT, "ignored", version);
        }
        let parent = pick(self, |entry_type| entry_type == EntryType::Dir).unwrap_or(ROOT);
        let types = [EntryType::Dir, EntryType::Series, EntryType::Table, EntryType::Series];
        let entry_type = types[choice % types.len()];
        let node = self.nodes.len() as NodeId;
        let version = u64::from(entry_type != EntryType::Dir);
        self.nodes.push((entry_type, version));
        self.entry(Some(entry_type), node, parent, &format!("n{}", node * 7919 % 1000), version)
    }

    fn entry(&self, entry_type: Option<EntryType>, node: u64, parent: u64, name: &str, number: u64) -> Entry {
        let holds_rows = entry_type.is_some_and(EntryType::is_queryable);
        let content = format!("content of version {number} of node {node}").into_bytes();
        let mixed = (node * 31 + number * 17 + self.txn) as i64;
        let version = Version {
            number,
            txn: self.txn,
            committed_us: self.txn as i64 * 1000,
            size: if holds_rows { content.len() as u64 } else { 0 },
            rows: (holds_rows && mixed % 5 > 0).then_some(number),
            first_us: (mixed % 3 > 0).then_some(mixed % 100),
            last_us: (mixed % 3 > 0).then_some(mixed % 100 + 10),
            time_column: holds_rows.then(|| "time".to_owned()),
            schema: holds_rows.then(|| Arc::from(&[0xA5, (mixed % 4) as u8][..])),
            attributes: (mixed % 2 > 0).then(|| format!("{{\"mixed\":{mixed}}}")),
        };
        Entry {
            entry_type,
            node,
            parent,
            name: name.to_owned(),
            version,
            stored: if holds_rows { Stored::Inline } else { Stored::Nothing },
            digest: holds_rows.then(|| Digest(*blake3::hash(&content).as_bytes())),
            chunks: None,
            content: holds_rows.then_some(content),
        }
    }

    fn fold(&mut self, bits: u64, turn: bool) {
        let mut folded = Vec::new();
        let mut kept = Vec::new();
        for (place, file) in std::mem::take(&mut self.current).into_iter().enumerate() {
            if bits >> (place % 64) & 1 == 1 { folded.push(file.1) } else { kept.push(file) }
        }
        self.current = kept;
        if turn && !folded.is_empty() {
            folded.rotate_left(1);
        }
        if !folded.is_empty() {
            self.write(folded.concat());
        }
    }

    fn loaded(&self) -> Vec<Arc<Loaded>> {
        self.current.iter().map(|(loaded, _)| Arc::clone(loaded)).collect()
    }

    fn built(&self) -> Result<Snapshot> {
        Snapshot::build(&self.layout, &self.recorder, &self.loaded())
    }
}

/// Describes all that a snapshot answers, and checks what it says twice.
fn describe(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = vec![format!("{} {:?}", snapshot.txn(), snapshot.commits())];
    for node in 0..snapshot.tree().len() as NodeId {
        let tree = snapshot.tree();
        let versions: Vec<Version> = snapshot.versions(node).collect();
        assert_eq!(snapshot.summary(node), summary(tree.node(node).entry_type, &versions), "{node}");
        for version in &versions {
            let columns = |(schema, time): &Columns| {
                version.schema.as_ref() == Some(schema) && &version.time_column == time
            };
            assert!(version.schema.is_none() || snapshot.columns(node).iter().any(columns), "{node}");
        }
        let contents = snapshot.contents(node).unwrap();
        let contents: Vec<_> =
            contents.iter().map(|(version, c)| (version.number, c.whole().unwrap())).collect();
        lines.push(format!(
            "{} {:?} {:?} {versions:?} {contents:?} {:?}",
            tree.path_of(node),
            tree.node(node),
            tree.children(node),
            snapshot.columns(node)
        ));
    }
    lines
}

fn summary(entry_type: EntryType, versions: &[Version]) -> Summary {
    let counting = if entry_type == EntryType::Series { versions.len() } else { 1 };
    let counting = &versions[versions.len() - counting..];
    Summary {
        versions: versions.len() as u64,
        rows: counting.iter().map(|version| version.rows).sum(),
        bytes: counting.iter().map(|version| version.size).sum(),
        first_us: counting.iter().filter_map(|version| version.first_us).min(),
        last_us: counting.iter().filter_map(|version| version.last_us).max(),
    }
}

/// Returns the snapshot of the current files that follows another one.
fn follow(snapshot: &Snapshot, known: &mut Vec<Arc<Loaded>>, files: &Files) -> Result<Snapshot> {
    let by_name = |files: &[Arc<Loaded>]| -> BTreeMap<String, Arc<Loaded>> {
        files.iter().map(|one| (one.file.name(), Arc::clone(one))).collect()
    };
    let (old, new) = (by_name(known), by_name(&files.loaded()));
    let gone: Vec<_> =
        old.iter().filter(|(name, _)| !new.contains_key(*name)).map(|(_, f)| f.clone()).collect();
    let come: Vec<_> =
        new.iter().filter(|(name, _)| !old.contains_key(*name)).map(|(_, f)| f.clone()).collect();
    *known = files.loaded();
    snapshot.advance(&gone, &come)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn following_a_log_equals_reading_it_anew(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::new(folder.path());
        let mut known = files.loaded();
        let mut snapshot = Arc::new(files.built().unwrap());
        let mut kept = Vec::new();
        for step in steps.into_iter().chain([Step::Look]) {
            match step {
                Step::Commit(choices) => files.commit(&choices),
                Step::Fold(bits, turn) => files.fold(bits, turn),
                Step::Look => {
                    snapshot = Arc::new(follow(&snapshot, &mut known, &files).unwrap());
                    prop_assert_eq!(describe(&snapshot), describe(&files.built().unwrap()));
                    prop_assert_eq!(snapshot.txn(), files.txn);
                    prop_assert_eq!(snapshot.tree().len(), files.nodes.len());
                }
                Step::Keep => kept.push((Arc::clone(&snapshot), describe(&snapshot))),
            }
        }
        for (snapshot, before) in kept {
            prop_assert_eq!(describe(&snapshot), before);
        }
    }
}

#[test]
fn contradictions_are_damage() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Files::new(folder.path());
    let root = files.loaded();
    files.commit(&[1, 0, 0]);
    files.commit(&[200, 200]);
    let whole = files.built().unwrap();
    let check = |loaded: &[Arc<Loaded>], expect: &str| {
        let error = Snapshot::build(&files.layout, &files.recorder, loaded).unwrap_err().to_string();
        assert!(error.contains("is damaged") && error.contains(expect), "{error}");
    };
    let all = files.loaded();
    check(&[], "it has no root directory");
    check(&all[2..], "appears before node");
    let twice: Vec<_> = all.iter().chain(&all[2..]).cloned().collect();
    check(&twice, "is there twice or out of order");
    let error = whole.advance(&all[2..], &[]).unwrap_err().to_string();
    assert!(error.contains("transaction 3 has vanished"), "{error}");
    let error = whole.advance(&root, &all[2..]).unwrap_err().to_string();
    assert!(error.contains("has vanished"), "{error}");
}

#[test]
fn workers_decode_a_footer_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Files::new(folder.path());
    // Each is a new series.
    let entries: Vec<Entry> = [1; 64].into_iter().map(|choice| files.chosen(choice)).collect();
    files.write(entries.clone());
    let (loaded, _) = files.current.last().unwrap();
    let footers = |workers: usize| {
        let recorder = Arc::new(Recorder::new(false));
        let file = EntryFile::new(loaded.file.path().to_owned(), loaded.file.size());
        let together = Barrier::new(workers);
        std::thread::scope(|scope| {
            for worker in 0..workers {
                let (entries, file, recorder, together) = (&entries, &file, &recorder, &together);
                scope.spawn(move || {
                    together.wait();
                    for (row, entry) in entries.iter().enumerate().skip(worker).step_by(workers) {
                        let content = file.read_content(row as u64, recorder).unwrap();
                        assert_eq!(Some(&content[..]), entry.content.as_deref());
                    }
                });
            }
        });
        recorder.totals().get("footers_read")
    };
    let alone = footers(1);
    // Often, because workers seldom meet.
    for _ in 0..20 {
        assert_eq!(footers(8), alone);
    }
}
