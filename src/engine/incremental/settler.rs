//! The worker that asks the lane for one step after another, on a thread of its own: deadlines are made exact, or deferred
//! again, between batches of the stream.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};

use async_channel::{Receiver, Sender, bounded};

use super::{beside::FollowTasks, signal::Signal};
use crate::{
    engine::gate::Gate,
    sink::{DeadlineJob, DeadlineMode, DeadlinePass, DeadlineStep, InFlight, Job, Settled},
    unit::{Expiry, UnixMillis},
};

/// The cutover of nobody.
const NOBODY: u32 = 0;

/// What making deadlines exact comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SettleOutcome {
    /// The pass of this cutover is over; number 0 is the run's end without one.
    Passed(u32, Settled),
    /// What this cutover remembered is exact.
    Rested(u32, Settled),
    /// Everything is deferred again.
    Deferred(Settled),
}

/// What the worker is to do.
enum SettleOrder {
    Pass(u32, Box<DeadlinePass>),
    Rest(u32),
    Defer(PathBuf, DeadlineMode),
}

/// Asks the lane for one step after another, on a thread of its own.
pub(super) struct Settler {
    orders: Sender<SettleOrder>,
    /// The number of the cutover whose pass goes on, plus one.
    wanted: Arc<AtomicU32>,
    /// How far ahead deadlines lie that the stream writes exact, in milliseconds; 0 defers all.
    ahead: Arc<AtomicI64>,
}

/// What the worker works with.
struct Worker {
    jobs: Sender<Job>,
    signals: Sender<Signal>,
    window: InFlight,
    gate: Gate,
    wanted: Arc<AtomicU32>,
    ahead: Arc<AtomicI64>,
}

impl Settler {
    /// Starts the worker. `first` is answered by the lane when it has done what was asked of it before all else.
    pub(super) fn start(
        (jobs, signals): (Sender<Job>, Sender<Signal>),
        (window, gate): (InFlight, Gate),
        first: Option<Receiver<Settled>>,
    ) -> Self {
        let (orders, ordered) = bounded(8);
        let wanted = Arc::new(AtomicU32::new(NOBODY));
        let ahead = Arc::new(AtomicI64::new(0));
        let worker = Worker { jobs, signals, window, gate, wanted: wanted.clone(), ahead: ahead.clone() };
        std::thread::spawn(move || {
            // Ends when nobody orders any more, or the lane has ended.
            let _ = worker.work(first, &ordered);
        });
        Self { orders, wanted, ahead }
    }

    /// How far ahead deadlines lie that the stream writes exact.
    pub(super) fn ahead(&self) -> Arc<AtomicI64> {
        self.ahead.clone()
    }

    /// Begins the pass of a cutover.
    pub(super) async fn pass(&self, number: u32, pass: DeadlinePass) {
        self.wanted.store(number.saturating_add(1), Ordering::Release);
        let _ = self.orders.send(SettleOrder::Pass(number, Box::new(pass))).await;
    }

    /// Nothing more is ordered: the worker lets go of the lane.
    pub(super) fn end(&self) {
        self.orders.close();
    }

    /// Makes exact what the cutover has remembered.
    pub(super) async fn rest(&self, number: u32) {
        let _ = self.orders.send(SettleOrder::Rest(number)).await;
    }

    /// Ends a pass, and defers again what was made exact.
    pub(super) async fn defer(&self, folder: PathBuf, mode: DeadlineMode) {
        self.wanted.store(NOBODY, Ordering::SeqCst);
        self.ahead.store(0, Ordering::SeqCst);
        let _ = self.orders.send(SettleOrder::Defer(folder, mode)).await;
    }
}

/// Nobody listens any more.
struct Gone;

impl Worker {
    fn work(self, first: Option<Receiver<Settled>>, orders: &Receiver<SettleOrder>) -> Result<(), Gone> {
        if let Some(first) = first {
            let settled = first.recv_blocking().map_err(|_| Gone)?;
            self.tell(SettleOutcome::Deferred(settled))?;
        }
        while let Ok(order) = orders.recv_blocking() {
            match order {
                SettleOrder::Pass(number, pass) => self.pass(number, pass)?,
                SettleOrder::Rest(number) => {
                    let settled = self.ask(DeadlineStep::Rest, false)?;
                    self.tell(SettleOutcome::Rested(number, settled))?;
                }
                SettleOrder::Defer(folder, mode) => {
                    let settled = self.ask(DeadlineStep::Defer(folder, mode), false)?;
                    self.tell(SettleOutcome::Deferred(settled))?;
                }
            }
        }
        Ok(())
    }

    fn pass(&self, number: u32, pass: Box<DeadlinePass>) -> Result<(), Gone> {
        // A pass while the source is followed waits where the run is paused; at its end nothing else is written.
        let through_gate = pass.ahead.is_some();
        let ahead = pass.ahead.map_or(0, |ahead| i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX));
        let mut settled = self.ask(DeadlineStep::Begin(pass), through_gate)?;
        // Not before: the lane notes what the stream writes only from here on.
        self.ahead.store(ahead, Ordering::SeqCst);
        if self.wanted.load(Ordering::SeqCst) != number.saturating_add(1) {
            self.ahead.store(0, Ordering::SeqCst);
        }
        while !settled.done {
            if self.wanted.load(Ordering::Acquire) != number.saturating_add(1) {
                return Ok(());
            }
            settled = self.ask(DeadlineStep::Page, through_gate)?;
        }
        self.tell(SettleOutcome::Passed(number, settled))
    }

    fn ask(&self, step: DeadlineStep, through_gate: bool) -> Result<Settled, Gone> {
        let taken = if through_gate { self.gate.take(&self.window, Job::UNIT) } else { self.window.take(Job::UNIT) };
        if !taken {
            return Err(Gone);
        }
        let (reply, replied) = bounded(1);
        self.jobs.send_blocking(Job::Deadlines(Box::new(DeadlineJob { step, reply }))).map_err(|_| Gone)?;
        replied.recv_blocking().map_err(|_| Gone)
    }

    fn tell(&self, came: SettleOutcome) -> Result<(), Gone> {
        self.signals.send_blocking(Signal::Settled(came)).map_err(|_| Gone)
    }
}

/// How the stream writes deadlines at `now` on the destination's clock.
pub(super) fn written(expiry: Expiry, ahead: &AtomicI64, now: UnixMillis) -> Expiry {
    match ahead.load(Ordering::Acquire) {
        _ if !expiry.defers() => Expiry::Exact,
        0 => Expiry::Deferred,
        ahead => Expiry::Settling(UnixMillis(now.0.saturating_add(ahead))),
    }
}

impl FollowTasks {
    /// Asks the lane, before all else, to defer what an earlier process has made exact.
    pub(super) fn first(
        jobs: &Sender<Job>,
        window: &InFlight,
        (folder, mode): (PathBuf, DeadlineMode),
    ) -> Option<Receiver<Settled>> {
        let (reply, replied) = bounded(1);
        let job = Job::Deadlines(Box::new(DeadlineJob { step: DeadlineStep::Defer(folder, mode), reply }));
        // Nothing else was given to it yet.
        (window.take(Job::UNIT) && jobs.try_send(job).is_ok()).then_some(replied)
    }
}
