//! What `plan --version` says of this build.

use std::sync::LazyLock;

/// The version, and what this program was built from, for and how. The commit and the profile are those that the release
/// names in `PLAN_COMMIT` and `PLAN_PROFILE` while it builds; no other build knows its commit.
pub(super) fn facts() -> &'static str {
    static FACTS: LazyLock<String> = LazyLock::new(|| {
        let commit = option_env!("PLAN_COMMIT").unwrap_or("not known");
        format!("{}\ncommit   {commit}\ntarget   {}\nprofile  {}", env!("CARGO_PKG_VERSION"), target(), profile())
    });
    &FACTS
}

fn target() -> String {
    use std::env::consts::{ARCH, OS};
    let library = if cfg!(target_env = "musl") { " musl" } else { "" };
    let linked = if cfg!(target_feature = "crt-static") { ", static" } else { "" };
    format!("{ARCH} {OS}{library}{linked}")
}

fn profile() -> &'static str {
    let optimised = if cfg!(debug_assertions) { "debug" } else { "release" };
    option_env!("PLAN_PROFILE").unwrap_or(optimised)
}
