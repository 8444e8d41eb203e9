//! The history on `report.html`: none, one with changes, one that is damaged, and one with markup in its names.

use crate::history::multiply;
use crate::page::{MARKUP, page_of};
use crate::workspace::Workspace;

const FILE: &str = "target/pondmark/history/smoke.jsonl";

/// What a drawing may take of the page.
const TREND_BYTES: usize = 1_536;

/// Returns the part of a page that is about the history.
fn part(page: &str) -> &str {
    let (_, part) = page.split_once("<section id=\"history\"").unwrap();
    part.split("</section>").next().unwrap()
}

fn run_name(workspace: &Workspace) -> String {
    workspace.latest().file_name().unwrap().to_string_lossy().into_owned()
}

/// Returns the drawings of a part.
fn trends(part: &str) -> Vec<&str> {
    part.split("<svg class=\"trend\"").skip(1).map(|rest| rest.split("</svg>").next().unwrap()).collect()
}

#[test]
fn without_a_history_the_page_says_how_to_begin_one() {
    let workspace = Workspace::new();
    let ran = workspace.expect(0, "", &["bench"]);
    let page = page_of(&workspace, &ran);
    let run = run_name(&workspace);
    let expect =
        format!("has no history yet; <code>cargo xtask history add {run}</code> begins one with this run.");
    assert!(part(&page).contains(&expect), "{}", part(&page));
    assert!(page.contains("<a href=\"#history\">History</a>"));
    workspace.expect(0, "", &["history", "add", &run]);
    let page = workspace.expect(0, "", &["report", "--html"]).stdout;
    assert!(
        part(&page).contains("1 run in <code>target/pondmark/history/smoke.jsonl</code>"),
        "{}",
        part(&page)
    );
    assert!(part(&page).contains("this run among them."), "{}", part(&page));
    assert!(part(&page).contains("6 series have fewer than 10 runs and were not tested."), "{}", part(&page));
    assert!(part(&page).contains("no cell changed in the history or in this run"), "{}", part(&page));
}

#[test]
fn a_page_shows_where_its_cells_changed() {
    let workspace = Workspace::new();
    workspace.expect(0, "", &["bench"]);
    workspace.expect(0, "", &["history", "add"]);
    multiply(&workspace, FILE, 40, |number| if number < 25 { 1.0 } else { 1.2 });
    let ran = workspace.expect(0, "open=extra-request", &["bench"]);
    let page = page_of(&workspace, &ran);
    let shown = part(&page);
    assert!(shown.contains("41 runs in"), "{shown}");
    let add = format!("not kept there yet: <code>cargo xtask history add {}</code>.", run_name(&workspace));
    assert!(shown.contains(&add), "{shown}");
    // The drawings of three cells, with this run last.
    let drawn = trends(shown);
    assert_eq!(drawn.len(), 3, "{shown}");
    for one in drawn {
        assert!(one.len() < TREND_BYTES, "{} bytes", one.len());
        assert!(
            one.contains("wall time over 41 runs, +1") && one.contains(" at 0000019, this run "),
            "{one}"
        );
        assert!(one.contains("class=\"worse\"") && one.contains("<circle"), "{one}");
    }
    // Counters of this run changed, in two cells together.
    assert!(shown.contains("</a> and 1 cell more</th>"), "{shown}");
    assert!(shown.contains("<td>warm store_data_requests</td>"), "{shown}");
    assert!(shown.contains("</code>, this run</td>"), "{shown}");
    assert!(
        shown.contains("<code>0000018..0000019</code></td><td class=\"place\">2026-01-01 00:00:25</td>"),
        "{shown}"
    );
    // Newest first.
    let at = |what: &str| shown.find(what).unwrap();
    assert!(at("this run</td>") < at("0000018..0000019"), "{shown}");
    // A page of an earlier run does not know later ones.
    let run = run_name(&workspace);
    workspace.expect(0, "", &["bench"]);
    workspace.expect(0, "", &["history", "add"]);
    let page = workspace.expect(0, "", &["report", "--html", &run]).stdout;
    assert!(part(&page).contains("Of later runs there are 1, left out here."), "{}", part(&page));
    assert!(part(&page).contains("41 runs in"), "{}", part(&page));
}

#[test]
fn what_is_not_drawn_is_said() {
    let workspace = Workspace::new();
    let names: Vec<String> = (0..14).map(|number| number.to_string()).collect();
    let answer = |name| format!("\"series={name}\" = {{ rows = 8, digest = \"00000000deadbeef\" }}\n");
    let answers: String = names.iter().map(answer).collect();
    let suite = format!(
        "about = \"many\"\n[[scenario]]\nname = \"query\"\nabout = \"asks\"\nworkload = \"query\"\nwarm = 1\n\
         timeout_s = 20\nwith = {{ size = \"tiny\", query = \"point\" }}\n\
         axes = [{{ name = \"series\", values = {names:?} }}]\n[scenario.answers]\n{answers}"
    );
    workspace.write("scenarios/suites/many.toml", &suite);
    workspace.expect(0, "", &["bench", "many"]);
    workspace.expect(0, "", &["history", "add"]);
    multiply(
        &workspace,
        "target/pondmark/history/many.jsonl",
        30,
        |number| if number < 15 { 1.0 } else { 0.7 },
    );
    let page = workspace.expect(0, "", &["report", "--html"]).stdout;
    let shown = part(&page);
    assert_eq!(trends(shown).len(), 12, "{shown}");
    assert!(shown.contains("2 cells more changed and are not drawn"), "{shown}");
    assert!(shown.contains("class=\"better\""), "{shown}");
}

#[test]
fn a_damaged_history_does_not_keep_from_the_page() {
    let workspace = Workspace::new();
    workspace.write(FILE, "{\"format\":2}\n");
    let ran = workspace.expect(0, "", &["bench"]);
    let page = page_of(&workspace, &ran);
    let shown = part(&page);
    assert!(shown.contains("The history of the suite cannot be read: "), "{shown}");
    assert!(
        shown.contains("smoke.jsonl:1: it has format 2, newer than 1; use the harness that wrote it"),
        "{shown}"
    );
}

#[test]
fn markup_in_a_history_stays_text() {
    let workspace = Workspace::new();
    workspace.write("scenarios/suites/markup.toml", MARKUP);
    workspace.expect(0, "", &["bench", "markup"]);
    workspace.expect(0, "", &["history", "add"]);
    let file = "target/pondmark/history/markup.jsonl";
    multiply(&workspace, file, 30, |number| if number < 15 { 1.0 } else { 1.4 });
    let text = workspace.read(file).replace("\"000000f\"", "\"<script>alert(3)</script>\"");
    workspace.write(file, &text);
    let page = workspace.expect(0, "", &["report", "--html"]).stdout;
    let shown = part(&page);
    assert_eq!(trends(shown).len(), 1, "{shown}");
    assert!(shown.contains("&lt;img/src/onerror/alert(1)&gt;|`*"), "{shown}");
    assert!(shown.contains("&lt;script&gt;alert(3)&lt;/script&gt;"), "{shown}");
    assert!(!page.contains("<img") && page.matches("<script").count() == 1, "{page}");
}
