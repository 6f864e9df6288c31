//! Rules of hooks and accounts: what runs programs of the user.

use super::steps::follows;
use super::{Checking, Rule};
use crate::plan::fault::Problem;
use crate::plan::fault::catalogue::{endpoints, steps};
use crate::plan::raw::VerifyModeBlock;
use crate::plan::text::Path;
use crate::step::{Fence, Moment, Side};

/// What stands where a program is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramPlace {
    /// A program that may be run.
    Ready,
    /// Nothing.
    Missing,
    /// A file that may not be run.
    NotExecutable,
}

/// Looks for the program of a hook or an account, by the name it has in the plan. Looking is the business of whoever knows
/// the folder of the plan.
pub type Look<'a> = &'a dyn Fn(&str) -> ProgramPlace;

pub(super) const RULES: &[Rule] = &[
    Rule { reads: &["migration", "verify", "cutover", "hooks"], check: moments },
    Rule { reads: &["hooks", "cutover.fence"], check: hooks },
    Rule { reads: &["cleanup.accounts"], check: accounts },
    Rule { reads: &["cleanup.accounts", "source.expect", "destination.expect"], check: users_before_acl },
];

fn moments(checking: &mut Checking<'_>) {
    let follows = follows(checking);
    let cuts_over = checking.raw.cutover.is_some();
    let verifies = checking.raw.verify.as_ref().is_some_and(|verify| verify.mode != VerifyModeBlock::None);
    for (index, hook) in checking.raw.hooks.iter().flatten().enumerate() {
        let (why, because, key, help) = match hook.at {
            Moment::IncrementalCaughtUp if !follows => {
                ("the plan does not follow changes", "a copy alone", "migration", "add `incremental` to `migration`")
            }
            Moment::CutoverFenced | Moment::CutoverSealed | Moment::CutoverUndone if !cuts_over => {
                ("the plan has no `cutover`", "nothing is cut over", "migration", "add `cutover: { mode: manual }`")
            }
            Moment::VerifyPassed if !verifies => {
                ("the plan compares nothing", "no comparison", "verify", "add `verify: { mode: full }`")
            }
            _ => continue,
        };
        let path = format!("hooks[{index}].at");
        let mut problem = checking
            .problem(&steps::HOOK_NEVER, &path, "the hook's moment never comes", why)
            .help(format!("{help}, or choose another moment, such as `full.done`"));
        if let Some(place) = checking.places.locate(&Path::parse(key)) {
            problem = problem.label(place.key_or_value(), because);
        }
        checking.report(problem);
    }
}

fn hooks(checking: &mut Checking<'_>) {
    let fence = checking.raw.cutover.as_ref().and_then(|cutover| cutover.fence.clone());
    if let Some(Fence::Hook(hook)) = &fence {
        program(checking, "cutover.fence.hook.run", &hook.run);
        program(checking, "cutover.fence.hook.undo", &hook.undo);
    }
    for (index, hook) in checking.raw.hooks.iter().flatten().enumerate() {
        program(checking, &format!("hooks[{index}].run"), &hook.run);
    }
}

fn program(checking: &mut Checking<'_>, path: &str, argv: &[String]) {
    let Some(name) = argv.first() else { return };
    let path = format!("{path}[0]");
    if name.trim().is_empty() {
        let problem = checking
            .problem(&steps::EMPTY_PROGRAM, &path, "the program has no name", "empty")
            .help("write for example `run: [./ops/switch-dns.sh, argument]`");
        return checking.report(problem);
    }
    let problem = match checking.look.map(|look| look(name)) {
        None | Some(ProgramPlace::Ready) => return,
        Some(ProgramPlace::Missing) => {
            let help = if name.contains('/') {
                "a relative path starts at the plan's folder; check its spelling, or that it exists where the run will be"
            } else {
                "install it, or write its path: a name without `/` is looked for in PATH"
            };
            checking
                .problem(&steps::PROGRAM_MISSING, &path, "there is no such program on this machine", "not found")
                .help(help)
        }
        Some(ProgramPlace::NotExecutable) => checking
            .problem(&steps::PROGRAM_NOT_EXECUTABLE, &path, "the program may not be executed", "no execute permission")
            .help("run `chmod +x` on it, or name its interpreter: `run: [sh, FILE]`"),
    };
    checking.report(problem);
}

fn accounts(checking: &mut Checking<'_>) {
    let accounts = checking.raw.cleanup.as_ref().and_then(|cleanup| cleanup.accounts.as_ref());
    for (index, account) in accounts.into_iter().flatten().enumerate() {
        let path = format!("cleanup.accounts[{index}]");
        let message = match (&account.user, &account.run) {
            (Some(_), Some(_)) => Some("the account has both a user and a program"),
            (None, None) => Some("the account has neither a user nor a program"),
            _ => None,
        };
        if let Some(message) = message {
            let place = checking.value(&format!("{path}.side"));
            let problem = Problem::new(&steps::ACCOUNT_FORM, Path::parse(&path), message)
                .label(place, "this account")
                .help("write `user: NAME`, or `run: [program, arguments]`");
            checking.report(problem);
        }
        program(checking, &format!("{path}.run"), account.run.as_deref().unwrap_or_default());
    }
}

/// Accounts that a server from before ACLs is to delete.
fn users_before_acl(checking: &mut Checking<'_>) {
    let accounts = checking.raw.cleanup.as_ref().and_then(|cleanup| cleanup.accounts.as_ref());
    for (index, account) in accounts.into_iter().flatten().enumerate().filter(|(_, account)| account.user.is_some()) {
        let side = match account.side {
            Side::Source => "source",
            Side::Destination => "destination",
        };
        if checking.expects_only_before(side, [6, 0, 0]) {
            let problem = checking
                .problem(
                    &endpoints::USER_BEFORE_ACL,
                    &format!("cleanup.accounts[{index}].user"),
                    format!("the {side} knows no users: it is expected to be older than Redis 6"),
                    "cannot be deleted",
                )
                .label(checking.value(&format!("{side}.expect.version")), "no users before Redis 6")
                .help("write `run: [program, arguments]` with a program that takes the access away");
            checking.report(problem);
        }
    }
}
