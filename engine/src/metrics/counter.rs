//! The work counters, one for each exact metric of the vocabulary.

/// Names the counters once, so that the list, the names and the number cannot disagree.
macro_rules! counters {
    ($($variant:ident => $name:literal,)*) => {
        /// A work counter; its meaning stands beside its name in `scenarios::METRICS`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        #[expect(missing_docs, reason = "the vocabulary documents each metric by its name")]
        pub enum Counter { $($variant,)* }

        impl Counter {
            /// Every counter, in the order of the vocabulary.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the metric's name in records.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

counters! {
    NodesVisited => "nodes_visited",
    NodesMatched => "nodes_matched",
    VersionsRead => "versions_read",
    EntriesLoaded => "entries_loaded",
    LogFilesRead => "log_files_read",
    Transactions => "transactions",
    SnapshotsBuilt => "snapshots_built",
    SessionsBuilt => "sessions_built",
    ProvidersBuilt => "providers_built",
    SchemasRead => "schemas_read",
    PlansBuilt => "plans_built",
    VersionsScanned => "versions_scanned",
    FootersRead => "footers_read",
    RowGroupsRead => "row_groups_read",
    RowsRead => "rows_read",
    RowsWritten => "rows_written",
    FilesWritten => "files_written",
    BytesWritten => "bytes_written",
    GroupsCopied => "groups_copied",
    PartitionsReused => "partitions_reused",
    RelationsBuilt => "relations_built",
    PartitionsWritten => "partitions_written",
    Spills => "spills",
    SpilledBytes => "spilled_bytes",
    ContentReads => "content_reads",
    ContentReadBytes => "content_read_bytes",
    StoreLogJsonRequests => "store_log_json_requests",
    StoreLogJsonBytes => "store_log_json_bytes",
    StoreCheckpointRequests => "store_checkpoint_requests",
    StoreCheckpointBytes => "store_checkpoint_bytes",
    StoreFooterRequests => "store_footer_requests",
    StoreFooterBytes => "store_footer_bytes",
    StoreDataRequests => "store_data_requests",
    StoreDataBytes => "store_data_bytes",
    StoreListRequests => "store_list_requests",
    StoreOtherRequests => "store_other_requests",
}

#[cfg(test)]
mod tests {
    use super::Counter;

    #[test]
    fn counters_are_the_vocabularys() {
        let known: Vec<&str> = scenarios::METRICS.iter().map(|m| m.name).collect();
        for counter in Counter::ALL {
            assert!(known.contains(&counter.name()), "{} is no metric", counter.name());
        }
        let outside = ["wall_ns", "cpu_ns", "peak_rss_bytes", "instructions"];
        let outside = [&outside[..], &["alloc_count", "alloc_bytes", "alloc_peak_bytes"]].concat();
        for name in known.iter().filter(|name| !outside.contains(name)) {
            assert!(Counter::ALL.iter().any(|c| c.name() == *name), "nothing counts {name}");
        }
    }
}
