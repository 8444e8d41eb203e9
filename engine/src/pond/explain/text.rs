//! What an operation did, as text.

use super::{Explained, MatchUse, MatchedNode};
use crate::log::LogAnalysis;
use crate::metrics::Access;

/// Matches that are listed; all of them are in the JSON.
const MATCHES_MAX: usize = 20;

impl Explained {
    /// Writes everything as text, a few sections of lines.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        if let Some(matched) = &self.matched {
            lines.extend(of_match(matched));
        }
        for plan in &self.plans {
            lines.extend([plan.path.clone(), plan.analysis.text(), String::new()]);
        }
        lines.push("log".to_owned());
        lines.extend(of_log(&self.log));
        if !self.accesses.is_empty() {
            lines.extend([String::new(), "accesses".to_owned()]);
            lines.extend(self.accesses.iter().map(of_access));
        }
        if !self.caches.is_empty() {
            lines.extend([String::new(), "caches".to_owned()]);
        }
        for cache in &self.caches {
            let metrics: Vec<String> =
                cache.metrics.iter().map(|(name, value)| format!("{value} {name}")).collect();
            lines.push(format!("  {}: {}", cache.cache, metrics.join(", ")));
        }
        lines.join("\n")
    }
}

fn of_match(matched: &MatchUse) -> Vec<String> {
    let sum = |of: fn(&MatchedNode) -> u64| matched.nodes.iter().map(of).sum::<u64>();
    let count = matched.nodes.len();
    let mut lines = vec![
        format!("{}: {count} matched, {} nodes visited", matched.pattern, matched.visited),
        format!(
            "{} versions, {} pruned by their time bounds; {} rows, {} bytes left",
            sum(|node| node.versions),
            sum(|node| node.versions_pruned),
            sum(|node| node.rows),
            sum(|node| node.bytes)
        ),
    ];
    for node in matched.nodes.iter().take(MATCHES_MAX) {
        if let Some(factory) = &node.factory {
            lines.push(format!("  {}: {}, derived by {factory}", node.path, node.entry_type));
            continue;
        }
        let MatchedNode { path, entry_type, versions, versions_pruned, rows, .. } = node;
        lines.push(format!(
            "  {path}: {entry_type}, {versions} versions, {versions_pruned} pruned, {rows} rows left"
        ));
    }
    if count > MATCHES_MAX {
        lines.push(format!("  and {} more", count - MATCHES_MAX));
    }
    lines.push(String::new());
    lines
}

fn of_log(log: &LogAnalysis) -> [String; 6] {
    let checkpoint = match log.checkpoint_version {
        Some(version) => format!("checkpoint of version {version}, {} bytes", log.checkpoint_size),
        None => "no checkpoint".to_owned(),
    };
    [
        format!("  Delta version {}, transaction {}", log.delta_version, log.txn),
        format!("  {checkpoint}, {} commits replayed", log.commits_replayed),
        format!("  commit files: {} requests, {} bytes", log.commit_requests, log.commit_bytes),
        format!("  checkpoints: {} requests, {} bytes", log.checkpoint_requests, log.checkpoint_bytes),
        format!("  listings: {}", log.list_requests),
        format!(
            "  entry files: {} considered, {} loaded, {} skipped; {} tombstones",
            log.entry_files, log.entry_files_loaded, log.entry_files_skipped, log.tombstones
        ),
    ]
}

fn of_access(access: &Access) -> String {
    let Access { path, class, requests, bytes, footers, repeats } = access;
    let mut line = format!("  {path} ({class}): {requests} requests, {bytes} bytes");
    if *footers > 0 {
        line.push_str(&format!(", {footers} footers"));
    }
    if *repeats > 0 {
        line.push_str(&format!(", {repeats} REPEATED"));
    }
    line
}
