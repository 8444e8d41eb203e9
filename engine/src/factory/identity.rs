//! Identities: digests of everything that decides what a node's rows are.
//!
//! Of a stored node these are its versions that count; of a derived one its configuration, its matches with
//! their captures, and the identities of its inputs. Equal identities within a pond mean equal rows, so they
//! are what caches go by.

use super::namespace::{Derived, Namespace};
use crate::error::{Error, Result};
use crate::knobs::Reduce;
use crate::tree::NodeId;

/// The digest of everything that decides what a node's rows are.
pub(crate) type Identity = [u8; 32];

impl Namespace {
    /// Returns the identity of a table or series.
    ///
    /// # Errors
    /// If the node is made of itself, perhaps through others.
    pub(crate) fn identity(&self, node: NodeId) -> Result<Identity> {
        self.identity_below(node, &mut Vec::new())
    }

    fn identity_below(&self, node: NodeId, above: &mut Vec<NodeId>) -> Result<Identity> {
        let Some(derived) = self.derived(node) else { return Ok(self.stored_identity(node)) };
        if let Some(known) = derived.identity.get() {
            return Ok(*known);
        }
        if above.contains(&node) {
            let last = above.last().copied().unwrap_or(node);
            return Err(self.circle(node, last));
        }
        above.push(node);
        let identity = self.derived_identity(node, derived, above)?;
        above.pop();
        Ok(*derived.identity.get_or_init(|| identity))
    }

    fn stored_identity(&self, node: NodeId) -> Identity {
        let mut hasher = Parts::new("stored");
        hasher.add(self.tree().node(node).entry_type.name().as_bytes());
        for (version, digest) in self.snapshot().digests(node) {
            hasher.add(&version.number.to_le_bytes());
            hasher.add(&version.txn.to_le_bytes());
            hasher.add(version.time_column.as_deref().unwrap_or_default().as_bytes());
            hasher.add(digest.as_ref().map_or(&[][..], |digest| &digest.0));
        }
        hasher.finish()
    }

    fn derived_identity(&self, node: NodeId, derived: &Derived, above: &mut Vec<NodeId>) -> Result<Identity> {
        let mut hasher = Parts::new("derived");
        hasher.add(&derived.digest);
        // The plan depends on the form of the SQL, though the rows do not.
        hasher.add(if self.reduce() == Reduce::TwoPass { b"two-pass" } else { b"one-pass" });
        for matches in self.inputs(node)? {
            hasher.add(b"pattern");
            for found in matches {
                hasher.add(found.path.as_bytes());
                found.captures.iter().for_each(|capture| hasher.add(capture.as_bytes()));
                hasher.add(&self.identity_below(found.node, above)?);
            }
        }
        Ok(hasher.finish())
    }

    /// Makes the error of two nodes that are made of each other.
    fn circle(&self, node: NodeId, other: NodeId) -> Error {
        let (path, other) = (self.tree().path_of(node), self.tree().path_of(other));
        let message = format!(
            "it is made of itself, through {other}; choose narrower patterns, so that one does not match the other"
        );
        Error::Derived { path, message }
    }
}

/// Hashes parts, each with its length, so that no two lists of parts look alike.
struct Parts(blake3::Hasher);

impl Parts {
    fn new(kind: &str) -> Self {
        let mut parts = Self(blake3::Hasher::new());
        parts.add(kind.as_bytes());
        parts
    }

    fn add(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }

    fn finish(self) -> Identity {
        *self.0.finalize().as_bytes()
    }
}
