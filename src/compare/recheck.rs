//! Looking again at keys that seemed to differ.
//!
//! A round watches them at the source (`WATCH`), reads them there, waits until the destination has applied what the source
//! had written by then (or a while, where nobody can say), and reads them at the destination. An empty transaction then says
//! whether one of them was written meanwhile, also when it holds by now what it held before. A destination that holds what
//! the source held before or after is equal: it was on its way. Where the source was not written and the destination
//! differs, that is noted; noted twice, it is a difference. What changed in every round stays open, and so does what there was
//! no time for because the destination was too far behind.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_std::task::sleep;

use super::{
    CompareFault,
    judge::{Judged, judge},
    link::CompareLink,
    pool::Pool,
    reader::Depth,
    reading::{KeyType, SeenKey},
    scan::Pair,
    side::ComparedServer,
};
use crate::{
    command::Info,
    net::Control,
    resp::{Reply, command},
    step::{DifferenceKind, Side},
    unit::{Offset, ReplId},
};

/// How far the source's stream is applied at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The history that the offset is of; `None` where the source hides it.
    pub history: Option<ReplId>,
    /// Everything up to here is applied.
    pub offset: Offset,
}

impl Applied {
    /// Whether everything up to `said` is applied; `None` where that is of another history, whose offsets say nothing of this
    /// one's.
    fn reaches(&self, said: &Self) -> Option<bool> {
        let same = self.history.zip(said.history).is_none_or(|(one, other)| one == other);
        same.then_some(self.offset >= said.offset)
    }
}

/// Says how far that is: `None` while nobody can say.
pub type AppliedOffset = Arc<dyn Fn() -> Option<Applied> + Send + Sync>;

/// How it is judged whether a difference stays while writes go on.
#[derive(Clone)]
pub enum Recheck {
    /// By looking again, some time later.
    Alone,
    /// By looking again once what the source had written is applied.
    Applied(AppliedOffset),
}

/// Rounds, and how many keys are looked at together in each: the fewer, the shorter the time in which they may change.
const ROUNDS: [usize; 8] = [5000, 1000, 200, 50, 12, 4, 1, 1];
/// So often must a difference be seen while the source stands still.
const CONFIRMED: u32 = 2;
/// So often where the source does not let keys be watched, and may have been written in between.
const CONFIRMED_UNWATCHED: u32 = 5;
/// The pause of the first round, doubled from round to round.
const PAUSE: Duration = Duration::from_millis(40);
/// How long the destination may take to apply what the source has written.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long suspects are looked at in all; a destination that is far behind would be waited for again and again.
const BUDGET: Duration = Duration::from_mins(2);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(3);

/// What became of a suspect.
#[derive(Debug)]
pub(super) enum SuspectVerdict {
    /// Equal, gone or expired.
    Judged(Judged, Option<KeyType>),
    Different {
        kinds: Vec<DifferenceKind>,
        source: SeenKey,
        destination: SeenKey,
    },
    Open,
}

/// A suspect under examination.
struct Suspect {
    pair: Pair,
    confirmed: u32,
    /// It was seen changing.
    moves: bool,
}

/// Whoever asks the source where it stands.
pub(super) struct Barrier {
    recheck: Recheck,
    source: ComparedServer,
    control: Option<Control>,
    watcher: Watcher,
}

/// A connection that watches keys at the source.
enum Watcher {
    Closed,
    Open(Box<CompareLink>),
    /// The server does not let this user watch.
    Refused,
}

impl Barrier {
    pub(super) const fn new(recheck: Recheck, source: ComparedServer) -> Self {
        Self { recheck, source, control: None, watcher: Watcher::Closed }
    }

    /// Begins to watch keys at the source; `false` when it does not let this user do that.
    async fn watch(&mut self, suspects: &[Suspect]) -> Result<bool, CompareFault> {
        if matches!(self.watcher, Watcher::Closed) {
            self.watcher = Watcher::Open(Box::new(CompareLink::open(&self.source, Side::Source).await?));
        }
        let Watcher::Open(link) = &mut self.watcher else { return Ok(false) };
        let mut out = vec![];
        command(&mut out, &[b"UNWATCH"]);
        let mut db = None;
        let mut asked = 1;
        for Suspect { pair, .. } in suspects {
            if db.replace(pair.from) != Some(pair.from) {
                command(&mut out, &[b"SELECT", pair.from.0.to_string().as_bytes()]);
                asked += 1;
            }
            command(&mut out, &[b"WATCH", &pair.key]);
            asked += 1;
        }
        link.send(&out).await?;
        let mut refused = false;
        for _ in 0..asked {
            refused |= link.reply().await?.error().is_some();
        }
        if refused {
            self.watcher = Watcher::Refused;
        }
        Ok(!refused)
    }

    /// Whether none of the keys was written since they are watched.
    async fn stood_still(&mut self) -> Result<bool, CompareFault> {
        let Watcher::Open(link) = &mut self.watcher else { return Ok(false) };
        let mut out = vec![];
        for word in [&b"MULTI"[..], b"PING", b"EXEC"] {
            command(&mut out, &[word]);
        }
        link.send(&out).await?;
        link.reply().await?;
        link.reply().await?;
        Ok(matches!(link.reply().await?, Reply::Array(Some(_))))
    }

    /// Waits until what the source has written by now can be at the destination; `false` when that did not come about.
    async fn pass(&mut self, round: u32) -> Result<bool, CompareFault> {
        let Recheck::Applied(applied) = &self.recheck else {
            sleep(PAUSE.saturating_mul(1 << round.min(8))).await;
            return Ok(true);
        };
        let applied = Arc::clone(applied);
        let Some(said) = self.source_offset().await? else { return Ok(false) };
        let begun = Instant::now();
        loop {
            match applied().map(|applied| applied.reaches(&said)) {
                Some(Some(true)) => return Ok(true),
                // Whoever follows it does not know of its other history yet.
                Some(None) => {
                    sleep(PAUSE).await;
                    return Ok(false);
                }
                Some(Some(false)) | None => {}
            }
            if begun.elapsed() > PATIENCE {
                return Ok(false);
            }
            sleep(LOOK).await;
        }
    }

    async fn source_offset(&mut self) -> Result<Option<Applied>, CompareFault> {
        let fault = |error| CompareFault::Control { side: Side::Source, error };
        let control = match &mut self.control {
            Some(control) => control,
            none => none.insert(self.source.access.control().await.map_err(fault)?),
        };
        let info = control.info(Some("replication")).await.map_err(fault)?;
        let info = Info::parse(&info);
        Ok(info.repl_offset().map(|offset| Applied { history: info.replid(), offset }))
    }
}

/// Looks again at suspects until each is settled, or the rounds or the time for them are over.
pub(super) async fn settle(
    pool: &mut Pool,
    barrier: &mut Barrier,
    depth: Depth,
    suspects: Vec<Pair>,
) -> Result<Vec<(Pair, SuspectVerdict)>, CompareFault> {
    let (begun, mut settled) = (Instant::now(), vec![]);
    let mut open: Vec<Suspect> =
        suspects.into_iter().map(|pair| Suspect { pair, confirmed: 0, moves: false }).collect();
    for (round, together) in (0u32..).zip(ROUNDS) {
        // One that moves spoils what is proved of those it is watched with.
        let (moving, still): (Vec<Suspect>, Vec<Suspect>) = open.drain(..).partition(|suspect| suspect.moves);
        for mut group in [still, moving] {
            while !group.is_empty() {
                if begun.elapsed() > BUDGET {
                    open.append(&mut group);
                    break;
                }
                let rest = group.split_off(together.min(group.len()));
                for looked in look(pool, barrier, (depth, round), std::mem::replace(&mut group, rest)).await? {
                    match looked {
                        (suspect, SuspectVerdict::Open) => open.push(suspect),
                        (suspect, became) => settled.push((suspect.pair, became)),
                    }
                }
            }
        }
    }
    settled.extend(open.into_iter().map(|suspect| (suspect.pair, SuspectVerdict::Open)));
    Ok(settled)
}

async fn look(
    pool: &mut Pool,
    barrier: &mut Barrier,
    (depth, round): (Depth, u32),
    mut suspects: Vec<Suspect>,
) -> Result<Vec<(Suspect, SuspectVerdict)>, CompareFault> {
    let pairs: Vec<Pair> = suspects.iter().map(|suspect| suspect.pair.clone()).collect();
    let watched = barrier.watch(&suspects).await?;
    let before = pool.read(Side::Source, &pairs, depth).await?;
    let passed = barrier.pass(round).await?;
    let destination = pool.read(Side::Destination, &pairs, depth).await?;
    let stood_still = watched && barrier.stood_still().await?;
    let after = pool.read(Side::Source, &pairs, depth).await?;
    let enough = if watched { CONFIRMED } else { CONFIRMED_UNWATCHED };
    let proof = Proof { passed, unwritten: stood_still || !watched, enough };
    let seen = before.into_iter().zip(destination).zip(after);
    Ok(suspects
        .drain(..)
        .zip(seen)
        .map(|(suspect, ((before, there), after))| decide(suspect, proof, before, there, &after))
        .collect())
}

/// What a round is worth.
#[derive(Clone, Copy)]
struct Proof {
    /// What the source had written was applied when the destination was read.
    passed: bool,
    /// Nothing was written at the source meanwhile, as far as that can be known.
    unwritten: bool,
    /// So often must a difference be seen.
    enough: u32,
}

fn decide(
    mut suspect: Suspect,
    proof: Proof,
    before: SeenKey,
    there: SeenKey,
    after: &SeenKey,
) -> (Suspect, SuspectVerdict) {
    let good = |judged: &Judged| matches!(judged, Judged::Equal | Judged::Gone | Judged::Expired);
    for side in [after, &before] {
        let judged = judge(side, &there);
        if good(&judged) {
            let kind = side.reading().map(|reading| reading.kind.clone());
            return (suspect, SuspectVerdict::Judged(judged, kind));
        }
    }
    let same = before.is_still(after);
    suspect.moves |= !same;
    if let (Judged::Different(kinds), true) = (judge(&before, &there), same && proof.passed && proof.unwritten) {
        suspect.confirmed += 1;
        if suspect.confirmed >= proof.enough {
            return (suspect, SuspectVerdict::Different { kinds, source: before, destination: there });
        }
    }
    (suspect, SuspectVerdict::Open)
}

#[cfg(test)]
mod tests {
    use super::super::reading::{KeyReading, ValuePart, What};
    use super::super::sum::Sum;
    use super::*;
    use crate::unit::Db;

    fn holding(value: &str) -> SeenKey {
        let parts = vec![(ValuePart::Content, Sum::of(value.as_bytes()))];
        let reading = KeyReading { kind: "string".into(), parts, ..KeyReading::default() };
        SeenKey { at: 0, what: What::Present(Box::new(reading)) }
    }

    fn suspect() -> Suspect {
        Suspect { pair: Pair { from: Db(0), to: Db(0), key: b"k".to_vec() }, confirmed: 0, moves: false }
    }

    fn decided(suspect: Suspect, passed: bool, [before, there, after]: [&str; 3]) -> (Suspect, SuspectVerdict) {
        let proof = Proof { passed, unwritten: true, enough: CONFIRMED };
        decide(suspect, proof, holding(before), holding(there), &holding(after))
    }

    #[test]
    fn offsets_of_two_histories_are_not_compared() {
        let at = |id: Option<u8>, offset| Applied {
            history: id.and_then(|id| ReplId::parse(&[id; 40])),
            offset: Offset(offset),
        };
        assert_eq!(at(Some(b'a'), 9).reaches(&at(Some(b'a'), 9)), Some(true));
        assert_eq!(at(Some(b'a'), 8).reaches(&at(Some(b'a'), 9)), Some(false));
        assert_eq!(at(Some(b'a'), 9).reaches(&at(Some(b'b'), 1)), None);
        assert_eq!(at(None, 9).reaches(&at(Some(b'b'), 1)), Some(true), "a source that hides it");
    }

    #[test]
    fn a_destination_on_its_way_is_equal() {
        for seen in [["1", "1", "1"], ["1", "1", "2"], ["1", "2", "2"]] {
            let settled = decided(suspect(), true, seen).1;
            assert!(matches!(settled, SuspectVerdict::Judged(Judged::Equal, _)), "{seen:?}: {settled:?}");
        }
    }

    #[test]
    fn only_what_differs_twice_while_the_source_stands_still_is_a_difference() {
        let (suspect, first) = decided(suspect(), true, ["1", "0", "1"]);
        assert!(matches!(first, SuspectVerdict::Open));
        let (suspect, moving) = decided(suspect, true, ["1", "0", "2"]);
        assert!(matches!(moving, SuspectVerdict::Open) && suspect.confirmed == 1);
        let (suspect, early) = decided(suspect, false, ["1", "0", "1"]);
        assert!(matches!(early, SuspectVerdict::Open), "nobody knows whether it was applied");
        let proof = Proof { passed: true, unwritten: false, enough: CONFIRMED };
        let (suspect, written) = decide(suspect, proof, holding("1"), holding("0"), &holding("1"));
        assert!(matches!(written, SuspectVerdict::Open), "it was something else in between");
        assert!(matches!(decided(suspect, true, ["1", "0", "1"]).1, SuspectVerdict::Different { .. }));
    }
}
