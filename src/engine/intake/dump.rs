//! Receiving a dump.

use std::time::Duration;

use async_channel::{Receiver, Sender, bounded};

use super::{BUFFERS, DumpPlace, IntakeEvent, IntakeSetup, gather, room::Room, segment};
use crate::{
    engine::ending::Ending,
    plan::fault::catalogue::runs,
    source::{Link, Waiting, WaitingFor},
    store::spool::{MAX_FRAME, SpoolError, SpoolWriter},
    unit::{ByteSize, Offset, ReplId, UnixMillis},
};

/// The most of a segment: what is confirmed is removed in such pieces.
const SEGMENT: u64 = 64 << 20;

/// Bytes that were received, and how many of the buffer's: a buffer that kept their length would be filled with zeros anew.
type DumpPiece = (Vec<u8>, usize);

/// A dump that is whole in its spool.
pub(super) struct Received {
    pub(super) length: u64,
    /// The connection that brought it; the stream follows on it.
    pub(super) link: Link,
    /// Where the stream begins.
    pub(super) history: Option<(ReplId, Offset)>,
}

/// Receives a whole dump.
pub(super) async fn receive(setup: &IntakeSetup, tell: &Sender<IntakeEvent>) -> Result<Received, Ending> {
    let received = receive_whole(setup, tell).await;
    setup.dump.level.end();
    received
}

async fn receive_whole(setup: &IntakeSetup, tell: &Sender<IntakeEvent>) -> Result<Received, Ending> {
    let mut link = open(setup).await?;
    let header = link
        .request_dump(|waiting: Waiting| {
            let _ = tell.try_send(IntakeEvent::Waiting(said(waiting)));
        })
        .await?;
    let history = header.replid.zip(header.offset);
    if history.is_none() && setup.stream.is_some() {
        return Err(Ending::of(
            &runs::SOURCE_SYNC_ONLY,
            "The source knows only SYNC, whose stream cannot be resumed after a break. Give this host PSYNC (it may be \
             renamed there), or migrate with `migration: [full]` while nobody writes.",
        ));
    }
    let told = IntakeEvent::Header { replid: header.replid, offset: header.offset, length: header.length };
    let _ = tell.send(told).await;

    let place = &setup.dump;
    let (full, to_write) = bounded::<DumpPiece>(BUFFERS);
    let (empty, to_fill) = bounded::<Vec<u8>>(BUFFERS);
    let writer = SpoolWriter::create(
        &place.folder,
        place.tag,
        0,
        segment(&place.folder, setup.spool, SEGMENT),
        place.level.clone(),
    )?;
    let writing = async_std::task::spawn_blocking({
        let (place, tell) = (place.clone(), tell.clone());
        move || {
            let room = Room { folder: &place.folder, level: &place.level, tell: &tell, drains: place.drains };
            write_all(writer, &room, &to_write, &empty)
        }
    });
    let filling = fill(&mut link, setup, &full, &to_fill).await;
    drop(full);
    let written = writing.await;
    // A disk that failed is the cause when both failed: receiving stopped because nobody took its bytes.
    let length = written.map_err(Ending::from)?;
    filling?;
    Ok(Received { length, link, history })
}

/// Opens a replication connection.
pub(super) async fn open(setup: &IntakeSetup) -> Result<Link, Ending> {
    let mut control = setup.source.control().await?;
    let facts = crate::source::survey(&mut control).await?;
    drop(control);
    let mut link = Link::open(&setup.source, &facts).await?;
    link.hold_thread();
    Ok(link)
}

async fn fill(
    link: &mut Link,
    setup: &IntakeSetup,
    full: &Sender<DumpPiece>,
    to_fill: &Receiver<Vec<u8>>,
) -> Result<(), Ending> {
    loop {
        // Bytes that are there already do not hold up the wish to end.
        async_std::task::yield_now().await;
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
        if filled == 0 {
            return Ok(());
        }
        if full.send((buffer, filled)).await.is_err() {
            return Ok(()); // The writer tells why it stopped.
        }
        setup.bandwidth.pass(filled as u64).await;
        gather(filled);
        room(&setup.dump, setup.spool).await?;
    }
}

/// Waits while the spool is at its bound and is being drained; fails where it is not.
async fn room(place: &DumpPlace, bound: ByteSize) -> Result<(), Ending> {
    while place.level.held() >= bound.0 && !(place.drains && place.level.is_waited_for()) {
        if !place.drains {
            return Err(Ending::of(
                &runs::SPOOL_LIMIT,
                format!(
                    "The spool holds {}, the bound of the plan's `limits.spool`, and the dump continues. It cannot be removed \
                     while it is received, because it says which keys this run wrote, and the destination was not empty or \
                     `on_conflict` is not `fail`. Raise `limits.spool` and apply again under another name, or empty the \
                     destination.",
                    ByteSize(place.level.held()),
                ),
            ));
        }
        async_std::task::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn write_all(
    mut writer: SpoolWriter,
    room: &Room<'_>,
    full: &Receiver<DumpPiece>,
    empty: &Sender<Vec<u8>>,
) -> Result<u64, SpoolError> {
    let mut length = 0;
    while let Ok((buffer, count)) = full.recv_blocking() {
        if !room.wait(full)? {
            break;
        }
        writer.append(buffer.get(..count).unwrap_or_default(), UnixMillis::now())?;
        length += count as u64;
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
