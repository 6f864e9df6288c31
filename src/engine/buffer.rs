//! The source's replica output-buffer limit: recorded, raised when the plan says so, and put back.

use redis::cmd;

use super::{ending::Ending, run::Run, servers, teller::Teller};
use crate::{journal::Record, net::Control, step::BufferWork};

/// `CONFIG` name of the setting; the class `slave` is known to every version, its alias `replica` only from 5.0 on.
const SETTING: &str = "client-output-buffer-limit";
const UNLIMITED: &str = "0 0 0";

/// Records the limit and raises it if the plan says so. The old limit is in the journal before it is changed.
pub(super) async fn buffer(
    run: &mut Run,
    work: &BufferWork,
    teller: &mut Teller<'_>,
) -> Result<Option<String>, Ending> {
    let graph = &run.request.graph;
    let mut control = match servers::connect(&graph.source, run.request.passwords.source.as_ref()).await {
        Ok(control) => control,
        Err(error) if !work.unlimited => return Ok(Some(format!("the source's limit could not be read: {error}"))),
        Err(error) => return Err(error.into()),
    };
    let Some(limit) = limit(&mut control).await else {
        if work.unlimited {
            teller.notice("The source does not let this user read its output-buffer limit, so it is not raised.");
        }
        return Ok(Some("the source does not show its output-buffer limit".to_owned()));
    };
    if !work.unlimited {
        run.journal.append(&Record::BufferWas { limit: limit.clone(), set_to: None })?;
        return Ok(Some(format!(
            "a full copy is spooled as fast as the source sends it; the source's limit stays at `{limit}`"
        )));
    }
    run.journal.append(&Record::BufferWas { limit, set_to: Some(UNLIMITED.to_owned()) })?;
    set(&mut control, UNLIMITED).await?;
    Ok(None)
}

/// Puts the limit back, unless somebody else changed it meanwhile.
pub(super) async fn restore(run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
    let Some((was, set_to)) = run.journal.state().buffer.clone() else { return Ok(()) };
    let graph = &run.request.graph;
    let mut control = servers::connect(&graph.source, run.request.passwords.source.as_ref()).await?;
    match limit(&mut control).await {
        Some(now) if now == set_to => set(&mut control, &was).await?,
        Some(now) if now == was => {}
        now => teller.notice(format!(
            "The source's output-buffer limit is `{}` now, which is neither what this run set nor what it found (`{was}`): \
             somebody changed it, and it is left so.",
            now.unwrap_or_default()
        )),
    }
    Ok(run.journal.append(&Record::BufferRestored)?)
}

/// The three numbers of the class `slave`.
async fn limit(control: &mut Control) -> Option<String> {
    let all = control.config_get(SETTING).await.ok()??;
    let words: Vec<&str> = all.split_ascii_whitespace().collect();
    let row = words.chunks_exact(4).find(|row| matches!(row.first(), Some(&"slave" | &"replica")))?;
    Some(row.get(1..)?.join(" "))
}

async fn set(control: &mut Control, limit: &str) -> Result<(), Ending> {
    control.command(cmd("CONFIG").arg("SET").arg(SETTING).arg(format!("slave {limit}"))).await?;
    Ok(())
}
