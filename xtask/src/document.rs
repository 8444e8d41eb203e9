//! Results that stand in docs/METHODOLOGY.md, between marks, so that a command can replace them.

use anyhow::Context as _;

use crate::paths::Paths;

/// Replaces what stands between `<!-- NAME -->` and `<!-- end of NAME -->`. Fails if these marks are not there.
pub(crate) fn put(paths: &Paths, name: &str, text: &str) -> anyhow::Result<()> {
    let path = paths.docs().join("METHODOLOGY.md");
    let before = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let after = replaced(&before, name, text).with_context(|| {
        format!("{} has no place for the result: <!-- {name} --> … <!-- end of {name} -->", path.display())
    })?;
    std::fs::write(&path, after).with_context(|| format!("cannot write {}", path.display()))
}

fn replaced(document: &str, name: &str, text: &str) -> Option<String> {
    let begin = format!("<!-- {name} -->\n");
    let (before, rest) = document.split_once(&begin)?;
    let end = rest.find(&format!("<!-- end of {name} -->"))?;
    Some(format!("{before}{begin}\n{text}\n{}", &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let document = "a\n<!-- x -->\n\nold\n\n<!-- end of x -->\nb\n<!-- y -->\n<!-- end of y -->\n";
        assert_eq!(
            replaced(document, "x", "new").unwrap(),
            "a\n<!-- x -->\n\nnew\n<!-- end of x -->\nb\n<!-- y -->\n<!-- end of y -->\n"
        );
        for (document, name) in [(document, "z"), ("<!-- x -->\n", "x"), ("<!-- end of x -->", "x")] {
            assert_eq!(replaced(document, name, "new"), None, "{document}");
        }
    }
}
