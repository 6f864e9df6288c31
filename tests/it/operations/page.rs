//! The book's page of operations, made from what the tests here assert.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write,
    fs,
    path::Path,
};

use super::{
    DOWNWARD, Known, PAIRS,
    case::Case,
    coverage::{cases, sources},
    table::WITHOUT,
};
use crate::{harness::Server, matrix::title};

const HEAD: &str = "# Operations while the source is followed

<!-- generated: UPDATE_DOCS=1 cargo test --test it operations -->

Every operation that `COMMAND` of a source lists as writing is said to it while a run follows it, in several forms (with
expiries, binary names, in transactions over several databases, from clients that were blocked), and both sides are then
compared key by key. *equal*: all forms end equal at every destination named under the source, and nothing is reported. *heard*: a
subscriber at the destination hears the message. A number: equal but for what is said under it. An empty cell: the source
does not have it.

Expiries that count from now are sent as moments; however far a run is behind, no key lives longer for it. One case is
left: scripts that a source up to 4.0 sends as they were said count from when they are carried out at the destination.

";

const DOWN: &str = "
## To an older destination

A command newer than the destination becomes older ones where these do exactly the same. Where nothing exact exists it is
left out as a whole and named (`key_failed`); with `on_unsupported: fail` the run ends there. Tried with every form above,
these end different, each named by the run; all others end as they do above:

";

const HALFWAY: &str = "A script that failed halfway is sent all the same up to 4.0; it fails at the destination too, which is \
                       reported, and both sides have what it did before.";

/// Notes under the table, numbered in the order they are needed.
#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    fn number(&mut self, words: &str) -> usize {
        let found = self.0.iter().position(|note| note == words);
        found.unwrap_or_else(|| {
            self.0.push(words.to_owned());
            self.0.len() - 1
        }) + 1
    }
}

/// What the tests assert of the forms of one operation.
fn cell(forms: &[&Case], known: &Known, notes: &mut Notes) -> String {
    if forms.is_empty() {
        return String::new();
    }
    let version = known.version;
    let mut numbers = BTreeSet::new();
    for case in forms {
        if let Some(untold) = case.untold.filter(|untold| untold.is_of(version)) {
            numbers.insert(notes.number(untold.words));
        } else if case.reported.is_some_and(|(before, _)| !version.has(before, (0, 0))) {
            numbers.insert(notes.number(HALFWAY));
        }
    }
    let is_heard = |case: &&&Case| matches!(case.operation, "PUBLISH" | "SPUBLISH");
    let verdict = if forms.iter().any(|case| is_heard(&case)) { "heard" } else { "equal" };
    let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
    if numbers.is_empty() { verdict.to_owned() } else { format!("{verdict} ({})", numbers.join(", ")) }
}

fn page() -> String {
    let known: BTreeMap<&str, Known> =
        sources().into_iter().map(|name| (name, Known::of(&Server::start(name)))).collect();
    let mut page = HEAD.to_owned();
    for (row, with) in [("| |", " {} |"), ("| --- |", " --- |"), ("| *to* |", "")] {
        page.push_str(row);
        for source in sources() {
            let destinations: Vec<String> =
                PAIRS.iter().filter(|pair| pair.0 == source).map(|pair| title(pair.1)).collect();
            match with {
                "" => write!(page, " {} |", destinations.join(", ")).unwrap(),
                with => page.push_str(&with.replace("{}", &title(source))),
            }
        }
        page.push('\n');
    }
    let mut notes = Notes::default();
    let operations: BTreeSet<&str> = cases().map(|case| case.operation).collect();
    for operation in operations {
        write!(page, "| {operation} |").unwrap();
        for source in sources() {
            let known = &known[source];
            let forms: Vec<&Case> = cases().filter(|case| case.operation == operation && case.is_for(known)).collect();
            write!(page, " {} |", cell(&forms, known, &mut notes)).unwrap();
        }
        page.push('\n');
    }
    page.push('\n');
    for (index, note) in notes.0.iter().enumerate() {
        writeln!(page, "{}. {note}", index + 1).unwrap();
    }
    page.push_str("\nCommands that write and are not in the table:\n\n");
    for (name, why) in WITHOUT {
        writeln!(page, "- {name}: {why}.").unwrap();
    }
    page.push_str(DOWN);
    for (source, destination, lost) in DOWNWARD {
        let names: Vec<String> =
            lost.iter().map(|id| format!("`{}`", id.replace('_', " ").replace('.', ", "))).collect();
        writeln!(page, "- {} to {}: {}.", title(source), title(destination), names.join(" · ")).unwrap();
    }
    page
}

#[test]
fn the_operations_table_is_what_is_tested() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("book/src/reference/operations.md");
    let expected = page();
    if fs::read_to_string(&file).unwrap_or_default() != expected {
        assert!(
            env::var_os("UPDATE_DOCS").is_some() && env::var_os("CI").is_none(),
            "book/src/reference/operations.md is stale: UPDATE_DOCS=1 cargo test --test it operations"
        );
        fs::write(&file, expected).unwrap();
    }
}
