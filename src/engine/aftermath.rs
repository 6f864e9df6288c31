//! A seal whose answer nobody heard: what the source has written since.

use std::time::Duration;

use async_std::future::timeout;

use super::{ending::Ending, run::Run, servers};
use crate::{
    plan::fault::catalogue::runs,
    resp::{CommandReader, RespLimits},
    sink::{Checkpoint, CommandOutcome, Libraries, Outgoing, Translator, TranslatorSetup},
    source::{Link, Resumed, SourceFacts},
    step::{CutoverResult, OnConflict, Work},
    unit::{Offset, UnixMillis},
};

/// How long it is looked for what the source has written since.
const PATIENCE: Duration = Duration::from_mins(1);
/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// What is known of the source since the seal.
pub(super) enum AfterSeal {
    /// It has carried out so many commands that write what the plan takes.
    Wrote(u64),
    /// What it has written cannot be found out, for this reason.
    Unknown(String),
}

impl AfterSeal {
    /// The result of the cutover with what is known now.
    pub(super) fn result(&self, result: CutoverResult) -> CutoverResult {
        match self {
            Self::Wrote(late) => CutoverResult { proven: *late == 0, late: *late, ..result },
            Self::Unknown(_) => CutoverResult { proven: false, ..result },
        }
    }

    /// How the run ends where the destination lacks something, or may.
    pub(super) fn ending(&self, offset: Offset) -> Option<Ending> {
        let what = match self {
            Self::Wrote(0) => return None,
            Self::Wrote(late) => format!("{late} more commands came at the source that are not there"),
            Self::Unknown(why) => format!("what the source has written since is not known: {why}"),
        };
        Some(Ending::of(
            &runs::WROTE_LATE,
            format!(
                "The destination is sealed at offset {offset}, the process that sealed it did not see that, and {what}. Compare \
                 both sides, and take over what is missing. The same command continues after the seal."
            ),
        ))
    }
}

/// Finds out what the source has written since the destination was sealed.
pub(super) async fn since(run: &Run) -> AfterSeal {
    match timeout(PATIENCE, look(run)).await {
        Ok(Ok(since)) => since,
        Ok(Err(why)) => AfterSeal::Unknown(why),
        Err(_) => AfterSeal::Unknown("the source did not answer in time".to_owned()),
    }
}

async fn look(run: &Run) -> Result<AfterSeal, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let destination = run.request.servers.destination.control().await;
    let mut destination = destination.map_err(|error| text(&error))?;
    let record = crate::sink::record(&mut destination, &run.keys).await.map_err(|error| text(&error))?;
    let Some((record, sealed)) = record.and_then(|record| record.stream.map(|stream| (record, stream))) else {
        return Err("the run record does not say up to where the stream is applied".to_owned());
    };
    let source = run.request.servers.source.control().await;
    let mut source = source.map_err(|error| text(&error))?;
    let facts = crate::source::survey(&mut source).await.map_err(|error| text(&error))?;
    let stands = facts.repl_offset.ok_or("the source does not say its offset")?;
    if facts.replid != Some(sealed.replid) {
        return Err(format!(
            "the source goes by another history now, and stands at offset {stands} of it: it was restarted, or another server took \
             its place"
        ));
    }
    if stands <= sealed.offset {
        return Ok(AfterSeal::Wrote(0));
    }
    let setup = TranslatorSetup {
        selection: run
            .request
            .graph
            .steps
            .iter()
            .find_map(|step| match &step.work {
                Work::Incremental(work) => Some(work.selection.clone()),
                _ => None,
            })
            .ok_or("the plan does not follow the source")?,
        destination: servers::destination(&mut destination, &run.keys.token).await.map_err(|error| text(&error))?,
        keys: run.keys.clone(),
        occupied: vec![],
        left_alone: std::collections::HashSet::new(),
        libraries: Libraries::new(&record, vec![], OnConflict::Replace),
        known_commands: None,
        scripts: std::collections::HashMap::new(),
        db: sealed.db,
        source: facts.version,
        deadlines: None,
    };
    let counted = count(run, (&facts, sealed, stands), Translator::new(setup)).await;
    counted.map(AfterSeal::Wrote).map_err(|why| {
        format!("it stands at offset {stands} now, {} bytes further: {why}", stands.since(sealed.offset))
    })
}

/// Counts the commands that write between the seal and where the source stands.
async fn count(
    run: &Run,
    (facts, sealed, stands): (&SourceFacts, Checkpoint, Offset),
    mut translator: Translator,
) -> Result<u64, String> {
    let mut link = Link::open(&run.request.servers.source, facts).await.map_err(|error| error.to_string())?;
    match link.resume(sealed.replid, sealed.offset).await.map_err(|error| error.to_string())? {
        Resumed::Continued { .. } => {}
        Resumed::Dump { .. } => return Err("the source does not have what came since any more".to_owned()),
    }
    let mut commands = CommandReader::starting_at(sealed.offset.0, RespLimits::default());
    let (mut buffer, mut at, mut wrote) = (vec![0; CHUNK], sealed.offset, 0);
    while at < stands {
        let count = link.read_stream(&mut buffer).await.map_err(|error| error.to_string())?;
        if count == 0 {
            return Err("the source closed the connection".to_owned());
        }
        at = at.plus(count as u64);
        commands.feed(buffer.get(..count).unwrap_or_default());
        while let Some(command) = commands.next().map_err(|error| error.to_string())? {
            let mut out = Outgoing::default();
            if let CommandOutcome::Damaged(what) = translator.take(&command, UnixMillis::now(), &mut out) {
                return Err(what);
            }
            wrote += u64::from(out.data && out.filtered == 0);
        }
    }
    Ok(wrote)
}
