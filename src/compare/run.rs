//! A comparison from its beginning to its end.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use async_channel::{Sender, bounded};
use async_std::task::spawn;

use super::{
    CompareFault, Recheck,
    batch::ReadBatch,
    checkpoint::{CheckpointFile, WalkKind},
    judge::{Judged, judge},
    names::Names,
    pool::{CHUNK, Done, Pool},
    progress::NameCounter,
    reader::Depth,
    reading::{SeenKey, What},
    recheck::{Barrier, SuspectVerdict, settle},
    sample::KeySample,
    scan::{Pair, ScanPlace, Scanner, is_own},
    setup::{Begun, CompareEvent, Setup},
    side::ComparedServer,
    tally::{count, foreign, settled_into, uncount},
    verdicts::Verdicts,
};
use crate::{
    step::{ForeignRule, JudgedBy, KeyDifference, Side, VerifyMode, VerifyPhase, VerifyResult},
    unit::Db,
};

/// Suspects after which they are looked at again before the walk goes on: they are all that is held.
const MOST_SUSPECTS: usize = 5000;
/// A walk is interrupted this often to look again at suspects and to note how far it is.
const LEG: Duration = Duration::from_secs(3);
/// Differences in a checkpoint; with more there is none.
const NOTED: usize = 10_000;

/// Begins a comparison.
pub fn begin(setup: Setup) -> Begun {
    let (tell, told) = bounded(1024);
    Begun { told, task: spawn(tell_to(setup, tell)) }
}

/// Compares, and tells what it comes to.
pub async fn tell_to(setup: Setup, tell: Sender<CompareEvent>) {
    let result = run(setup, tell.clone()).await;
    let _ = tell.send(CompareEvent::Done(Box::new(result))).await;
}

async fn run(setup: Setup, tell: Sender<CompareEvent>) -> Result<VerifyResult, CompareFault> {
    let mut run = CompareRun::open(setup, tell).await?;
    match (run.setup.only.take(), run.setup.mode) {
        (Some(pairs), _) => run.pairs(pairs).await?,
        (None, VerifyMode::Sample { keys }) => run.sample(keys).await?,
        (None, VerifyMode::Keys | VerifyMode::Full) => run.all().await?,
    }
    Ok(run.finish())
}

struct CompareRun {
    setup: Setup,
    depth: Depth,
    pool: Pool,
    /// The names of both sides; `None` where they are not all known.
    names: Option<Names>,
    barrier: Barrier,
    checkpoints: Option<CheckpointFile>,
    tell: Sender<CompareEvent>,
    result: VerifyResult,
    suspects: Vec<Pair>,
    verdicts: Verdicts,
    /// What was found, as far as it goes into checkpoints.
    differences: Vec<(Pair, KeyDifference)>,
    phase: VerifyPhase,
    meter: NameCounter,
    begun: Instant,
    /// Seconds of earlier processes.
    earlier: f64,
}

impl CompareRun {
    async fn open(setup: Setup, tell: Sender<CompareEvent>) -> Result<Self, CompareFault> {
        let pool = Pool::open(&setup.source, &setup.destination, setup.workers.max(1), setup.rate).await?;
        let depth = if setup.mode == VerifyMode::Keys { Depth::Head } else { Depth::Whole };
        let judged_by = match setup.recheck {
            Recheck::Alone => JudgedBy::RechecksAlone,
            Recheck::Applied(_) => JudgedBy::AppliedOffset,
        };
        let sampled = matches!(setup.mode, VerifyMode::Sample { .. });
        let seed = sampled.then_some(setup.seed);
        let now = Instant::now();
        Ok(Self {
            depth,
            pool,
            names: None,
            barrier: Barrier::new(setup.recheck.clone(), setup.source.clone()),
            checkpoints: setup.checkpoint.clone().map(|(path, of)| CheckpointFile::new(path, of)),
            tell,
            result: VerifyResult { mode: Some(setup.mode), seed, judged_by, ..VerifyResult::default() },
            suspects: vec![],
            verdicts: Verdicts::default(),
            differences: vec![],
            phase: VerifyPhase::Comparing,
            meter: NameCounter::default(),
            begun: now,
            earlier: 0.0,
            setup,
        })
    }

    fn finish(mut self) -> VerifyResult {
        self.result.counts.sort_by(|one, two| (one.db, &one.kind).cmp(&(two.db, &two.kind)));
        self.result.foreign.sort_by_key(|foreign| (foreign.db, foreign.rule as u8));
        self.result.seconds = self.seconds();
        self.result
    }

    fn seconds(&self) -> f64 {
        self.earlier + self.begun.elapsed().as_secs_f64()
    }

    /// The source's databases that hold keys which may move.
    fn from(&self) -> Vec<Db> {
        let mut dbs: Vec<Db> = self.setup.source.keys.iter().map(|(db, _)| *db).collect();
        dbs.retain(|db| self.setup.selection.reads(*db));
        dbs.sort_unstable();
        dbs
    }

    /// The source's databases from which keys of the destination may have come, those that are empty now included.
    fn origins(&self) -> Vec<Db> {
        let mut dbs = self.setup.selection.named();
        dbs.extend(self.setup.source.keys.iter().chain(&self.setup.destination.keys).map(|(db, _)| *db));
        dbs.sort_unstable();
        dbs.dedup();
        dbs
    }

    /// The destination's databases to walk, and the others by their counts.
    fn to(&self) -> (Vec<Db>, Vec<(Db, u64)>) {
        let targets = self.setup.selection.targets(&self.origins());
        let is_walked = |db: &Db| *db == Db(0) || targets.contains(db);
        let (walked, others): (Vec<_>, Vec<_>) =
            self.setup.destination.keys.iter().copied().partition(|(db, _)| is_walked(db));
        let mut walked: Vec<Db> = walked.into_iter().map(|(db, _)| db).collect();
        walked.sort_unstable();
        (walked, others)
    }

    /// Every key of both sides.
    async fn all(&mut self) -> Result<(), CompareFault> {
        let (from, (to, others)) = (self.from(), self.to());
        let held = |server: &ComparedServer, dbs: &[Db]| -> u64 {
            server.keys.iter().filter(|(db, _)| dbs.contains(db)).map(|(_, keys)| keys).sum()
        };
        let named = held(&self.setup.destination, &to);
        self.meter.total = held(&self.setup.source, &from).saturating_add(named);
        let earlier = self.checkpoints.as_ref().map(CheckpointFile::read).transpose()?.flatten();
        let goes_on = earlier.map(|earlier| {
            (self.result, self.meter.looked_at) = (earlier.result, earlier.looked_at);
            self.earlier = self.result.seconds;
            // What differed then may have been mended since: it is looked at again.
            for (pair, found) in earlier.differences {
                uncount(&mut self.result, &found);
                self.suspects.push(pair);
            }
            (earlier.walk, earlier.place)
        });
        if goes_on.is_none() {
            for (db, keys) in others {
                foreign(&mut self.result, db, ForeignRule::Database, keys, None);
            }
        }
        // What an earlier process found is not known by name: there, every name is asked for.
        self.names = goes_on.is_none().then(Names::new);
        let (first, mut place) = goes_on.map_or((WalkKind::Source, None), |(walk, place)| (walk, Some(place)));
        if first <= WalkKind::Source {
            self.walk(WalkKind::Source, &from, place.take()).await?;
        }
        if first <= WalkKind::Names {
            self.walk(WalkKind::Names, &to, place.take()).await?;
        }
        if self.names.as_ref().is_none_or(Names::are_open) {
            self.meter.total = self.meter.total.saturating_add(named);
            self.walk(WalkKind::Extra, &to, place).await?;
        }
        self.checkpoints.as_ref().map_or(Ok(()), CheckpointFile::remove)
    }

    /// Walks one side's names and has its batches read. Whenever nothing is under way and nothing suspect, it notes where it
    /// is.
    async fn walk(&mut self, walk: WalkKind, dbs: &[Db], place: Option<ScanPlace>) -> Result<(), CompareFault> {
        let (server, side) = match walk {
            WalkKind::Source => (&self.setup.source, Side::Source),
            WalkKind::Names | WalkKind::Extra => (&self.setup.destination, Side::Destination),
        };
        let phase = if walk == WalkKind::Source { VerifyPhase::Comparing } else { VerifyPhase::Extra };
        let mut scanner = Scanner::open(server, side, dbs, place.as_ref()).await?;
        let (mut leg, mut ended) = (Instant::now(), false);
        let candidates = self.origins();
        loop {
            self.phase = phase;
            let leg_over = self.suspects.len() >= MOST_SUSPECTS || leg.elapsed() >= LEG;
            if !ended && !leg_over && !self.pool.is_full() {
                let Some((db, names)) = scanner.next().await? else {
                    ended = true;
                    continue;
                };
                if walk != WalkKind::Extra {
                    self.pool.pace(names.len()).await;
                }
                match walk {
                    WalkKind::Source => {
                        let pairs = self.chosen(db, names);
                        self.give(ReadBatch::Pairs(pairs, self.depth)).await?;
                    }
                    WalkKind::Names => {
                        self.named(db, names, &candidates);
                        self.tell_progress().await;
                    }
                    WalkKind::Extra => {
                        self.meter.looked_at += names.len() as u64;
                        let names = self.not_found(db, names, &candidates);
                        self.pool.pace(names.len()).await;
                        self.give(ReadBatch::Names(names)).await?;
                        self.tell_progress().await;
                    }
                }
            } else if self.pool.is_idle() {
                self.settle().await?;
                let Some(place) = scanner.place().filter(|_| !ended) else { return Ok(()) };
                self.note(walk, place)?;
                leg = Instant::now();
            } else {
                self.fold_next().await?;
            }
        }
    }

    fn note(&mut self, walk: WalkKind, place: ScanPlace) -> Result<(), CompareFault> {
        self.result.seconds = self.seconds();
        match &self.checkpoints {
            Some(file) if self.differences.len() as u64 == self.result.different => {
                file.write((walk, place), self.meter.looked_at, (&self.result, &self.differences))
            }
            // Not without all that was found so far: the process that goes on tells it again.
            _ => Ok(()),
        }
    }

    /// Chooses keys at random, and compares them.
    async fn sample(&mut self, keys: u64) -> Result<(), CompareFault> {
        let (from, (to, _)) = (self.from(), self.to());
        let held = |server: &ComparedServer| -> u64 { server.keys.iter().map(|(_, keys)| keys).sum() };
        self.meter.total = held(&self.setup.source).saturating_add(held(&self.setup.destination));
        self.phase = VerifyPhase::Choosing;
        let mut sample = KeySample::new(self.setup.seed, keys);
        let mut scanner = Scanner::open(&self.setup.source, Side::Source, &from, None).await?;
        let mut ended = false;
        while !ended || !self.pool.is_idle() {
            if ended || self.pool.is_full() {
                let Done { batch, source, .. } = self.pool.take().await?;
                let ReadBatch::Side(_, pairs, _) = batch else { return Err(CompareFault::Lost) };
                for (pair, seen) in pairs.into_iter().zip(source) {
                    if let Some(reading) = seen.reading() {
                        sample.offer(pair, &reading.kind);
                    }
                }
                self.tell_progress().await;
                continue;
            }
            match scanner.next().await? {
                None => ended = true,
                Some((db, names)) => {
                    self.pool.pace(names.len()).await;
                    let pairs = self.chosen(db, names);
                    self.give(ReadBatch::Side(Side::Source, pairs, Depth::Type)).await?;
                }
            }
        }
        self.pairs(sample.choose()).await?;
        self.sample_names(keys, &to).await
    }

    /// Looks whether the source has some of the destination's keys, chosen at random too.
    async fn sample_names(&mut self, keys: u64, to: &[Db]) -> Result<(), CompareFault> {
        let candidates = self.origins();
        self.phase = VerifyPhase::Extra;
        let mut sample = KeySample::new(self.setup.seed, keys);
        let mut scanner = Scanner::open(&self.setup.destination, Side::Destination, to, None).await?;
        while let Some((db, names)) = scanner.next().await? {
            self.pool.pace(names.len()).await;
            for pair in self.named(db, names, &candidates) {
                sample.offer(pair, "");
            }
            self.tell_progress().await;
        }
        for chunk in sample.choose().chunks(CHUNK) {
            self.pool.pace(chunk.len()).await;
            let origins = |pair: &Pair| self.origins_of(&candidates, pair.to, &pair.key).collect();
            let batch = ReadBatch::Names(chunk.iter().map(|pair| (pair.clone(), origins(pair))).collect());
            self.give(batch).await?;
            self.fold_next().await?;
        }
        self.settle().await
    }

    /// Compares these keys.
    async fn pairs(&mut self, pairs: Vec<Pair>) -> Result<(), CompareFault> {
        self.phase = VerifyPhase::Comparing;
        for chunk in pairs.chunks(CHUNK) {
            while self.pool.is_full() {
                self.fold_next().await?;
            }
            self.pool.pace(chunk.len()).await;
            self.give(ReadBatch::Pairs(chunk.to_vec(), self.depth)).await?;
            if self.suspects.len() >= MOST_SUSPECTS {
                while !self.pool.is_idle() {
                    self.fold_next().await?;
                }
                self.settle().await?;
            }
        }
        while !self.pool.is_idle() {
            self.fold_next().await?;
        }
        self.settle().await
    }

    /// Of the source's keys, those that the plan moves and that are compared.
    fn chosen(&mut self, from: Db, names: Vec<Vec<u8>>) -> Vec<Pair> {
        self.meter.looked_at += names.len() as u64;
        let mut pairs = vec![];
        for key in names {
            match self.setup.selection.target(from, &key).filter(|_| !is_own(&key)) {
                None => self.result.filtered += 1,
                Some(to) if self.was_skipped(to, &key) => self.result.skipped += 1,
                Some(to) => pairs.push(Pair { from, to, key }),
            }
        }
        pairs
    }

    /// Of the destination's names, those that the plan may have brought. All others are counted.
    fn named(&mut self, to: Db, names: Vec<Vec<u8>>, candidates: &[Db]) -> Vec<Pair> {
        self.meter.looked_at += names.len() as u64;
        let mut pairs = vec![];
        for key in names {
            if is_own(&key) || self.was_skipped(to, &key) {
                continue;
            }
            let Some(from) = self.origins_of(candidates, to, &key).next() else {
                foreign(&mut self.result, to, ForeignRule::Name, 1, Some(&key));
                continue;
            };
            let pair = Pair { from, to, key };
            if let Some(names) = &mut self.names {
                names.named(&pair);
            }
            pairs.push(pair);
        }
        pairs
    }

    /// Of the destination's names, those that the source may not have, and where it might.
    fn not_found(&self, to: Db, names: Vec<Vec<u8>>, candidates: &[Db]) -> Vec<(Pair, Vec<Db>)> {
        let mut open = vec![];
        for key in names {
            let origins: Vec<Db> = self.origins_of(candidates, to, &key).collect();
            let Some(from) = origins.first().copied().filter(|_| !is_own(&key) && !self.was_skipped(to, &key)) else {
                continue;
            };
            let pair = Pair { from, to, key };
            if self.names.as_ref().is_none_or(|names| names.is_open(&pair)) {
                open.push((pair, origins));
            }
        }
        open
    }

    /// The databases of the source from which a key at the destination may have come.
    fn origins_of<'a>(&'a self, candidates: &'a [Db], to: Db, key: &'a [u8]) -> impl Iterator<Item = Db> + use<'a> {
        candidates.iter().copied().filter(move |from| self.setup.selection.target(*from, key) == Some(to))
    }

    fn was_skipped(&self, to: Db, key: &[u8]) -> bool {
        let skipped = &self.setup.skipped;
        !skipped.is_empty() && skipped.contains(&[format!("{to}:").as_bytes(), key].concat())
    }

    /// Has a batch read, unless there is nothing in it.
    async fn give(&mut self, batch: ReadBatch) -> Result<(), CompareFault> {
        if batch.is_empty() { Ok(()) } else { self.pool.give(batch).await }
    }

    /// Takes in what the next finished batch has read.
    async fn fold_next(&mut self) -> Result<(), CompareFault> {
        let Done { batch, source, destination, .. } = self.pool.take().await?;
        match batch {
            ReadBatch::Pairs(pairs, _) => self.fold_pairs(pairs, source, destination),
            ReadBatch::Names(names) => self.fold_names(names, source),
            ReadBatch::Side(..) => return Err(CompareFault::Lost),
        }
        self.tell_progress().await;
        Ok(())
    }

    fn fold_pairs(&mut self, pairs: Vec<Pair>, source: Vec<SeenKey>, destination: Vec<SeenKey>) {
        for (pair, (here, there)) in pairs.into_iter().zip(source.into_iter().zip(destination)) {
            if let Some(names) = self.names.as_mut().filter(|_| there.what != What::Absent) {
                names.found(&pair);
            }
            if self.verdicts.has_told(&pair) {
                continue;
            }
            match judge(&here, &there) {
                Judged::Moved | Judged::Different(_) => self.suspects.push(pair),
                judged => self.judged(&pair, &judged, here.reading().map(|reading| reading.kind.as_ref())),
            }
        }
    }

    fn fold_names(&mut self, names: Vec<(Pair, Vec<Db>)>, source: Vec<SeenKey>) {
        let mut seen = source.into_iter();
        for (pair, origins) in names {
            let found = seen.by_ref().take(origins.len());
            // All of them are to be taken, whatever is found.
            if found.filter(|seen| seen.what != What::Absent).count() == 0 && !self.verdicts.has_told(&pair) {
                self.suspects.push(pair);
            }
        }
    }

    fn judged(&mut self, pair: &Pair, judged: &Judged, kind: Option<&str>) {
        match judged {
            Judged::Equal => count(&mut self.result, pair.from, kind.unwrap_or_default(), false),
            Judged::Gone => self.result.gone += 1,
            _ => self.result.expired += 1,
        }
    }

    /// Looks again at the suspects until none is left.
    async fn settle(&mut self) -> Result<(), CompareFault> {
        if self.suspects.is_empty() {
            return Ok(());
        }
        self.phase = VerifyPhase::Rechecking;
        self.meter.hurry();
        self.tell_progress().await;
        let mut seen = HashSet::new();
        let mut suspects = std::mem::take(&mut self.suspects);
        suspects.retain(|pair| seen.insert(pair.clone()));
        for (pair, settled) in settle(&mut self.pool, &mut self.barrier, self.depth, suspects).await? {
            if self.verdicts.reopen(&pair) {
                self.result.unsettled = self.result.unsettled.saturating_sub(1);
            }
            match &settled {
                SuspectVerdict::Open => self.verdicts.leave_open(&pair),
                SuspectVerdict::Different { .. } => self.verdicts.tell(&pair),
                SuspectVerdict::Judged(..) => {}
            }
            if let Some(difference) = settled_into(&mut self.result, &self.setup.occupied, &pair, settled) {
                if self.checkpoints.is_some() && self.differences.len() < NOTED {
                    self.differences.push((pair.clone(), difference.clone()));
                }
                let _ = self.tell.send(CompareEvent::Difference(Box::new((pair, difference)))).await;
            }
        }
        Ok(())
    }

    async fn tell_progress(&mut self) {
        let now = Instant::now();
        if let Some(progress) = self.meter.tell(now, self.phase, &self.result, self.suspects.len()) {
            let _ = self.tell.send(CompareEvent::Progress(progress)).await;
        }
    }
}
