//! A plan as text without the names that differ from run to run, so that two plans can be compared.

use std::fmt::Write as _;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;

use super::operators::Operator;

/// Writes the optimised and the physical plan with relations as `r1`, `r2`, in the order of the plan.
pub(super) fn normal(optimised: &LogicalPlan, operators: &[Operator]) -> String {
    let mut names = Names { relations: relations(optimised), made: Vec::new() };
    let mut text = names.replace(&optimised.display_indent().to_string());
    text.push('\n');
    for operator in operators {
        let depth = depth(operators, operator);
        let line = match operator.detail.as_str() {
            "" => operator.name.clone(),
            detail => format!("{}: {detail}", operator.name),
        };
        let line = names.replace(&line);
        write!(text, "\n{:1$}{line}", "", 2 * depth).expect("writing to a string does not fail");
    }
    text
}

/// Returns how many operators lie above one.
pub(super) fn depth(operators: &[Operator], operator: &Operator) -> usize {
    let above = |operator: &&Operator| operator.parent.map(|parent| &operators[parent]);
    std::iter::successors(Some(operator), above).count() - 1
}

/// Lists the names of tables and aliases, each once, in the order of the plan.
fn relations(plan: &LogicalPlan) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let walked = plan.apply_with_subqueries(|node| {
        let name = match node {
            LogicalPlan::TableScan(scan) => Some(scan.table_name.to_string()),
            LogicalPlan::SubqueryAlias(alias) => Some(alias.alias.to_string()),
            _ => None,
        };
        names.extend(name.filter(|name| !names.contains(name)));
        Ok(TreeNodeRecursion::Continue)
    });
    walked.expect("the closure does not fail");
    names
}

/// Names that are replaced by their place.
struct Names {
    relations: Vec<String>,
    /// Names that the planner made, such as `__common_expr_7`.
    made: Vec<String>,
}

impl Names {
    fn replace(&mut self, text: &str) -> String {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        let mut inside = false;
        while let Some(next) = text[at..].chars().next() {
            let rest = &text[at..];
            if !inside {
                let fits = |name: &&String| {
                    rest.starts_with(name.as_str()) && !rest[name.len()..].chars().next().is_some_and(is_word)
                };
                let found = self.relations.iter().filter(fits).max_by_key(|name| name.len());
                if let Some(name) = found {
                    let place = self.relations.iter().position(|one| one == name);
                    write!(out, "r{}", place.map_or(0, |place| place + 1)).expect("a string takes all");
                    at += name.len();
                    inside = true;
                    continue;
                }
                let word = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
                if let Some(name) = self.made_name(word) {
                    out.push_str(&name);
                    at += word.len();
                    inside = true;
                    continue;
                }
            }
            out.push(next);
            at += next.len_utf8();
            inside = is_word(next);
        }
        out
    }

    /// Returns what a name of the planner's becomes; nothing for other words.
    fn made_name(&mut self, word: &str) -> Option<String> {
        let (stem, number) = word.rsplit_once('_')?;
        if !stem.starts_with("__") || number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let place = self.made.iter().position(|one| one == word).unwrap_or_else(|| {
            self.made.push(word.to_owned());
            self.made.len() - 1
        });
        Some(format!("{stem}_{}", place + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_places() {
        let relations = ["tmp_17".to_owned(), "tmp_17.x".to_owned(), "r1".to_owned()];
        let mut names = Names { relations: relations.to_vec(), made: Vec::new() };
        let mut check = |text: &str, expect: &str| assert_eq!(names.replace(text), expect);
        check("TableScan: tmp_17 projection=[v]", "TableScan: r1 projection=[v]");
        check("sum(tmp_17.v), tmp_177.v, xtmp_17", "sum(r1.v), tmp_177.v, xtmp_17");
        check("tmp_17.x.v", "r2.v");
        check("r1.v AND tmp_17.v", "r3.v AND r1.v");
        check(
            "__common_expr_9, __scalar_sq_4, __common_expr_9",
            "__common_expr_1, __scalar_sq_2, __common_expr_1",
        );
        check("grün = tmp_17", "grün = r1");
    }
}
