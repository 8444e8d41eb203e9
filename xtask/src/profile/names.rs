//! Names of functions, so short that they can be read and so equal that two builds can be compared.

/// Arguments of generics up to this many letters are shown.
const SHORT: usize = 32;

/// Shortens a demangled name: without hashes, without long arguments of generics, and without what folded stacks
/// cannot hold.
pub(super) fn shortened(name: &str) -> String {
    let name = without_hash(name.trim());
    let mut out = String::new();
    let letters: Vec<char> = name.chars().collect();
    let mut place = 0;
    while place < letters.len() {
        let letter = letters[place];
        let end = if letter == '<' && is_generic(&out) { closing(&letters, place) } else { None };
        if let Some(end) = end {
            let inside: String = letters[place + 1..end].iter().collect();
            let inside = shortened(&inside);
            let shown = if inside.chars().count() <= SHORT { inside.as_str() } else { "…" };
            out.push_str(&format!("<{shown}>"));
            place = end + 1;
            continue;
        }
        if letter == '['
            && let Some(length) = crate_hash(&letters[place..])
        {
            place += length;
            continue;
        }
        // A semicolon divides the frames of a folded stack.
        out.push(if letter == ';' { ',' } else { letter });
        place += 1;
    }
    out
}

/// Cuts the hash that older mangling puts at the end.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((rest, hash)) if hash.len() == 16 && hash.chars().all(|letter| letter.is_ascii_hexdigit()) => {
            rest
        }
        _ => name,
    }
}

/// Returns the length of a hash of a crate, `[0123456789abcdef]`, that newer mangling puts behind its name.
fn crate_hash(letters: &[char]) -> Option<usize> {
    let end = letters.iter().position(|letter| *letter == ']')?;
    let inside = &letters[1..end];
    (inside.len() >= 13 && inside.iter().all(char::is_ascii_hexdigit)).then_some(end + 1)
}

/// Tells whether a bracket after this begins arguments, rather than a type such as `<A as B>`.
fn is_generic(before: &str) -> bool {
    let before = before.strip_suffix("::").unwrap_or(before);
    before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_')
        && !before.ends_with("operator")
        && !before.ends_with("::")
}

/// Finds the bracket that closes the one at a place; the arrow of a function's result closes nothing.
fn closing(letters: &[char], open: usize) -> Option<usize> {
    let mut depth = 0;
    for (place, letter) in letters.iter().enumerate().skip(open) {
        match letter {
            '<' => depth += 1,
            '>' if place > 0 && letters[place - 1] == '-' => {}
            '>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(place);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_hashes_and_long_arguments() {
        let check = |name, expect| assert_eq!(shortened(name), expect);
        check("engine::pond::Pond::export::h0123456789abcdef", "engine::pond::Pond::export");
        check("engine[0123456789abcdef]::log::open", "engine::log::open");
        check("alloc::vec::Vec<T,A>::push", "alloc::vec::Vec<T,A>::push");
        check(
            "core::ptr::drop_in_place<alloc::vec::Vec<alloc::boxed::Box<dyn core::ops::Fn<(usize,)>->bool>>>",
            "core::ptr::drop_in_place<…>",
        );
        check("<a::B as std::io::Read>::read", "<a::B as std::io::Read>::read");
        check("core::iter::adapters::map::Map<I,F>::next", "core::iter::adapters::map::Map<I,F>::next");
        check("a::sum::<[u8; 4]>", "a::sum::<[u8, 4]>");
        check("a::<impl b::C>::d", "a::<impl b::C>::d");
        check("a < b", "a < b");
        check("broken<a", "broken<a");
    }
}
