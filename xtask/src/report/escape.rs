//! Text that stays text in the Markdown of GitHub, and Markdown of others made harmless.
//!
//! Names of cells, messages of failures and names of revisions may hold anything: pipes, backticks, tags, names of
//! people. [`defused`] takes away what reaches beyond its own line of text: mentions, references to issues, links,
//! pictures, and every tag but those that fold and quote. All that this module writes is left as it is by `defused`, so
//! that a report of the harness comes through it whole.

/// What may stand in a report, of what begins with `<`.
const TAGS: [&str; 8] =
    ["<details>", "</details>", "<summary>", "</summary>", "<code>", "</code>", "<pre>", "</pre>"];

/// What may stand in a report, of what begins with `&`; any other might be a sign that is not to be there.
const ENTITIES: [&str; 15] = [
    "&amp;", "&lt;", "&gt;", "&#36;", "&#40;", "&#42;", "&#46;", "&#47;", "&#91;", "&#92;", "&#95;", "&#96;",
    "&#124;", "&#126;", "&#8203;",
];

/// A space without width: between `@` and a name it leaves the name no mention, and changes nothing that is seen.
const APART: &str = "&#8203;";

/// Writes a text so that all of it is shown as it is, on one line.
pub(super) fn text(plain: &str) -> String {
    let letters: Vec<char> =
        plain.trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let mut out = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| letters[index]);
        let after = letters.get(index + 1).copied();
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Between two dollars there would be a formula.
            '$' => out.push_str("&#36;"),
            '\\' | '*' | '`' | '~' => out.extend(['\\', *letter]),
            // Within a word an underscore means nothing.
            '_' if !is_word(before) || !is_word(after) => out.push_str("\\_"),
            // At the begin of a line there would be a heading or a list.
            '#' | '-' | '+' if index == 0 && matches!(after, Some(' ' | '#')) => out.extend(['\\', *letter]),
            other => out.push(*other),
        }
    }
    defused(&out)
}

/// Writes a text as code, on one line.
pub(super) fn code(plain: &str) -> String {
    let line: String =
        plain.trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if line.is_empty() {
        return String::new();
    }
    // A table would end its field at a pipe even here.
    if line.contains(['`', '|', '&', '<', '>']) || defused(&line) != line {
        return format!("<code>{}</code>", defused(&quoted(&line)));
    }
    format!("`{line}`")
}

/// Writes lines as a block of code in a language.
pub(super) fn block(language: &str, plain: &str) -> String {
    let lines = plain.trim_end();
    if lines.contains("```") || defused(lines) != lines {
        let quoted: Vec<String> = lines.lines().map(quoted).collect();
        return format!("<pre>{}</pre>\n", defused(&quoted.join("\n")));
    }
    format!("```{language}\n{lines}\n```\n")
}

/// Takes from Markdown what reaches beyond it. What is left shows the same text, but for tags, which are shown as such.
pub(crate) fn defused(markdown: &str) -> String {
    markdown.split('\n').map(defused_line).collect::<Vec<_>>().join("\n")
}

fn defused_line(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let is_mark = |letter: char| letter.is_ascii_digit() || " \t-+*>.)".contains(letter);
    let mut rest = line;
    // A line that begins so may say where links lead to.
    if let Some(definition) = line.trim_start_matches(is_mark).strip_prefix('[') {
        out.push_str(&line[..line.len() - definition.len() - 1]);
        out.push_str("&#91;");
        rest = definition;
    }
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        let known: &[&str] = match letter {
            '<' => &TAGS,
            '&' => &ENTITIES,
            _ => &[],
        };
        if let Some(kept) = known.iter().find(|kept| rest.starts_with(**kept)) {
            out.push_str(kept);
            rest = &rest[kept.len()..];
            continue;
        }
        match letter {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '@' if is_word(after.chars().next()) => out.extend(["@", APART]),
            '#' if after.starts_with(|next: char| next.is_ascii_digit()) => out.extend(["#", APART]),
            // A link, a picture, or the text of a link that is defined elsewhere.
            '(' if out.ends_with(']') => out.push_str("&#40;"),
            '[' if out.ends_with(']') => out.push_str("&#91;"),
            '/' if out.ends_with(':') && after.starts_with('/') => out.push_str("&#47;"),
            '.' if out.len() >= 3 && out.is_char_boundary(out.len() - 3) && ends_in_www(&out) => {
                out.push_str("&#46;");
            }
            other => out.push(other),
        }
        rest = after;
    }
    out
}

fn ends_in_www(text: &str) -> bool {
    text[text.len() - 3..].eq_ignore_ascii_case("www")
}

fn is_word(letter: Option<char>) -> bool {
    letter.is_some_and(char::is_alphanumeric)
}

fn quoted(line: &str) -> String {
    let mut out = String::new();
    for letter in line.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Within a tag in a line, Markdown goes on.
            '$' => out.push_str("&#36;"),
            '*' => out.push_str("&#42;"),
            '\\' => out.push_str("&#92;"),
            '_' => out.push_str("&#95;"),
            '`' => out.push_str("&#96;"),
            '|' => out.push_str("&#124;"),
            '~' => out.push_str("&#126;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_plain_is_written_as_it_is() {
        let check = |plain| assert_eq!(text(plain), plain);
        check("smoke/open[size=tiny]: cold wall_ns 4.16 ms → 4.36 ms, +4.8 %");
        check("process 0: the engine ended with exit code 101");
        check("-8.3 %");
        let cell = "smoke/export[temporal=year,month size=tiny]";
        assert_eq!(code(cell), format!("`{cell}`"));
        assert_eq!(block("sh", "cargo xtask bench smoke\n"), "```sh\ncargo xtask bench smoke\n```\n");
    }

    #[test]
    fn what_has_a_meaning_loses_it() {
        let check = |plain, expect| assert_eq!(text(plain), expect);
        check("a|b", "a|b");
        check("`x` and *y*", r"\`x\` and \*y\*");
        check("_x_ but read_bytes", r"\_x\_ but read_bytes");
        check("<img src=x> & more", "&lt;img src=x&gt; &amp; more");
        check("ask @someone or me@home", "ask @&#8203;someone or me@&#8203;home");
        check("as in #12", "as in #&#8203;12");
        check("# no heading", r"\# no heading");
        check("[a](b)", "&#91;a]&#40;b)");
        check("see https://host/x or WWW.host", "see https:&#47;/host/x or WWW&#46;host");
        check("two\nlines", "two lines");
        check("$a$ ~~b~~", r"&#36;a&#36; \~\~b\~\~");
    }

    #[test]
    fn code_is_quoted_where_backticks_would_not_do() {
        let check = |plain, expect| assert_eq!(code(plain), expect);
        check("a`b", "<code>a&#96;b</code>");
        check("a|b", "<code>a&#124;b</code>");
        check("<b>&", "<code>&lt;b&gt;&amp;</code>");
        check("x@y/*_~$\\", "<code>x@&#8203;y/&#42;&#95;&#126;&#36;&#92;</code>");
        check("a@{1}", "`a@{1}`");
        check("", "");
        assert_eq!(block("text", "a\n```\nb"), "<pre>a\n&#96;&#96;&#96;\nb</pre>\n");
        assert_eq!(block("text", "by me@home"), "<pre>by me@&#8203;home</pre>\n");
    }

    #[test]
    fn markdown_of_others_cannot_call_link_or_show() {
        let check = |markdown, expect| assert_eq!(defused(markdown), expect);
        check("@team/all &#64;all &commat;all", "@&#8203;team/all &amp;#&#8203;64;all &amp;commat;all");
        check("![x](https://host/x.png)", "![x]&#40;https:&#47;/host/x.png)");
        check("[x][y]\n  [y]: /path", "&#91;x]&#91;y]\n  &#91;y]: /path");
        check("1. > [y]: /path", "1. > &#91;y]: /path");
        check("<script>", "&lt;script>");
        check("<!-- hidden -->", "&lt;!-- hidden -->");
        check("<details><summary>x</summary>", "<details><summary>x</summary>");
        check("<details open>", "&lt;details open>");
        check("| a | b |\n| :-- | --: |\n", "| a | b |\n| :-- | --: |\n");
    }

    proptest! {
        /// What the harness writes is not changed by whoever posts it.
        #[test]
        fn own_markdown_is_harmless(plain in "\\PC{0,40}|[@#a1&;<>\\[\\]():/.w!`|*_$~ \n-]{0,40}") {
            for written in [text(&plain), code(&plain), block("text", &plain)] {
                prop_assert_eq!(defused(&written), written);
            }
        }

        #[test]
        fn what_was_made_harmless_stays_so(markdown in "[@#a1&;<>\\[\\]():/.w!`|lt ap\n-]{0,60}") {
            let once = defused(&markdown);
            prop_assert_eq!(defused(&once), once.clone());
            prop_assert!(!once.contains("](") && !once.contains("://") && !once.contains("<!--"));
            let calls = once.split('@').skip(1).any(|after| after.starts_with(char::is_alphanumeric));
            prop_assert!(!calls, "{once}");
        }
    }
}
