//! Comparing both sides in a cutover: behind the fence, or before it where nobody could read behind it.

use super::{
    follow::{Follow, FollowPhase},
    stop::LastComparison,
};
use crate::{
    engine::{ending::Ending, run::Run, teller::Teller},
    step::{CutoverPart, Event},
};

/// Why keys could not be verified.
const OPEN: &str = "which changed whenever they were looked at, or for which the destination was too far behind";

impl Follow {
    /// Begins to compare both sides.
    pub(super) async fn compare(&mut self, run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
        let work = run.verify_work().filter(|work| self.is_enough(work)).cloned();
        let work = work.unwrap_or_else(|| self.doubtful_work(&self.work.selection));
        let FollowPhase::Cutting(cutting) = &mut self.phase else { return Ok(()) };
        cutting.part = CutoverPart::Verify;
        let offset = cutting.since.map(|_| self.figures.gauge.applied());
        teller.tell(Event::CutoverPart { part: CutoverPart::Verify, offset });
        // What still comes, be it the source's pings alone, is applied: else nobody could say that an offset has passed.
        run.gate.set_open(true);
        self.comparison.begin_now(&work, run, &self.figures).await;
        Ok(())
    }

    /// Goes on once both sides are compared: `true` when what the source has written since is to be applied now and the
    /// destination to be sealed. Goes to the fence where it is not up yet, and back when both sides are not equal.
    pub(super) async fn compared(&mut self, run: &mut Run, teller: &mut Teller<'_>) -> Result<bool, Ending> {
        if self.comparison.is_under_way() {
            return Ok(false);
        }
        if self.comparison.compared.is_equal() {
            self.settle_doubt(run).await?;
            if self.doubts.is_any() {
                // It came up meanwhile.
                self.compare(run, teller).await?;
                return Ok(false);
            }
        }
        let obstacles = self.obstacles(run);
        let FollowPhase::Cutting(cutting) = &mut self.phase else { return Ok(false) };
        let reason = match self.comparison.compared {
            LastComparison::Equal => {
                if cutting.since.is_some() {
                    // Behind a fence that is no proof, the source is asked once more where it stands.
                    (cutting.compared, cutting.part, cutting.stands) = (true, CutoverPart::Drain, false);
                    return Ok(true);
                }
                // Much may have changed since the cutover began: the window, the lag, whether the run is paused.
                if let Some(obstacle) = obstacles.first() {
                    if !self.comparison.holds() {
                        self.undo(obstacle, run, teller).await?;
                    }
                    return Ok(false);
                }
                cutting.compared = true;
                let Some(work) = self.cutover_work.clone() else { return Ok(false) };
                self.raise_fence(&work.fence, run, teller).await?;
                return Ok(false);
            }
            _ => self.unequal().unwrap_or_else(|| "the comparison ended without a result".to_owned()),
        };
        self.undo(&reason, run, teller).await?;
        Ok(false)
    }

    /// Why the last comparison does not say that both sides are equal; `None` when there was none.
    pub(super) fn unequal(&mut self) -> Option<String> {
        match self.comparison.compared {
            LastComparison::Equal => None,
            LastComparison::Never => {
                let fault = self.comparison.fault.take()?;
                Some(format!("both sides could not be compared: {fault}"))
            }
            LastComparison::Not { different, unsettled: 0 } => Some(format!("both sides differ: {different} keys")),
            LastComparison::Not { different: 0, unsettled } => {
                Some(format!("{unsettled} keys could not be verified, {OPEN}"))
            }
            LastComparison::Not { different, unsettled } => {
                Some(format!("both sides differ: {different} keys; {unsettled} others could not be verified, {OPEN}"))
            }
        }
    }
}
