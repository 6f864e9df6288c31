//! What is wrong with a plan, for people and for programs.

mod excerpt;
mod explain;
mod human;
mod json;

pub use explain::explain;
pub use human::{Style, human};
pub use json::json;
