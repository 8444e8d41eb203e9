//! Paths of the pond: absolute, normal, UTF-8.

use std::fmt;

use crate::error::{Error, Result};

/// The longest name of one component, in bytes: what file systems allow for the exported folder.
const COMPONENT_BYTES_MAX: usize = 255;

/// An absolute path without empty, `.` or `..` components; the root is `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PondPath(String);

impl PondPath {
    /// Reads a path; a missing leading slash is an error, a trailing one is not.
    ///
    /// # Errors
    /// If a component is empty, `.`, `..`, too long, or holds control characters or a star.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |reason: &str| Error::BadPath { path: text.to_owned(), reason: reason.to_owned() };
        let Some(rest) = text.strip_prefix('/') else {
            return Err(bad("paths of the pond begin with /"));
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() {
            return Ok(Self::root());
        }
        for component in rest.split('/') {
            check_component(component).map_err(|reason| bad(&reason))?;
        }
        Ok(Self(format!("/{rest}")))
    }

    /// Returns the root.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// Returns the path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the components; none for the root.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0[1..].split('/').filter(|component| !component.is_empty())
    }

    /// Returns the path of a child.
    ///
    /// # Errors
    /// If the name is no valid component.
    pub fn child(&self, name: &str) -> Result<Self> {
        check_component(name).map_err(|reason| Error::BadPath { path: name.to_owned(), reason })?;
        Ok(Self(join(&self.0, name)))
    }

    /// Returns the parent and the last component; nothing for the root.
    pub fn split(&self) -> Option<(Self, &str)> {
        if self.0 == "/" {
            return None;
        }
        let (parent, name) = self.0.rsplit_once('/').expect("a path holds a slash");
        Some((Self(if parent.is_empty() { "/" } else { parent }.to_owned()), name))
    }
}

impl fmt::Display for PondPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Joins a path and a name that are known to be valid.
pub(super) fn join(parent: &str, name: &str) -> String {
    if parent == "/" { format!("/{name}") } else { format!("{parent}/{name}") }
}

fn check_component(component: &str) -> Result<(), String> {
    match component {
        "" => Err("it has an empty component".to_owned()),
        "." | ".." => Err(format!("'{component}' is no name; write the path in full")),
        _ if component.len() > COMPONENT_BYTES_MAX => {
            Err(format!("a name is longer than {COMPONENT_BYTES_MAX} bytes"))
        }
        _ if component.contains('*') => Err("a name cannot hold a star; stars belong to patterns".to_owned()),
        _ if component.contains('/') => Err("a name cannot hold a slash".to_owned()),
        _ if component.chars().any(char::is_control) => Err("a name holds a control character".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normal_or_refused() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(PondPath::parse(text).ok().as_ref().map(PondPath::as_str), expect, "{text}");
        };
        check("/", Some("/"));
        check("/a/b", Some("/a/b"));
        check("/a/b/", Some("/a/b"));
        check("a/b", None);
        check("", None);
        check("//a", None);
        check("/a//b", None);
        check("/a/../b", None);
        check("/a*b", None);
        check("/a\nb", None);
        check(&format!("/{}", "x".repeat(256)), None);
    }

    #[test]
    fn split_and_child_are_inverse() {
        let path = PondPath::parse("/a/b").unwrap();
        let (parent, name) = path.split().unwrap();
        assert_eq!((parent.as_str(), name), ("/a", "b"));
        assert_eq!(parent.child(name).unwrap(), path);
        assert_eq!(PondPath::root().split(), None);
    }
}
