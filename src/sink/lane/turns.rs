//! Values with elements so large that only one lane at a time may hold one.

use async_channel::{Receiver, Sender, bounded};

/// Gives out turns, one at a time. Clones share them.
#[derive(Clone, Debug)]
pub struct LargeValuePermits {
    taken: Sender<()>,
    giving: Receiver<()>,
}

/// A turn; dropping it lets the next one begin.
#[derive(Debug)]
pub struct LargeValuePermit(Receiver<()>);

impl LargeValuePermits {
    /// Nobody has a turn.
    #[must_use]
    pub fn new() -> Self {
        let (taken, giving) = bounded(1);
        Self { taken, giving }
    }

    /// Blocks until nobody else has a turn.
    #[must_use]
    pub fn take(&self) -> LargeValuePermit {
        // Both ends are held here, so the channel is never closed.
        let _ = self.taken.send_blocking(());
        LargeValuePermit(self.giving.clone())
    }
}

impl Default for LargeValuePermits {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for LargeValuePermit {
    fn drop(&mut self) {
        let _ = self.0.try_recv();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_turn_begins_when_the_last_one_ends() {
        let turns = LargeValuePermits::new();
        let first = turns.take();
        let other = turns.clone();
        let (told, heard) = bounded(1);
        let waiting = std::thread::spawn(move || {
            let _turn = other.take();
            told.send_blocking(()).unwrap();
        });
        assert!(heard.try_recv().is_err());
        drop(first);
        waiting.join().unwrap();
        assert!(heard.try_recv().is_ok());
        drop(turns.take());
    }
}
