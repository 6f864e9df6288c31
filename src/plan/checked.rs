//! The plan after every check: what a run of this version does. Every default is applied, so an `Option` here means
//! "may be absent" and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use super::raw;
use crate::step::{
    Account, Condition, CutoverWork, DbRule, DbSource, Deadline, DestinationExpect, Endpoint, Fence, Hook, Limits,
    OnConflict, OnError, OnStreamLost, OnUnsupported, Removal, Selection, SourceExpect, VerifyMode, Windows,
};
use crate::unit::{ByteSize, CountRate, Period, TlsFiles};

/// A plan that this version can run.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Names the run, the state directory and the run record: 1 to 64 of a-z, 0-9 and `-`.
    pub name: String,
    /// The change this belongs to, free text.
    pub change: Option<String>,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// Where the data is.
    pub source: Endpoint,
    /// What the source must be.
    pub source_expect: SourceExpect,
    /// Where it goes.
    pub destination: Endpoint,
    /// What the destination must be.
    pub destination_expect: DestinationExpect,
    /// Which keys move, and where to.
    pub selection: Selection,
    /// The phases.
    pub migration: Migration,
    /// What a key that exists already means.
    pub on_conflict: OnConflict,
    /// What a value that the destination cannot hold means.
    pub on_unsupported: OnUnsupported,
    /// What it means that the run cannot continue from what it has written.
    pub on_stream_lost: OnStreamLost,
    /// The source's replica output buffer.
    pub buffer: ReplicaBuffer,
    /// Bounds of the run.
    pub limits: Limits,
    /// When following may end.
    pub stop: Condition,
    /// When waiting for that ends.
    pub deadline: Option<Deadline>,
    /// How both sides are compared after the copy; `None` is not at all.
    pub verify: Option<Verify>,
    /// How the writers move over; `None` when the end of the stream is the end.
    pub cutover: Option<CutoverWork>,
    /// When heavy steps may run; `None` is always.
    pub windows: Option<Windows>,
    /// Programs that run at moments of the run.
    pub hooks: Vec<Hook>,
    /// What the end leaves.
    pub cleanup: Cleanup,
}

/// The phases of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migration {
    /// The dataset is copied once.
    Full,
    /// After the copy the source is followed.
    FullIncremental,
}

/// The source's replica output buffer while the run follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaBuffer {
    /// It is set to unlimited; otherwise it is only read and recorded.
    pub unlimited: bool,
}

/// How both sides are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verify {
    /// How thoroughly.
    pub mode: VerifyMode,
    /// Keys a second that are read; `None` is as fast as both servers answer.
    pub rate: Option<CountRate>,
}

/// What the end leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleanup {
    /// How long the run record stays at the destination; `None` is for ever.
    pub keep_run_record: Option<Period>,
    /// Accounts that only the migration needed.
    pub accounts: Vec<Account>,
}

/// The most that the spool may hold, unless the plan says otherwise.
pub const DEFAULT_SPOOL: ByteSize = ByteSize::mib(64 << 10);
/// Values above this go in chunks, unless the plan says otherwise.
pub const DEFAULT_CHUNK_ABOVE: ByteSize = ByteSize::mib(16);
/// The largest lag that a cutover starts with, unless the plan says otherwise.
pub(super) const DEFAULT_MAX_LAG: Period = Period(Duration::from_secs(1));
/// How long a cutover may fence the source, unless the plan says otherwise.
pub(super) const DEFAULT_CUTOVER_TIMEOUT: Period = Period(Duration::from_secs(30));
/// How long a hook may take, unless the plan says otherwise.
pub(super) const DEFAULT_HOOK_TIMEOUT: Period = Period(Duration::from_mins(1));
/// How long the run record stays, unless the plan says otherwise: 30 days.
pub const DEFAULT_KEEP_RUN_RECORD: Period = Period(Duration::from_hours(30 * 24));

/// What the sections that need no more than their defaults come to.
pub(super) fn limits(raw: Option<&raw::LimitsBlock>) -> Limits {
    let raw = raw.cloned().unwrap_or_default();
    Limits {
        bandwidth: raw.bandwidth,
        writes: raw.writes,
        connections: raw.connections.map(|connections| connections.0),
        spool: raw.spool.unwrap_or(DEFAULT_SPOOL),
        chunk_above: raw.chunk_above.unwrap_or(DEFAULT_CHUNK_ABOVE),
        patience: raw.patience,
    }
}

pub(super) fn migration(phases: &[raw::MigrationKind]) -> Migration {
    if phases.contains(&raw::MigrationKind::Incremental) { Migration::FullIncremental } else { Migration::Full }
}

/// How a `rediss://` url's connection is encrypted.
pub(super) fn tls(raw: Option<&raw::Tls>) -> TlsFiles {
    let raw = raw.cloned().unwrap_or_default();
    TlsFiles { ca: raw.ca, crl: raw.crl, cert: raw.cert, key: raw.key, server_name: raw.server_name }
}

/// A copy alone needs no room in the source's buffer beyond the dump itself, so its setting is left alone.
/// When following may end; without `stop` only an operator ends it.
pub(super) fn stop(raw: Option<&raw::StopBlock>, verify: Option<Verify>) -> Condition {
    // A condition that compares does it thoroughly where nothing else is said.
    let verify = verify.unwrap_or(Verify { mode: VerifyMode::Full, rate: None });
    let condition = |raw| condition(raw, verify);
    match raw.map(|stop| (&stop.any, &stop.all)) {
        Some((Some(any), _)) => Condition::Any(any.iter().map(condition).collect()),
        Some((None, Some(all))) => Condition::All(all.iter().map(condition).collect()),
        Some((None, None)) | None => Condition::Cutover,
    }
}

fn condition(raw: &raw::ConditionEntry, verify: Verify) -> Condition {
    let inner = |raw| condition(raw, verify);
    match raw {
        raw::ConditionEntry::Any(any) => Condition::Any(any.iter().map(inner).collect()),
        raw::ConditionEntry::All(all) => Condition::All(all.iter().map(inner).collect()),
        raw::ConditionEntry::Lag(lag) => Condition::Lag { below: lag.below, held_for: lag.held_for },
        raw::ConditionEntry::SourceIdle(idle) => Condition::SourceIdle { held_for: idle.held_for },
        raw::ConditionEntry::Duration(period) => Condition::Duration(*period),
        raw::ConditionEntry::At(at) => Condition::At(at.0),
        raw::ConditionEntry::Command(raw::OperatorCommand::Cutover) => Condition::Cutover,
        raw::ConditionEntry::Verify(raw::ComparisonResult::Equal) => {
            Condition::Verify { mode: verify.mode, rate: verify.rate }
        }
    }
}

pub(super) fn deadline(raw: Option<&raw::StopBlock>) -> Option<Deadline> {
    let deadline = raw?.deadline.as_ref()?;
    Some(Deadline { after: deadline.after, then: deadline.then })
}

pub(super) fn cutover(raw: Option<&raw::CutoverBlock>) -> Option<CutoverWork> {
    let raw = raw?;
    Some(CutoverWork {
        mode: raw.mode,
        fence: raw.fence.clone().unwrap_or(Fence::ClientPause),
        max_lag: raw.max_lag.unwrap_or(DEFAULT_MAX_LAG),
        timeout: raw.timeout.unwrap_or(DEFAULT_CUTOVER_TIMEOUT),
    })
}

pub(super) fn windows(raw: Option<&raw::WindowsBlock>) -> Option<Windows> {
    raw.map(|raw| Windows {
        timezone: raw.timezone.clone(),
        full: raw.full.clone().unwrap_or_default(),
        cutover: raw.cutover.clone().unwrap_or_default(),
    })
}

pub(super) fn hooks(raw: Option<&Vec<raw::HookEntry>>) -> Vec<Hook> {
    let hook = |hook: &raw::HookEntry| Hook {
        at: hook.at,
        run: hook.run.clone(),
        timeout: hook.timeout.unwrap_or(DEFAULT_HOOK_TIMEOUT),
        on_error: hook.on_error.unwrap_or(OnError::Fail),
    };
    raw.into_iter().flatten().map(hook).collect()
}

fn account(raw: &raw::AccountEntry) -> Option<Account> {
    let removal = match (&raw.user, &raw.run) {
        (Some(user), None) => Removal::User(user.clone()),
        (None, Some(run)) => Removal::Run(run.clone()),
        _ => return None,
    };
    Some(Account { side: raw.side, removal })
}

pub(super) fn buffer(raw: Option<&raw::BufferBlock>, migration: Migration) -> ReplicaBuffer {
    let asked = raw.and_then(|buffer| buffer.replica_output);
    let unlimited =
        asked.map_or(migration == Migration::FullIncremental, |asked| asked == raw::ReplicaOutput::Unlimited);
    ReplicaBuffer { unlimited }
}

pub(super) fn verify(raw: Option<&raw::VerifyBlock>) -> Option<Verify> {
    let raw = raw?;
    let mode = match raw.mode {
        raw::VerifyModeBlock::None => return None,
        raw::VerifyModeBlock::Keys => VerifyMode::Keys,
        raw::VerifyModeBlock::Full => VerifyMode::Full,
        raw::VerifyModeBlock::Sample { keys } => VerifyMode::Sample { keys },
    };
    Some(Verify { mode, rate: raw.rate })
}

pub(super) fn cleanup(raw: Option<&raw::CleanupBlock>) -> Cleanup {
    let keep = raw.and_then(|cleanup| cleanup.run_record.as_ref()).and_then(|record| record.keep);
    let keep_run_record = match keep {
        None => Some(DEFAULT_KEEP_RUN_RECORD),
        Some(raw::Keep::For(period)) => Some(period),
        Some(raw::Keep::Forever) => None,
    };
    let accounts = raw.and_then(|cleanup| cleanup.accounts.as_ref());
    Cleanup { keep_run_record, accounts: accounts.into_iter().flatten().filter_map(account).collect() }
}

pub(super) fn selection(raw: Option<&raw::Databases>) -> Selection {
    match raw {
        None | Some(raw::Databases::All) => Selection::all(),
        Some(raw::Databases::List(entries)) => Selection { rules: entries.iter().map(rule).collect() },
    }
}

fn rule(entry: &raw::DatabaseEntry) -> DbRule {
    match entry {
        raw::DatabaseEntry::Number(db) => {
            DbRule { from: DbSource::One(*db), to: None, include: vec![], exclude: vec![] }
        }
        raw::DatabaseEntry::Rule(rule) => {
            let keys = rule.keys.clone().unwrap_or_default();
            let from = match rule.from {
                raw::From::All => DbSource::All,
                raw::From::One(db) => DbSource::One(db),
            };
            DbRule {
                from,
                to: rule.to,
                include: keys.include.unwrap_or_default(),
                exclude: keys.exclude.unwrap_or_default(),
            }
        }
    }
}
