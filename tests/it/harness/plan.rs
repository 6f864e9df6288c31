//! Plan files for servers of a test.

use std::fmt::Write;

use super::Server;

/// A plan; prints as the YAML text.
pub struct Plan {
    name: String,
    migration: String,
    source: Vec<String>,
    destination: Vec<String>,
    lines: Vec<String>,
}

impl Plan {
    /// A full migration between two servers, named `move`.
    pub fn between(source: &Server, destination: &Server) -> Self {
        Self::between_ports(source.port(), destination.port())
    }

    /// The same for ports, such as a proxy's.
    pub fn between_ports(source: u16, destination: u16) -> Self {
        Self::between_urls(&format!("redis://127.0.0.1:{source}"), &format!("redis://127.0.0.1:{destination}"))
    }

    /// The same for urls.
    pub fn between_urls(source: &str, destination: &str) -> Self {
        Self {
            name: "move".to_owned(),
            migration: "[full]".to_owned(),
            source: vec![format!("url: {source}")],
            destination: vec![format!("url: {destination}")],
            lines: vec![],
        }
    }

    /// Follows the source behind the copy until this stop condition, in YAML flow style, is met.
    pub fn following(mut self, stop: &str) -> Self {
        "[full, incremental]".clone_into(&mut self.migration);
        self.line(&format!("stop: {stop}"))
    }

    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Adds a line under `source:`.
    pub fn source(mut self, line: &str) -> Self {
        self.source.push(line.to_owned());
        self
    }

    /// Adds a line under `destination:`.
    pub fn destination(mut self, line: &str) -> Self {
        self.destination.push(line.to_owned());
        self
    }

    /// Adds a line at the top level: `.line("on_conflict: replace")`.
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    pub fn text(&self) -> String {
        let mut text = format!("version: 1\nname: {}\n", self.name);
        for (side, lines) in [("source", &self.source), ("destination", &self.destination)] {
            writeln!(text, "{side}:").unwrap();
            for line in lines {
                writeln!(text, "  {line}").unwrap();
            }
        }
        writeln!(text, "migration: {}", self.migration).unwrap();
        for line in &self.lines {
            writeln!(text, "{line}").unwrap();
        }
        text
    }
}
