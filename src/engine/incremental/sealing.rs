//! Sealing the destination at the end of a cutover, as long as there is time.

use std::time::{Duration, Instant};

use super::follow::Follow;
use crate::{
    engine::fence::Fenced,
    net::{Control, ControlError},
    sink::{Lease, LeaseFault},
    step::CutoverResult,
};

/// How long a source has to say where it stands, and what it had written by then to come.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether that came.
const LOOK: Duration = Duration::from_millis(10);

impl Follow {
    /// How many commands that write have come behind the seal by now: behind a fence that proves nothing, where they are
    /// lost to the destination. `None` when that could not be found out.
    pub(super) async fn came_behind(&self, fenced: &mut Fenced) -> Option<u64> {
        let gauge = &self.figures.gauge;
        gauge.seal();
        self.beside.window.close();
        let found = async {
            let stands = fenced.offset_now().await?;
            loop {
                if let Some(commands) = gauge.came_behind(stands) {
                    return Some(commands);
                }
                async_std::task::sleep(LOOK).await;
            }
        };
        async_std::future::timeout(PATIENCE, found).await.ok()?
    }
}

/// Why the destination is not sealed, or not known to be.
#[derive(Debug)]
pub(super) enum Unsealed {
    /// Its time was up before the seal was asked for: writers may be at work again.
    Late,
    /// Something failed.
    Fault(LeaseFault),
}

impl From<LeaseFault> for Unsealed {
    fn from(fault: LeaseFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<ControlError> for Unsealed {
    fn from(error: ControlError) -> Self {
        Self::Fault(error.into())
    }
}

/// Seals, and finds out whether it is done when an answer is lost. Nothing is sealed any more once the time is up.
pub(super) async fn seal<F>(lease: &Lease, within: Duration, connect: impl Fn() -> F) -> Result<(), Unsealed>
where
    F: Future<Output = Result<Control, ControlError>>,
{
    let begun = Instant::now();
    loop {
        let attempt = async {
            let mut control = connect().await?;
            if lease.is_sealed(&mut control).await? {
                return Ok(());
            }
            if begun.elapsed() >= within {
                return Err(Unsealed::Late);
            }
            Ok(lease.seal(&mut control).await?)
        };
        match attempt.await {
            Err(Unsealed::Fault(LeaseFault::Control(error))) if error.retryable() && begun.elapsed() < within => {
                async_std::task::sleep(Duration::from_millis(50)).await;
            }
            outcome => return outcome,
        }
    }
}

/// What of the source is lost to a sealed destination, in words.
pub(super) fn lost_behind(result: &CutoverResult, lapsed: bool) -> Option<String> {
    let (offset, late) = (result.offset, result.late);
    let what = if lapsed {
        format!(
            "The destination was sealed at offset {offset} only after the pause of the writers had run out: what they wrote \
             at the source from then on is not there."
        )
    } else if late > 0 {
        format!(
            "The destination is sealed at offset {offset}, and {late} more commands came at the source that are not there: \
             somebody writes on, past the fence `{}`.",
            result.fence
        )
    } else {
        return None;
    };
    Some(format!("{what} Compare both sides, and take over what is missing. The same command goes on behind the seal."))
}
