//! Out patterns: where a reduced series goes, by what the stars of its input stood for.

/// A part of an out pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// What a star stood for, counted from 0.
    Capture(usize),
}

/// A path with captures to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OutPath {
    pieces: Vec<Piece>,
}

impl OutPath {
    /// Reads `$0`, `$1` and so on; `$$` is a dollar sign.
    pub(super) fn parse(text: &str, captures: usize) -> Result<Self, String> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            add_text(&mut pieces, &rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                add_text(&mut pieces, "$");
                rest = after;
                continue;
            }
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number: usize = rest[..digits].parse().map_err(|_| {
                "a $ is followed by the number of a capture; write $$ for the sign".to_owned()
            })?;
            if number >= captures {
                let known = match captures {
                    0 => "in_pattern has no star".to_owned(),
                    1 => "in_pattern has one star, $0".to_owned(),
                    _ => format!("in_pattern has {captures} stars, $0 to ${}", captures - 1),
                };
                return Err(format!("there is no ${number}; {known}"));
            }
            pieces.push(Piece::Capture(number));
            rest = &rest[digits..];
        }
        add_text(&mut pieces, rest);
        let literal = pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Capture(_) => None,
        });
        for component in literal.flat_map(|text| text.split('/')) {
            if matches!(component, "." | "..") || component.contains('*') {
                return Err(format!("'{component}' is no name; write the path in full"));
            }
        }
        Ok(Self { pieces })
    }

    /// Returns the folders for a match; a capture that stood for nothing adds none.
    pub(super) fn fill(&self, captures: &[String]) -> Vec<String> {
        let mut path = String::new();
        for piece in &self.pieces {
            path.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Capture(number) => &captures[*number],
            });
        }
        path.split('/').filter(|folder| !folder.is_empty()).map(str::to_owned).collect()
    }
}

fn add_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Text(last)) => last.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_go_where_their_numbers_say() {
        let captures: Vec<String> = (0..12).map(|number| format!("c{number}")).collect();
        let check = |text: &str, expect: &str| {
            let out = OutPath::parse(text, captures.len()).unwrap();
            assert_eq!(out.fill(&captures).join("/"), expect, "{text}");
        };
        check("$0", "c0");
        check("/x/$1/$0", "x/c1/c0");
        // The tenth is not the first with a zero behind it.
        check("$10-$1", "c10-c1");
        check("site-$1.0", "site-c1.0");
        check("$$0", "$0");
        check("", "");
    }

    #[test]
    fn what_stars_stood_for_is_taken_as_it_is() {
        let fill = |text: &str, captures: &[&str]| {
            let captures: Vec<String> = captures.iter().map(|c| (*c).to_owned()).collect();
            OutPath::parse(text, captures.len()).unwrap().fill(&captures).join("/")
        };
        assert_eq!(fill("$0/$1", &["$1", "b"]), "$1/b");
        assert_eq!(fill("$0/$1", &["a/b", "c"]), "a/b/c");
        assert_eq!(fill("$0/$1", &["", "c"]), "c");
    }

    #[test]
    fn captures_that_are_not_there_are_refused() {
        let check = |text: &str, captures: usize, expect: &str| {
            let message = OutPath::parse(text, captures).unwrap_err();
            assert!(message.contains(expect), "{text}: {message}");
        };
        check("$1", 1, "there is no $1; in_pattern has one star, $0");
        check("$10", 2, "there is no $10; in_pattern has 2 stars, $0 to $1");
        check("$0", 0, "in_pattern has no star");
        check("$a", 1, "followed by the number");
        check("x$", 1, "followed by the number");
        check("../$0", 1, "'..' is no name");
        check("*/$0", 1, "'*' is no name");
    }
}
