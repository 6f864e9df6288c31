//! Connections that read side by side, each on its own: what bounds the pace is how fast both servers answer.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_channel::{Receiver, Sender, bounded, unbounded};
use async_std::task::{JoinHandle, sleep, spawn};
use futures_util::future::try_join;

use super::{
    CompareFault,
    reading::Seen,
    side::{Ask, Server, SideReader},
};
use crate::step::Side;

/// Keys to be read, on both sides or one.
#[derive(Debug, Default)]
pub(super) struct Job {
    /// Comes back with what was read.
    pub(super) number: usize,
    pub(super) source: Vec<Ask>,
    pub(super) destination: Vec<Ask>,
}

/// What was read for a job, in the order of what was asked.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) number: usize,
    pub(super) source: Vec<Seen>,
    pub(super) destination: Vec<Seen>,
}

/// The workers.
pub(super) struct Pool {
    jobs: Sender<Job>,
    results: Receiver<Result<Done, CompareFault>>,
    workers: Vec<JoinHandle<()>>,
    /// Keys a second at most, and when those asked for so far are paid for.
    rate: Option<u64>,
    paid_at: Mutex<Instant>,
}

/// Keys of one job where many are read at once.
const CHUNK: usize = 200;

impl Pool {
    /// Opens so many pairs of connections.
    pub(super) async fn open(
        source: &Server,
        destination: &Server,
        workers: usize,
        rate: Option<u64>,
    ) -> Result<Self, CompareFault> {
        let (jobs, taken) = bounded::<Job>(workers.saturating_mul(2));
        // Never full: no worker waits for whoever gives it work.
        let (done, results) = unbounded();
        let mut tasks = vec![];
        for _ in 0..workers {
            let here = SideReader::open(source, Side::Source).await?;
            let there = SideReader::open(destination, Side::Destination).await?;
            tasks.push(spawn(work((here, there), taken.clone(), done.clone())));
        }
        Ok(Self { jobs, results, workers: tasks, rate, paid_at: Mutex::new(Instant::now()) })
    }

    /// Jobs that may be under way at a time.
    pub(super) fn depth(&self) -> usize {
        self.workers.len().saturating_mul(3)
    }

    /// Waits until so many keys more may be read.
    pub(super) async fn pace(&self, keys: usize) {
        let Some(rate) = self.rate else { return };
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
        let cost = Duration::from_secs_f64((keys as f64 / rate.max(1) as f64).min(3600.0));
        let now = Instant::now();
        let wait = {
            let mut paid_at = self.paid_at.lock().unwrap_or_else(PoisonError::into_inner);
            let wait = paid_at.saturating_duration_since(now);
            *paid_at = paid_at.max(now) + cost;
            wait
        };
        sleep(wait).await;
    }

    pub(super) async fn give(&self, job: Job) -> Result<(), CompareFault> {
        match self.jobs.send(job).await {
            Ok(()) => Ok(()),
            // All workers have ended; one of them said why.
            Err(_) => Err(self.why().await),
        }
    }

    pub(super) async fn take(&self) -> Result<Done, CompareFault> {
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
    pub(super) async fn read(&self, side: Side, asks: Vec<Ask>) -> Result<Vec<Seen>, CompareFault> {
        let mut parts: Vec<Vec<Seen>> = asks.chunks(CHUNK).map(|_| vec![]).collect();
        let (mut given, mut taken) = (0, 0);
        let mut chunks = asks.chunks(CHUNK);
        while taken < parts.len() {
            if given - taken < self.depth()
                && let Some(chunk) = chunks.next()
            {
                let job = match side {
                    Side::Source => Job { number: given, source: chunk.to_vec(), destination: vec![] },
                    Side::Destination => Job { number: given, source: vec![], destination: chunk.to_vec() },
                };
                self.pace(chunk.len()).await;
                self.give(job).await?;
                given += 1;
                continue;
            }
            let done = self.take().await?;
            taken += 1;
            if let Some(part) = parts.get_mut(done.number) {
                *part = if side == Side::Source { done.source } else { done.destination };
            }
        }
        Ok(parts.into_iter().flatten().collect())
    }
}

async fn work(
    (mut source, mut destination): (SideReader, SideReader),
    jobs: Receiver<Job>,
    results: Sender<Result<Done, CompareFault>>,
) {
    while let Ok(Job { number, source: here, destination: there }) = jobs.recv().await {
        let read = try_join(source.read(here), destination.read(there)).await;
        let failed = read.is_err();
        let done = read.map(|(source, destination)| Done { number, source, destination });
        if results.send(done).await.is_err() || failed {
            return;
        }
    }
}
