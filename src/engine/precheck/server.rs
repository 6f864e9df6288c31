//! What a server tells of itself.

use std::{collections::BTreeMap, time::Duration};

use redis::{Value, cmd, pipe};

use crate::{
    command::Info,
    engine::servers,
    net::{Access, Control, ControlError},
    step::Side,
    unit::ServerVersion,
};

/// One side, asked.
pub(super) struct CheckedServer {
    pub(super) side: Side,
    pub(super) access: Access,
    pub(super) info: Info,
    pub(super) settings: ServerSettings,
    /// Its commands in lower case, and whether each writes; `None` where it does not tell.
    pub(super) commands: Option<BTreeMap<String, bool>>,
    /// How often it has carried out which command (`INFO commandstats`).
    pub(super) calls: Info,
    /// Names of loaded modules; `None` where it does not tell.
    pub(super) modules: Option<Vec<String>>,
    /// Names of function libraries; `None` where it has none of the kind or does not tell.
    pub(super) functions: Option<Vec<String>>,
    /// Names of search indexes, where the module that has them is loaded; `None` where it does not tell.
    pub(super) indexes: Option<Vec<String>>,
    /// The user we are, where it knows users and tells.
    pub(super) user: Option<String>,
    /// Our address as it sees it.
    pub(super) sees_us_at: Option<String>,
    /// Half of the questions were answered within this time.
    pub(super) latency: Duration,
    /// Its clock minus ours in milliseconds; `None` where it does not tell.
    pub(super) clock_ahead: Option<i64>,
}

/// Its settings, as far as it shows them.
#[derive(Default)]
pub(super) struct ServerSettings {
    values: BTreeMap<String, String>,
    /// Why it shows none.
    pub(super) refused: Option<String>,
}

/// What the module of search indexes calls itself.
const SEARCH: [&str; 2] = ["search", "ft"];

/// What is asked for with `CONFIG GET`: names that every version takes, newer ones as aliases.
const SETTINGS: [&str; 19] = [
    "appendonly",
    "client-output-buffer-limit",
    "client-query-buffer-limit",
    "lua-replicate-commands",
    "maxclients",
    "maxmemory",
    "maxmemory-policy",
    "min-slaves-to-write",
    "proto-max-bulk-len",
    "rdbcompression",
    "repl-backlog-size",
    "repl-diskless-sync",
    "repl-diskless-sync-delay",
    "repl-ping-slave-period",
    "repl-timeout",
    "save",
    "slave-read-only",
    "stop-writes-on-bgsave-error",
    "timeout",
];

impl CheckedServer {
    /// Connects, signs in and asks.
    pub(super) async fn ask(side: Side, access: &Access) -> Result<(Control, Self), ControlError> {
        let mut control = access.control().await?;
        let latency = servers::round_trip(&mut control).await?;
        let info = servers::info(&mut control).await?;
        let calls = heard(control.info(Some("commandstats")).await)?.map(|text| Info::parse(&text)).unwrap_or_default();
        let clock_ahead = heard(servers::clock_ahead(&mut control).await)?;
        let mut questions = pipe();
        for setting in SETTINGS {
            questions.cmd("CONFIG").arg("GET").arg(setting);
        }
        questions.cmd("COMMAND").cmd("MODULE").arg("LIST").cmd("FUNCTION").arg("LIST").cmd("ACL").arg("WHOAMI");
        questions.cmd("COMMAND").arg("INFO");
        for command in RENAMED {
            questions.arg(command);
        }
        let mut answers = control.pipeline(&questions).await?.into_iter();
        let settings = ServerSettings::of(answers.by_ref().take(SETTINGS.len()).collect());
        let [commands, modules, functions, user, renamed] =
            std::array::from_fn(|_| answers.next().unwrap_or(Value::Nil));
        let modules = servers::names_of(modules, "name");
        let server = Self {
            side,
            access: access.clone(),
            info,
            settings,
            calls,
            commands: commands_of(commands).map(|commands| without_renamed(commands, renamed)),
            indexes: search_indexes(&mut control, modules.as_deref().unwrap_or_default()).await?,
            modules,
            functions: servers::names_of(functions, "library_name"),
            user: servers::text(&user),
            sees_us_at: own_address(&mut control).await?,
            latency,
            clock_ahead,
        };
        Ok((control, server))
    }

    /// A side that said nothing.
    #[cfg(test)]
    pub(super) fn unasked(side: Side, access: Access) -> Self {
        Self {
            side,
            access,
            info: Info::default(),
            settings: ServerSettings::default(),
            commands: None,
            calls: Info::default(),
            modules: None,
            functions: None,
            indexes: None,
            user: None,
            sees_us_at: None,
            latency: Duration::ZERO,
            clock_ahead: None,
        }
    }

    /// Its version; one that hides it is taken for the oldest that can be.
    pub(super) fn version(&self) -> ServerVersion {
        servers::version_of(&self.info)
    }

    /// The user of the plan, or the one that everybody is.
    pub(super) fn user(&self) -> &str {
        self.user.as_deref().or(self.access.username.as_deref()).unwrap_or("default")
    }

    /// Whether it is known not to have this command (lower case).
    pub(super) fn lacks(&self, command: &str) -> bool {
        self.commands.as_ref().is_some_and(|commands| !commands.contains_key(command))
    }

    /// How often it has carried out a command (lower case) since its start.
    pub(super) fn called(&self, command: &str) -> u64 {
        let line = self.calls.get(&format!("cmdstat_{command}"));
        let calls = line.and_then(|line| line.strip_prefix("calls=")?.split(',').next()?.parse().ok());
        calls.unwrap_or(0)
    }

    /// The plan's key for who we are there.
    pub(super) fn user_place(&self) -> String {
        let key = if self.access.username.is_some() { "username" } else { "url" };
        format!("{}.{key}", self.side)
    }

    /// The memory limit and what happens at it: from INFO, or from the settings before Redis 3.2.
    pub(super) fn maxmemory(&self) -> Option<crate::unit::ByteSize> {
        self.info.maxmemory().or_else(|| self.settings.number("maxmemory").map(crate::unit::ByteSize))
    }

    /// See [`Self::maxmemory`].
    pub(super) fn eviction(&self) -> Option<&str> {
        self.info.maxmemory_policy().or_else(|| self.settings.get("maxmemory-policy"))
    }
}

impl ServerSettings {
    /// The answers to `CONFIG GET`, one for each of [`SETTINGS`].
    fn of(answers: Vec<Value>) -> Self {
        let mut settings = Self::default();
        for answer in answers {
            match answer {
                Value::Array(pair) => {
                    if let [name, value] = pair.as_slice()
                        && let (Some(name), Some(value)) = (servers::text(name), servers::text(value))
                    {
                        settings.values.insert(name, value);
                    }
                }
                Value::ServerError(error) => {
                    settings.refused = Some(format!("{} {}", error.code(), error.details().unwrap_or_default()));
                }
                _ => {}
            }
        }
        settings
    }

    /// As it is set; `None` where it has no such setting or does not show it.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A setting that is a number of bytes, seconds or things.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// The three numbers of the output-buffer limit of replicas: hard, soft, and the seconds that soft may last.
    pub(super) fn replica_output(&self) -> Option<[u64; 3]> {
        let words: Vec<&str> = self.get("client-output-buffer-limit")?.split_ascii_whitespace().collect();
        let row = words.chunks_exact(4).find(|row| matches!(row.first(), Some(&"slave" | &"replica")))?;
        match row {
            [_, hard, soft, seconds] => Some([hard.parse().ok()?, soft.parse().ok()?, seconds.parse().ok()?]),
            _ => None,
        }
    }
}

/// What was answered; `None` when the server refused, an error when it was not heard.
pub(in crate::engine) fn heard<T>(answer: Result<T, ControlError>) -> Result<Option<T>, ControlError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(ControlError::Net(error)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// The rows of `COMMAND`: name, arity, flags and more.
fn commands_of(answer: Value) -> Option<BTreeMap<String, bool>> {
    let Value::Array(rows) = answer else { return None };
    let row = |row: Value| {
        let Value::Array(fields) = row else { return None };
        let name = servers::text(fields.first()?)?.to_ascii_lowercase();
        let writes = matches!(fields.get(2), Some(Value::Array(flags) | Value::Set(flags))
            if flags.iter().filter_map(servers::text).any(|flag| flag == "write"));
        Some((name, writes))
    };
    Some(rows.into_iter().filter_map(row).collect())
}

/// The names of search indexes, which their module keeps outside of keys.
async fn search_indexes(control: &mut Control, modules: &[String]) -> Result<Option<Vec<String>>, ControlError> {
    if !modules.iter().any(|name| SEARCH.contains(&name.as_str())) {
        return Ok(Some(vec![]));
    }
    match heard(control.command(&cmd("FT._LIST")).await)? {
        Some(Value::Array(names)) => Ok(Some(names.iter().filter_map(servers::text).collect())),
        _ => Ok(None),
    }
}

/// Commands whose name matters. `COMMAND` lists a renamed one by its own name; asked for it by that, the server knows none.
const RENAMED: [&str; 8] = ["psync", "sync", "replconf", "info", "config", "client", "time", "restore"];

fn without_renamed(mut commands: BTreeMap<String, bool>, answer: Value) -> BTreeMap<String, bool> {
    if let Value::Array(rows) = answer {
        for (name, row) in RENAMED.into_iter().zip(rows) {
            if row == Value::Nil {
                commands.remove(name);
            }
        }
    }
    commands
}

/// Our address as the server sees it: of `CLIENT INFO` (Redis 6.2), or of the line in `CLIENT LIST` that has the name
/// this connection gives itself.
async fn own_address(control: &mut Control) -> Result<Option<String>, ControlError> {
    if let Some(Value::BulkString(line)) = heard(control.command(cmd("CLIENT").arg("INFO")).await)? {
        return Ok(address_in(&String::from_utf8_lossy(&line)));
    }
    let name = format!("redis-plan-check-{}", std::process::id());
    if heard(control.command(cmd("CLIENT").arg("SETNAME").arg(&name)).await)?.is_none() {
        return Ok(None);
    }
    let Some(Value::BulkString(list)) = heard(control.command(cmd("CLIENT").arg("LIST")).await)? else {
        return Ok(None);
    };
    let list = String::from_utf8_lossy(&list).into_owned();
    let named = format!(" name={name} ");
    Ok(list.lines().find(|line| line.contains(&named)).and_then(address_in))
}

fn address_in(line: &str) -> Option<String> {
    let field = line.split_ascii_whitespace().find_map(|field| field.strip_prefix("addr="))?;
    // A unix socket has no port; the server shows it as 0 (networking.c, `genClientAddrString`).
    let socket = field.strip_suffix(":0").filter(|path| path.starts_with('/'));
    Some(socket.unwrap_or(field).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn settings_are_read_one_by_one_and_a_refusal_is_kept() {
        let limits = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
        let settings = ServerSettings::of(vec![
            Value::Array(vec![bulk("client-output-buffer-limit"), bulk(limits)]),
            Value::Array(vec![]),
            Value::Array(vec![bulk("repl-timeout"), bulk("60")]),
        ]);
        assert_eq!(settings.replica_output(), Some([256 << 20, 64 << 20, 60]));
        assert_eq!((settings.number("repl-timeout"), settings.get("save")), (Some(60), None));
        assert!(settings.refused.is_none());
    }

    #[test]
    fn our_address_is_that_of_our_line() {
        let line = "id=4 addr=10.1.2.3:52078 laddr=10.0.0.5:6379 fd=13 name= age=0";
        assert_eq!(address_in(line).as_deref(), Some("10.1.2.3:52078"));
        assert_eq!(address_in("id=4 laddr=10.0.0.5:6379"), None);
        let line = "id=4 addr=/run/redis.sock:0 laddr=/run/redis.sock:0 fd=13";
        assert_eq!(address_in(line).as_deref(), Some("/run/redis.sock"));
    }
}
