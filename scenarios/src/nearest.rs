//! Finds the known word that a mistyped one was probably meant to be.

/// Returns the known word closest to `word`, if one is close enough to be worth suggesting.
///
/// Distance is Levenshtein's; a suggestion may differ in at most a third of the longer word, and at
/// least in two letters.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in known {
        let distance = edit_distance(word, candidate);
        let allowed = (word.chars().count().max(candidate.chars().count()) / 3).max(2);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_close() {
        let check = |word, expect| {
            assert_eq!(nearest(word, ["temporal", "pattern", "size", "sql"]), expect, "{word}");
        };
        check("temporl", Some("temporal"));
        check("patern", Some("pattern"));
        check("sise", Some("size"));
        check("completely-different", None);
    }

    #[test]
    fn distance_has_known_answers() {
        let check = |a, b, expect| assert_eq!(edit_distance(a, b), expect, "{a} {b}");
        check("kitten", "sitting", 3);
        check("", "abc", 3);
        check("same", "same", 0);
    }
}
