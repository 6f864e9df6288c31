//! Ctrl-C and `kill`: the first asks the run to stop at its next durable checkpoint, the second ends the process. A run
//! survives both, as it survives `kill -9`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use async_signal::{Signal as Raw, Signals};
use async_std::task;
use futures_util::StreamExt as _;

use super::exit::{Failure, UnixSignal};

/// Listens for signals until the process ends.
#[derive(Clone)]
pub(super) struct StopSignal {
    /// Closed by the first signal.
    asked: async_channel::Receiver<()>,
    /// The first signal's number; 0 while there was none.
    first: Arc<AtomicI32>,
}

impl StopSignal {
    /// Starts to listen.
    pub(super) fn listen() -> Result<Self, Failure> {
        let mut signals = Signals::new([Raw::Int, Raw::Term]).map_err(Failure::Signals)?;
        let (open, asked) = async_channel::bounded(1);
        let first = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&first);
        task::spawn(async move {
            while let Some(Ok(signal)) = signals.next().await {
                if seen.swap(signal as i32, Ordering::SeqCst) != 0 {
                    std::process::exit(128 + signal as i32);
                }
                tracing::warn!("stopping at the next durable checkpoint; once more to stop at once");
                open.close();
            }
        });
        Ok(Self { asked, first })
    }

    /// Closed when a stop was asked for.
    pub(super) fn asked(&self) -> async_channel::Receiver<()> {
        self.asked.clone()
    }

    /// The signal that asked for a stop.
    pub(super) fn signal(&self) -> Option<UnixSignal> {
        match self.first.load(Ordering::SeqCst) {
            0 => None,
            number if number == Raw::Int as i32 => Some(UnixSignal::Interrupt),
            _ => Some(UnixSignal::Terminate),
        }
    }
}
