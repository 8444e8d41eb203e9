//! DataFusion's own caches of files, counted: footers, listings of folders, statistics.
//!
//! DataFusion counts nothing of them, keeps a listing for ever unless told otherwise, and does not notice
//! that an export replaced a folder. Footers and statistics are checked by size and time on every use;
//! listings are not, so the tables of exports have keys that change with the export, and whoever
//! writes a folder calls [`FileCaches::invalidate`].

mod counted;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::cache::TableScopedPath;
use datafusion::execution::cache::cache_manager::{
    CacheManagerConfig, CachedFileList, CachedFileMetadata, CachedFileMetadataEntry,
};
use object_store::path::Path as StorePath;

use crate::cache::CacheStats;
use crate::error::{Error, Result};
use counted::Counted;

/// Which of DataFusion's caches are on, and what they may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileCacheOptions {
    /// Whether decoded Parquet footers are kept.
    pub footer: bool,
    /// Whether the files of a folder are kept.
    pub listing: bool,
    /// Whether statistics and orders of files are kept.
    pub statistics: bool,
    /// Bytes that each of the three may hold.
    pub bytes: usize,
    /// The age at which a listing leaves; never if not given.
    pub listing_age_max: Option<Duration>,
}

/// DataFusion's caches of files, to be shared by sessions.
pub struct FileCaches {
    options: FileCacheOptions,
    footer: Arc<Counted<StorePath, CachedFileMetadataEntry>>,
    listing: Arc<Counted<TableScopedPath, CachedFileList>>,
    statistics: Arc<Counted<TableScopedPath, CachedFileMetadata>>,
}

impl FileCaches {
    /// Makes empty caches.
    pub fn new(options: FileCacheOptions) -> Self {
        let FileCacheOptions { footer, listing, statistics, bytes, listing_age_max } = options;
        Self {
            options,
            footer: Arc::new(Counted::new("footer", footer, bytes, None)),
            listing: Arc::new(Counted::new("listing", listing, bytes, listing_age_max)),
            statistics: Arc::new(Counted::new("statistics", statistics, bytes, None)),
        }
    }

    /// Returns what makes a session use these caches.
    ///
    /// DataFusion never asks for listings and statistics that are off; footers that are off it asks for in vain.
    pub fn config(&self) -> CacheManagerConfig {
        let limit = |is_on| if is_on { self.options.bytes } else { 0 };
        CacheManagerConfig::default()
            .with_file_metadata_cache(Some(Arc::clone(&self.footer) as _))
            .with_metadata_cache_limit(limit(self.options.footer))
            .with_list_files_cache(Some(Arc::clone(&self.listing) as _))
            .with_list_files_cache_limit(limit(self.options.listing))
            .with_file_statistics_cache(Some(Arc::clone(&self.statistics) as _))
            .with_file_statistics_cache_limit(limit(self.options.statistics))
    }

    /// Returns what each cache counted so far, by the names that metrics know.
    pub fn stats(&self) -> [(&'static str, CacheStats); 3] {
        [
            ("footer", self.footer.stats()),
            ("listing", self.listing.stats()),
            ("statistics", self.statistics.stats()),
        ]
    }

    /// Drops everything about the files at and below a folder, which has been written; returns how much that was.
    ///
    /// # Errors
    /// If the folder's path cannot be told.
    pub fn invalidate(&self, folder: &Path) -> Result<usize> {
        // Listings are kept by the real path; a folder that has gone has none any more.
        let real = folder.canonicalize().or_else(|_| std::path::absolute(folder));
        let real = real.map_err(Error::io("find", folder))?;
        let prefix = StorePath::from_absolute_path(&real)
            .map_err(|error| Error::io("find", folder)(std::io::Error::other(error)))?;
        Ok(self.footer.invalidate(|path| path.prefix_matches(&prefix))
            // The listing of a folder above holds these files as well.
            + self.listing.invalidate(|key| {
                key.path.prefix_matches(&prefix) || prefix.prefix_matches(&key.path)
            })
            + self.statistics.invalidate(|key| key.path.prefix_matches(&prefix)))
    }
}

impl fmt::Debug for FileCaches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileCaches").field("options", &self.options).finish_non_exhaustive()
    }
}
