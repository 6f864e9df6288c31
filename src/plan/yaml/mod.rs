//! YAML with places: a tree of spans for messages, and the value that `serde_yaml` reads from the same text. Both come
//! from the same scanner (unsafe-libyaml), so they agree on what the text says.

mod builder;
mod events;
mod syntax;
mod tree;
mod value;

pub(super) use builder::build;
pub(super) use tree::{Located, NodeKind, Tree};
pub(super) use value::value;
