//! One operation as it is tried, and the language its commands are written in.

use std::time::{SystemTime, UNIX_EPOCH};

use redis_plan::unit::ServerVersion;
use sha1::{Digest, Sha1};

use super::known::Known;
use crate::{
    cmd,
    harness::{Client, Command},
};

/// Major and minor version.
pub type Since = (u16, u16);
/// No version of this family has it.
pub const NEVER: Since = (u16::MAX, 0);

/// One operation, in one of its forms.
///
/// Commands are lines of words: `@` is the case's own prefix, `"…"` keeps spaces, `\xNN`, `\n` and `\r` are bytes.
/// `{ms+N}` and `{s+N}` are moments from now, `{dump KEY}` is what DUMP says, `{functions}` what FUNCTION DUMP says,
/// `{sha BODY}` the name of a script. A line that begins with `!` must fail at the source.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The command, with its subcommand where it has some.
    pub operation: &'static str,
    /// Which of its forms.
    pub form: &'static str,
    /// Before the run, so that the dump carries it.
    pub setup: &'static [&'static str],
    /// What another client waits with before `during` is said.
    pub blocked: Option<&'static str>,
    /// While the source is followed.
    pub during: &'static [&'static str],
    redis: Since,
    valkey: Since,
    /// Why nothing can be seen to change in the case's keys.
    pub unseen: Option<&'static str>,
    /// What the run must report although both sides end equal, for sources before this version.
    pub reported: Option<(Since, &'static str)>,
    /// What sources do not tell their replicas either.
    pub untold: Option<Untold>,
}

/// Something that a replica of the source would not have either: the stream does not say it.
#[derive(Clone, Copy, Debug)]
pub struct Untold {
    /// Redis versions from the first to before the second.
    pub sources: (Since, Since),
    /// What the comparison says.
    pub differs: &'static str,
    /// How the book calls it.
    pub words: &'static str,
}

impl Untold {
    /// Whether a difference, or what the run says of one, is of it.
    pub fn is_all_of(&self, line: &str) -> bool {
        (line.starts_with("differs") || line.starts_with("reported")) && line.contains(self.differs)
    }

    /// Whether a source does not tell it.
    pub fn is_of(&self, source: ServerVersion) -> bool {
        source.has(self.sources.0, NEVER) && !source.has(self.sources.1, NEVER)
    }
}

/// A form of an operation that every server with the command has.
pub const fn case(operation: &'static str, setup: &'static [&'static str], during: &'static [&'static str]) -> Case {
    Case {
        operation,
        form: "",
        setup,
        blocked: None,
        during,
        redis: (0, 0),
        valkey: (0, 0),
        unseen: None,
        reported: None,
        untold: None,
    }
}

impl Case {
    pub const fn form(self, form: &'static str) -> Self {
        Self { form, ..self }
    }

    /// Since which Redis; every Valkey has it.
    pub const fn since(self, redis: Since) -> Self {
        Self { redis, ..self }
    }

    /// Since which Redis and which Valkey.
    pub const fn of(self, redis: Since, valkey: Since) -> Self {
        Self { redis, valkey, ..self }
    }

    pub const fn blocked(self, command: &'static str) -> Self {
        Self { form: "blocked", blocked: Some(command), ..self }
    }

    pub const fn reported_up_to(self, before: Since, what: &'static str) -> Self {
        Self { reported: Some((before, what)), ..self }
    }

    pub const fn untold(self, sources: (Since, Since), differs: &'static str, words: &'static str) -> Self {
        Self { untold: Some(Untold { sources, differs, words }), ..self }
    }

    pub const fn unseen(self, why: &'static str) -> Self {
        Self { unseen: Some(why), ..self }
    }

    /// Whether a server can be asked to do this.
    pub fn is_for(&self, known: &Known) -> bool {
        known.has(self.operation) && known.version.has(self.redis, self.valkey)
    }

    /// What names it in its keys.
    pub fn id(&self) -> String {
        let form = if self.form.is_empty() { String::new() } else { format!(".{}", self.form) };
        format!("{}{form}", self.operation).replace(' ', "_")
    }

    /// How its keys begin.
    pub fn prefix(&self) -> String {
        format!("op/{}/", self.id())
    }

    /// Says these lines, in database 0 at first.
    pub fn say(&self, lines: &[&str], client: &mut Client) {
        client.select(0);
        for line in lines {
            let (line, fails) = line.strip_prefix('!').map_or((*line, false), |line| (line, true));
            let command = self.command(line, client);
            let reply = client.reply(&command);
            assert_eq!(reply.is_error(), fails, "{}: {line}: {reply:?}", self.id());
        }
    }

    /// A line as a command.
    pub fn command(&self, line: &str, client: &mut Client) -> Command {
        words(&line.replace('@', &self.prefix())).into_iter().map(|word| filled(word, client)).collect()
    }
}

/// Splits a line.
fn words(line: &str) -> Vec<Vec<u8>> {
    let (mut all, mut word, mut quoted, mut begun) = (vec![], vec![], false, false);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        begun |= letter != ' ';
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => {
                if std::mem::take(&mut begun) {
                    all.push(std::mem::take(&mut word));
                }
            }
            '\\' => match letters.next().unwrap() {
                'n' => word.push(b'\n'),
                'r' => word.push(b'\r'),
                'x' => {
                    let digits: String = letters.by_ref().take(2).collect();
                    word.push(u8::from_str_radix(&digits, 16).unwrap());
                }
                other => panic!("\\{other} in {line}"),
            },
            letter => word.extend(letter.to_string().bytes()),
        }
    }
    if begun {
        all.push(word);
    }
    all
}

/// A word with what its braces stand for.
fn filled(word: Vec<u8>, client: &mut Client) -> Vec<u8> {
    let text = String::from_utf8_lossy(&word).into_owned();
    let Some(inside) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else { return word };
    let (name, rest) = inside.split_once(['+', ' ']).unwrap_or((inside, ""));
    match name {
        "ms" => (now() + rest.parse::<u128>().unwrap()).to_string().into_bytes(),
        "s" => (now() / 1000 + rest.parse::<u128>().unwrap()).to_string().into_bytes(),
        "dump" => client.command(&cmd!["DUMP", rest]).bytes().to_vec(),
        "functions" => client.command(&cmd!["FUNCTION", "DUMP"]).bytes().to_vec(),
        "sha" => sha(rest),
        _ => word,
    }
}

/// Unix milliseconds.
fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

/// The name of a script.
pub fn sha(body: &str) -> Vec<u8> {
    Sha1::digest(body).iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}
