//! One term for one thing: no text that a user reads has a phrase that the book's glossary gives a better one for. The list is the
//! table in `book/src/reference/glossary.md`, so that a writer and this test read the same.

#![expect(clippy::unwrap_used, reason = "a test ends where its world is not as expected")]

use std::path::{Path, PathBuf};

const GLOSSARY: &str = "book/src/reference/glossary.md";
const HEADING: &str = "\n## What not to write\n";

/// How many words `…` stands for at most.
const BETWEEN: usize = 3;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A phrase that is not to be written, and what is written instead.
struct Banned {
    /// In lower case; `…` for up to [`BETWEEN`] words.
    words: Vec<String>,
    better: String,
}

/// The rows of the glossary's table `do not write | write`; the phrases of a row are divided by commas.
fn banned(glossary: &str) -> Vec<Banned> {
    let (_, table) = glossary.split_once(HEADING).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")).skip(1);
    let cells = rows.map(|row| row.trim_matches(['|', ' ']).split_once(" | ").unwrap());
    cells
        .flat_map(|(phrases, better)| {
            phrases.split(", ").map(|phrase| Banned {
                words: phrase.to_lowercase().split(' ').map(str::to_owned).collect(),
                better: better.to_owned(),
            })
        })
        .collect()
}

/// A word, the byte at which it begins, and whether only space and marks of emphasis stand between the one before and it.
struct Word {
    text: String,
    at: usize,
    follows: bool,
}

fn words(text: &str) -> Vec<Word> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '\'' | '-');
    let mut words: Vec<Word> = vec![];
    let (mut inside, mut follows) = (false, true);
    for (at, c) in text.char_indices() {
        if is_part(c) {
            if !inside {
                words.push(Word { text: String::new(), at, follows });
            }
            words.last_mut().unwrap().text.extend(c.to_lowercase());
            follows = true;
        } else {
            follows &= c.is_whitespace() || matches!(c, '*' | '`' | '[' | '{' | '}');
        }
        inside = is_part(c);
    }
    words
}

/// Whether the phrase begins with the first of these words.
fn begins(words: &[Word], phrase: &[String]) -> bool {
    match phrase.split_first() {
        None => true,
        Some((first, rest)) if first == "…" => (0..=BETWEEN).any(|skipped| {
            let (between, next) = words.split_at(skipped.min(words.len()));
            between.iter().chain(next.first()).all(|word| word.follows) && begins(next, rest)
        }),
        Some((first, rest)) => words.split_first().is_some_and(|(word, words)| {
            let continues = rest.is_empty() || rest[0] == "…" || words.first().is_some_and(|word| word.follows);
            word.text == *first && continues && begins(words, rest)
        }),
    }
}

/// What a text has of what is banned: line, phrase and the better one.
fn found(text: &str, banned: &[Banned]) -> Vec<(usize, String)> {
    let words = words(text);
    let mut found = vec![];
    for (index, word) in words.iter().enumerate() {
        for phrase in banned.iter().filter(|phrase| begins(&words[index..], &phrase.words)) {
            let line = text[..word.at].matches('\n').count() + 1;
            found.push((line, format!("`{}`: write {}", phrase.words.join(" "), phrase.better)));
        }
    }
    found
}

/// The source with everything but the contents of its strings replaced by blanks, line by line; its unit tests, comments and the
/// reasons of attributes are no texts for users.
fn strings(source: &str) -> String {
    let code = source.split("\n#[cfg(test)]\n").next().unwrap();
    let letters: Vec<char> = code.chars().collect();
    let mut kept = String::new();
    let mut at = 0;
    let blank = |c: char| if c == '\n' { '\n' } else { '\u{1}' };
    while at < letters.len() {
        let rest = &letters[at..];
        let length = match rest {
            ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['\'', '\\', ..] => 2 + rest[2..].iter().skip(1).position(|c| *c == '\'').unwrap() + 2,
            ['\'', _, '\'', ..] => 3,
            ['r', '"' | '#', ..] if raw_hashes(rest).is_some() && !is_name(letters[..at].last()) => {
                let hashes = raw_hashes(rest).unwrap();
                let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                let begin = hashes + 2;
                let inner = rest[begin..].windows(end.len()).position(|window| window == end).unwrap();
                kept.extend((0..begin).map(|_| '\u{1}'));
                kept.extend(&rest[begin..begin + inner]);
                kept.extend(end.iter().map(|_| '\u{1}'));
                at += begin + inner + end.len();
                continue;
            }
            ['"', ..] => {
                let is_reason = code_before(&letters[..at]).ends_with("reason=");
                let text = string(&rest[1..]);
                kept.push('\u{1}');
                kept.extend(text.iter().map(|c| if is_reason { blank(*c) } else { *c }));
                kept.push('\u{1}');
                at += text.len() + 2;
                continue;
            }
            _ => 1,
        };
        kept.extend(rest[..length].iter().map(|c| blank(*c)));
        at += length;
    }
    // A line that ends in `\` continues without the space that the next one begins with, and an escape is no letter of a word.
    kept.replace("\\n", "\u{1} ").replace('\\', " ")
}

fn is_name(before: Option<&char>) -> bool {
    before.is_some_and(|c| c.is_alphanumeric() || *c == '_')
}

/// The last letters before a place, without space.
fn code_before(letters: &[char]) -> String {
    letters[letters.len().saturating_sub(20)..].iter().filter(|c| !c.is_whitespace()).collect()
}

/// How many `#` a raw string begins with, if it is one.
fn raw_hashes(rest: &[char]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    (rest.get(hashes + 1) == Some(&'"')).then_some(hashes)
}

/// The contents of a string that begins here.
fn string(rest: &[char]) -> Vec<char> {
    let mut at = 0;
    while rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    rest[..at].to_vec()
}

fn files(folder: &Path, extensions: &[&str], into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extensions, into);
        } else if path.extension().is_some_and(|extension| extensions.contains(&extension.to_str().unwrap())) {
            into.push(path);
        }
    }
    into.sort();
}

/// Every banned phrase in these files, by what is read of each.
fn judge(paths: &[PathBuf], read: impl Fn(&Path, String) -> String) -> Vec<String> {
    let banned = banned(&std::fs::read_to_string(root().join(GLOSSARY)).unwrap());
    assert!(banned.len() > 20, "the glossary has {} phrases", banned.len());
    let mut wrong = vec![];
    for path in paths {
        let text = read(path, std::fs::read_to_string(path).unwrap());
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        wrong.extend(found(&text, &banned).into_iter().map(|(line, what)| format!("{name}:{line}: {what}")));
    }
    wrong
}

#[test]
fn the_documents_have_no_phrase_that_the_glossary_bans() {
    let mut paths = vec![];
    files(&root().join("book/src"), &["md", "svg"], &mut paths);
    files(&root().join(".github"), &["md", "yml"], &mut paths);
    files(&root().join("plans"), &["yaml"], &mut paths);
    files(&root().join("schemas"), &["json"], &mut paths);
    for name in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", ".pre-commit-hooks.yaml"] {
        paths.push(root().join(name));
    }
    let wrong =
        judge(
            &paths,
            |path, text| {
                if path.ends_with(GLOSSARY) { text.split(HEADING).next().unwrap().to_owned() } else { text }
            },
        );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_messages_have_no_phrase_that_the_glossary_bans() {
    let mut paths = vec![];
    files(&root().join("src"), &["rs"], &mut paths);
    paths.retain(|path| !path.ends_with("tests.rs"));
    assert!(paths.len() > 300, "{} files", paths.len());
    let wrong = judge(&paths, |_, text| strings(&text));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn phrases_are_found_over_lines_and_in_strings_alone() {
    let glossary = format!(
        "{HEADING}\n| do not write | write |\n| --- | --- |\n| go on, goes on | continue |\n| keep … off | block |\n"
    );
    let banned = banned(&glossary);
    let lines = |text: &str| found(text, &banned).into_iter().map(|(line, _)| line).collect::<Vec<_>>();
    assert_eq!(lines("It goes\non. It goes, on."), [1]);
    assert_eq!(lines("a\nkeep all the writers off, keep them. Off\nkeep off: 1. b"), [2, 3]);
    assert!(lines("it undergoes one").is_empty());
    let source = "// goes on\nlet a = \"it \\\n    goes on\"; let b = '\"'; let goes = on; /* */\n#[expect(x, reason = \"goes on\")]\nlet c = r#\"goes \"on\" goes on\"#;\n#[cfg(test)]\n\"goes on\"";
    assert_eq!(lines(&strings(source)), [3, 5]);
}
