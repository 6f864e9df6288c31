//! redis-plan: declarative Redis migrations.
//!
//! A plan file is validated ([`plan`]), expanded into a step graph ([`planner`]) and executed ([`engine`]).
//! Modules stand on floors and import only from lower ones; `tests/architecture.rs` holds the list and checks it.
//!
//! This library is no API: tests, benches and fuzzing use its parts, and anything in it may change in any version. What is
//! stable is the program: the plan format, codes, exit codes, commands, JSON output and files (`CONTRIBUTING.md`).

pub mod cli;
pub mod command;
pub mod compare;
pub mod engine;
pub mod journal;
pub mod net;
pub mod plan;
pub mod planner;
pub mod rdb;
pub mod repl;
pub mod report;
pub mod resp;
pub mod sink;
pub mod source;
pub mod step;
pub mod store;
pub mod unit;
