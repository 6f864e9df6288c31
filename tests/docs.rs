//! What the documents show is what the tool does: the consoles in the README, the generated pages of the book, the
//! book's table of contents and its links. `UPDATE_DOCS=1 cargo test --test docs` writes what is stale.

#![expect(clippy::unwrap_used, reason = "a test ends where its world is not as expected")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use redis_plan::plan;
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Whether stale documents are to be written; never where changes are judged.
fn updates() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some() && std::env::var_os("CI").is_none()
}

/// Compares a file with what it should be, or writes it when asked to.
fn expect_file(path: &str, expected: &str) {
    let file = root().join(path);
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    if found == expected {
        return;
    }
    if updates() {
        std::fs::write(&file, expected).unwrap();
        return;
    }
    let line = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
    panic!(
        "{path} is stale from line {}: UPDATE_DOCS=1 cargo test --test docs\n",
        line.map_or("the shorter one's end".to_owned(), |line| (line + 1).to_string())
    );
}

mod readme {
    use super::*;

    /// A fenced block and the line before it.
    struct Block<'a> {
        before: &'a str,
        language: &'a str,
        text: String,
    }

    fn blocks(document: &str) -> Vec<Block<'_>> {
        let mut blocks: Vec<Block<'_>> = vec![];
        let (mut before, mut inside) = ("", false);
        for line in document.lines() {
            match (line.strip_prefix("```"), inside) {
                (Some(_), true) => inside = false,
                (Some(language), false) => {
                    inside = true;
                    blocks.push(Block { before, language, text: String::new() });
                }
                (None, true) => writeln!(blocks.last_mut().unwrap().text, "{line}").unwrap(),
                (None, false) => before = line,
            }
        }
        blocks
    }

    /// Writes the README's files to a folder, runs its `$ plan …` lines there, and puts what they print into it.
    fn rendered(document: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let mut fresh = document.to_owned();
        for block in blocks(document) {
            if let Some(name) = block.before.strip_prefix("<!-- file: ").and_then(|rest| rest.strip_suffix(" -->")) {
                std::fs::write(folder.path().join(name), &block.text).unwrap();
            }
            if block.language == "console" {
                let old = format!("```console\n{}```", block.text);
                fresh = fresh.replace(&old, &format!("```console\n{}```", console(&block.text, folder.path())));
            }
        }
        fresh
    }

    fn console(text: &str, folder: &Path) -> String {
        let command = text.lines().next().and_then(|line| line.strip_prefix("$ plan ")).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_plan"))
            .args(command.split(' '))
            .current_dir(folder)
            .env_clear()
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .output()
            .unwrap();
        let printed = [output.stdout, output.stderr].concat();
        format!("$ plan {command}\n{}", String::from_utf8(printed).unwrap())
    }

    #[test]
    fn the_readme_shows_what_the_tool_prints() {
        let document = std::fs::read_to_string(root().join("README.md")).unwrap();
        assert!(blocks(&document).iter().filter(|block| block.language == "console").count() >= 2);
        expect_file("README.md", &rendered(&document));
    }

    #[test]
    fn its_links_lead_somewhere() {
        for name in ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
            let document = std::fs::read_to_string(root().join(name)).unwrap();
            book::check_links(&root(), &document, name);
        }
    }
}

mod book {
    use super::*;

    fn pages() -> BTreeSet<PathBuf> {
        let source = root().join("book/src");
        let (mut folders, mut pages) = (vec![source.clone()], BTreeSet::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "md") {
                    pages.insert(path.strip_prefix(&source).unwrap().to_owned());
                }
            }
        }
        pages.remove(Path::new("SUMMARY.md"));
        pages
    }

    /// The relative targets of a document's links.
    fn targets(document: &str) -> Vec<String> {
        let rests = document.match_indices("](").map(|(at, found)| &document[at + found.len()..]);
        let targets = rests.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
    }

    pub(super) fn check_links(folder: &Path, document: &str, name: &str) {
        for target in targets(document) {
            let file = target.split('#').next().unwrap();
            assert!(folder.join(file).exists(), "{name} links to {target}, which is not there");
        }
    }

    #[test]
    fn every_page_is_in_the_summary_and_every_link_leads_somewhere() {
        let source = root().join("book/src");
        let summary = std::fs::read_to_string(source.join("SUMMARY.md")).unwrap();
        let listed: BTreeSet<PathBuf> = targets(&summary).into_iter().map(PathBuf::from).collect();
        assert_eq!(listed, pages());
        for page in pages() {
            let path = source.join(&page);
            let document = std::fs::read_to_string(&path).unwrap();
            check_links(path.parent().unwrap(), &document, page.to_str().unwrap());
        }
    }
}

const GENERATED: &str = "<!-- generated: UPDATE_DOCS=1 cargo test --test docs -->\n";

mod commands {
    use super::*;

    #[test]
    fn the_page_of_commands_is_their_help() {
        let mut tool = redis_plan::cli::command();
        tool.build();
        let mut page = format!("# Commands\n\n{GENERATED}\n");
        for command in tool.get_subcommands_mut() {
            if command.get_name() == "help" {
                continue;
            }
            let help = command.render_long_help().to_string();
            let help: Vec<&str> = help.lines().map(str::trim_end).collect();
            write!(page, "## plan {}\n\n```text\n{}\n```\n\n", command.get_name(), help.join("\n").trim_end()).unwrap();
        }
        expect_file("book/src/reference/commands.md", &format!("{}\n", page.trim_end()));
    }
}

mod metrics {
    use super::*;
    use redis_plan::report::METRICS;

    const ABOUT: &str = "`plan apply PLAN --metrics 9187` serves the figures of the run at `http://127.0.0.1:9187/metrics` for as \
        long as the process lives, in the [OpenMetrics](https://prometheus.io/docs/specs/om/open_metrics_spec/) text format 1.0, \
        which Prometheus reads. A bare port listens on 127.0.0.1 only; to expose it, give an address such as \
        `--metrics 10.0.0.7:9187`. There is no authentication, and no password is in what is served. \
        A request must name `localhost`, a loopback address or the address listened at as its host (any IP address with `--metrics \
        0.0.0.0:9187`), so that no page in a browser reads them under another name.\n\nA metric \
        whose value is not known is left out, not reported as 0. Counters start at 0 with each process, except those of the dump, which \
        continue where the run was.\n\n[A dashboard for Grafana](../assets/grafana.json) shows them: import the file and choose the \
        data source. Prometheus finds the process like any other:\n\n```yaml\nscrape_configs:\n  - job_name: redis-plan\n    \
        static_configs:\n      - targets: [\"127.0.0.1:9187\"]\n```\n\n| metric | kind | labels | |\n| --- | --- | --- | --- |\n";

    #[test]
    fn the_page_of_metrics_is_their_table() {
        let mut page = format!("# Metrics\n\n{GENERATED}\n{ABOUT}");
        for metric in METRICS {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let (name, suffix, kind, labels) = (metric.name, metric.suffix(), metric.kind, labels.join(" "));
            writeln!(page, "| `{name}{suffix}` | {kind} | {labels} | {} |", metric.help).unwrap();
        }
        expect_file("book/src/reference/metrics.md", &page);
    }

    /// The names of metrics in a text.
    fn names(text: &str) -> BTreeSet<String> {
        let rests = text.match_indices("redis_plan_").map(|(at, _)| &text[at..]);
        rests.map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()).collect()
    }

    #[test]
    fn the_dashboard_asks_for_every_metric_and_for_no_other() {
        let text = std::fs::read_to_string(root().join("book/src/assets/grafana.json")).unwrap();
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        let mut asked = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                asked.extend(names(target["expr"].as_str().unwrap()));
            }
        }
        let told: BTreeSet<String> =
            METRICS.iter().map(|metric| format!("{}{}", metric.name, metric.suffix())).collect();
        assert_eq!(asked, told);
        let chosen = names(dashboard["templating"].to_string().as_str());
        assert!(chosen.is_subset(&told) && !chosen.is_empty(), "{chosen:?}");
    }
}

mod codes {
    use super::*;
    use plan::fault::catalogue;
    use plan::{About, Fault, Report};
    use redis_plan::report::diagnostics::{Style, human};

    const FOLDER: &str = "book/src/reference/codes";
    const FAMILIES: [(char, &str); 3] =
        [('P', "Faults of a plan file"), ('C', "Items of the precheck"), ('R', "How a run ends")];

    /// Reports on every case, the ones with the fewest problems first: the clearest example of a fault comes from there.
    fn cases() -> Vec<(String, Report)> {
        let mut cases: Vec<(String, Report)> = std::fs::read_dir(root().join("tests/data/plans/invalid"))
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                let look = |program: &str| match program {
                    program if program.contains("missing") => plan::ProgramPlace::Missing,
                    program if program.contains("not-executable") => plan::ProgramPlace::NotExecutable,
                    _ => plan::ProgramPlace::Ready,
                };
                (name, plan::judge("plan.yaml", &std::fs::read(&path).unwrap(), Some(&look)))
            })
            .collect();
        cases.sort_by_key(|(name, report)| (report.problems().len(), name.clone()));
        cases
    }

    /// What `plan validate` says to the first case with this fault; its last line counts and says nothing here.
    fn example(fault: &Fault, cases: &[(String, Report)]) -> Option<String> {
        let (_, report) = cases.iter().find(|(_, report)| report.problems().iter().any(|one| one.fault == fault))?;
        let one = report.problems().iter().find(|one| one.fault == fault)?.clone();
        let shown = human(&report.with(vec![one]), Style { width: 100, colour: false });
        let (shown, _) = shown.trim_end().rsplit_once('\n')?;
        Some(shown.lines().skip(2).map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned())
    }

    fn about(fault: &Fault) -> String {
        match fault.about {
            About::Plan(severity) => format!("*{severity}*"),
            About::Item(item) => format!("*check* `{item}`"),
            About::Ending(outcome) => format!("*exit code {}*", outcome.exit_code()),
        }
    }

    fn page(fault: &Fault, cases: &[(String, Report)]) -> String {
        let mut page = format!("# {}: {}\n\n{GENERATED}\n", fault.code, fault.title);
        writeln!(page, "{}. {}", about(fault), fault.explanation).unwrap();
        if let Some(example) = example(fault, cases) {
            write!(page, "\n## For example\n\n```text\n{example}\n```\n").unwrap();
        }
        writeln!(page, "\n[All codes](../codes.md)").unwrap();
        page
    }

    #[test]
    fn every_code_has_its_page() {
        let cases = cases();
        let mut expected = BTreeSet::new();
        for fault in catalogue::all() {
            let path = format!("{FOLDER}/{}.md", fault.code);
            std::fs::create_dir_all(root().join(FOLDER)).unwrap();
            expect_file(&path, &page(fault, &cases));
            expected.insert(format!("{}.md", fault.code));
        }
        let mut found: BTreeSet<String> = std::fs::read_dir(root().join(FOLDER))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        if updates() {
            found.difference(&expected).for_each(|gone| std::fs::remove_file(root().join(FOLDER).join(gone)).unwrap());
            found.retain(|name| expected.contains(name));
        }
        assert_eq!(found, expected, "a page without its code");
    }

    #[test]
    fn the_page_of_codes_is_the_catalogue() {
        let mut page = format!(
            "# Codes\n\n{GENERATED}\n`plan explain CODE` shows the text of each page. A code keeps its meaning; one that is no longer \
             found is not given to another.\n"
        );
        for (letter, title) in FAMILIES {
            write!(page, "\n## {title}\n\n| code | | |\n| --- | --- | --- |\n").unwrap();
            for fault in catalogue::all().filter(|fault| fault.code.starts_with(letter)) {
                writeln!(page, "| [{0}](codes/{0}.md) | {1} | {2} |", fault.code, about(fault), fault.title).unwrap();
            }
        }
        expect_file("book/src/reference/codes.md", &page);
    }

    /// The pages stand in the table of contents below the page that lists them.
    #[test]
    fn the_summary_lists_every_code() {
        let summary = std::fs::read_to_string(root().join("book/src/SUMMARY.md")).unwrap();
        let (before, rest) = summary.split_once("](reference/codes.md)\n").unwrap();
        let after = rest.split_inclusive('\n').skip_while(|line| line.starts_with("  - [")).collect::<String>();
        let mut codes = String::new();
        catalogue::all().for_each(|fault| writeln!(codes, "  - [{0}](reference/codes/{0}.md)", fault.code).unwrap());
        expect_file("book/src/SUMMARY.md", &format!("{before}](reference/codes.md)\n{codes}{after}"));
    }
}

mod keys {
    use super::*;

    /// Walks the schema and lists every key a plan can have, by its path.
    struct Keys<'a> {
        schema: &'a Value,
        rows: BTreeMap<String, (bool, String, String)>,
        order: Vec<String>,
    }

    impl<'a> Keys<'a> {
        fn resolve(&self, node: &'a Value) -> &'a Value {
            match node["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
                Some(pointer) => self.schema.pointer(pointer).unwrap(),
                None => node,
            }
        }

        /// `inside` are the definitions around: one that holds itself is listed once.
        fn walk(&mut self, node: &'a Value, path: &str, inside: &[&'a str], is_branch: bool) {
            let reference = node["$ref"].as_str();
            if reference.is_some_and(|reference| inside.contains(&reference)) {
                return;
            }
            let inside: Vec<&str> = inside.iter().copied().chain(reference).collect();
            let node = self.resolve(node);
            if let Some(properties) = node["properties"].as_object() {
                let required: Vec<&str> =
                    node["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                for (name, property) in properties {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    // A mapping of one key in a list of forms is one of them, not a demand.
                    let is_form = is_branch && properties.len() == 1;
                    self.row(&path, required.contains(&name.as_str()) && !is_form, property);
                    self.walk(property, &path, &inside, false);
                }
            }
            for branch in ["anyOf", "oneOf", "allOf"].iter().filter_map(|word| node[*word].as_array()).flatten() {
                self.walk(branch, path, &inside, true);
            }
            if node["items"].is_object() {
                self.walk(&node["items"], &format!("{path}[]"), &inside, false);
            }
        }

        fn row(&mut self, path: &str, required: bool, property: &'a Value) {
            if self.rows.contains_key(path) {
                return;
            }
            let own = property["description"].as_str();
            let description = own.or_else(|| self.resolve(property)["description"].as_str()).unwrap_or_default();
            let form = self.form(property, 0);
            self.order.push(path.to_owned());
            self.rows.insert(path.to_owned(), (required, form, description.to_owned()));
        }

        /// What a value looks like, in a few words.
        fn form(&self, node: &'a Value, depth: usize) -> String {
            let node = self.resolve(node);
            if let Some(value) = node.get("const") {
                return format!("`{}`", text(value));
            }
            if let Some(values) = node["enum"].as_array() {
                return join(values.iter().map(|value| format!("`{}`", text(value))));
            }
            let branches: Vec<&Value> =
                ["anyOf", "oneOf"].iter().filter_map(|word| node[*word].as_array()).flatten().collect();
            if !branches.is_empty() && depth < 4 {
                return join(branches.into_iter().map(|branch| self.form(branch, depth + 1)));
            }
            match node["type"].as_str() {
                Some("array") if node["items"].is_object() => {
                    format!("list of {}", self.form(&node["items"], depth + 1))
                }
                Some("array") => "list".to_owned(),
                Some("object") => match node["properties"].as_object() {
                    Some(properties)
                        if node["required"].as_array().is_some_and(|keys| keys.len() == 1 && properties.len() == 1) =>
                    {
                        let (name, value) = properties.iter().next().unwrap();
                        format!("{{{name}: {}}}", self.form(value, depth + 1))
                    }
                    _ => "mapping".to_owned(),
                },
                Some("string") => match (node["examples"][0].as_str(), node["format"].as_str()) {
                    (Some(example), _) => format!("text like `{example}`"),
                    (None, Some(format)) => format!("text ({format})"),
                    (None, None) => "text".to_owned(),
                },
                Some("integer") => "number".to_owned(),
                Some("boolean") => "`true` or `false`".to_owned(),
                other => other.unwrap_or("value").to_owned(),
            }
        }
    }

    fn text(value: &Value) -> String {
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    }

    fn join(parts: impl Iterator<Item = String>) -> String {
        let mut seen = vec![];
        parts.for_each(|part| {
            if !seen.contains(&part) {
                seen.push(part);
            }
        });
        seen.join(" or ")
    }

    #[test]
    fn the_page_of_keys_is_the_schema() {
        let schema = plan::schema_json();
        let mut keys = Keys { schema: &schema, rows: BTreeMap::new(), order: vec![] };
        keys.walk(&schema, "", &[], false);
        assert!(keys.rows.contains_key("source.expect.version"), "{:?}", keys.order);
        let mut page = format!(
            "# Keys of a plan file\n\n{GENERATED}\nFrom the JSON schema, which `plan schema` prints. **Bold** keys are required \
             where the mapping around them is given; `[]` stands for each element of a list. What this version does not \
             execute yet is refused with a [code](codes.md), P901 and following.\n\n| key | value | |\n| --- | --- | --- |\n"
        );
        for path in &keys.order {
            let (required, form, description) = &keys.rows[path];
            let name = if *required { format!("**`{path}`**") } else { format!("`{path}`") };
            let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
            writeln!(page, "| {name} | {} | {} |", cell(form), cell(description)).unwrap();
        }
        expect_file("book/src/reference/plan-keys.md", &page);
    }
}

mod invariants {
    use super::*;

    #[test]
    fn each_names_tests_that_are_there() {
        let page = std::fs::read_to_string(root().join("book/src/explanation/invariants.md")).unwrap();
        let named = |line: &str| -> Vec<String> {
            line.split('`').skip(1).step_by(2).filter(|word| word.contains("::")).map(str::to_owned).collect()
        };
        let mut attacks: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        let mut number = 0;
        for line in page.lines() {
            if let Some((digits, _)) = line.split_once(". **") {
                number = digits.parse().unwrap();
            }
            if number > 0 {
                attacks.entry(number).or_default().extend(named(line));
            }
        }
        assert!((1..=16).all(|number| attacks.contains_key(&number)), "{:?}", attacks.keys());
        for (number, tests) in &attacks {
            assert!(tests.len() > 1, "invariant {number}: {tests:?}");
        }
        for test in attacks.values().flatten() {
            assert!(threats::is_a_test(test), "there is no test `{test}`");
        }
    }
}

mod threats {
    use super::*;

    /// Where the tests of a module such as `canary`, `cli` or `net::secret` are.
    fn sources(module: &str) -> String {
        let path = module.replace("::", "/");
        let candidates = [
            format!("tests/it/{path}.rs"),
            format!("tests/it/{path}/mod.rs"),
            format!("tests/{path}.rs"),
            format!("src/{path}.rs"),
            format!("src/{path}/mod.rs"),
            format!("src/{path}/tests.rs"),
        ];
        candidates.iter().filter_map(|file| std::fs::read_to_string(root().join(file)).ok()).collect()
    }

    pub(super) fn is_a_test(name: &str) -> bool {
        let (module, name) = name.rsplit_once("::").unwrap();
        let lines: Vec<String> = sources(module).lines().map(|line| line.trim().to_owned()).collect();
        let declared = format!("fn {name}() {{");
        let mut is_marked = false;
        lines.iter().any(|line| {
            is_marked = line == "#[test]" || is_marked && (line.starts_with("#[") || *line == declared);
            is_marked && *line == declared
        })
    }

    #[test]
    fn each_promise_names_tests_that_are_there() {
        let page = std::fs::read_to_string(root().join("book/src/explanation/threat-model.md")).unwrap();
        let (_, tables) = page.split_once("\n## What is promised\n").unwrap();
        let (tables, _) = tables.split_once("\n## ").unwrap();
        let rows = tables.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise |"));
        let mut count = 0;
        for row in rows.filter(|row| !row.starts_with("| ---")) {
            let (promise, attacks) = row.trim_matches(['|', ' ']).rsplit_once(" | ").unwrap();
            let tests: Vec<&str> = attacks.split('`').skip(1).step_by(2).collect();
            assert!(!tests.is_empty(), "no test attacks: {promise}");
            for test in tests {
                assert!(is_a_test(test), "there is no test `{test}`: {promise}");
            }
            count += 1;
        }
        assert!(count > 10, "{count} promises");
    }

    #[test]
    fn a_name_that_is_no_test_is_noticed() {
        assert!(is_a_test("docs::each_promise_names_tests_that_are_there"));
        assert!(
            !is_a_test("docs::is_a_test") && !is_a_test("docs::no_such_test") && !is_a_test("nowhere::no_such_test")
        );
    }
}

mod events {
    use super::*;

    /// The events and their fields, from the text of their type.
    fn declared() -> BTreeMap<String, BTreeSet<String>> {
        let text = std::fs::read_to_string(root().join("src/step/event.rs")).unwrap();
        let (_, text) = text.split_once("pub enum Event {\n").unwrap();
        let (text, _) = text.split_once("\n}").unwrap();
        let mut events: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut name = String::new();
        for line in text.lines().filter(|line| !line.trim_start().starts_with(['/', '#'])) {
            if let Some(variant) = line.strip_prefix("    ").and_then(|line| line.strip_suffix(" {")) {
                name = snake(variant);
                events.insert(name.clone(), BTreeSet::new());
            } else if let Some((field, _)) = line.strip_prefix("        ").and_then(|line| line.split_once(": ")) {
                events.get_mut(&name).unwrap().insert(field.to_owned());
            }
        }
        events
    }

    fn snake(name: &str) -> String {
        let mut snake = String::new();
        for letter in name.chars() {
            if letter.is_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
        }
        snake
    }

    /// The page is written by hand; what it lists is not left to that hand.
    #[test]
    fn the_page_of_events_lists_each_with_its_fields() {
        let page = std::fs::read_to_string(root().join("book/src/reference/events.md")).unwrap();
        let rows = page.lines().filter(|line| line.starts_with("| `")).map(|line| {
            let mut cells = line.split('|').skip(1).map(str::trim);
            let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<String>>();
            let name = quoted(cells.next().unwrap()).remove(0);
            // Behind the colon stands what is within a field.
            let with = cells.next().unwrap();
            (name, quoted(with.split_once(':').map_or(with, |(field, _)| field)).into_iter().collect::<BTreeSet<_>>())
        });
        let listed: BTreeMap<String, BTreeSet<String>> = rows.filter(|(name, _)| name != "event").collect();
        assert!(listed.len() > 20, "{listed:?}");
        assert_eq!(listed, declared());
    }
}

mod exit_codes {
    use super::*;

    #[test]
    fn the_page_of_exit_codes_has_those_of_the_help_and_of_the_endings() {
        let page = std::fs::read_to_string(root().join("book/src/reference/exit-codes.md")).unwrap();
        let numbers = |text: &str| -> Vec<u8> { text.split(',').filter_map(|word| word.trim().parse().ok()).collect() };
        let listed: BTreeSet<u8> = page.lines().filter_map(|line| line.split('|').nth(1)).flat_map(numbers).collect();
        let help = redis_plan::cli::command().get_after_help().unwrap().to_string();
        let words = help.split([' ', ',', '\n']).filter_map(|word| word.parse::<u8>().ok());
        // "as 75" is no code of its own, and it is one anyway.
        assert_eq!(listed, words.collect());
        for fault in plan::fault::catalogue::all() {
            if let plan::About::Ending(outcome) = fault.about {
                assert!(listed.contains(&outcome.exit_code()), "{}: {}", fault.code, outcome.exit_code());
            }
        }
    }
}

mod contributing {
    use super::*;

    /// What stands between backticks in a text.
    fn quoted(text: &str) -> impl Iterator<Item = &str> {
        text.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2))
    }

    /// Whether a quoted word names a file or a folder of this repository.
    fn is_path(word: &str) -> bool {
        let begins = ["src/", "tests/", "book/", "plans/", "schemas/", "fuzz/", "benches/", ".ci/", ".github/"];
        let is_one = word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c)) && !word.contains("NAME");
        is_one && begins.iter().any(|begin| word.starts_with(begin))
    }

    #[test]
    fn every_path_it_names_is_there() {
        let document = std::fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
        let paths: BTreeSet<&str> = quoted(&document).filter(|word| is_path(word)).collect();
        assert!(paths.len() > 40, "{paths:?}");
        let missing: Vec<&&str> = paths.iter().filter(|path| !root().join(path).exists()).collect();
        assert!(missing.is_empty(), "CONTRIBUTING.md names what is not there: {missing:?}");
        assert!(is_path("src/no/such_file.rs") && !is_path("src/cli/NAME.rs") && !is_path("bash tests/run"));
    }

    /// What changes are built with is the oldest Rust that is promised, so a newer language feature fails there.
    #[test]
    fn the_workflows_use_the_rust_version_of_the_package() {
        let text = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
        let package = text("Cargo.toml");
        let promised = package.split_once("\nrust-version = \"").unwrap().1.split('"').next().unwrap();
        for path in [".github/workflows/ci.yml", ".github/workflows/release.yml"] {
            let workflow = text(path);
            let installs: Vec<&str> =
                workflow.lines().filter(|line| line.contains("rustup toolchain install")).collect();
            assert!(!installs.is_empty(), "{path} installs no Rust");
            for line in installs {
                let named = format!("install {promised} ");
                assert!(
                    line.contains(&named) && line.ends_with(&format!("rustup default {promised}")),
                    "{path}: {line}"
                );
            }
        }
        for path in ["README.md", "CONTRIBUTING.md", "book/src/how-to/install.md"] {
            assert!(text(path).contains(&format!("Rust {promised}")), "{path} names another Rust than {promised}");
        }
    }
}

mod cases {
    use super::*;

    #[test]
    fn each_has_a_row_that_names_tests_that_are_there() {
        let page = std::fs::read_to_string(root().join("tests/cases.md")).unwrap();
        let mut rows = BTreeMap::new();
        for line in page.lines().filter(|line| line.starts_with("| ")) {
            let (row, tests) = line.trim_matches(['|', ' ']).rsplit_once(" | ").unwrap();
            let (number, input) = row.split_once(" | ").unwrap();
            if number.ends_with(|end: char| end.is_ascii_digit()) {
                let tests: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
                assert!(!tests.is_empty(), "no test has the input of {number}: {input}");
                for test in tests {
                    assert!(threats::is_a_test(test), "there is no test `{test}`, which {number} names");
                }
                assert!(rows.insert(number.to_owned(), input).is_none(), "{number} has two rows");
            }
        }
        let numbers = [("E", 9), ("F", 9), ("G", 12), ("H", 16), ("R", 11)];
        let all = numbers.into_iter().flat_map(|(class, last)| (1..=last).map(move |row| format!("{class}{row}")));
        for number in all {
            assert!(rows.remove(&number).is_some(), "{number} has no row");
        }
        assert!(rows.is_empty(), "{rows:?}");
    }
}
