//! Patterns: paths whose components may hold `*`, and `**` for any number of components.
//!
//! Each `*` is one capture: the text it stood for. Each `**` is one capture too: the components it stood
//! for, joined by `/`, perhaps none. Captures come in the order of the stars.

use std::ops::Range;

use crate::error::{Error, Result};

/// One component of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Component {
    /// Just this name.
    Literal(String),
    /// The texts around the stars: always one more than there are stars.
    Wild(Vec<String>),
    /// Any number of components.
    AnyDepth,
}

/// A pattern for paths of the pond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    pub(super) components: Vec<Component>,
}

impl Pattern {
    /// Reads a pattern such as `/**/sonde-*.series`; a leading slash may be left out.
    ///
    /// # Errors
    /// If it is empty, has an empty component, or mixes `**` with other text in a component.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |reason: &str| Error::BadPath { path: text.to_owned(), reason: reason.to_owned() };
        let rest = text.strip_prefix('/').unwrap_or(text);
        if rest.is_empty() {
            return Err(bad("the pattern is empty; /** matches everything"));
        }
        let mut components = Vec::new();
        for component in rest.split('/') {
            components.push(match component {
                "" => return Err(bad("the pattern has an empty component")),
                "." | ".." => return Err(bad("patterns are absolute: no . and no ..")),
                "**" => Component::AnyDepth,
                _ if component.contains("**") => {
                    return Err(bad("** must stand alone between slashes; use * within a name"));
                }
                _ if component.contains('*') => {
                    Component::Wild(component.split('*').map(str::to_owned).collect())
                }
                _ => Component::Literal(component.to_owned()),
            });
        }
        Ok(Self { text: text.to_owned(), components })
    }

    /// Returns the pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns how many captures each match has.
    pub(crate) fn captures(&self) -> usize {
        let stars = |component: &Component| match component {
            Component::Literal(_) => 0,
            Component::Wild(around) => around.len() - 1,
            Component::AnyDepth => 1,
        };
        self.components.iter().map(stars).sum()
    }
}

/// Matches a name against the texts around stars; on success, what each star stood for.
///
/// Every star but the last takes as little as it can, so captures are unique.
pub(crate) fn match_name(around: &[String], name: &str) -> Option<Vec<String>> {
    let mut ranges = Vec::new();
    match_ranges(around, name, 0, &mut ranges)
        .then(|| ranges.into_iter().map(|range| name[range].to_owned()).collect())
}

/// Matches a name as [`match_name`] does. Adds where the texts of the stars are in a text that holds the
/// name from `begin` on; if the name does not match, some may be added too.
pub(super) fn match_ranges(
    around: &[String],
    name: &str,
    begin: usize,
    captures: &mut Vec<Range<usize>>,
) -> bool {
    let (first, rest) = around.split_first().expect("a wild component has two texts or more");
    let (last, middle) = rest.split_last().expect("a wild component has two texts or more");
    if !name.starts_with(first.as_str()) {
        return false;
    }
    let mut at = first.len();
    for text in middle {
        let Some(length) = name[at..].find(text.as_str()) else { return false };
        captures.push(begin + at..begin + at + length);
        at += length + text.len();
    }
    let Some(left) = name[at..].strip_suffix(last.as_str()) else { return false };
    captures.push(begin + at..begin + at + left.len());
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn around(component: &str) -> Vec<String> {
        component.split('*').map(str::to_owned).collect()
    }

    #[test]
    fn names_match_with_ordered_captures() {
        let check = |component: &str, name: &str, expect: Option<&[&str]>| {
            let found = match_name(&around(component), name);
            let expect: Option<Vec<String>> = expect.map(|e| e.iter().map(|s| (*s).to_owned()).collect());
            assert_eq!(found, expect, "{component} {name}");
        };
        check("*", "abc", Some(&["abc"]));
        check("*.series", "a.series", Some(&["a"]));
        check("a*b*c", "aXbYc", Some(&["X", "Y"]));
        check("a*b*c", "abc", Some(&["", ""]));
        check("*-*-*", "x-y-z-w", Some(&["x", "y", "z-w"]));
        // A prefix and a suffix must not share letters.
        check("ab*ba", "aba", None);
        check("ab*ba", "abba", Some(&[""]));
        check("é*é", "é", None);
        check("*x", "abc", None);
    }

    #[test]
    fn bad_patterns_are_refused() {
        for text in ["", "/", "/a//b", "/a/../b", "/a**", "/***"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn captures_put_back_give_the_name(name in "[ab-]{0,9}", component in "[ab-]?\\*[ab-]{0,2}(\\*[ab-]?)?") {
            let texts = around(&component);
            if let Some(captures) = match_name(&texts, &name) {
                let mut rebuilt = texts[0].clone();
                for (capture, text) in captures.iter().zip(&texts[1..]) {
                    rebuilt.push_str(capture);
                    rebuilt.push_str(text);
                }
                prop_assert_eq!(rebuilt, name);
            } else {
                // Whatever is refused is refused by the plain definition as well.
                prop_assert!(!matches_plainly(&component, &name));
            }
        }
    }

    fn matches_plainly(component: &str, name: &str) -> bool {
        match component.chars().next() {
            None => name.is_empty(),
            Some('*') => (0..=name.len()).any(|at| matches_plainly(&component[1..], &name[at..])),
            Some(c) => name.starts_with(c) && matches_plainly(&component[1..], &name[1..]),
        }
    }
}
