//! The items of a precheck, for people and for programs.

mod json;
mod junit;
mod list;
mod problems;

pub use json::check_json;
pub use junit::check_junit;
pub(super) use list::word;
pub use list::{check_list, check_table};
pub use problems::check_problems;
