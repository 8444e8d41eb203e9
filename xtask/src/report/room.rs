//! Sections of a report, and how they share the room that there is for them.
//!
//! GitHub refuses a comment that is too long and drops a summary that is. So what does not fit is left out: by the rank
//! of sections, and of each section by whole rows from its end. What was left out is said, with numbers. Room is counted
//! in bytes of UTF-8, of which there are never fewer than of any other unit that may be meant.

/// A part of a report.
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// What it is called where it is left out.
    pub(super) name: &'static str,
    /// Who gets room first; lower comes earlier.
    pub(super) rank: u8,
    /// What is there if any of it is.
    pub(super) before: String,
    /// What may be cut from its end.
    pub(super) rows: Vec<String>,
    /// What comes after the rows.
    pub(super) after: String,
}

impl Section {
    /// Makes a section that is there as a whole or not at all.
    pub(super) fn whole(name: &'static str, rank: u8, text: String) -> Self {
        Self { name, rank, before: text, rows: Vec::new(), after: String::new() }
    }

    fn frame_bytes(&self) -> usize {
        self.before.len() + self.after.len()
    }

    fn bytes(&self) -> usize {
        self.frame_bytes() + self.rows.iter().map(String::len).sum::<usize>()
    }

    /// Counts the rows that fit; nothing if the section itself does not.
    fn fitting(&self, room: usize) -> Option<usize> {
        let mut left = room.checked_sub(self.frame_bytes())?;
        let mut count = 0;
        for row in &self.rows {
            match left.checked_sub(row.len()) {
                Some(less) => left = less,
                None => break,
            }
            count += 1;
        }
        (count > 0 || self.rows.is_empty()).then_some(count)
    }

    fn write(&self, rows: usize, out: &mut String) {
        out.push_str(&self.before);
        self.rows[..rows].iter().for_each(|row| out.push_str(row));
        out.push_str(&self.after);
    }
}

/// Writes sections in their order, and no more than fits; `rest` says where all of it is. The first section is always
/// there, and what was left out is said after it.
pub(super) fn fitted(sections: &[Section], room: usize, rest: &str) -> String {
    let whole: usize = sections.iter().map(Section::bytes).sum();
    let mut rows: Vec<Option<usize>> = sections.iter().map(|section| Some(section.rows.len())).collect();
    let mut cut = String::new();
    if whole > room {
        let taken = longest_note(sections, rest) + sections.first().map_or(0, Section::bytes);
        rows = allotted(sections, room.saturating_sub(taken));
        cut = note(sections, &rows, rest);
    }
    let mut out = String::new();
    for (index, (section, rows)) in sections.iter().zip(&rows).enumerate() {
        if let Some(rows) = rows {
            section.write(*rows, &mut out);
        }
        if index == 0 {
            out.push_str(&cut);
        }
    }
    out
}

/// Shares room among several: who needs less than an equal part leaves the rest to the others.
pub(super) fn shares(needed: &[usize], room: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..needed.len()).collect();
    order.sort_by_key(|index| needed[*index]);
    let mut shares = vec![0; needed.len()];
    let mut left = room;
    for (done, index) in order.into_iter().enumerate() {
        shares[index] = needed[index].min(left / (needed.len() - done));
        left -= shares[index];
    }
    shares
}

/// Gives room to all sections but the first, by rank: the rows of each, or nothing if it is left out.
fn allotted(sections: &[Section], mut room: usize) -> Vec<Option<usize>> {
    let mut rows = vec![None; sections.len()];
    let mut order: Vec<usize> = (1..sections.len()).collect();
    order.sort_by_key(|index| sections[*index].rank);
    for index in order {
        let section = &sections[index];
        rows[index] = section.fitting(room);
        if let Some(count) = rows[index] {
            room -= section.frame_bytes() + section.rows[..count].iter().map(String::len).sum::<usize>();
        }
    }
    if let Some(first) = sections.first() {
        rows[0] = Some(first.rows.len());
    }
    rows
}

fn note(sections: &[Section], rows: &[Option<usize>], rest: &str) -> String {
    let mut parts = Vec::new();
    for (section, rows) in sections.iter().zip(rows) {
        match rows {
            None => parts.push(format!("all of “{}”", section.name)),
            Some(count) if *count < section.rows.len() => {
                let (left_out, all) = (section.rows.len() - count, section.rows.len());
                parts.push(format!("{left_out} of {all} rows of “{}”", section.name));
            }
            Some(_) => {}
        }
    }
    if parts.is_empty() {
        return String::new();
    }
    format!("\n**Cut to what GitHub takes.** Left out: {}. {rest}\n", parts.join(", "))
}

/// Counts the bytes of the longest note that there could be.
fn longest_note(sections: &[Section], rest: &str) -> usize {
    let none: Vec<Option<usize>> = sections.iter().map(|_| None).collect();
    let digits: usize = sections.iter().map(|section| 2 * section.rows.len().to_string().len()).sum();
    note(sections, &none, rest).len() + digits + sections.len() * " of  rows of".len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sections() -> Vec<Section> {
        let rows = |count: usize| (0..count).map(|row| format!("- row {row}\n")).collect();
        let section = |name, rank, count| Section {
            name,
            rank,
            before: format!("\n**{name}**\n\n"),
            rows: rows(count),
            after: "\n".to_owned(),
        };
        vec![
            Section::whole("Verdict", 0, "## PASS\n".to_owned()),
            section("Notes", 2, 20),
            section("Findings", 1, 20),
            Section::whole("Machine", 3, "\nMachine.\n".to_owned()),
        ]
    }

    #[test]
    fn what_fits_is_there_as_a_whole() {
        let all = sections();
        let bytes: usize = all.iter().map(Section::bytes).sum();
        let text = fitted(&all, bytes, "Elsewhere.");
        assert_eq!(text.len(), bytes);
        assert!(!text.contains("Cut"));
        assert!(fitted(&all, bytes - 1, "Elsewhere.").contains("**Cut to what GitHub takes.**"));
    }

    #[test]
    fn what_ranks_lower_goes_first_and_is_counted() {
        insta::assert_snapshot!(fitted(&sections(), 330, "All of it is in report.json."), @r#"
        ## PASS

        **Cut to what GitHub takes.** Left out: all of “Notes”, 9 of 20 rows of “Findings”, all of “Machine”. All of it is in report.json.

        **Findings**

        - row 0
        - row 1
        - row 2
        - row 3
        - row 4
        - row 5
        - row 6
        - row 7
        - row 8
        - row 9
        - row 10
        "#);
    }

    #[test]
    fn who_needs_little_leaves_room_to_others() {
        let check = |needed: &[usize], room, expect: &[usize]| assert_eq!(shares(needed, room), expect);
        check(&[10, 100, 100], 110, &[10, 50, 50]);
        check(&[100, 10, 20], 1_000, &[100, 10, 20]);
        check(&[100, 100], 99, &[49, 50]);
        check(&[], 10, &[]);
    }

    proptest! {
        #[test]
        fn no_more_is_written_than_fits(
            sizes in proptest::collection::vec((0u8..9, 0usize..40, proptest::collection::vec(1usize..90, 0..40)), 1..9),
            room in 0usize..4_000,
        ) {
            let mut all = vec![Section::whole("Verdict", 0, "v".repeat(50))];
            for (rank, before, rows) in sizes {
                all.push(Section {
                    name: "Section",
                    rank,
                    before: "b".repeat(before),
                    rows: rows.into_iter().map(|bytes| "r".repeat(bytes)).collect(),
                    after: "a".to_owned(),
                });
            }
            let least = 50 + longest_note(&all, "Rest.");
            let text = fitted(&all, room.max(least), "Rest.");
            prop_assert!(text.len() <= room.max(least));
            let whole = all.iter().map(Section::bytes).sum::<usize>() <= room.max(least);
            prop_assert_eq!(!text.contains("Cut"), whole);
        }
    }
}
