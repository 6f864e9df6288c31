//! A client that writes to the source as long as the migration runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use redis::{Connection, Pipeline};

use super::error::DemoError;

/// Between two batches: some 2,000 commands a second.
const PAUSE: Duration = Duration::from_millis(10);

/// What the names of the client's keys begin with.
pub(super) const PREFIX: &str = "live:";

/// The writing client.
pub(super) struct DemoTraffic {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<u64, DemoError>>>,
}

impl DemoTraffic {
    /// Starts to write.
    pub(super) fn start(mut connection: Connection) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let mut written = 0;
            while !told.load(Ordering::Relaxed) {
                written += write(&mut connection, written)?;
                std::thread::sleep(PAUSE);
            }
            Ok(written)
        });
        Self { ended, thread: Some(thread) }
    }

    /// Ends the client, and answers how many commands it wrote.
    pub(super) fn end(mut self) -> Result<u64, DemoError> {
        self.ended.store(true, Ordering::Relaxed);
        let thread = self.thread.take().ok_or(DemoError::Traffic)?;
        thread.join().map_err(|_| DemoError::Traffic)?
    }
}

impl Drop for DemoTraffic {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn write(connection: &mut Connection, number: u64) -> Result<u64, DemoError> {
    let mut batch = Pipeline::new();
    for number in number..number + 20 {
        match number % 4 {
            0 => batch.cmd("INCR").arg(format!("{PREFIX}counter")),
            1 => batch.cmd("SET").arg(format!("{PREFIX}text:{}", number % 10_000)).arg(number),
            2 => batch.cmd("HINCRBY").arg(format!("{PREFIX}hash")).arg(number % 100).arg(1),
            _ => batch.cmd("LPUSH").arg(format!("{PREFIX}list:{}", number % 1_000)).arg(number),
        }
        .ignore();
    }
    batch.exec(connection)?;
    Ok(20)
}
