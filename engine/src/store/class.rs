//! Classes of stored objects, decided by path alone.

use object_store::path::Path;

use crate::metrics::Counter;

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A Delta commit file.
    LogJson,
    /// A Delta checkpoint, or the pointer to the last one.
    Checkpoint,
    /// The end of a Parquet file.
    Footer,
    /// A Parquet file, apart from its footer.
    Data,
    /// Anything else.
    Other,
}

impl Class {
    /// Decides the class of an object; a footer can only be told by the range read.
    pub(crate) fn of(location: &Path) -> Self {
        let name = location.filename().unwrap_or_default();
        let in_log = location.parts().any(|part| part.as_ref() == "_delta_log");
        match in_log {
            true if name.contains("checkpoint") => Self::Checkpoint,
            true if name.ends_with(".json") => Self::LogJson,
            false if name.ends_with(".parquet") => Self::Data,
            _ => Self::Other,
        }
    }

    /// Returns the name in lists of accesses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LogJson => "commit",
            Self::Checkpoint => "checkpoint",
            Self::Footer => "footer",
            Self::Data => "data",
            Self::Other => "other",
        }
    }

    /// Returns the counters of requests and bytes of the class.
    pub(crate) fn counters(self) -> (Counter, Option<Counter>) {
        match self {
            Self::LogJson => (Counter::StoreLogJsonRequests, Some(Counter::StoreLogJsonBytes)),
            Self::Checkpoint => (Counter::StoreCheckpointRequests, Some(Counter::StoreCheckpointBytes)),
            Self::Footer => (Counter::StoreFooterRequests, Some(Counter::StoreFooterBytes)),
            Self::Data => (Counter::StoreDataRequests, Some(Counter::StoreDataBytes)),
            Self::Other => (Counter::StoreOtherRequests, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_from_paths() {
        let check = |path: &str, expect| assert_eq!(Class::of(&Path::from(path)), expect, "{path}");
        check("p/log/_delta_log/00000000000000000001.json", Class::LogJson);
        check("p/log/_delta_log/00000000000000000031.checkpoint.parquet", Class::Checkpoint);
        check("p/log/_delta_log/_last_checkpoint", Class::Checkpoint);
        check("p/log/_delta_log/00000000000000000001.crc", Class::Other);
        check("p/log/entries-1.parquet", Class::Data);
        check("p/log/readme", Class::Other);
    }
}
