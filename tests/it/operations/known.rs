//! The commands a server says that it has.

use std::collections::BTreeMap;

use redis_plan::unit::ServerVersion;

use crate::{
    cmd,
    harness::{Reply, Server},
};

/// A command as `COMMAND` tells it.
#[derive(Clone, Debug)]
pub struct Told {
    pub flags: Vec<String>,
    /// First key, last key, step.
    pub keys: (i64, i64, i64),
}

impl Told {
    pub fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|other| other == flag)
    }
}

/// What one server has, upper case; a subcommand behind its command: `XGROUP CREATE`.
pub struct Known {
    pub version: ServerVersion,
    pub commands: BTreeMap<String, Told>,
}

impl Known {
    pub fn of(server: &Server) -> Self {
        let mut commands = BTreeMap::new();
        for row in server.client().command(&cmd!["COMMAND"]).items() {
            note(row, &mut commands);
        }
        Self { version: server.flavour.version, commands }
    }

    /// Whether it has a command, or the command that this is a subcommand of where it does not tell subcommands.
    pub fn has(&self, operation: &str) -> bool {
        let first = operation.split(' ').next().unwrap();
        let tells =
            || self.commands.keys().any(|name| name.strip_prefix(first).is_some_and(|rest| rest.starts_with(' ')));
        self.commands.contains_key(operation) || self.commands.contains_key(first) && !tells()
    }

    /// Commands that write, and the subcommands of those that have some.
    pub fn writes(&self) -> Vec<&str> {
        self.commands.iter().filter(|(_, told)| told.is("write")).map(|(name, _)| name.as_str()).collect()
    }
}

fn note(row: &Reply, commands: &mut BTreeMap<String, Told>) {
    let row = row.items();
    let name = row[0].text().to_ascii_uppercase().replace('|', " ");
    let flags = row[2].items().iter().map(|flag| flag.text().to_owned()).collect();
    let told = Told { flags, keys: (row[3].int(), row[4].int(), row[5].int()) };
    commands.insert(name, told);
    // Redis 7.0 tells subcommands too.
    for inner in row.get(9).map(Reply::items).unwrap_or_default() {
        note(inner, commands);
    }
}
