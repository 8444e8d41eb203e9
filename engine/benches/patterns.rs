//! Instruction counts of pattern matching over a tree of 10,000 series, by callgrind.
//!
//! `cargo bench -p engine --bench patterns` needs valgrind and gungraun-runner of the version in
//! Cargo.lock. Counts repeat for the same binary whatever else the machine does, so they show changes
//! that times cannot.

#![expect(missing_docs, unused_qualifications, reason = "the macros of gungraun make undocumented items")]

extern crate iai_callgrind as gungraun;

use std::hint::black_box;

use engine::{EntryType, Node, NodeId, Pattern, Tree, Walked};
use gungraun::{library_benchmark, library_benchmark_group, main};

const REGIONS: u64 = 10;
const STATIONS: u64 = 500;

/// Builds 10 regions of 500 stations with two series each, and finds a pattern's matches.
fn tree() -> Tree {
    let node = |parent: NodeId, name: String, entry_type| Node { parent, name, entry_type, target: None };
    let mut nodes = vec![node(0, String::new(), EntryType::Dir)];
    for region in 0..REGIONS {
        let region_id = nodes.len() as NodeId;
        nodes.push(node(0, format!("region-{region:02}"), EntryType::Dir));
        for station in 0..STATIONS {
            let station_id = nodes.len() as NodeId;
            nodes.push(node(region_id, format!("station-{station:03}"), EntryType::Dir));
            for name in ["sonde.series", "tide.series"] {
                nodes.push(node(station_id, name.to_owned(), EntryType::Series));
            }
        }
    }
    Tree::build(nodes).expect("the nodes are in order")
}

fn with_pattern(text: &str) -> (Tree, Pattern) {
    (tree(), Pattern::parse(text).expect("the pattern is valid"))
}

#[library_benchmark(setup = with_pattern)]
#[bench::literal("/region-07/station-123/sonde.series")]
#[bench::star("/*/station-1*/sonde.series")]
#[bench::stars("/*-*/*-*/*.series")]
#[bench::any_depth("/**/sonde.series")]
#[bench::any_depth_twice("/**/station-*/**/*.series")]
fn find((tree, pattern): (Tree, Pattern)) -> (Walked, Tree) {
    let walked = black_box(tree.find(black_box(&pattern), true));
    (walked, tree)
}

library_benchmark_group!(name = patterns, benchmarks = find);
main!(library_benchmark_groups = patterns);
