//! Tables of text with aligned columns, for terminals and for Markdown.

/// Where a column's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// At the left.
    Left,
    /// At the right, as numbers should.
    Right,
}

/// A table: a heading per column, and rows.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes an empty table.
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, which has a text for every column.
    pub(crate) fn row(&mut self, texts: Vec<String>) {
        assert_eq!(texts.len(), self.columns.len(), "a row has a text for every column");
        self.rows.push(texts);
    }

    /// Writes the table for a terminal: two spaces between columns, no trailing ones.
    pub(crate) fn terminal(&self) -> String {
        let mut widths: Vec<usize> = self.columns.iter().map(|(heading, _)| width(heading)).collect();
        for row in &self.rows {
            for (index, text) in row.iter().enumerate() {
                widths[index] = widths[index].max(width(text));
            }
        }
        let headings = self.columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
        let mut out = String::new();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for (index, text) in row.iter().enumerate() {
                let space = " ".repeat(widths[index] - width(text));
                match self.columns[index].1 {
                    Align::Left => line.push_str(&format!("{text}{space}  ")),
                    Align::Right => line.push_str(&format!("{space}{text}  ")),
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// Returns the table with every text of its rows changed in the same way.
    pub(super) fn mapped(mut self, change: impl Fn(&str) -> String) -> Self {
        self.rows.iter_mut().flatten().for_each(|text| *text = change(text));
        self
    }

    /// Writes the table in Markdown.
    pub(crate) fn markdown(&self) -> String {
        let (heading, rows) = self.markdown_rows();
        heading + &rows.concat()
    }

    /// Writes the heading of the table in Markdown, and each row.
    pub(super) fn markdown_rows(&self) -> (String, Vec<String>) {
        let line = |texts: Vec<String>| format!("| {} |\n", texts.join(" | "));
        let mut heading = line(self.columns.iter().map(|(heading, _)| (*heading).to_owned()).collect());
        let rules = self.columns.iter().map(|(_, align)| match align {
            Align::Left => ":--".to_owned(),
            Align::Right => "--:".to_owned(),
        });
        heading.push_str(&line(rules.collect()));
        let escaped = |row: &Vec<String>| line(row.iter().map(|text| text.replace('|', "\\|")).collect());
        (heading, self.rows.iter().map(escaped).collect())
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&[("cell", Align::Left), ("wall", Align::Right)]);
        table.row(vec!["a".into(), "12.3 µs".into()]);
        table.row(vec!["longer".into(), "1 s".into()]);
        insta::assert_snapshot!(table.terminal(), @r"
        cell       wall
        a       12.3 µs
        longer      1 s
        ");
        insta::assert_snapshot!(table.markdown(), @r"
        | cell | wall |
        | :-- | --: |
        | a | 12.3 µs |
        | longer | 1 s |
        ");
    }
}
