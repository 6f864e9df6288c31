//! Sealing the destination at the end of a cutover, as long as there is time.

use std::time::{Duration, Instant};

use crate::{
    net::{Control, ControlError},
    sink::{Lease, LeaseFault},
};

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
