//! Making deadlines exact before success is said, and deferring them again when it is not.
//!
//! Before the fence a pass makes those exact that lie more than [`DeadlineMode::SETTLED_FOR`] ahead, between batches of the
//! stream; the nearer ones are remembered, and made exact under the fence, right before the seal. A run that ends without a
//! cutover makes all exact once everything is applied.

use std::time::{Duration, Instant};

use super::{
    follow::{Follow, FollowPhase},
    settle_at_once::pass,
    settler::SettleOutcome,
};
use crate::{
    engine::{ending::Ending, run::Run, teller::Teller},
    sink::{DeadlineMode, Settled},
    step::{CutoverPart, Event, Outcome},
    unit::Offset,
};

/// What is left at least of the time for which deadlines may be exact.
const MARGIN: Duration = Duration::from_secs(30);

/// How far a cutover has made deadlines exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SettlingProgress {
    /// Nothing was begun.
    Deferred,
    /// The far ones are being made exact.
    Passing(Instant),
    /// The far ones are exact.
    Far(Instant),
    /// The near ones are being made exact.
    Resting(Instant),
    /// All are.
    Exact,
}

impl SettlingProgress {
    /// At the beginning of a cutover.
    pub(super) fn of(mode: DeadlineMode) -> Self {
        if mode.defers() { Self::Deferred } else { Self::Exact }
    }

    /// Whether something was made exact by this cutover.
    pub(super) fn has_begun(self, mode: DeadlineMode) -> bool {
        mode.defers() && self != Self::Deferred
    }

    /// More of the stream is applied, with deadlines that are remembered again.
    pub(super) fn reopen(&mut self, mode: DeadlineMode) {
        if *self == Self::Exact && mode.defers() {
            *self = Self::Far(Instant::now());
        }
    }

    /// Why the source is not fenced any more: a deadline that was made exact could pass before the seal.
    pub(super) fn is_late(self, timeout: Duration) -> Option<String> {
        let Self::Far(began) = self else { return None };
        let took = began.elapsed();
        let late = took.saturating_add(timeout).saturating_add(MARGIN) > DeadlineMode::SETTLED_FOR;
        late.then(|| {
            format!(
                "making deadlines exact took {:.0} s, which with `cutover.timeout` is more than the {:.0} s for which they may \
                 be exact while the source is followed",
                took.as_secs_f64(),
                DeadlineMode::SETTLED_FOR.as_secs_f64()
            )
        })
    }
}

impl Follow {
    /// Begins to make deadlines exact, for the cutover of this number: those that lie `ahead`, or all.
    async fn begin_settling(&mut self, number: u32, ahead: Option<Duration>, run: &Run) {
        let there = (&self.destination, self.left_alone.clone());
        let doubtful = self.deadlines == DeadlineMode::Doubtful;
        let pass = pass(run, &self.work.selection, there, (ahead, doubtful));
        self.settling_since = Some(Instant::now());
        self.beside.settler.pass(number, pass).await;
    }

    /// Everything up to `offset` is applied, and the run ends without a cutover: compares both sides where that is needed, then
    /// makes all deadlines exact.
    pub(super) async fn end_deferral(
        &mut self,
        offset: Offset,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        if self.deferring.is_some() || self.comparison.is_under_way() {
            return Ok(());
        }
        if self.must_compare() && !self.comparison.compared.is_equal() {
            if let Some(reason) = self.unequal() {
                return Err(Ending::new(Outcome::Different, format!("{reason}.{DOUBTED}")));
            }
            if self.deadlines == DeadlineMode::Doubtful {
                teller.notice(DOUBTED.trim_start());
            }
            let work = self.doubtful_work(&self.work.selection);
            self.comparison.begin_now(&work, run, &self.figures).await;
            return Ok(());
        }
        // What comes from here on is not of this run.
        run.gate.set_open(false);
        self.phase = FollowPhase::Settling(offset, false);
        Ok(())
    }

    /// Everything up to `offset` is applied and exact: answers what was applied.
    pub(super) async fn end_at(
        &mut self,
        offset: Offset,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<String, Ending> {
        self.prove(run).await?;
        self.answer_cutover(offset);
        Ok(self.summary(teller))
    }

    /// Begins to make all deadlines exact once nothing is under way.
    pub(super) async fn settle_the_end(&mut self, run: &Run) {
        if let FollowPhase::Settling(offset, false) = self.phase
            && self.is_quiet()
        {
            self.phase = FollowPhase::Settling(offset, true);
            self.begin_settling(0, None, run).await;
        }
    }

    /// Takes what making deadlines exact came to; answers what was applied once that ends the step.
    pub(super) async fn settled(
        &mut self,
        came: SettleOutcome,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<Option<String>, Ending> {
        let (SettleOutcome::Deferred(told) | SettleOutcome::Passed(_, told) | SettleOutcome::Rested(_, told)) = came;
        self.deadlines = told.mode;
        match came {
            SettleOutcome::Deferred(settled) => self.deferred_again(settled, teller),
            SettleOutcome::Passed(0, settled) => {
                let FollowPhase::Settling(offset, _) = self.phase else { return Ok(None) };
                self.tell_settled(settled, false, teller);
                self.deadlines = DeadlineMode::Exact;
                run.remove_deadline_lists()?;
                return self.end_at(offset, run, teller).await.map(Some);
            }
            SettleOutcome::Passed(number, settled) => self.passed(number, settled, run, teller).await?,
            SettleOutcome::Rested(number, settled) => self.rested(number, settled, run, teller).await?,
        }
        Ok(None)
    }

    /// Makes the far deadlines exact, before the fence.
    pub(super) async fn settle_far(&mut self, run: &Run, teller: &mut Teller<'_>) {
        let FollowPhase::Cutting(cutting) = &mut self.phase else { return };
        (cutting.part, cutting.deadlines) = (CutoverPart::Settle, SettlingProgress::Passing(Instant::now()));
        let number = cutting.number;
        teller.tell(Event::CutoverPart { part: CutoverPart::Settle, offset: None });
        self.begin_settling(number, Some(DeadlineMode::SETTLED_FOR), run).await;
    }

    /// The far deadlines are exact: the source can be fenced.
    async fn passed(
        &mut self,
        number: u32,
        settled: Settled,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        let Some(cutting) = self.cutting(number) else { return Ok(()) };
        if let SettlingProgress::Passing(began) = cutting.deadlines {
            cutting.deadlines = SettlingProgress::Far(began);
        }
        self.tell_settled(settled, false, teller);
        // Much may have changed since the cutover began: the window, the lag, whether the run is paused.
        if let Some(obstacle) = self.obstacles(run).first() {
            return self.undo(obstacle, run, teller).await;
        }
        let Some(work) = self.cutover_work.clone() else { return Ok(()) };
        self.raise_fence(&work.fence, run, teller).await
    }

    /// Makes the near deadlines exact, under the fence.
    pub(super) async fn settle_near(&mut self, teller: &mut Teller<'_>) {
        let FollowPhase::Cutting(cutting) = &mut self.phase else { return };
        let (SettlingProgress::Far(began), number, offset) = (cutting.deadlines, cutting.number, cutting.offset) else {
            return;
        };
        (cutting.part, cutting.deadlines) = (CutoverPart::Settle, SettlingProgress::Resting(began));
        teller.tell(Event::CutoverPart { part: CutoverPart::Settle, offset: Some(offset) });
        self.settling_since = Some(Instant::now());
        self.beside.settler.rest(number).await;
    }

    /// The near deadlines are exact too: the destination can be sealed.
    async fn rested(
        &mut self,
        number: u32,
        settled: Settled,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        let Some(cutting) = self.cutting(number) else { return Ok(()) };
        if !settled.done {
            let reason = "the connection to the destination was lost after deadlines were made exact, so it is not known \
                          whether they still are";
            return self.undo(reason, run, teller).await;
        }
        (cutting.part, cutting.deadlines) = (CutoverPart::Drain, SettlingProgress::Exact);
        self.tell_settled(settled, true, teller);
        Ok(())
    }

    /// Tells how many deadlines are exact.
    pub(super) fn tell_settled(&mut self, settled: Settled, fenced: bool, teller: &mut Teller<'_>) {
        let Settled { written, remembered, .. } = settled;
        let seconds = self.settling_since.map_or(0.0, |since| since.elapsed().as_secs_f64());
        self.forecast.learn(settled, seconds, fenced);
        teller.tell(Event::DeadlinesSettled { deadlines: written, remembered, seconds, fenced });
    }

    /// Whether nothing is under way to the destination.
    pub(super) fn is_quiet(&self) -> bool {
        self.beside.window.is_whole() && self.figures.gauge.is_quiet()
    }

    /// Defers again what an undone cutover has made exact.
    pub(super) async fn defer_again(&mut self, run: &Run) {
        self.deferring = Some(Instant::now());
        self.beside.settler.defer(run.request.state_dir.clone(), self.deadlines).await;
    }

    /// Everything is deferred again.
    fn deferred_again(&mut self, settled: Settled, teller: &mut Teller<'_>) {
        self.deferring = None;
        self.forecast.undo();
        let Settled { looked, written, mode, .. } = settled;
        let doubt = if mode == DeadlineMode::Doubtful { DOUBT } else { "" };
        teller.notice(format!(
            "{written} of {looked} deadlines that were exact at the destination are deferred again.{doubt}"
        ));
    }
}

const DOUBTED: &str = " Deadlines at the destination were exact for some time while the source was followed, so both sides are \
                       compared before they are made exact again.";

/// What it means that deadlines were exact for too long.
pub(super) const DOUBT: &str = " Some keys may have expired at the destination before the source ended them, so both sides are \
                                compared before the run says that it is done.";
