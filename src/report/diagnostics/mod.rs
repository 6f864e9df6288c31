//! What is wrong with a plan, for people and for programs.

mod changes;
mod concise;
mod excerpt;
mod explain;
mod github;
mod human;
mod json;
mod junit;
mod sarif;
mod verdict;

pub use changes::changes;
pub use concise::concise;
pub use explain::{explain, list};
pub use github::github;
pub use human::{Style, human};
pub use json::json;
pub use junit::junit;
pub use sarif::sarif;
use verdict::verdict;
