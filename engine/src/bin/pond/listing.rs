//! `pond list`, `pond log` and `pond mkdir`.

use anyhow::{Result, bail};
use engine::Pond;

use crate::cli::ListArguments;
use crate::{output, terminal};

pub(crate) fn list(pond: &Pond, arguments: &ListArguments) -> Result<()> {
    let listed = pond.list(&arguments.pattern)?;
    if listed.is_empty() && arguments.pattern != "/**" {
        bail!("pattern '{}' matches nothing; `pond list` shows every path", arguments.pattern);
    }
    if arguments.paths {
        return output::lines(listed.iter().map(|one| one.path.as_str()));
    }
    let mut rows =
        vec![["TYPE", "VERSIONS", "ROWS", "BYTES", "FIRST", "LAST", "PATH"].map(str::to_owned).to_vec()];
    for one in &listed {
        rows.push(vec![
            one.entry_type.name().to_owned(),
            one.versions.to_string(),
            one.rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string()),
            if one.bytes == 0 { "-".to_owned() } else { terminal::size(one.bytes) },
            terminal::time(one.first_us),
            terminal::time(one.last_us),
            one.path.clone(),
        ]);
    }
    output::lines(terminal::table(&rows, &[1, 2, 3]))
}

pub(crate) fn log(pond: &Pond, limit: Option<usize>) -> Result<()> {
    let mut rows = vec![["TXN", "COMMITTED", "OPERATION", "DETAILS"].map(str::to_owned).to_vec()];
    for commit in pond.log().iter().rev().take(limit.unwrap_or(usize::MAX)) {
        rows.push(vec![
            commit.txn.to_string(),
            terminal::time(Some(commit.committed_us)),
            commit.operation.clone(),
            commit.attributes.clone(),
        ]);
    }
    output::lines(terminal::table(&rows, &[0]))
}

pub(crate) fn mkdir(pond: &Pond, path: &str) -> Result<()> {
    if pond.mkdir(path)? {
        return Ok(());
    }
    output::line(&format!("{path} is there already"))
}
