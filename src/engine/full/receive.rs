//! Receiving the dump into the spool. Never waits for the destination, only for the spool's bound.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use async_channel::{Receiver, Sender, bounded};

use super::{pace::Pace, tally::Signal};
use crate::{
    engine::{ending::Ending, servers},
    source::{Link, Waiting, WaitingFor},
    step::{Endpoint, Limits},
    store::spool::{Level, MAX_FRAME, SpoolError, SpoolWriter},
    unit::{ByteSize, Secret, UnixMillis},
};

/// Buffers between the socket and the disk: a disk that stalls for a moment does not stall the socket.
const BUFFERS: usize = 8;
/// The size of a segment: what is confirmed is removed in such pieces.
const SEGMENT: u64 = 64 << 20;

/// What receiving needs.
pub(super) struct Receive {
    pub(super) source: Endpoint,
    pub(super) secret: Option<Secret>,
    pub(super) limits: Limits,
    pub(super) folder: PathBuf,
    pub(super) tag: u64,
    pub(super) level: Level,
    /// Whether segments are removed while receiving goes on, so that waiting for room makes sense.
    pub(super) drains: bool,
}

/// Receives a whole dump; answers its length.
pub(super) async fn receive(receive: Receive, signals: Sender<Signal>) -> Result<u64, Ending> {
    let level = receive.level.clone();
    let received = receive_whole(receive, &signals).await;
    level.end();
    received
}

async fn receive_whole(receive: Receive, signals: &Sender<Signal>) -> Result<u64, Ending> {
    let mut control = servers::connect(&receive.source, receive.secret.as_ref()).await?;
    let facts = crate::source::survey(&mut control).await.map_err(Ending::from)?;
    drop(control);
    let mut link = Link::open(&receive.source, receive.secret.as_ref(), &facts).await?;
    let header = link
        .request_dump(|waiting: Waiting| {
            let _ = signals.try_send(Signal::Waiting(said(waiting)));
        })
        .await?;
    let _ = signals.send(Signal::Header { replid: header.replid, offset: header.offset, length: header.length }).await;

    let (full, to_write) = bounded::<Vec<u8>>(BUFFERS);
    let (empty, to_fill) = bounded::<Vec<u8>>(BUFFERS);
    let writer = SpoolWriter::create(&receive.folder, receive.tag, 0, SEGMENT, receive.level.clone())?;
    let writing = async_std::task::spawn_blocking(move || write_all(writer, &to_write, &empty));
    let filling = fill(&mut link, &receive, &full, &to_fill).await;
    drop(full);
    let written = writing.await;
    // A disk that failed is the cause when both failed: receiving stopped because nobody took its bytes.
    let length = written.map_err(Ending::from)?;
    filling?;
    Ok(length)
}

async fn fill(
    link: &mut Link,
    receive: &Receive,
    full: &Sender<Vec<u8>>,
    to_fill: &Receiver<Vec<u8>>,
) -> Result<(), Ending> {
    let mut pace = receive.limits.bandwidth.map(|rate| Pace::new(rate.0, Instant::now()));
    loop {
        let mut buffer = to_fill.try_recv().unwrap_or_default();
        buffer.resize(MAX_FRAME, 0);
        let mut filled = 0;
        while filled < MAX_FRAME {
            let count = link.read_dump(buffer.get_mut(filled..).unwrap_or_default()).await?;
            filled += count;
            if count == 0 {
                break;
            }
            if full.is_empty() {
                break; // The writer waits: what is here is better written now than later in a larger frame.
            }
        }
        buffer.truncate(filled);
        if filled == 0 {
            return Ok(());
        }
        if full.send(buffer).await.is_err() {
            return Ok(()); // The writer tells why it stopped.
        }
        if let Some(pace) = &mut pace {
            async_std::task::sleep(pace.take(filled as u64, Instant::now())).await;
        }
        room(receive).await?;
    }
}

/// Waits while the spool is at its bound and is being drained; fails where it is not.
async fn room(receive: &Receive) -> Result<(), Ending> {
    let bound = receive.limits.spool;
    while receive.level.held() >= bound.0 {
        if !receive.drains {
            return Err(Ending::failed(format!(
                "The spool holds {}, the bound of the plan's `limits.spool`, and the dump goes on. It cannot be removed \
                 while it is received, because it says which keys this run wrote, and the destination was not empty or \
                 `on_conflict` is not `fail`. Raise `limits.spool` and apply again under another name, or empty the \
                 destination.",
                ByteSize(receive.level.held()),
            )));
        }
        async_std::task::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn write_all(mut writer: SpoolWriter, full: &Receiver<Vec<u8>>, empty: &Sender<Vec<u8>>) -> Result<u64, SpoolError> {
    let mut length = 0;
    while let Ok(buffer) = full.recv_blocking() {
        writer.append(&buffer, UnixMillis::now())?;
        length += buffer.len() as u64;
        let _ = empty.try_send(buffer);
    }
    writer.sync()?;
    Ok(length)
}

fn said(waiting: Waiting) -> String {
    let what = match waiting.what {
        WaitingFor::Start => {
            "the source has not begun its dump (`repl-diskless-sync-delay`, or a save that runs already)"
        }
        WaitingFor::Save => "the source writes its dump to its own disk first",
    };
    format!("{what}: {} s", waiting.elapsed.as_secs())
}
