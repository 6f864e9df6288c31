//! Graphs and events for the golden tests.

use crate::step::{
    Activity, BufferWork, Check, CleanupWork, ConditionState, DbRule, DbSource, DeadlineFigures, DestinationExpect,
    Endpoint, Event, Eviction, FollowProgress, FullProgress, FullWork, Graph, KeyFailure, KeyPattern, Lag, Limits,
    OnConflict, OnStreamLost, OnUnsupported, Outcome, PrecheckWork, Role, Selection, SettlingForecast, SourceExpect,
    Stamped, Status, Step, StepId, Verdict, Work,
};
use crate::unit::{Address, ByteRate, ByteSize, CountRate, Db, Offset, Percent, Period, ReplId, SecretRef, UnixMillis};

/// A graph in which every parameter is set.
pub(super) fn rich() -> Graph {
    let rule = |from, to, include: &[&str], exclude: &[&str]| DbRule {
        from,
        to,
        include: include.iter().map(|pattern| KeyPattern((*pattern).to_owned())).collect(),
        exclude: exclude.iter().map(|pattern| KeyPattern((*pattern).to_owned())).collect(),
    };
    let selection = Selection {
        rules: vec![
            rule(DbSource::One(Db(0)), None, &[], &[]),
            rule(DbSource::One(Db(3)), Some(Db(1)), &["cart:*", "<\"quoted\">\x1b"], &["cart:tmp:*"]),
        ],
    };
    let limits = Limits {
        bandwidth: Some(ByteRate(40 << 20)),
        writes: Some(CountRate(20_000)),
        connections: Some(4),
        spool: ByteSize(64 << 30),
        chunk_above: ByteSize::mib(16),
        patience: None,
    };
    let mut graph = graph("cart-prod", selection, limits);
    graph.change = Some("CHG0042317 \"quarter end\"".to_owned());
    graph.labels = [("env", "prod"), ("team", "checkout")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    graph.source.username = Some("migrator".to_owned());
    graph.source.password = Some(SecretRef::File("/run/secrets/cart-src".into()));
    graph.destination.password = Some(SecretRef::Env("DST".to_owned()));
    for step in &mut graph.steps {
        if let Work::Precheck(precheck) = &mut step.work {
            precheck.source =
                SourceExpect { version: ">=2.8, <6".parse().ok(), role: Some(Role::Master), run_id: None };
            precheck.destination = DestinationExpect {
                version: None,
                eviction: Some(Eviction::NoEviction),
                empty: Some(true),
                free_memory: Some(Percent(120)),
            };
        }
    }
    graph
}

/// The graph of the smallest plan.
pub(super) fn minimal() -> Graph {
    let limits = Limits {
        bandwidth: None,
        writes: None,
        connections: Some(4),
        spool: ByteSize(64 << 30),
        chunk_above: ByteSize::mib(16),
        patience: None,
    };
    graph("sessions", Selection::all(), limits)
}

fn graph(name: &str, selection: Selection, limits: Limits) -> Graph {
    let endpoint = |host: &str| Endpoint {
        address: Address::Tcp { host: host.to_owned(), port: 6379 },
        tls: None,
        username: None,
        password: None,
        plaintext: None,
    };
    let step = |id, after: &[StepId], always, work| Step { id, after: after.to_vec(), always, work };
    let precheck = PrecheckWork {
        source: SourceExpect::default(),
        destination: DestinationExpect::default(),
        selection: selection.clone(),
        on_conflict: OnConflict::Fail,
        limits: limits.clone(),
    };
    let full = FullWork {
        selection,
        on_conflict: OnConflict::Fail,
        on_unsupported: OnUnsupported::Report,
        on_stream_lost: OnStreamLost::Hold,
        limits,
    };
    let cleanup = CleanupWork { keep_run_record: "30d".parse::<Period>().ok(), accounts: vec![] };
    Graph {
        format: 1,
        name: name.to_owned(),
        change: None,
        labels: [].into(),
        source: endpoint("10.0.0.5"),
        destination: endpoint("10.0.0.9"),
        windows: None,
        hooks: vec![],
        steps: vec![
            step(StepId::Buffer, &[], false, Work::Buffer(BufferWork { unlimited: false })),
            step(StepId::Precheck, &[StepId::Buffer], false, Work::Precheck(precheck)),
            step(StepId::Full, &[StepId::Precheck], false, Work::Full(full)),
            step(StepId::Cleanup, &[StepId::Full], true, Work::Cleanup(cleanup)),
        ],
    }
}

/// The digest used in samples.
pub(super) const DIGEST: &str = "5f1d7a8c90b3e2f4a6d8c0b2e4f6a8d0c2b4e6f8a0d2c4b6e8f0a2d4c6b8e0f2";

/// A run that follows its source.
pub(super) fn status() -> Status {
    let condition = |text: &str, depth, met, stands: &str| ConditionState {
        text: text.to_owned(),
        depth,
        met,
        stands: stands.to_owned(),
    };
    Status {
        format: 1,
        plan: "cart-prod".to_owned(),
        run: "20261122T230607-2043c36b".to_owned(),
        digest: DIGEST.to_owned(),
        pid: 4711,
        at: at(100_000),
        step: Some(StepId::Incremental),
        activity: Activity::Following,
        reasons: vec!["limits.writes: at most 20000/s to the destination".to_owned()],
        full: None,
        following: Some(FollowProgress {
            replid: ReplId::parse(b"8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb"),
            applied: Offset(123_456_000),
            received: Offset(123_460_096),
            source: Some(Offset(123_460_110)),
            lag: Some(Lag { bytes: 4110, seconds: 0.21 }),
            commands: 1_234_567,
            commands_per_second: 8123.4,
            bytes_per_second: 1_048_576.0,
            filtered: 42,
            failed: 1,
            spooled: ByteSize::mib(12),
            deadlines: Some(DeadlineFigures { deferred: 1_200_000, remembered: 0, settled: 0, scripts: 0 }),
        }),
        backlog_lasts: Some(41.0),
        spool_lasts: None,
        settling: Some(SettlingForecast {
            deadlines: 1_200_000,
            rate: 480_000.0,
            measured: true,
            before_fence: 2.5,
            remembered: Some(40_000),
            under_fence: 0.08,
            timeout: Some(30.0),
        }),
        spool_limit: ByteSize(64 << 30),
        bandwidth: None,
        writes: Some(CountRate(20_000)),
        conditions: vec![
            condition("any of", 0, false, ""),
            condition("all of", 1, false, ""),
            condition("lag below 1s for 5m", 2, true, "5m of 5m"),
            condition("source idle for 2m", 2, false, "3s of 2m"),
            condition("command: cutover", 1, false, ""),
        ],
        can_cutover: true,
        blockers: vec![],
    }
}

/// A run that was killed in its first process and finished in its second.
pub(super) fn events() -> Vec<Stamped> {
    let started = |attempt| Event::RunStarted {
        run: "7f3a".to_owned(),
        plan: "cart-prod".to_owned(),
        digest: DIGEST.to_owned(),
        attempt,
    };
    let step = |step| Event::StepStarted { step };
    let done = |step, seconds| Event::StepDone { step, seconds };
    let first = [
        (0, started(1)),
        (2, step(StepId::Buffer)),
        (5, Event::StepSkipped { step: StepId::Buffer, reason: "a full copy alone needs no larger limit".to_owned() }),
        (6, step(StepId::Precheck)),
        (20, checked("source-version", Verdict::Pass, "Redis 5.0.10, primary", "")),
        (21, checked("destination-eviction", Verdict::Warn, "allkeys-lru", "set `maxmemory-policy noeviction`")),
        (30, done(StepId::Precheck, 0.024)),
        (31, step(StepId::Full)),
        (900, Event::Waiting { step: StepId::Full, reason: "the source prepares its dump".to_owned() }),
        (5_000, dump_started()),
        (7_000, progress(30_000_000, 4_000_000, 41_000, 20_500.0, None)),
    ];
    let second = [
        (60_000, started(2)),
        (60_010, Event::Notice { text: "the spool holds the whole dump: continuing with it".to_owned() }),
        (60_020, step(StepId::Full)),
        (61_000, progress(100_000_000, 40_000_000, 400_000, 84_211.0, Some(7.4))),
        (61_500, progress(100_000_000, 41_000_000, 410_000, 84_000.0, Some(7.3))),
        (64_000, Event::DumpReceived { bytes: 100_000_000, seconds: 12.25 }),
        (66_000, failed()),
        (72_000, progress(100_000_000, 100_000_000, 999_999, 83_000.0, Some(0.0))),
        (72_001, done(StepId::Full, 11.98)),
        (72_002, step(StepId::Cleanup)),
        (72_010, done(StepId::Cleanup, 0.008)),
        (72_011, finished()),
    ];
    first.into_iter().chain(second).map(|(millis, event)| Stamped { at: at(millis), event }).collect()
}

pub(super) const fn at(millis: i64) -> UnixMillis {
    UnixMillis(1_795_000_000_000 + millis)
}

pub(super) fn checked(item: &str, verdict: Verdict, seen: &str, remedy: &str) -> Event {
    let (item, seen, remedy) = (item.to_owned(), seen.to_owned(), remedy.to_owned());
    Event::Checked {
        check: Check { item, code: "C100".to_owned(), place: "source.url".to_owned(), verdict, seen, remedy },
    }
}

pub(super) fn progress(received: u64, applied: u64, keys: u64, rate: f64, eta: Option<f64>) -> Event {
    let progress = FullProgress {
        received,
        total: Some(100_000_000),
        applied,
        keys,
        expired: 12,
        failed: u64::from(keys == 999_999),
        keys_per_second: rate,
        eta,
        ..FullProgress::default()
    };
    Event::Progress { progress }
}

fn dump_started() -> Event {
    let replid = ReplId::parse(b"8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb");
    Event::DumpStarted { replid, offset: Some(Offset(14_001)), length: Some(100_000_000) }
}

fn failed() -> Event {
    let failure = KeyFailure {
        key: "cart:9|\\x00`x`".to_owned(),
        db: Db(3),
        kind: "stream".to_owned(),
        size: 5_242_880,
        reason: "the destination is older than Redis 5.0 and has no streams: left out".to_owned(),
    };
    Event::KeyFailed { failure }
}

fn finished() -> Event {
    let summary = "The dump's keys are at the destination; 1 key was left out and is listed in the report.".to_owned();
    Event::RunFinished { outcome: Outcome::Done, code: "R000".to_owned(), summary, seconds: 12.011 }
}
