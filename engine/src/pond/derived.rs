//! Derived nodes, as users of the library see them.

use std::io::Write;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::Pond;
use crate::error::{Error, Result};
use crate::factory::{Candidate, Definition, Namespace, View};
use crate::log::{ContentWriter, NewVersion};
use crate::tree::{EntryType, PondPath};

/// What a derived table or series is.
#[derive(Clone, Debug)]
pub struct DerivedNode {
    /// The factory that makes it.
    pub factory: &'static str,
    /// The node with the configuration: itself, or a directory above it.
    pub origin: String,
    /// The paths of its inputs, in the order in which its patterns and their matches come.
    pub inputs: Vec<String>,
    /// Its columns.
    pub schema: SchemaRef,
    /// Its time column, if it has one.
    pub time_column: Option<String>,
    /// A digest of everything that decides what its rows are: configuration, inputs and their versions.
    pub identity: String,
}

impl Pond {
    /// Makes a derived node, or gives one another configuration, in YAML or JSON; see docs/FACTORIES.md.
    ///
    /// # Errors
    /// If the configuration is wrong, does not fit what the pond holds, or makes a node of itself; then the
    /// pond is as it was before.
    pub fn mknod(&self, factory: &str, path: &str, config: &str) -> Result<()> {
        let path = PondPath::parse(path)?;
        let definition = Definition::read(factory, config, &format!("the config of {path}"))?;
        let factory = definition.factory;
        let mut transaction = self.log.begin()?;
        let snapshot = self.log.snapshot();
        let candidate = Candidate { path, definition };
        let namespace = Namespace::with(&snapshot, self.knobs().reduce(), &candidate)?;
        View::new(Arc::new(namespace), &self.planner).check(&candidate)?;
        let mut content = ContentWriter::new(snapshot.layout());
        content.write_all(config.as_bytes()).map_err(|source| Error::Io {
            action: "write content to",
            path: snapshot.layout().tmp_dir(),
            source,
        })?;
        let attributes = Some(serde_json::json!({ "factory": factory }).to_string());
        let facts = NewVersion { attributes, ..NewVersion::default() };
        transaction.put(&candidate.path, EntryType::Dynamic, content.finish()?, facts)?;
        let details = serde_json::json!({ "factory": factory, "path": candidate.path.as_str() });
        transaction.commit("mknod", &details)?;
        self.planner.advance(&self.log.snapshot());
        Ok(())
    }

    /// Describes a derived table or series; nothing if the path is another node.
    ///
    /// # Errors
    /// If the path does not exist, or the node cannot be made of its inputs.
    pub fn derived(&self, path: &str) -> Result<Option<DerivedNode>> {
        let view = self.view()?;
        let namespace = view.namespace();
        let node = namespace.tree().lookup(&PondPath::parse(path)?)?;
        let Some(derived) = namespace.derived(node) else { return Ok(None) };
        if !namespace.tree().node(node).entry_type.is_queryable() {
            return Ok(None);
        }
        let shown = view.shown(node)?;
        let identity = namespace.identity(node)?;
        Ok(Some(DerivedNode {
            factory: derived.factory,
            origin: namespace.tree().path_of(derived.origin),
            inputs: namespace.inputs(node)?.iter().flatten().map(|found| found.path.clone()).collect(),
            schema: shown.provider.schema(),
            time_column: shown.time_column,
            identity: blake3::Hash::from_bytes(identity).to_hex().to_string(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use arrow::util::pretty::pretty_format_batches;
    use scenarios::Settings;
    use tempfile::TempDir;

    use super::*;
    use crate::factory::{ReduceColumn, Reduction};
    use crate::import::ImportOptions;
    use crate::knobs::Knobs;
    use crate::pond::PondOptions;
    use crate::query::QueryOptions;
    use crate::series::Aggregate;

    /// A pond with two series, both reduced to three resolutions.
    fn reduced() -> (TempDir, Pond) {
        let folder = tempfile::tempdir().unwrap();
        let pond = Pond::init(&folder.path().join("pond"), PondOptions::default()).unwrap();
        let file: PathBuf = folder.path().join("x.csv");
        std::fs::write(
            &file,
            "time,v,n\n2024-01-01 00:10,0.1,1\n2024-01-01 00:50,,2\n2024-01-01 05:00,0.3,\n",
        )
        .unwrap();
        for path in ["/a/x.series", "/a/y.series"] {
            pond.import(std::slice::from_ref(&file), path, &ImportOptions::default(), &|_| ()).unwrap();
        }
        let config = "in_pattern: /a/*.series\nout_pattern: $0\nresolutions: [1d, 1h, 2h]\n\
                      aggregations: [{type: avg}, {type: min}, {type: max}, {type: sum}, {type: count, columns: ['*', v]}]";
        pond.mknod("temporal-reduce", "/r", config).unwrap();
        (folder, pond)
    }

    fn node(namespace: &Namespace, path: &str) -> crate::tree::NodeId {
        namespace.tree().lookup(&PondPath::parse(path).unwrap()).unwrap()
    }

    #[test]
    fn both_forms_of_the_sql_give_the_same() {
        let (_folder, pond) = reduced();
        let read = |reduce: &str, path: &str| {
            let mut settings = Settings::default();
            settings.apply(&[("reduce".to_owned(), reduce.to_owned())].into()).unwrap();
            let options = PondOptions { knobs: Knobs::from(settings), ..PondOptions::default() };
            let pond = Pond::open(pond.snapshot().layout().root(), options).unwrap();
            let view = pond.view().unwrap();
            let identity = view.namespace().identity(node(view.namespace(), path)).unwrap();
            let answer =
                pond.query(path, "SELECT * FROM source ORDER BY time", QueryOptions::default()).unwrap();
            let schema = answer.schema();
            let types: Vec<_> =
                schema.fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect();
            let batches: Vec<_> = answer.map(Result::unwrap).collect();
            (types, pretty_format_batches(&batches).unwrap().to_string(), identity)
        };
        for path in ["/r/x/res=1h.series", "/r/y/res=2h.series", "/r/x/res=1d.series"] {
            let (one, two) = (read("one-pass", path), read("two-pass", path));
            assert_eq!((&one.0, &one.1), (&two.0, &two.1), "{path}");
            assert_ne!(one.2, two.2, "plans of the two forms are not kept as one");
            assert_eq!(one.2, read("streaming", path).2);
        }
    }

    #[test]
    fn a_reduction_says_how_to_compute_it_without_sql() {
        let (_folder, pond) = reduced();
        let view = pond.view().unwrap();
        let at = |path: &str| node(view.namespace(), path);
        let column = |name: &str, input: Option<&str>, aggregate| ReduceColumn {
            name: name.to_owned(),
            input: input.map(str::to_owned),
            aggregate,
        };
        let mut columns = Vec::new();
        for aggregate in [Aggregate::Avg, Aggregate::Min, Aggregate::Max, Aggregate::Sum] {
            for name in ["v", "n"] {
                columns.push(column(&format!("{name}.{}", aggregate.name()), Some(name), aggregate));
            }
        }
        columns.push(column("time.count", None, Aggregate::Count));
        columns.push(column("v.count", Some("v"), Aggregate::Count));
        let siblings = ["1h", "2h", "1d"].map(|name| at(&format!("/r/y/res={name}.series")));
        let expect = Reduction {
            input: at("/a/y.series"),
            time: "time".to_owned(),
            resolution_us: 7_200_000_000,
            columns,
            siblings: siblings.into(),
        };
        assert_eq!(view.reduction(siblings[1]).unwrap(), Some(expect));
        assert_eq!(view.reduction(at("/a/y.series")).unwrap(), None);
        assert_eq!(view.reduction(at("/r/y")).unwrap(), None);
    }

    #[test]
    fn a_pond_without_derived_nodes_shares_its_tree() {
        let folder = tempfile::tempdir().unwrap();
        let pond = Pond::init(&folder.path().join("pond"), PondOptions::default()).unwrap();
        pond.mkdir("/a/b").unwrap();
        let view = pond.view().unwrap();
        let namespace = view.namespace();
        assert!(std::ptr::eq(namespace.tree(), namespace.snapshot().tree()));
    }
}
