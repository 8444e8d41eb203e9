//! A vector in chunks that copies share: a copy costs its chunks' pointers, a change one chunk.
//!
//! A snapshot of the pond is a copy of the one before with a few changes. Readers may hold the old one;
//! what did not change belongs to both.

use std::fmt;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

/// A vector whose copies share chunks of `N` items until one of them changes.
#[derive(Clone)]
pub(crate) struct Chunks<T, const N: usize> {
    /// All full but the last.
    chunks: Vec<Arc<Vec<T>>>,
}

impl<T, const N: usize> Chunks<T, N> {
    /// Makes an empty vector.
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new() }
    }

    /// Returns the number of items.
    pub(crate) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * N + last.len())
    }

    /// Tells whether there are no items.
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Returns the item at a place, if there is one.
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.chunks.get(at / N)?.get(at % N)
    }

    /// Returns the items in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
}

impl<T: Clone, const N: usize> Chunks<T, N> {
    /// Adds an item at the end.
    pub(crate) fn push(&mut self, item: T) {
        match self.chunks.last_mut().filter(|last| last.len() < N) {
            Some(last) => Arc::make_mut(last).push(item),
            None => {
                let mut chunk = Vec::with_capacity(N);
                chunk.push(item);
                self.chunks.push(Arc::new(chunk));
            }
        }
    }
}

impl<T, const N: usize> Default for Chunks<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Index<usize> for Chunks<T, N> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.chunks[at / N][at % N]
    }
}

impl<T: Clone, const N: usize> IndexMut<usize> for Chunks<T, N> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut Arc::make_mut(&mut self.chunks[at / N])[at % N]
    }
}

impl<T: Clone, const N: usize> FromIterator<T> for Chunks<T, N> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut chunks = Self::new();
        items.into_iter().for_each(|item| chunks.push(item));
        chunks
    }
}

impl<T: fmt::Debug, const N: usize> fmt::Debug for Chunks<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Change {
        Push(u8),
        Set(prop::sample::Index, u8),
        Keep,
    }

    fn changes() -> impl Strategy<Value = Vec<Change>> {
        let change = prop_oneof![
            4 => any::<u8>().prop_map(Change::Push),
            2 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, value)| Change::Set(at, value)),
            1 => Just(Change::Keep),
        ];
        prop::collection::vec(change, 0..60)
    }

    proptest! {
        #[test]
        fn copies_keep_what_they_had(changes in changes()) {
            let (mut plain, mut chunks) = (Vec::new(), Chunks::<u8, 4>::new());
            let mut kept = Vec::new();
            for change in changes {
                match change {
                    Change::Push(value) => {
                        plain.push(value);
                        chunks.push(value);
                    }
                    Change::Set(at, value) if !plain.is_empty() => {
                        let at = at.index(plain.len());
                        plain[at] = value;
                        chunks[at] = value;
                    }
                    Change::Set(..) => {}
                    Change::Keep => kept.push((plain.clone(), chunks.clone())),
                }
                prop_assert_eq!(chunks.len(), plain.len());
                prop_assert_eq!(chunks.get(plain.len()), None);
            }
            kept.push((plain, chunks));
            for (plain, chunks) in kept {
                prop_assert!(chunks.iter().eq(plain.iter()));
                prop_assert_eq!(chunks.is_empty(), plain.is_empty());
            }
        }
    }

    #[test]
    fn a_change_copies_one_chunk() {
        let old: Chunks<u32, 4> = (0..10).collect();
        let mut new = old.clone();
        new[5] = 50;
        let shared = |chunk: usize| Arc::ptr_eq(&old.chunks[chunk], &new.chunks[chunk]);
        assert_eq!([shared(0), shared(1), shared(2)], [true, false, true]);
        assert_eq!((old[5], new[5]), (5, 50));
    }
}
