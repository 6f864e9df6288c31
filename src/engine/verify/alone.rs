//! `plan verify`: a comparison outside a run, or beside one that follows the source.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_channel::Receiver;
use futures_util::{FutureExt, StreamExt, select};

use super::{
    begin::{ALONE, checkpoint, setup},
    guard::Guard,
    repair::Copier,
    step::verdict,
};
use crate::{
    compare::{self, Applied, Begun, CompareEvent, Pair, Recheck, Setup},
    engine::{AskError, ControlClient, Servers, apply::finish, ending::Ending, run::not_ours, servers, teller::Teller},
    plan::fault::catalogue::runs,
    step::{
        Event, FollowProgress, Graph, KeyDifference, OnConflict, Order, Outcome, Stamped, VerifyResult, VerifyVerdict,
        VerifyWork, Work,
    },
};

/// What a comparison by itself is asked.
pub struct VerifyRequest {
    /// Whose servers and rules.
    pub graph: Graph,
    /// The graph's digest: 64 hexadecimal digits.
    pub digest: String,
    /// What is compared, and how.
    pub work: VerifyWork,
    /// What a sample is chosen by.
    pub seed: u64,
    /// Copy again what differs.
    pub repair: bool,
    /// Where the run keeps its files, if there is one.
    pub state_dir: PathBuf,
    /// How both servers are entered.
    pub servers: Servers,
    /// Closed when it is to stop.
    pub stop: Receiver<()>,
}

/// The most differing keys that are held to be copied again.
const MOST_REPAIRED: usize = 200_000;
/// How often a run that follows is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// Why a key is left as it is where nobody knows of a run that wrote it.
const NOT_OURS: &str = "it may be somebody else's: that this run wrote it could not be verified. With `on_conflict: replace` in the \
                        plan it is written or deleted all the same";
/// What to do about a difference.
const ADVICE: &str = "`--differences FILE` writes each of them down, `--repair` copies them again";
const NOT_REPAIRED: &str = "They could not be copied again, or were changed at once; the lines above say why";
/// Keys after which a lease is renewed.
const RENEW_AFTER: usize = 200;

/// Compares both sides. Blocks until it is done or cannot go on.
pub fn verify(request: &VerifyRequest, on_event: &mut dyn FnMut(&Stamped)) -> Outcome {
    let begun = Instant::now();
    let mut teller = Teller::new(on_event);
    let ending = match recheck(request) {
        Ok(recheck) => async_std::task::block_on(run(request, recheck, &mut teller)),
        Err(ending) => Err(ending),
    };
    let (source, destination) = (&request.graph.source.address, &request.graph.destination.address);
    finish(&mut teller, ending.unwrap_or_else(|ending| ending).between(source, destination), begun)
}

async fn run(request: &VerifyRequest, recheck: Recheck, teller: &mut Teller<'_>) -> Result<Ending, Ending> {
    if matches!(recheck, Recheck::Applied(_)) && request.repair {
        return Err(Ending::new(
            Outcome::Locked,
            "Nothing was copied again: a process works on this run, and what it applies would be added to it. Repair once it \
             has ended.",
        ));
    }
    let alone = matches!(recheck, Recheck::Alone);
    let mut setup = new_setup(request, recheck).await?;
    if alone && !request.repair {
        setup.checkpoint = checkpoint(&request.state_dir, ALONE, &request.digest, &setup);
    }
    // Asked before anything is read: whoever may not repair is told at once.
    let mut copier = if request.repair { Some(copier(request).await?) } else { None };
    let mut found: Vec<(Pair, KeyDifference)> = vec![];
    let repair = request.repair;
    let mut result = watch(request, setup, teller, &mut |teller, pair, difference| {
        if repair && found.len() < MOST_REPAIRED {
            found.push((pair, difference));
        } else {
            teller.tell(Event::Differs { difference });
        }
    })
    .await?;
    if let Some(copier) = &mut copier
        && !found.is_empty()
    {
        again(request, copier, found, &mut result, teller).await?;
    }
    if let Some(Copier { guard, mut destination, .. }) = copier {
        guard.release(&mut destination).await?;
    }
    let ended = verdict(&result, if request.repair { NOT_REPAIRED } else { ADVICE });
    let repaired = result.repaired;
    let unproved = alone && result.verdict() == VerifyVerdict::Equal;
    teller.tell(Event::Verified { result });
    let mut text = ended?;
    if repaired > 0 {
        text = format!("{text}, {repaired} of them copied again");
    }
    if unproved {
        text.push_str("; no run follows the source, so what was written meanwhile was judged by looking again");
    }
    Ok(Ending::done(capitalised(&text)))
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), chars.as_str()))
}

async fn new_setup(request: &VerifyRequest, recheck: Recheck) -> Result<Setup, Ending> {
    let mut setup = setup((&request.graph, &request.servers), &request.work, recheck).await?;
    setup.seed = request.seed;
    Ok(setup)
}

/// Tells what a comparison tells, until it is over or a stop is asked for.
async fn watch(
    request: &VerifyRequest,
    setup: Setup,
    teller: &mut Teller<'_>,
    on_difference: &mut dyn FnMut(&mut Teller<'_>, Pair, KeyDifference),
) -> Result<VerifyResult, Ending> {
    let begun = compare::begin(setup);
    let result = until_done(request, &begun, teller, on_difference).await;
    begun.end().await;
    result
}

async fn until_done(
    request: &VerifyRequest,
    begun: &Begun,
    teller: &mut Teller<'_>,
    on_difference: &mut dyn FnMut(&mut Teller<'_>, Pair, KeyDifference),
) -> Result<VerifyResult, Ending> {
    let mut told = Box::pin(begun.told.clone()).fuse();
    // Nothing is ever sent: the channel is closed when a stop is asked for.
    let mut stop = Box::pin(request.stop.recv()).fuse();
    loop {
        let told = select! { told = told.next() => told, _ = stop => {
            return Err(Ending::of(&runs::STOPPED_BY_SIGNAL, "Stopped while comparing. The same command resumes where it was, or starts again."));
        }};
        match told {
            Some(CompareEvent::Progress(progress)) => teller.tell(Event::VerifyProgress { progress }),
            Some(CompareEvent::Difference(found)) => on_difference(teller, found.0, found.1),
            Some(CompareEvent::Done(result)) => return Ok((*result)?),
            None => return Err(Ending::failed("The comparison ended without a result.")),
        }
    }
}

async fn copier(request: &VerifyRequest) -> Result<Copier, Ending> {
    let VerifyRequest { graph, servers, .. } = request;
    let mut destination = servers.destination.control().await?;
    let guard = Guard::ask(&mut destination, graph, &request.digest, &request.state_dir).await?;
    let token = crate::sink::RecordKeys::of(&graph.name).token;
    let there = servers::destination(&mut destination, &token).await?;
    let source = servers.source.control().await?;
    let replaces = graph.steps.iter().any(|step| match &step.work {
        Work::Full(work) => work.on_conflict == OnConflict::Replace,
        _ => false,
    });
    Ok(Copier { source, destination, there, guard, replaces })
}

/// Copies again what differs, compares it again, and tells what came of each key.
async fn again(
    request: &VerifyRequest,
    copier: &mut Copier,
    found: Vec<(Pair, KeyDifference)>,
    result: &mut VerifyResult,
    teller: &mut Teller<'_>,
) -> Result<(), Ending> {
    for (index, (pair, difference)) in found.iter().enumerate() {
        if index % RENEW_AFTER == 0 {
            copier.guard.renew(&mut copier.destination).await?;
        }
        let refused = if copier.may_copy(difference) { copier.copy(pair).await? } else { Some(NOT_OURS.to_owned()) };
        if let Some(why) = refused {
            teller.notice(format!("The key {} could not be copied again: {why}.", difference.key));
        }
    }
    let mut setup = new_setup(request, Recheck::Alone).await?;
    setup.only = Some(found.iter().map(|(pair, _)| pair.clone()).collect());
    let mut still = std::collections::HashMap::new();
    let second = watch(request, setup, teller, &mut |_, pair, difference| _ = still.insert(pair, difference)).await?;
    copier.guard.renew(&mut copier.destination).await?;
    result.unsettled += second.unsettled;
    let all = found.len() as u64;
    let different = still.len() as u64;
    result.repaired = all.saturating_sub(different).saturating_sub(second.unsettled);
    result.different = result.different.saturating_sub(all).saturating_add(different);
    for (pair, was) in found {
        let now = still.remove(&pair);
        let repaired = Some(now.is_none());
        if now.is_none() {
            uncount(result, &pair, &was);
        }
        teller.tell(Event::Differs { difference: KeyDifference { repaired, ..now.unwrap_or(was) } });
    }
    Ok(())
}

/// A key that was repaired does not differ any more.
fn uncount(result: &mut VerifyResult, pair: &Pair, was: &KeyDifference) {
    let kind = was.source.as_ref().or(was.destination.as_ref()).map(|side| &side.kind);
    if let Some(count) = result.counts.iter_mut().find(|count| count.db == pair.from && Some(&count.kind) == kind) {
        count.different = count.different.saturating_sub(1);
    }
}

/// How to judge whether a difference stays: by a run that follows the source here, if there is one.
fn recheck(request: &VerifyRequest) -> Result<Recheck, Ending> {
    let status = ControlClient::connect(&request.state_dir).and_then(|mut steersman| {
        let answer = steersman.ask(&Order::Status)?;
        Ok((steersman, answer.status))
    });
    let (steersman, status) = match status {
        Ok((steersman, Some(status))) => (steersman, status),
        Err(AskError::NotOurs(fault)) => return Err(not_ours(&request.state_dir, &fault)),
        Ok(_) | Err(AskError::Nobody | AskError::Broken(_)) => return Ok(Recheck::Alone),
    };
    let Some(following) = status.following else {
        return Err(Ending::new(
            Outcome::Refused,
            "A process copies the source's data at this moment, so both sides differ. Compare once it follows the source, or \
             has ended.",
        ));
    };
    let applied = Arc::new(Mutex::new(Some(applied(&following))));
    poll(steersman, Arc::downgrade(&applied));
    Ok(Recheck::Applied(Arc::new(move || *applied.lock().unwrap_or_else(PoisonError::into_inner))))
}

fn applied(following: &FollowProgress) -> Applied {
    Applied { history: following.replid, offset: following.applied }
}

/// Asks the process how far it is, for as long as somebody wants to know; `None` says that it does not answer any more.
fn poll(mut steersman: ControlClient, there: std::sync::Weak<Mutex<Option<Applied>>>) {
    std::thread::spawn(move || {
        while let Some(there) = there.upgrade() {
            let answer = steersman.ask(&Order::Status).ok();
            let following = answer.and_then(|answer| answer.status).and_then(|status| status.following);
            *there.lock().unwrap_or_else(PoisonError::into_inner) = following.as_ref().map(applied);
            drop(there);
            if following.is_none() {
                return;
            }
            std::thread::sleep(ASK_EVERY);
        }
    });
}
