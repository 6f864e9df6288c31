//! Plan to graph.

use crate::plan::{Migration, Plan, Verify};
use crate::step::{
    BufferWork, CleanupWork, FullWork, Graph, IncrementalWork, PrecheckWork, Step, StepId, VerifyWork, WhenMet, Work,
};

/// Format of the graph's structure.
const FORMAT: u32 = 1;

/// The steps that `plan` comes to, each with all it needs to know.
///
/// Checking a plan refuses what has no step in this version, so nothing of it is left out here.
pub fn expand(plan: &Plan) -> Graph {
    let buffer = Work::Buffer(BufferWork { unlimited: plan.buffer.unlimited });
    let cleanup = Work::Cleanup(CleanupWork {
        keep_run_record: plan.cleanup.keep_run_record,
        accounts: plan.cleanup.accounts.clone(),
    });
    let mut steps = vec![
        step(StepId::Buffer, &[], buffer),
        step(StepId::Precheck, &[StepId::Buffer], precheck(plan)),
        step(StepId::Full, &[StepId::Precheck], full(plan)),
    ];
    let mut last = StepId::Full;
    if plan.migration == Migration::FullIncremental {
        steps.push(step(StepId::Incremental, &[last], incremental(plan)));
        last = StepId::Incremental;
    }
    if let Some(Verify { mode, rate }) = plan.verify {
        let work = VerifyWork { selection: plan.selection.clone(), mode, rate };
        steps.push(step(StepId::Verify, &[last], Work::Verify(work)));
        last = StepId::Verify;
    }
    if let Some(cutover) = plan.cutover.as_ref().filter(|_| plan.migration == Migration::FullIncremental) {
        steps.push(step(StepId::Cutover, &[last], Work::Cutover(cutover.clone())));
        last = StepId::Cutover;
    }
    steps.push(Step { always: true, ..step(StepId::Cleanup, &[last], cleanup) });
    Graph {
        format: FORMAT,
        name: plan.name.clone(),
        change: plan.change.clone(),
        labels: plan.labels.clone(),
        source: plan.source.clone(),
        destination: plan.destination.clone(),
        windows: plan.windows.clone(),
        hooks: plan.hooks.clone(),
        steps,
    }
}

fn step(id: StepId, after: &[StepId], work: Work) -> Step {
    Step { id, after: after.to_vec(), always: false, work }
}

fn precheck(plan: &Plan) -> Work {
    Work::Precheck(PrecheckWork {
        source: plan.source_expect.clone(),
        destination: plan.destination_expect.clone(),
        selection: plan.selection.clone(),
        on_conflict: plan.on_conflict,
        limits: plan.limits.clone(),
    })
}

fn full(plan: &Plan) -> Work {
    Work::Full(FullWork {
        selection: plan.selection.clone(),
        on_conflict: plan.on_conflict,
        on_unsupported: plan.on_unsupported,
        on_stream_lost: plan.on_stream_lost,
        limits: plan.limits.clone(),
    })
}

fn incremental(plan: &Plan) -> Work {
    Work::Incremental(IncrementalWork {
        selection: plan.selection.clone(),
        on_unsupported: plan.on_unsupported,
        limits: plan.limits.clone(),
        stop: plan.stop.clone(),
        deadline: plan.deadline,
        then: if plan.cutover.is_some() { WhenMet::Hold } else { WhenMet::Drain },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::plan::{Cleanup, ReplicaBuffer};
    use crate::planner::digest;
    use crate::step::{
        Account, Condition, CutoverMode, CutoverWork, Deadline, DeadlineEnd, DestinationExpect, Endpoint, Fence, Hook,
        KeyPattern, Limits, Moment, OnConflict, OnError, OnStreamLost, OnUnsupported, Plaintext, Removal, Selection,
        Side, SourceExpect, VerifyMode, Windows,
    };
    use crate::unit::{Address, ByteRate, ByteSize, CountRate, Db, SecretRef, TlsFiles};

    fn plan() -> Plan {
        let endpoint = |host: &str| Endpoint {
            address: Address::Tcp { host: host.to_owned(), port: 6379 },
            tls: None,
            username: None,
            password: None,
            plaintext: None,
        };
        Plan {
            name: "sessions".to_owned(),
            change: None,
            labels: [].into(),
            source: endpoint("10.0.0.5"),
            source_expect: SourceExpect::default(),
            destination: endpoint("10.0.0.9"),
            destination_expect: DestinationExpect::default(),
            selection: Selection::all(),
            migration: Migration::Full,
            on_conflict: OnConflict::Fail,
            on_unsupported: OnUnsupported::Fail,
            on_stream_lost: OnStreamLost::Hold,
            buffer: ReplicaBuffer { unlimited: false },
            limits: Limits {
                bandwidth: None,
                writes: None,
                connections: None,
                spool: ByteSize(64 << 30),
                chunk_above: ByteSize::mib(16),
                patience: None,
            },
            stop: Condition::Cutover,
            deadline: None,
            verify: None,
            cutover: None,
            windows: None,
            hooks: vec![],
            cleanup: Cleanup { keep_run_record: "30d".parse().ok(), accounts: vec![] },
        }
    }

    #[test]
    fn a_full_migration_has_four_steps_in_order() {
        let graph = expand(&plan());
        let steps: Vec<(StepId, &[StepId], bool)> =
            graph.steps.iter().map(|step| (step.id, step.after.as_slice(), step.always)).collect();
        assert_eq!(
            steps,
            [
                (StepId::Buffer, [].as_slice(), false),
                (StepId::Precheck, [StepId::Buffer].as_slice(), false),
                (StepId::Full, [StepId::Precheck].as_slice(), false),
                (StepId::Cleanup, [StepId::Full].as_slice(), true),
            ]
        );
        assert_eq!(graph.steps[0].work, Work::Buffer(BufferWork { unlimited: false }));
    }

    /// Approvals name digests: a digest that changes although the plan did not makes every one of them void. When this
    /// fails because the graph's structure changed on purpose, raise `FORMAT` and say so in the changelog.
    #[test]
    fn following_comes_between_the_copy_and_the_end() {
        let graph = expand(&Plan { migration: Migration::FullIncremental, ..plan() });
        let steps: Vec<(StepId, &[StepId])> =
            graph.steps.iter().map(|step| (step.id, step.after.as_slice())).skip(2).collect();
        assert_eq!(
            steps,
            [
                (StepId::Full, [StepId::Precheck].as_slice()),
                (StepId::Incremental, [StepId::Full].as_slice()),
                (StepId::Cleanup, [StepId::Incremental].as_slice()),
            ]
        );
    }

    #[test]
    fn both_sides_are_compared_after_the_copy_and_before_the_end() {
        let verify = Some(Verify { mode: VerifyMode::Full, rate: None });
        for (migration, last) in [(Migration::Full, StepId::Full), (Migration::FullIncremental, StepId::Incremental)] {
            let graph = expand(&Plan { migration, verify, ..plan() });
            let steps: Vec<(StepId, &[StepId])> =
                graph.steps.iter().rev().take(2).map(|step| (step.id, step.after.as_slice())).collect();
            let last = [last];
            let expected = [(StepId::Cleanup, [StepId::Verify].as_slice()), (StepId::Verify, last.as_slice())];
            assert_eq!(steps, expected);
        }
    }

    #[test]
    fn the_digest_of_a_plan_stays_the_same() {
        let known = "3343961c6569697ae92de5432dd9c9d5beb22a02099ad2bcccedbb54310150eb";
        assert_eq!(digest(&expand(&plan())).to_string(), known);
    }

    fn cutover() -> CutoverWork {
        let period = |text: &str| text.parse().unwrap();
        CutoverWork {
            mode: CutoverMode::Manual,
            fence: Fence::ClientPause,
            max_lag: period("1s"),
            timeout: period("30s"),
        }
    }

    fn hook() -> Hook {
        let (run, timeout) = (vec!["./switch".to_owned()], "60s".parse().unwrap());
        Hook { at: Moment::CutoverSealed, run, timeout, on_error: OnError::Fail }
    }

    fn windows(full: &[&str]) -> Windows {
        let full = full.iter().map(|window| window.parse().unwrap()).collect();
        Windows { timezone: "UTC".to_owned(), full, cutover: vec![] }
    }

    #[test]
    fn a_cutover_comes_between_following_and_the_end() {
        let graph = expand(&Plan { migration: Migration::FullIncremental, cutover: Some(cutover()), ..plan() });
        let steps: Vec<(StepId, &[StepId])> =
            graph.steps.iter().map(|step| (step.id, step.after.as_slice())).skip(3).collect();
        assert_eq!(
            steps,
            [
                (StepId::Incremental, [StepId::Full].as_slice()),
                (StepId::Cutover, [StepId::Incremental].as_slice()),
                (StepId::Cleanup, [StepId::Cutover].as_slice()),
            ]
        );
    }

    #[test]
    fn each_change_that_matters_changes_the_digest() {
        let changes: [fn(&mut Plan); 46] = [
            |_| {},
            |plan| plan.name = "session".to_owned(),
            |plan| plan.change = Some("CHG1".to_owned()),
            |plan| _ = plan.labels.insert("env".to_owned(), "prod".to_owned()),
            |plan| plan.source.address = Address::Tcp { host: "10.0.0.5".to_owned(), port: 6380 },
            |plan| plan.source.username = Some("default".to_owned()),
            |plan| plan.source.password = Some(SecretRef::Env("A".to_owned())),
            |plan| plan.source.password = Some(SecretRef::File("A".into())),
            |plan| plan.source.plaintext = Some(Plaintext::Accepted),
            |plan| plan.source.tls = Some(TlsFiles::default()),
            |plan| plan.source.tls = Some(TlsFiles { ca: Some("ca.pem".into()), ..TlsFiles::default() }),
            |plan| plan.source.tls = Some(TlsFiles { crl: Some("ca.pem".into()), ..TlsFiles::default() }),
            |plan| plan.destination.tls = Some(TlsFiles { server_name: Some("a".into()), ..TlsFiles::default() }),
            |plan| plan.destination.address = Address::Unix { path: "/run/redis".into() },
            |plan| plan.source_expect.version = "<6".parse().ok(),
            |plan| plan.destination_expect.empty = Some(true),
            |plan| plan.destination_expect.empty = Some(false),
            |plan| plan.selection.rules.clear(),
            |plan| plan.selection.rules[0].to = Some(Db(0)),
            |plan| plan.selection.rules[0].include.push(KeyPattern("a".to_owned())),
            |plan| plan.selection.rules[0].exclude.push(KeyPattern("a".to_owned())),
            |plan| plan.on_conflict = OnConflict::Skip,
            |plan| plan.on_unsupported = OnUnsupported::Report,
            |plan| plan.on_stream_lost = OnStreamLost::Recopy,
            |plan| plan.buffer.unlimited = true,
            |plan| plan.limits.bandwidth = Some(ByteRate(1_500_000)),
            |plan| plan.limits.bandwidth = Some(ByteRate(1_500_001)),
            |plan| plan.limits.writes = Some(CountRate(1)),
            |plan| plan.limits.spool = ByteSize((64 << 30) + 1),
            |plan| plan.limits.patience = "15m".parse().ok(),
            |plan| plan.cleanup.keep_run_record = None,
            |plan| plan.migration = Migration::FullIncremental,
            |plan| {
                (plan.migration, plan.stop) = (Migration::FullIncremental, Condition::Duration("2h".parse().unwrap()));
            },
            |plan| {
                plan.migration = Migration::FullIncremental;
                plan.deadline = Some(Deadline { after: "2h".parse().unwrap(), then: DeadlineEnd::Hold });
            },
            |plan| (plan.migration, plan.cutover) = (Migration::FullIncremental, Some(cutover())),
            |plan| {
                let cutover = CutoverWork { fence: Fence::MinReplicas, ..cutover() };
                (plan.migration, plan.cutover) = (Migration::FullIncremental, Some(cutover));
            },
            |plan| plan.hooks.push(hook()),
            |plan| plan.hooks.push(Hook { on_error: OnError::Hold, ..hook() }),
            |plan| plan.windows = Some(windows(&["Mon 20:00-21:00"])),
            |plan| plan.windows = Some(windows(&["Mon 20:00-22:00"])),
            |plan| plan.cleanup.accounts.push(Account { side: Side::Source, removal: Removal::User("m".to_owned()) }),
            |plan| plan.verify = Some(Verify { mode: VerifyMode::Keys, rate: None }),
            |plan| plan.verify = Some(Verify { mode: VerifyMode::Full, rate: None }),
            |plan| plan.verify = Some(Verify { mode: VerifyMode::Full, rate: Some(CountRate(9)) }),
            |plan| plan.verify = Some(Verify { mode: VerifyMode::Sample { keys: 9 }, rate: None }),
            |plan| {
                let stop = Condition::Verify { mode: VerifyMode::Keys, rate: None };
                (plan.migration, plan.stop) = (Migration::FullIncremental, stop);
            },
        ];
        let digests: HashSet<String> = changes
            .iter()
            .map(|change| {
                let mut plan = plan();
                change(&mut plan);
                digest(&expand(&plan)).to_string()
            })
            .collect();
        assert_eq!(digests.len(), changes.len());
    }
}
