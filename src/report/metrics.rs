//! A running process in figures for a monitoring system, in the text format `OpenMetrics` 1.0
//! (<https://prometheus.io/docs/specs/om/open_metrics_spec/>). One table says which metrics there are: the exposition and
//! the reference page come from it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::step::{
    CutoverResult, Event, FollowProgress, FullProgress, Graph, Stamped, StepId, Traffic, VerifyProgress, VerifyResult,
    Work,
};

/// What a monitoring system is told the text is.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, without the `_total` and `_info` that its samples carry.
    pub name: &'static str,
    /// Its kind: `counter`, `gauge` or `info`.
    pub kind: &'static str,
    /// Its unit, which its name ends with; empty when it has none.
    pub unit: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
    values: fn(&Metrics) -> Vec<MetricValue>,
}

/// A value with the values of its labels.
type MetricValue = (Vec<String>, f64);

/// Every metric, in the order in which they are told.
pub const METRICS: [Metric; 26] = [
    Metric {
        name: "redis_plan_run",
        kind: "info",
        unit: "",
        labels: &["plan", "run", "digest", "version"],
        help: "The run that this process works on, and the version of redis-plan.",
        values: |m| {
            let version = env!("CARGO_PKG_VERSION").to_owned();
            vec![(vec![m.plan.clone(), m.run.clone(), m.digest.clone(), version], 1.0)]
        },
    },
    Metric {
        name: "redis_plan_attempt",
        kind: "gauge",
        unit: "",
        labels: &[],
        help: "Processes that have worked on the run, this one included.",
        values: |m| vec![(vec![], f64::from(m.attempt))],
    },
    Metric {
        name: "redis_plan_step_state",
        kind: "gauge",
        unit: "",
        labels: &["step", "state"],
        help: "1 for the state a step is in, 0 for the others: waiting, running, done, skipped, failed.",
        values: |m| {
            let states = ["waiting", "running", "done", "skipped", "failed"];
            let of = |(step, state): (&StepId, &&'static str)| {
                let (step, state) = (*step, *state);
                states.map(|one| (vec![step.name().to_owned(), one.to_owned()], f64::from(u8::from(one == state))))
            };
            m.steps.iter().flat_map(of).collect()
        },
    },
    Metric {
        name: "redis_plan_waiting",
        kind: "gauge",
        unit: "",
        labels: &[],
        help: "1 while nothing moves because something outside is waited for.",
        values: |m| vec![(vec![], f64::from(u8::from(m.waiting)))],
    },
    Metric {
        name: "redis_plan_dump_size_bytes",
        kind: "gauge",
        unit: "bytes",
        labels: &[],
        help: "Length of the source's dump, once known.",
        values: |m| {
            m.full.as_ref().and_then(|full| full.total).map(|total| (vec![], float(total))).into_iter().collect()
        },
    },
    Metric {
        name: "redis_plan_dump_received_bytes",
        kind: "gauge",
        unit: "bytes",
        labels: &[],
        help: "Bytes of the dump in the spool.",
        values: |m| m.full.iter().map(|full| (vec![], float(full.received))).collect(),
    },
    Metric {
        name: "redis_plan_dump_applied_bytes",
        kind: "gauge",
        unit: "bytes",
        labels: &[],
        help: "Every byte of the dump before this one is confirmed by the destination.",
        values: |m| m.full.iter().map(|full| (vec![], float(full.applied))).collect(),
    },
    Metric {
        name: "redis_plan_full_keys",
        kind: "counter",
        unit: "",
        labels: &["result"],
        help: "Keys of the dump, earlier processes included: confirmed, filtered, expired, skipped, failed.",
        values: |m| {
            let of = |full: &FullProgress| {
                [
                    ("confirmed", full.keys),
                    ("filtered", full.filtered),
                    ("expired", full.expired),
                    ("skipped", full.skipped),
                    ("failed", full.failed),
                ]
            };
            let counts = m.full.iter().flat_map(of);
            counts.map(|(result, count)| (vec![result.to_owned()], float(count))).collect()
        },
    },
    Metric {
        name: "redis_plan_full_left_seconds",
        kind: "gauge",
        unit: "seconds",
        labels: &[],
        help: "Estimated time to the end of the copy.",
        values: |m| m.full.as_ref().and_then(|full| full.eta).map(|eta| (vec![], eta)).into_iter().collect(),
    },
    Metric {
        name: "redis_plan_lag_seconds",
        kind: "gauge",
        unit: "seconds",
        labels: &[],
        help: "Age of the oldest change of the source that is not applied; absent while it is not known.",
        values: |m| following(m, |following| following.lag.map(|lag| lag.seconds)),
    },
    Metric {
        name: "redis_plan_lag_bytes",
        kind: "gauge",
        unit: "bytes",
        labels: &[],
        help: "Bytes of the stream that are not applied; absent while that is not known.",
        values: |m| following(m, |following| following.lag.map(|lag| float(lag.bytes))),
    },
    Metric {
        name: "redis_plan_offset_bytes",
        kind: "gauge",
        unit: "bytes",
        labels: &["point"],
        help: "Replication offsets: applied at the destination, received here, written by the source.",
        values: |m| {
            let Some(following) = &m.following else { return vec![] };
            let points = [
                ("applied", Some(following.applied)),
                ("received", Some(following.received)),
                ("source", following.source),
            ];
            let known = points.into_iter().filter_map(|(point, offset)| Some((point, offset?)));
            known.map(|(point, offset)| (vec![point.to_owned()], float(offset.0))).collect()
        },
    },
    Metric {
        name: "redis_plan_stream_commands",
        kind: "counter",
        unit: "",
        labels: &["result"],
        help: "Commands of the stream that this process applied, filtered by rule, or reported.",
        values: |m| {
            let of = |following: &FollowProgress| {
                [("applied", following.commands), ("filtered", following.filtered), ("reported", following.failed)]
            };
            let counts = m.following.iter().flat_map(of);
            counts.map(|(result, count)| (vec![result.to_owned()], float(count))).collect()
        },
    },
    Metric {
        name: "redis_plan_deadlines",
        kind: "gauge",
        unit: "",
        labels: &["state"],
        help: "Deadlines at the destination: deferred while the source is followed, settled (made exact by a cutover), and the \
               keys a cutover remembered for its fence; scripts that met them.",
        values: |m| {
            let Some(figures) = m.following.as_ref().and_then(|following| following.deadlines) else { return vec![] };
            [
                ("deferred", figures.deferred),
                ("remembered", figures.remembered),
                ("settled", figures.settled),
                ("scripts", figures.scripts),
            ]
            .map(|(state, count)| (vec![state.to_owned()], float(count)))
            .to_vec()
        },
    },
    Metric {
        name: "redis_plan_spool_bytes",
        kind: "gauge",
        unit: "bytes",
        labels: &[],
        help: "Bytes of the stream in the spool.",
        values: |m| following(m, |following| Some(float(following.spooled.0))),
    },
    Metric {
        name: "redis_plan_spool_limit_bytes",
        kind: "gauge",
        unit: "bytes",
        labels: &[],
        help: "The bound of the spool, limits.spool.",
        values: |m| m.spool.map(|limit| (vec![], float(limit))).into_iter().collect(),
    },
    Metric {
        name: "redis_plan_link_bytes",
        kind: "counter",
        unit: "bytes",
        labels: &["link", "direction"],
        help: "Bytes over both links since this process began, encryption included: sent to the server, received from it.",
        values: |m| {
            let Traffic { source, destination } = m.traffic;
            [
                ("source", "sent", source.sent),
                ("source", "received", source.received),
                ("destination", "sent", destination.sent),
                ("destination", "received", destination.received),
            ]
            .map(|(link, direction, bytes)| (vec![link.to_owned(), direction.to_owned()], float(bytes)))
            .to_vec()
        },
    },
    Metric {
        name: "redis_plan_link_losses",
        kind: "counter",
        unit: "",
        labels: &[],
        help: "How often the connection to the source was lost while it was followed.",
        values: |m| vec![(vec![], float(m.losses))],
    },
    Metric {
        name: "redis_plan_key_failures",
        kind: "counter",
        unit: "",
        labels: &[],
        help: "Keys and commands that could not be written as they are; each is an event.",
        values: |m| vec![(vec![], float(m.failures))],
    },
    Metric {
        name: "redis_plan_verify_names",
        kind: "gauge",
        unit: "",
        labels: &["of"],
        help: "Names that the comparison under way has looked at, and those there were on both sides when it began.",
        values: |m| {
            let of = |progress: &VerifyProgress| [("looked_at", progress.looked_at), ("total", progress.total)];
            let counts = m.comparing.iter().flat_map(of);
            counts.map(|(of, count)| (vec![of.to_owned()], float(count))).collect()
        },
    },
    Metric {
        name: "redis_plan_verify_keys",
        kind: "gauge",
        unit: "",
        labels: &["result"],
        help: "Keys of the newest comparison: compared, different, unsettled (could not be verified; known at its end).",
        values: |m| {
            let counts = match (&m.verified, &m.comparing) {
                (Some(result), _) => {
                    vec![("compared", result.keys()), ("different", result.different), ("unsettled", result.unsettled)]
                }
                (None, Some(progress)) => vec![("compared", progress.keys), ("different", progress.different)],
                (None, None) => vec![],
            };
            counts.into_iter().map(|(result, count)| (vec![result.to_owned()], float(count))).collect()
        },
    },
    Metric {
        name: "redis_plan_verify_left_seconds",
        kind: "gauge",
        unit: "seconds",
        labels: &[],
        help: "Estimated time to the end of the comparison under way.",
        values: |m| {
            m.comparing.as_ref().and_then(|progress| progress.eta).map(|eta| (vec![], eta)).into_iter().collect()
        },
    },
    Metric {
        name: "redis_plan_cutovers",
        kind: "counter",
        unit: "",
        labels: &["result"],
        help: "Cutovers of this process: begun, undone, sealed.",
        values: |m| {
            let counts = [("begun", m.begun), ("undone", m.undone), ("sealed", u64::from(m.sealed.is_some()))];
            counts.map(|(result, count)| (vec![result.to_owned()], float(count))).to_vec()
        },
    },
    Metric {
        name: "redis_plan_writers_blocked_seconds",
        kind: "gauge",
        unit: "seconds",
        labels: &[],
        help: "For how long the cutover that sealed the destination blocked writes.",
        values: |m| m.sealed.iter().map(|sealed| (vec![], sealed.blocked)).collect(),
    },
    Metric {
        name: "redis_plan_process_start_time_seconds",
        kind: "gauge",
        unit: "seconds",
        labels: &[],
        help: "When this process took the run up, seconds since the epoch.",
        values: |m| vec![(vec![], millis(m.began))],
    },
    Metric {
        name: "redis_plan_last_event_time_seconds",
        kind: "gauge",
        unit: "seconds",
        labels: &[],
        help: "When the last event came, seconds since the epoch: figures come twice a second while data moves.",
        values: |m| vec![(vec![], millis(m.last))],
    },
];

/// What the events of a process add up to for a monitoring system.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    plan: String,
    run: String,
    digest: String,
    attempt: u32,
    steps: BTreeMap<StepId, &'static str>,
    waiting: bool,
    full: Option<FullProgress>,
    following: Option<FollowProgress>,
    traffic: Traffic,
    comparing: Option<VerifyProgress>,
    verified: Option<VerifyResult>,
    spool: Option<u64>,
    losses: u64,
    failures: u64,
    begun: u64,
    undone: u64,
    sealed: Option<CutoverResult>,
    began: i64,
    last: i64,
}

impl Metrics {
    /// Of a run of `graph` of which nothing was told yet.
    pub fn of(graph: &Graph) -> Self {
        let spool = graph.steps.iter().find_map(|step| match &step.work {
            Work::Full(work) => Some(work.limits.spool.0),
            _ => None,
        });
        let steps = graph.steps.iter().map(|step| (step.id, "waiting")).collect();
        Self { plan: graph.name.clone(), steps, spool, ..Self::default() }
    }

    /// Takes one event.
    pub fn take(&mut self, Stamped { at, event }: &Stamped) {
        self.last = at.0;
        self.waiting = match event {
            Event::Waiting { .. } => true,
            Event::Traffic { .. } | Event::Progress { .. } | Event::Following { .. } => {
                self.waiting && !self.moves(event)
            }
            _ => false,
        };
        match event {
            Event::RunStarted { run, digest, attempt, .. } => {
                (self.run, self.digest, self.attempt, self.began) = (run.clone(), digest.clone(), *attempt, at.0);
            }
            Event::StepStarted { step } => _ = self.steps.insert(*step, "running"),
            Event::StepSkipped { step, .. } => _ = self.steps.insert(*step, "skipped"),
            Event::StepDone { step, .. } => _ = self.steps.insert(*step, "done"),
            Event::StepFailed { step, .. } => _ = self.steps.insert(*step, "failed"),
            Event::Progress { progress } => self.full = Some(progress.clone()),
            Event::Following { progress } => self.following = Some(progress.clone()),
            Event::Traffic { traffic } => self.traffic = *traffic,
            Event::VerifyProgress { progress } => (self.comparing, self.verified) = (Some(*progress), None),
            Event::Verified { result } => (self.comparing, self.verified) = (None, Some(result.clone())),
            Event::LinkLost { .. } => self.losses += 1,
            Event::KeyFailed { .. } => self.failures += 1,
            Event::CutoverPart { part: crate::step::CutoverPart::Fence, .. } => self.begun += 1,
            Event::CutoverUndone { .. } => self.undone += 1,
            Event::Sealed { result } => self.sealed = Some(result.clone()),
            _ => {}
        }
    }

    /// Whether these figures are further than the last.
    fn moves(&self, event: &Event) -> bool {
        match event {
            Event::Progress { progress } => self.full.as_ref().is_none_or(|last| last.applied < progress.applied),
            Event::Following { progress } => self.following.as_ref().is_none_or(|last| last.applied < progress.applied),
            _ => false,
        }
    }

    /// The text that a monitoring system reads.
    pub fn exposition(&self) -> String {
        let mut out = String::new();
        for metric in &METRICS {
            let Metric { name, kind, unit, labels, help, values } = metric;
            _ = writeln!(out, "# TYPE {name} {kind}");
            if !unit.is_empty() {
                _ = writeln!(out, "# UNIT {name} {unit}");
            }
            _ = writeln!(out, "# HELP {name} {help}");
            let suffix = metric.suffix();
            for (texts, value) in values(self) {
                let labels: Vec<String> =
                    labels.iter().zip(&texts).map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
                let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
                _ = writeln!(out, "{name}{suffix}{labels} {value}");
            }
        }
        out.push_str("# EOF\n");
        out
    }
}

impl Metric {
    /// What the names of its samples end with.
    pub fn suffix(&self) -> &'static str {
        match self.kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        }
    }
}

fn following(metrics: &Metrics, of: impl Fn(&FollowProgress) -> Option<f64>) -> Vec<MetricValue> {
    metrics.following.as_ref().and_then(of).map(|value| (vec![], value)).into_iter().collect()
}

/// A label's value: backslash, quote and line break as the format has them.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[expect(clippy::cast_precision_loss, reason = "the format has no other numbers")]
fn float(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "the format has no other numbers")]
fn millis(at: i64) -> f64 {
    at as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_process_under_way_in_figures() {
        let mut metrics = Metrics::of(&sample::rich());
        sample::events().iter().take(17).for_each(|event| metrics.take(event));
        let text = metrics.exposition().replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!("metrics", text);
    }

    #[test]
    fn names_follow_the_format() {
        for metric in METRICS {
            let Metric { name, unit, help, .. } = metric;
            assert!(name.starts_with("redis_plan_") && help.ends_with('.'), "{name}");
            assert!(unit.is_empty() || name.ends_with(&format!("_{unit}")), "{name} does not end with its unit");
            assert!(!name.ends_with("_total") && !name.ends_with("_info"), "{name}");
        }
    }

    #[test]
    fn a_plan_s_name_breaks_no_line() {
        let mut graph = sample::minimal();
        graph.name = "a\"b\\c\nd".to_owned();
        let text = Metrics::of(&graph).exposition();
        assert!(text.contains("{plan=\"a\\\"b\\\\c\\nd\","), "{text}");
    }

    #[test]
    fn waiting_ends_when_something_moves() {
        let mut metrics = Metrics::of(&sample::minimal());
        let stamped = |event| Stamped { at: sample::at(0), event };
        let figures = |applied| stamped(sample::progress(10, applied, 1, 1.0, None));
        metrics.take(&figures(5));
        metrics.take(&stamped(Event::Waiting { step: StepId::Full, reason: String::new() }));
        metrics.take(&figures(5));
        assert!(metrics.waiting);
        metrics.take(&figures(6));
        assert!(!metrics.waiting);
    }
}
