//! Connections that read side by side, each on its own: what bounds the pace is how fast both servers answer.

use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender, bounded, unbounded};
use async_std::task::{JoinHandle, sleep, spawn};

use super::{
    CompareFault,
    batch::ReadBatch,
    reader::Depth,
    reading::SeenKey,
    scan::Pair,
    side::{ComparedServer, SideReader},
};
use crate::step::Side;

/// Keys to be read.
#[derive(Debug)]
struct ReadJob {
    /// Comes back with what was read.
    number: usize,
    batch: ReadBatch,
}

/// What was read of a batch's keys, in their order.
#[derive(Debug)]
pub(super) struct Done {
    number: usize,
    pub(super) batch: ReadBatch,
    pub(super) source: Vec<SeenKey>,
    pub(super) destination: Vec<SeenKey>,
}

type Results = Sender<Result<Done, CompareFault>>;

/// The workers: some read the source, and as many the destination when that is done.
pub(super) struct Pool {
    jobs: Sender<ReadJob>,
    results: Receiver<Result<Done, CompareFault>>,
    workers: Vec<JoinHandle<()>>,
    under_way: usize,
    /// Keys a second at most, and when those asked for so far are paid for.
    rate: Option<u64>,
    paid_at: Instant,
}

/// Keys of one job where many are read at once.
pub(super) const CHUNK: usize = 200;

impl Pool {
    /// Opens so many connections to either side.
    pub(super) async fn open(
        source: &ComparedServer,
        destination: &ComparedServer,
        workers: usize,
        rate: Option<u64>,
    ) -> Result<Self, CompareFault> {
        let (jobs, taken) = bounded::<ReadJob>(workers.saturating_mul(2));
        let (half, taken_on) = bounded(workers);
        // Never full: no worker waits for whoever gives it work.
        let (done, results) = unbounded();
        let mut tasks = vec![];
        for _ in 0..workers {
            let here = SideReader::open(source, Side::Source).await?;
            let there = SideReader::open(destination, Side::Destination).await?;
            tasks.push(spawn(read_source(here, taken.clone(), half.clone(), done.clone())));
            tasks.push(spawn(read_destination(there, taken_on.clone(), done.clone())));
        }
        Ok(Self { jobs, results, workers: tasks, under_way: 0, rate, paid_at: Instant::now() })
    }

    /// Whether more batches may be given: as many are under way as keep all workers at work.
    pub(super) fn is_full(&self) -> bool {
        self.under_way >= self.workers.len().saturating_mul(2)
    }

    /// Whether every batch that was given was taken back.
    pub(super) const fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    /// Waits until so many keys more may be read.
    pub(super) async fn pace(&mut self, keys: usize) {
        let Some(rate) = self.rate else { return };
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
        let cost = Duration::from_secs_f64((keys as f64 / rate.max(1) as f64).min(3600.0));
        let now = Instant::now();
        let wait = self.paid_at.saturating_duration_since(now);
        self.paid_at = self.paid_at.max(now) + cost;
        sleep(wait).await;
    }

    /// Has a batch read.
    pub(super) async fn give(&mut self, batch: ReadBatch) -> Result<(), CompareFault> {
        self.give_numbered(0, batch).await
    }

    async fn give_numbered(&mut self, number: usize, batch: ReadBatch) -> Result<(), CompareFault> {
        match self.jobs.send(ReadJob { number, batch }).await {
            Ok(()) => {
                self.under_way = self.under_way.saturating_add(1);
                Ok(())
            }
            // All workers have ended; one of them said why.
            Err(_) => Err(self.why().await),
        }
    }

    /// The next batch that is read, in any order.
    pub(super) async fn take(&mut self) -> Result<Done, CompareFault> {
        self.under_way = self.under_way.saturating_sub(1);
        self.results.recv().await.unwrap_or(Err(CompareFault::Lost))
    }

    async fn why(&self) -> CompareFault {
        loop {
            match self.results.recv().await {
                Ok(Ok(_)) => {}
                Ok(Err(fault)) => return fault,
                Err(_) => return CompareFault::Lost,
            }
        }
    }

    /// Reads many keys on one side. Nothing else may be under way.
    pub(super) async fn read(
        &mut self,
        side: Side,
        pairs: &[Pair],
        depth: Depth,
    ) -> Result<Vec<SeenKey>, CompareFault> {
        let mut parts: Vec<Vec<SeenKey>> = pairs.chunks(CHUNK).map(|_| vec![]).collect();
        let mut chunks = pairs.chunks(CHUNK).enumerate().peekable();
        while chunks.peek().is_some() || !self.is_idle() {
            if let Some((number, chunk)) = chunks.next_if(|_| !self.is_full()) {
                self.pace(chunk.len()).await;
                self.give_numbered(number, ReadBatch::Side(side, chunk.to_vec(), depth)).await?;
                continue;
            }
            let done = self.take().await?;
            if let Some(part) = parts.get_mut(done.number) {
                *part = if side == Side::Source { done.source } else { done.destination };
            }
        }
        Ok(parts.into_iter().flatten().collect())
    }
}

async fn read_source(
    mut source: SideReader,
    jobs: Receiver<ReadJob>,
    half: Sender<(ReadJob, Vec<SeenKey>)>,
    results: Results,
) {
    while let Ok(job) = jobs.recv().await {
        match source.read(&job.batch.of_source()).await {
            Ok(seen) => {
                if half.send((job, seen)).await.is_err() {
                    return;
                }
            }
            Err(fault) => {
                drop(results.send(Err(fault)).await);
                return;
            }
        }
    }
}

async fn read_destination(mut destination: SideReader, half: Receiver<(ReadJob, Vec<SeenKey>)>, results: Results) {
    while let Ok((ReadJob { number, batch }, source)) = half.recv().await {
        let seen = destination.read(&batch.of_destination(&source)).await;
        let failed = seen.is_err();
        let done = seen.map(|destination| Done { number, batch, source, destination });
        if results.send(done).await.is_err() || failed {
            return;
        }
    }
}
