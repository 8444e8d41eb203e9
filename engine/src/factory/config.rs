//! Reading configurations: YAML, or JSON, which YAML contains.

use serde::de::DeserializeOwned;
use serde_saphyr::Error as YamlError;

use crate::error::{Error, Result};

/// Reads a configuration; `place` says whose it is.
///
/// # Errors
/// Names the line, and the key that was probably meant.
pub(super) fn read<T: DeserializeOwned>(text: &str, place: &str) -> Result<T> {
    serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map(|at| at.line()).filter(|line| *line > 0 && text.contains('\n'));
        Error::Config { place: place.to_owned(), line, message: message(error.without_snippet()) }
    })
}

/// Makes an error about a configuration.
pub(super) fn bad(place: &str, message: impl Into<String>) -> Error {
    Error::Config { place: place.to_owned(), line: None, message: message.into() }
}

/// Names the known word that was probably meant, or all known words.
pub(super) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match scenarios::nearest(word, known.clone()) {
        Some(close) => format!("did you mean '{close}'?"),
        None => format!("known: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

fn message(error: &YamlError) -> String {
    match error {
        YamlError::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key '{field}'; {}", hint(field, expected.iter().copied()))
        }
        YamlError::SerdeUnknownVariant { variant, expected, .. } => {
            format!("unknown word '{variant}'; {}", hint(variant, expected.iter().copied()))
        }
        YamlError::SerdeMissingField { field, .. } => format!("the key '{field}' is missing"),
        YamlError::DuplicateMappingKey { key: Some(key), .. } => format!("the key '{key}' is given twice"),
        other => {
            // The place is told already.
            let text = other.to_string();
            let first = text.lines().next().unwrap_or_default();
            first.rsplit_once(" at line ").map_or(first, |(message, _)| message).to_owned()
        }
    }
}
