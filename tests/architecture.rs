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

/// The pictures and the table of `book/src/explanation/architecture.md`, drawn from the list above.
/// `UPDATE_DOCS=1 cargo test --test architecture` writes what is stale.
mod pictures {
    use super::*;
    use std::fmt::Write as _;

    /// What each module holds, in a few words.
    const ABOUT: [(&str, &str); 17] = [
        ("unit", "offset, size, rate, address, secret"),
        ("resp", "frames of the protocol"),
        ("rdb", "the dump format"),
        ("command", "keys, versions, features"),
        ("repl", "replication, without I/O"),
        ("store", "durable files, the spool"),
        ("net", "sockets, TLS, deadlines, secrets"),
        ("step", "the graph's steps, events, selection"),
        ("plan", "text to checked plan, codes"),
        ("planner", "plan to graph"),
        ("source", "the replication link"),
        ("sink", "lanes, forms, lease, token"),
        ("journal", "the run's local state"),
        ("compare", "key by key"),
        ("engine", "runs the steps, cutover"),
        ("report", "graph, checks, progress, evidence"),
        ("cli", "arguments, one file per subcommand, exit codes"),
    ];

    /// The way of the data: what a part is called, what it does, the module it is in.
    const WAY: [(&str, &str, &str); 6] = [
        ("receive", "as fast as it is sent", "source"),
        ("spool", "append-only files", "store"),
        ("decode", "bytes in, items out", "rdb"),
        ("select", "databases, keys", "sink"),
        ("translate", "form, database, expiry", "sink"),
        ("lanes", "data and mark together", "sink"),
    ];

    /// Readable on both: the picture brings its own background, which follows the reader's system.
    const STYLE: &str = "<style>\n\
        .back{fill:#fff}.box{fill:#e8eef7;stroke:#1a5fb4}.end{fill:#f1f1f1;stroke:#666}.line{fill:none;stroke:#1a5fb4;stroke-width:1.5}\n\
        .head{fill:#1a5fb4}.name{fill:#111;font-size:14px;font-weight:600}.note{fill:#444;font-size:11px}\n\
        @media (prefers-color-scheme:dark){.back{fill:#16191d}.box{fill:#1f2d42;stroke:#7db0f0}.end{fill:#2a2e33;stroke:#999}\
        .line{stroke:#7db0f0}.head{fill:#7db0f0}.name{fill:#f2f2f2}.note{fill:#c4c4c4}}\n</style>\n";

    const WIDTH: usize = 800;

    fn about(module: &str) -> &'static str {
        let found = ABOUT.iter().find(|(name, _)| *name == module);
        found.unwrap_or_else(|| panic!("`{module}` has no caption in ABOUT of tests/architecture.rs")).1
    }

    fn svg(height: usize, title: &str, inner: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             font-family=\"sans-serif\">\n<title>{title}</title>\n{STYLE}<rect class=\"back\" width=\"{WIDTH}\" \
             height=\"{height}\"/>\n{inner}</svg>\n"
        )
    }

    fn text(class: &str, x: usize, y: usize, anchor: &str, words: &str) -> String {
        format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{words}</text>\n")
    }

    /// A box with a name and lines of notes; a note that is too long for it is broken at a comma or a space.
    fn card(class: &str, (x, y, width, height): (usize, usize, usize, usize), name: &str, notes: &[String]) -> String {
        let middle = x + width / 2;
        let top = y + (height - 14 * notes.len()) / 2 + 4;
        let mut drawn =
            format!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"5\"/>\n");
        drawn += &text("name", middle, top, "middle", name);
        for (index, note) in notes.iter().enumerate() {
            drawn += &text("note", middle, top + 15 + 14 * index, "middle", note);
        }
        drawn
    }

    /// Lines of at most this many pixels, at some 6 a letter.
    fn broken(words: &str, width: usize) -> Vec<String> {
        let mut lines: Vec<String> = vec![];
        for word in words.split(' ') {
            match lines.last_mut() {
                Some(line) if (line.chars().count() + 1 + word.chars().count()) * 6 <= width => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines
    }

    fn on(floor: u8) -> Vec<&'static str> {
        FLOORS.iter().filter(|(_, other)| *other == floor).map(|(name, _)| *name).collect()
    }

    fn roof() -> u8 {
        FLOORS.iter().map(|(_, floor)| *floor).max().unwrap()
    }

    fn floors() -> String {
        let (row, left, gap) = (62, 80, 10);
        let mut inner = String::new();
        for floor in 0..=roof() {
            let y = 10 + usize::from(roof() - floor) * (row + gap);
            let modules = on(floor);
            let width = (WIDTH - left - 10 - gap * (modules.len() - 1)) / modules.len();
            let kind = if floor == roof() { "roof" } else { "floor" };
            inner += &text("note", 10, y + row / 2 + 4, "start", &format!("{kind} {floor}"));
            for (index, module) in modules.iter().enumerate() {
                let notes = broken(about(module), width - 8);
                inner += &card("box", (left + index * (width + gap), y, width, row), module, &notes);
            }
        }
        let height = 10 + (usize::from(roof()) + 1) * (row + gap);
        svg(height, "The floors of the program: a module imports only modules of lower floors", &inner)
    }

    fn arrow(path: &str, (x, y): (usize, usize), (back, up): (isize, isize)) -> String {
        let at = |value: usize, moved: isize| value.checked_add_signed(moved).unwrap();
        format!(
            "<path class=\"line\" d=\"{path}\"/>\n<path class=\"head\" d=\"M{x} {y}L{} {}L{} {}Z\"/>\n",
            at(x, back - up),
            at(y, up - back),
            at(x, back + up),
            at(y, up + back)
        )
    }

    fn way() -> String {
        let (width, height, gap, y) = (110, 72, 24, 96);
        let mut inner = card("end", (10, 10, width, 46), "source", &["server".to_owned()]);
        let last = 10 + (WAY.len() - 1) * (width + gap);
        inner += &card("end", (last, 10, width, 46), "destination", &["data, run record".to_owned()]);
        for (index, (name, what, module)) in WAY.iter().enumerate() {
            assert!(floor(module).is_some(), "`{module}` stands on no floor");
            let x = 10 + index * (width + gap);
            let mut notes = broken(what, width - 8);
            notes.push(format!("({module})"));
            inner += &card("box", (x, y, width, height), name, &notes);
            if index > 0 {
                let middle = y + height / 2;
                inner += &arrow(&format!("M{} {middle}H{}", x - gap, x - 5), (x, middle), (-7, 0));
            }
        }
        let (first, end) = (10 + width / 8, last + width / 3);
        inner += &arrow(&format!("M{first} 56V{}", y - 5), (first, y), (0, -7));
        inner += &text("note", first + 6, 78, "start", "PSYNC");
        inner += &arrow(&format!("M{0} {y}V61", first + width / 2), (first + width / 2, 56), (0, 7));
        inner += &text("note", first + width / 2 + 6, 78, "start", "received: ACK");
        inner += &arrow(&format!("M{end} {y}V61"), (end, 56), (0, 7));
        inner += &arrow(&format!("M{0} 56V{1}", end + width / 3, y - 5), (end + width / 3, y), (0, -7));
        inner += &text("note", end + width / 3 + 6, 78, "start", "replies");
        inner += &text("note", end - 6, 78, "end", "commands with their mark");
        let back = y + height + 26;
        let spool = 10 + width + gap + width / 2;
        let from = last + width / 2;
        let path = format!("M{from} {}V{back}H{spool}V{}", y + height, y + height + 5);
        inner += &arrow(&path, (spool, y + height), (0, 7));
        inner += &text(
            "note",
            usize::midpoint(spool, from),
            back + 16,
            "middle",
            "confirmed by the mark or the checkpoint: the spool up to there is deleted",
        );
        svg(
            back + 28,
            "The way of the data: source, receive, spool, decode, select, translate, lanes, destination",
            &inner,
        )
    }

    /// The table of the page, the roof first.
    fn table() -> String {
        let mut table = "| floor | module | holds |\n| --- | --- | --- |\n".to_owned();
        for floor in (0..=roof()).rev() {
            for module in on(floor) {
                writeln!(table, "| {floor} | `{module}` | {} |", about(module)).unwrap();
            }
        }
        table
    }

    fn expect_file(path: &str, expected: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if fs::read_to_string(&file).is_ok_and(|found| found == expected) {
            return;
        }
        let updates = std::env::var_os("UPDATE_DOCS").is_some() && std::env::var_os("CI").is_none();
        assert!(updates, "{path} is stale: UPDATE_DOCS=1 cargo test --test architecture");
        fs::write(&file, expected).unwrap();
    }

    #[test]
    fn the_page_of_the_architecture_shows_this_list() {
        const PAGE: &str = "book/src/explanation/architecture.md";
        const MARKS: [&str; 2] = ["<!-- floors: UPDATE_DOCS=1 cargo test --test architecture -->\n", "<!-- end -->\n"];
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap();
        let (before, rest) = page.split_once(MARKS[0]).unwrap();
        let (_, after) = rest.split_once(MARKS[1]).unwrap();
        expect_file(PAGE, &format!("{before}{}{}{}{after}", MARKS[0], table(), MARKS[1]));
        expect_file("book/src/explanation/floors.svg", &floors());
        expect_file("book/src/explanation/data.svg", &way());
    }

    #[test]
    fn every_text_of_a_picture_can_be_read() {
        assert_eq!(WIDTH, 800);
        for picture in [floors(), way()] {
            let sizes: Vec<usize> = picture
                .split("font-size:")
                .skip(1)
                .map(|rest| rest.split("px").next().unwrap().parse().unwrap())
                .collect();
            assert!(!sizes.is_empty() && sizes.iter().all(|size| *size >= 10), "{sizes:?}");
            assert!(picture.contains("prefers-color-scheme:dark"));
        }
    }
}
