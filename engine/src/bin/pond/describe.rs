//! `pond describe`.

use anyhow::Result;
use engine::{DerivedNode, Pond, PondPath};

use crate::{output, terminal};

pub(crate) fn run(pond: &Pond, path: &str) -> Result<()> {
    if let Some(node) = pond.derived(path)? {
        return derived(path, &node);
    }
    let snapshot = pond.snapshot();
    let path = PondPath::parse(path)?;
    let node = snapshot.tree().lookup(&path)?;
    let entry_type = snapshot.tree().node(node).entry_type;
    let mut lines = vec![format!("{path}: {}", entry_type.name())];
    if entry_type.is_queryable() {
        let series = pond.series(path.as_str())?;
        let (first, last) = series.bounds().unzip();
        lines.push(format!("{} rows, {} .. {}", series.rows(), terminal::time(first), terminal::time(last)));
        lines.push(String::new());
        let mut rows = vec![["COLUMN", "TYPE", "NULLS", ""].map(str::to_owned).to_vec()];
        for (index, field) in series.schema().fields().iter().enumerate() {
            rows.push(vec![
                field.name().clone(),
                field.data_type().to_string(),
                if field.is_nullable() { "allowed" } else { "none" }.to_owned(),
                if series.time() == Some(index) { "time" } else { "" }.to_owned(),
            ]);
        }
        lines.extend(terminal::table(&rows, &[]));
    } else {
        lines.push(format!("{} entries", snapshot.tree().children(node).len()));
    }
    lines.push(String::new());
    let header = ["VERSION", "TXN", "COMMITTED", "ROWS", "BYTES", "FIRST", "LAST", "NOTES"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for version in snapshot.versions(node) {
        rows.push(vec![
            version.number.to_string(),
            version.txn.to_string(),
            terminal::time(Some(version.committed_us)),
            version.rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string()),
            terminal::size(version.size),
            terminal::time(version.first_us),
            terminal::time(version.last_us),
            version.attributes.clone().unwrap_or_default(),
        ]);
    }
    lines.extend(terminal::table(&rows, &[0, 1, 3, 4]));
    output::lines(lines)
}

fn derived(path: &str, node: &DerivedNode) -> Result<()> {
    let mut lines = vec![format!("{path}: {}", node.factory)];
    if node.origin != path {
        lines.push(format!("configured by {}", node.origin));
    }
    lines.push(format!("identity {}", &node.identity[..16]));
    lines.push(String::new());
    let mut rows = vec![["COLUMN", "TYPE", "NULLS", ""].map(str::to_owned).to_vec()];
    for field in node.schema.fields() {
        let is_time = node.time_column.as_ref() == Some(field.name());
        rows.push(vec![
            field.name().clone(),
            field.data_type().to_string(),
            if field.is_nullable() { "allowed" } else { "none" }.to_owned(),
            if is_time { "time" } else { "" }.to_owned(),
        ]);
    }
    lines.extend(terminal::table(&rows, &[]));
    lines.push(String::new());
    lines.push("made of".to_owned());
    lines.extend(node.inputs.iter().map(|input| format!("  {input}")));
    output::lines(lines)
}
