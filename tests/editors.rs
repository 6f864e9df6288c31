//! What an editor shows of a plan: the real YAML language server reads the checked-in schema, completes, explains and judges.
//! `tests/servers/language-server/install` puts it where this looks for it; without it these tests fail.

#![expect(clippy::unwrap_used, reason = "a test ends where its world is not as expected")]

use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// How long the server may take for one answer; a machine under load is slow, a server that hangs is slower.
const PATIENCE: Duration = Duration::from_mins(1);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the installer puts the server.
fn program() -> PathBuf {
    let cache = || {
        let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache");
        std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("redis-plan/language-server")
    };
    let folder = std::env::var_os("REDIS_PLAN_LANGUAGE_SERVER").map_or_else(cache, PathBuf::from);
    let program = folder.join("node_modules/yaml-language-server/bin/yaml-language-server");
    assert!(program.exists(), "no language server in {}: bash tests/servers/language-server/install", folder.display());
    program
}

/// A language server with an editor's side of the conversation.
struct Editor {
    server: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    asked: u64,
}

impl Editor {
    fn start() -> Self {
        let mut server = Command::new("node")
            .arg(program())
            .arg("--stdio")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let input = server.stdin.take().unwrap();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut editor = Self { server, input, messages, asked: 0 };
        editor.ask(
            "initialize",
            &json!({ "processId": std::process::id(), "rootUri": uri(root()), "capabilities": {
                "textDocument": {
                    "completion": { "completionItem": { "documentationFormat": ["markdown"] } },
                    "hover": { "contentFormat": ["markdown"] },
                    "publishDiagnostics": {},
                },
            } }),
        );
        editor.tell("initialized", &json!({}));
        let settings = json!({ "yaml": {
            "validate": true, "hover": true, "completion": true, "schemaStore": { "enable": false },
        } });
        editor.tell("workspace/didChangeConfiguration", &json!({ "settings": settings }));
        editor
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.input.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        self.wait(method, |message| message["id"] == id && message.get("method").is_none())["result"].clone()
    }

    /// The first message that fits; the server's own questions are answered with nothing.
    fn wait(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.messages.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{what}: {error}"));
            if fits(&message) {
                return message;
            }
            if message.get("method").is_some() && message.get("id").is_some() {
                self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": null }));
            }
        }
    }

    /// Opens a text as a file of the folder `plans`; answers its address.
    fn open(&mut self, name: &str, text: &str) -> String {
        let uri = uri(&root().join("plans").join(name));
        let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.tell("textDocument/didOpen", &json!({ "textDocument": document }));
        uri
    }

    /// What the server has to say about an open text: line and message of each diagnostic.
    fn diagnostics(&mut self, uri: &str) -> Vec<(u64, String)> {
        let published = self.wait(uri, |message| {
            message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == uri
        });
        let found = published["params"]["diagnostics"].as_array().unwrap();
        found
            .iter()
            .map(|one| (one["range"]["start"]["line"].as_u64().unwrap(), one["message"].as_str().unwrap().to_owned()))
            .collect()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        _ = self.server.kill();
        _ = self.server.wait();
    }
}

/// The next message of the server; `None` when it ended.
fn read(output: &mut impl std::io::BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            header => {
                if let Some(value) = header.strip_prefix("Content-Length: ") {
                    length = value.parse().ok()?;
                }
            }
        }
    }
    let mut text = vec![0; length];
    output.read_exact(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn sample(name: &str) -> String {
    std::fs::read_to_string(root().join("plans").join(name)).unwrap()
}

#[test]
fn every_sample_plan_is_without_a_mark() {
    let mut editor = Editor::start();
    let mut names: Vec<String> = std::fs::read_dir(root().join("plans"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        let uri = editor.open(&name, &sample(&name));
        assert_eq!(editor.diagnostics(&uri), [], "{name}");
    }
}

#[test]
fn mistakes_are_marked_on_their_lines() {
    let mut editor = Editor::start();
    let minimal = sample("minimal.yaml");
    let line = |text: &str, part: &str| text.lines().position(|line| line.contains(part)).unwrap() as u64;
    for (name, text, part, says) in [
        ("unknown_key", format!("{minimal}limit: {{}}\n"), "limit:", "limit is not allowed"),
        ("wrong_word", format!("{minimal}on_conflict: overwrite\n"), "on_conflict", "\"skip\""),
        ("wrong_type", format!("{minimal}limits: {{ connections: many }}\n"), "connections", "\"integer\""),
        ("missing_key", minimal.replace("name: sessions\n", ""), "version: 1", "\"name\""),
    ] {
        let uri = editor.open(&format!("{name}.yaml"), &text);
        let found = editor.diagnostics(&uri);
        let marked = found.iter().any(|(at, message)| *at == line(&text, part) && message.contains(says));
        assert!(found.len() == 1 && marked, "{name}: {found:?}");
    }
}

#[test]
fn keys_and_words_are_completed_with_what_they_mean() {
    let mut editor = Editor::start();
    let mut complete = |name: &str, text: &str| {
        let uri = editor.open(name, text);
        let last = text.lines().last().unwrap();
        let position = json!({ "line": text.lines().count() - 1, "character": last.len() });
        let answer =
            editor.ask("textDocument/completion", &json!({ "textDocument": { "uri": uri }, "position": position }));
        answer["items"].as_array().or(answer.as_array()).cloned().unwrap_or_default()
    };
    let documented = |items: &[Value], label: &str| {
        let item = items.iter().find(|item| item["label"] == label);
        let item = item.unwrap_or_else(|| panic!("no {label} in {items:#?}"));
        let text = item["documentation"]["value"].as_str().or(item["documentation"].as_str());
        text.unwrap_or_default().to_owned()
    };
    let without = sample("minimal.yaml").replace("migration: [full]\n", "");
    let items = complete("key.yaml", &format!("{without}mig"));
    assert!(documented(&items, "migration").contains("The phases, in order"), "{items:#?}");
    let items = complete("word.yaml", &format!("{}on_conflict: ", sample("minimal.yaml")));
    for word in ["fail", "skip", "replace"] {
        assert!(documented(&items, word).len() > 10, "`{word}` is not explained: {items:#?}");
    }
}

#[test]
fn a_key_is_explained_where_it_stands() {
    let mut editor = Editor::start();
    let text = sample("full-incremental.yaml");
    let uri = editor.open("hover.yaml", &text);
    let mut hover = |key: &str, says: &str| {
        let line = text.lines().position(|line| line.trim_start_matches([' ', '-']).starts_with(key)).unwrap();
        let column = text.lines().nth(line).unwrap().find(key).unwrap() + 1;
        let position = json!({ "line": line, "character": column });
        let answer = editor.ask("textDocument/hover", &json!({ "textDocument": { "uri": uri }, "position": position }));
        let shown = answer["contents"]["value"].as_str().unwrap_or_else(|| panic!("{key}: {answer}"));
        assert!(shown.contains(says), "{key}: {shown}");
    };
    hover("stop", "When the incremental phase may end");
    hover("deadline", "What happens when none of it comes true");
    hover("migration", "The phases, in order");
}
