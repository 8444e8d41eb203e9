//! Which files are imported, and where to.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::tree::{EntryType, PondPath, Tree};

/// The format of a file, by its ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Csv,
    Parquet,
}

/// A file and the path it becomes.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The file.
    pub file: PathBuf,
    /// The path in the pond: of the file, or of the folder of a split file's series.
    pub path: PondPath,
    /// Table or series, by the path's ending.
    pub entry_type: EntryType,
    pub(super) kind: Kind,
}

/// Finds the files that the arguments name: files, folders and glob patterns.
///
/// One file goes to `target` itself, unless that is a directory or ends with a slash; files of folders
/// and several files go below `target`, by their path within the folder.
///
/// # Errors
/// If an argument names nothing, a file has an unknown ending, or two files would get one path.
pub(crate) fn plan_sources(
    tree: &Tree,
    arguments: &[PathBuf],
    target: &str,
    split: bool,
) -> Result<Vec<Source>> {
    let path = PondPath::parse(target)?;
    let node = tree.resolve(&path);
    let is_dir = node.is_some_and(|node| tree.node(node).entry_type == EntryType::Dir);
    let mut found: Vec<(PathBuf, PathBuf)> = Vec::new();
    for argument in arguments {
        expand(argument, &mut found)?;
    }
    let single = found.len() == 1 && arguments.len() == 1 && arguments[0].is_file();
    let direct = single && !is_dir && !target.ends_with('/') && !split;
    let mut sources: Vec<Source> = Vec::new();
    for (file, relative) in found {
        let kind = kind_of(&file)?;
        let path = if direct || split { path.clone() } else { below(&path, &relative, &file)? };
        if !split && let Some(other) = sources.iter().find(|other| other.path == path) {
            let other = other.file.display();
            return Err(Error::input(
                &file,
                format!("it would become {path}, as {other} would; import them one by one"),
            ));
        }
        let entry_type = if path.as_str().ends_with(".table") { EntryType::Table } else { EntryType::Series };
        sources.push(Source { file, path, entry_type, kind });
    }
    Ok(sources)
}

/// Adds the files of one argument, each with its path within the folder that was named.
fn expand(argument: &Path, found: &mut Vec<(PathBuf, PathBuf)>) -> Result<()> {
    if argument.is_dir() {
        let before = found.len();
        walk(argument, argument, found)?;
        if found.len() == before {
            return Err(Error::input(argument, "the folder holds no .csv and no .parquet file"));
        }
        return Ok(());
    }
    if argument.exists() {
        let name = PathBuf::from(argument.file_name().unwrap_or_default());
        found.push((argument.to_owned(), name));
        return Ok(());
    }
    let text = argument.to_string_lossy();
    if !text.contains(['*', '?', '[']) {
        return Err(Error::input(argument, "there is no such file or folder"));
    }
    let matches =
        glob::glob(&text).map_err(|error| Error::input(argument, format!("bad pattern: {error}")))?;
    let before = found.len();
    for path in matches {
        let path = path.map_err(|error| {
            let place = error.path().to_owned();
            Error::io("read", &place)(error.into())
        })?;
        expand(&path, found)?;
    }
    if found.len() == before {
        return Err(Error::input(argument, "the pattern matches no file"));
    }
    Ok(())
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<(PathBuf, PathBuf)>) -> Result<()> {
    let listing = std::fs::read_dir(folder).map_err(Error::io("list", folder))?;
    let mut items: Vec<PathBuf> = Vec::new();
    for item in listing {
        items.push(item.map_err(Error::io("list", folder))?.path());
    }
    items.sort();
    for item in items {
        if item.is_dir() {
            walk(root, &item, found)?;
        } else if kind_of(&item).is_ok() {
            let relative = item.strip_prefix(root).unwrap_or(&item).to_owned();
            found.push((item, relative));
        }
    }
    Ok(())
}

fn kind_of(file: &Path) -> Result<Kind> {
    let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        Some("csv" | "tsv" | "txt") => Ok(Kind::Csv),
        Some("parquet" | "pq") => Ok(Kind::Parquet),
        _ => Err(Error::input(file, "its name ends neither with .csv nor with .parquet; rename it")),
    }
}

/// Returns the path of a file below a directory: its own, with the ending of a series.
fn below(target: &PondPath, relative: &Path, file: &Path) -> Result<PondPath> {
    let mut path = target.clone();
    let parts: Vec<&str> = relative
        .iter()
        .map(|part| part.to_str())
        .collect::<Option<_>>()
        .ok_or_else(|| Error::input(file, "its name is not UTF-8; rename it"))?;
    let (name, folders) = parts.split_last().ok_or_else(|| Error::input(file, "it has no name"))?;
    for folder in folders {
        path = path.child(folder)?;
    }
    let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
    let has_type = stem.ends_with(".series") || stem.ends_with(".table");
    path.child(&if has_type { stem.to_owned() } else { format!("{stem}.series") })
}
