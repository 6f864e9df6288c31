//! Decoding the spool and dealing its entries out: a thread of its own, since it computes and blocks.

use async_channel::Sender;

use super::tally::CopySignal;
use crate::{
    engine::{ending::Ending, gate::Gate, pace::Throttle},
    plan::fault::catalogue::runs,
    rdb::{Checksum, Decoder, Item, RdbError, RdbFault},
    sink::{DealFault, Dealer, Dealt, InFlight, Job},
    step::KeyFailure,
    store::spool::{SpoolError, SpoolReader},
    unit::{Db, UnixMillis},
};

/// Bytes between two points at which decoding could begin again.
const SAFE_POINT_EVERY: u64 = 64 << 20;

/// What decoding needs.
pub(super) struct Deal {
    pub(super) reader: SpoolReader,
    pub(super) decoder: Decoder,
    pub(super) dealer: Dealer,
    pub(super) hands: Hands,
    /// The destination's clock minus ours, in milliseconds.
    pub(super) clock_ahead: i64,
}

/// Gives jobs to lanes, within the window and the plan's rate.
pub(super) struct Hands {
    pub(super) lanes: Vec<Sender<Job>>,
    pub(super) signals: Sender<CopySignal>,
    pub(super) window: InFlight,
    pub(super) pace: Throttle,
    pub(super) gate: Gate,
    /// The lanes or the run ended: nobody takes jobs any more.
    pub(super) gone: bool,
}

impl Dealt for Hands {
    fn job(&mut self, lane: usize, mut job: Job) {
        let charged = match &mut job {
            Job::Batch(batch) => {
                batch.charged = batch.bytes.len() as u64;
                self.gone |= !self.pace.wait(u64::from(batch.commands), || self.window.is_closed());
                batch.charged
            }
            Job::Big(_) | Job::Erase(_) | Job::Deadlines(_) => Job::UNIT,
        };
        self.gone |= !self.gate.take(&self.window, charged);
        self.gone |= self.lanes.get(lane).is_none_or(|lane| lane.send_blocking(job).is_err());
    }

    fn failed(&mut self, failure: KeyFailure) {
        let _ = self.signals.send_blocking(CopySignal::Unwritable(failure));
    }
}

/// Deals the whole dump.
pub(super) fn deal(mut deal: Deal) {
    let dealt = deal_all(&mut deal);
    let signals = &deal.hands.signals;
    let _ = signals.send_blocking(CopySignal::Dealt(deal.dealer.counts()));
    if matches!(dealt, Err(CopyFault::Dump(_) | CopyFault::Spool(_))) {
        let _ = signals.send_blocking(CopySignal::Lost);
    }
    let cut_short = matches!(dealt, Err(CopyFault::Short(_)));
    let ended = match dealt.map_err(Ending::from) {
        Err(ending) if cut_short => CopySignal::CutShort(ending),
        ended => CopySignal::Decoded(ended),
    };
    let _ = signals.send_blocking(ended);
}

/// Why dealing stops early.
enum CopyFault {
    Dump(RdbError),
    /// It did not end with its own end mark.
    Short(RdbError),
    Spool(SpoolError),
    Key(DealFault),
}

impl From<SpoolError> for CopyFault {
    fn from(error: SpoolError) -> Self {
        Self::Spool(error)
    }
}

impl From<RdbError> for CopyFault {
    fn from(error: RdbError) -> Self {
        Self::Dump(error)
    }
}

impl From<DealFault> for CopyFault {
    fn from(fault: DealFault) -> Self {
        match fault {
            DealFault::Damaged(error) => Self::Dump(error),
            fault @ DealFault::Unsupported(_) => Self::Key(fault),
        }
    }
}

impl From<CopyFault> for Ending {
    fn from(fault: CopyFault) -> Self {
        match fault {
            CopyFault::Dump(error) | CopyFault::Short(error) => damaged(&error),
            CopyFault::Spool(error) => error.into(),
            CopyFault::Key(fault) => fault.into(),
        }
    }
}

fn deal_all(deal: &mut Deal) -> Result<(), CopyFault> {
    let Deal { reader, decoder, dealer, hands, clock_ahead } = deal;
    let mut next_safe_point = reader.position() + SAFE_POINT_EVERY;
    while let Some(bytes) = reader.read()? {
        decoder.feed(bytes);
        dealer.keep_to(hands.pace.at_once());
        let now = UnixMillis(UnixMillis::now().0.saturating_add(*clock_ahead));
        loop {
            let at = decoder.at();
            let Some(item) = decoder.next()? else { break };
            if let Item::End { checksum, length } = item {
                dealer.flush(length, hands);
                if checksum == Checksum::Disabled {
                    let text = "The source sends dumps without a checksum (`rdbchecksum no`): nothing proves that this \
                                one arrived unharmed.";
                    let _ = hands.signals.send_blocking(CopySignal::Notice(text.to_owned()));
                }
                return Ok(());
            }
            if let Item::Aux { key, value } = &item
                && key.as_ref() == b"repl-stream-db"
                && let Some(db) = std::str::from_utf8(value).ok().and_then(|db| db.parse().ok())
            {
                let _ = hands.signals.send_blocking(CopySignal::StreamDb(Db(db)));
            }
            dealer.take(item, at, now, hands)?;
            if hands.gone {
                return Ok(());
            }
        }
        let _ = hands.signals.try_send(CopySignal::Dealt(dealer.counts()));
        if decoder.at() >= next_safe_point {
            let point = decoder.safe_point();
            dealer.flush(point.at, hands);
            let _ = hands.signals.send_blocking(CopySignal::SafePoint(Box::new(point)));
            next_safe_point = decoder.at() + SAFE_POINT_EVERY;
        }
    }
    // The dump did not end with its own end mark. When receiving failed, that is the cause, and it is told there.
    decoder.finish().map_err(CopyFault::Short)
}

fn damaged(error: &RdbError) -> Ending {
    if let RdbFault::Long { .. } = error.fault {
        return Ending::of(
            &runs::TOO_LONG,
            format!(
                "The dump cannot be copied: {error}. Nothing from there on was copied. Names and texts are held in memory, so \
                 their length is bounded: remove or rename that key (or function library) at the source, then apply again."
            ),
        );
    }
    let advice = match error.fault {
        RdbFault::Checksum { .. } => {
            "Bytes were changed on the way or on the source's disk. Apply again for a new dump; if that fails too, check \
             the source's memory, disk and network."
        }
        RdbFault::Type(_) | RdbFault::TypeOf { .. } | RdbFault::Version(_) => {
            "This version reads what Redis up to 8.6 (RDB version 13) and Valkey up to 9.1 (RDB version 80) write: the source is \
             newer, or writes a format of its own. Nothing after that byte was copied."
        }
        _ => "The source's dump cannot be read to its end. Nothing behind that byte was copied.",
    };
    Ending::of(&runs::DUMP_DAMAGED, format!("The dump is damaged: {error}. {advice}"))
}
