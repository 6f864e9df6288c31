//! The floors hold: a module imports only from lower floors, no file grows into a god module, no module is homeless.

#![expect(clippy::unwrap_used, reason = "a test ends where its world is not as expected")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Top-level modules and their floors; modules of one floor do not import each other.
const FLOORS: [(&str, u8); 17] = [
    ("unit", 0),
    ("resp", 1),
    ("rdb", 1),
    ("command", 1),
    ("repl", 2),
    ("net", 3),
    ("store", 2),
    ("step", 4),
    ("plan", 5),
    ("planner", 6),
    ("source", 6),
    ("sink", 6),
    ("journal", 6),
    ("compare", 6),
    ("engine", 7),
    ("report", 7),
    ("cli", 8),
];

/// Lines a source file may have before its unit tests.
const MAX_LINES: usize = 500;

fn sources() -> Vec<PathBuf> {
    let mut found = vec![];
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// The file's top-level module; `None` for `lib.rs` and `main.rs`.
fn module_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    let name = first.trim_end_matches(".rs");
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

/// Every module that the text names after `crate::` outside comments, groups included: `crate::{a::B, c::{D, E}}` names
/// `a` and `c`.
fn imports(text: &str) -> Vec<(usize, String)> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap().to_owned() + "\n").collect();
    let mut found = vec![];
    for (position, _) in code.match_indices("crate::") {
        let line = code[..position].matches('\n').count() + 1;
        let rest = &code[position + "crate::".len()..];
        let names = if rest.starts_with('{') { first_names(rest) } else { vec![first_name(rest)] };
        found.extend(names.into_iter().map(|name| (line, name)));
    }
    found
}

fn first_name(path: &str) -> String {
    path.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// The first name of each member of the group that `text` begins with.
fn first_names(text: &str) -> Vec<String> {
    let mut names = vec![];
    let mut depth = 0;
    for (position, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if matches!(c, '{' | ',') && depth == 1 {
            names.push(first_name(&text[position + 1..]));
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn imports_are_found_in_groups_too() {
    let text = "use crate::{\n    a::B, // c::D\n    e::{f, g},\n};\nfn x() { crate::h::i(); }";
    let names: Vec<String> = imports(text).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["a", "e", "h"]);
}

#[test]
fn modules_import_only_lower_floors() {
    let mut wrong = vec![];
    for path in sources() {
        let Some(module) = module_of(&path) else { continue };
        let Some(own) = floor(&module) else {
            wrong.push(format!("{}: the module `{module}` stands on no floor", path.display()));
            continue;
        };
        for (line, imported) in imports(&fs::read_to_string(&path).unwrap()) {
            let allowed = imported == module || floor(&imported).is_some_and(|other| other < own);
            if !allowed {
                wrong.push(format!("{}:{line}: `{module}` may not import `{imported}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_short() {
    let long: Vec<String> = sources()
        .iter()
        .filter_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
            (lines > MAX_LINES).then(|| format!("{}: {lines} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "over {MAX_LINES} lines before the unit tests:\n{}", long.join("\n"));
}

#[test]
fn only_net_store_source_sink_compare_engine_and_the_roof_name_the_runtime() {
    let lower = ["unit", "resp", "rdb", "command", "repl", "step", "plan", "planner", "report"];
    let mut wrong = vec![];
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let named = text.contains("async_std") || text.contains("async fn");
        if named && module_of(&path).is_some_and(|module| lower.contains(&module.as_str())) {
            wrong.push(path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "codecs and vocabulary are pure:\n{}", wrong.join("\n"));
}
