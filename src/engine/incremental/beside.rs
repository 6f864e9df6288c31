//! What runs beside the loop of following: the thread that feeds, the lane that writes, the clock, the heartbeat, and the
//! questions to the source.

use std::{collections::HashSet, time::Duration};

use async_channel::{Receiver, Sender, bounded};

use super::{
    deadlines::{Asking, OffsetSamples},
    feed::{Feed, Outlet, OutletParts, feed},
    gauge::StreamProgress,
    poll::{EVERY, poll, stands},
    settler::Settler,
    setup::DestinationState,
    signal::Signal,
};
use crate::{
    engine::{background, intake::StreamState, run::Run},
    resp::{CommandReader, RespLimits},
    sink::{
        BatchSize, InFlight, Lane, LaneReport, LaneSetup, LargeValuePermits, Lease, Mark, Part, Translator,
        TranslatorSetup,
    },
    step::{IncrementalWork, OnConflict},
    store::spool::{SpoolLevel, SpoolReader},
};

/// Bytes that may be queued for or unconfirmed by the destination, and at most half the spool's bound: what is
/// unconfirmed stays in the spool.
const WINDOW: u64 = 16 << 20;
/// Batches the lane has in hand beside the one it works on.
const JOBS_AHEAD: usize = 2;
/// How long a destination may be unreachable or refuse before the run stops.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a run that ends waits for the replies to what its lane has sent.
const LANE_ENDS: Duration = Duration::from_secs(5);
/// How often the loop looks at the conditions.
const TICK: Duration = Duration::from_millis(100);

/// What runs beside the loop.
pub(super) struct FollowTasks {
    pub(super) signals: Receiver<Signal>,
    pub(super) reports: Receiver<LaneReport>,
    level: SpoolLevel,
    pub(super) window: InFlight,
    /// What runs beside the loop tells it through this.
    pub(super) tell: Sender<Signal>,
    /// How often the source was asked where it stands, and whether its answer is still to come.
    asked_where: (u32, bool),
    /// Makes deadlines exact.
    pub(super) settler: Settler,
    /// The lane and who feeds it.
    working: Vec<async_std::task::JoinHandle<()>>,
    /// What sends signals besides.
    background: Vec<async_std::task::JoinHandle<()>>,
}

impl FollowTasks {
    /// Starts it. `source_ahead` is the source's clock minus ours, in milliseconds.
    pub(super) fn start(
        run: &Run,
        work: &IncrementalWork,
        (there, lease): (&DestinationState, &Lease),
        (state, gauge): (&StreamState, &StreamProgress),
        source_ahead: i64,
    ) -> Self {
        let (signals_in, signals) = bounded(4096);
        let (reports_in, reports) = bounded(4096);
        let (jobs_in, jobs) = bounded(JOBS_AHEAD);
        let place = run.stream(there.record.generation);
        let (level, window) = (state.spool(), InFlight::new(WINDOW.min(run.spool_bound().0 / 2)));
        let (at, size) = (there.checkpoint, BatchSize::new(1));
        let mut working = vec![];
        let stood = (run.request.state_dir.clone(), there.record.deadlines);
        // Before anything of the stream is applied.
        let first = there.defers_first.then(|| Self::first(&jobs_in, &window, stood)).flatten();
        let settler = Settler::start((jobs_in.clone(), signals_in.clone()), (window.clone(), run.gate.clone()), first);

        let setup = LaneSetup {
            part: Part::Stream,
            access: run.request.servers.destination.clone(),
            destination: there.destination.clone(),
            keys: run.keys.clone(),
            token: lease.token.clone(),
            from: Mark { at: at.offset.0, elements: 0 },
            on_conflict: OnConflict::Replace,
            clock_ahead: there.clock_ahead,
            spool: place.folder.clone(),
            spool_tag: place.tag,
            level: level.clone(),
            turns: LargeValuePermits::new(),
            patience: PATIENCE,
            size: size.clone(),
        };
        let lane = Lane::new(setup, jobs, reports_in, window.clone()).with_settings(run.noted.clone());
        let told = signals_in.clone();
        working.push(background::own_thread(move || async move {
            let ended = lane.run().await;
            let _ = told.send(Signal::LaneEnded(ended)).await;
        }));

        let to = OutletParts {
            jobs: jobs_in,
            signals: signals_in.clone(),
            window: window.clone(),
            gate: run.gate.clone(),
            writes: run.writes.clone(),
            gauge: gauge.clone(),
            size,
            state: state.clone(),
            on_unsupported: work.on_unsupported,
        };
        let told = OffsetSamples::default();
        let asking = Asking {
            source: run.request.servers.source.clone(),
            told: told.clone(),
            source_ahead,
            open: None,
            is_refused: false,
            signals: signals_in.clone(),
            window: window.clone(),
            doubtful: HashSet::new(),
        };
        let feeding = Feed {
            reader: SpoolReader::new(&place.folder, place.tag, at.offset.0, level.clone()),
            commands: CommandReader::starting_at(at.offset.0, RespLimits::default()),
            translator: Translator::new(TranslatorSetup {
                deadlines: Some(Box::new(asking)),
                ..there.translator(work, run.on_conflict(), &run.keys)
            }),
            outlet: Outlet::new(at, there.restore(lease), to),
            source_ahead,
            destination_ahead: there.clock_ahead,
            ahead: settler.ahead(),
        };
        working.push(async_std::task::spawn_blocking(move || feed(feeding)));
        let background = vec![
            background::ticks(signals_in.clone(), TICK, || Signal::Tick),
            background::heartbeat(
                run,
                lease.clone(),
                signals_in.clone(),
                Signal::Heartbeat,
                Some(|info| Signal::Kept(Box::new(info))),
            ),
            background::stop(run, signals_in.clone(), || Signal::Stop),
            poll(run, signals_in.clone(), told),
        ];
        let asked_where = (0, false);
        Self { signals, reports, level, window, tell: signals_in, asked_where, settler, working, background }
    }

    /// Asks the source where it stands, unless that is done already; the answer comes as a signal.
    pub(super) fn ask_where(&mut self, run: &Run) {
        let (times, waits) = self.asked_where;
        if !waits {
            let pause = if times == 0 { Duration::ZERO } else { EVERY };
            self.asked_where = (times + 1, true);
            self.background.push(stands(run, self.tell.clone(), pause));
        }
    }

    /// The source has said where it stands.
    pub(super) fn was_answered(&mut self) {
        self.asked_where.1 = false;
    }

    /// Hands nothing more out, and hears the lane out: what it has sent is told by its replies.
    pub(super) async fn hear_out(&mut self) -> Vec<LaneReport> {
        self.level.end();
        self.window.close();
        self.signals.close();
        let mut reports = vec![];
        self.settler.end();
        let hearing = async {
            // Ends with the lane.
            while let Ok(report) = self.reports.recv().await {
                reports.push(report);
            }
        };
        let _ = async_std::future::timeout(LANE_ENDS, hearing).await;
        reports
    }

    /// Ends it, once the lane is heard out.
    pub(super) async fn end(self) {
        background::end(self.background).await;
        for task in self.working {
            let _ = async_std::future::timeout(Duration::from_millis(50), task).await;
        }
    }
}
