//! The source's replica output-buffer limit, raised when the plan says so.

use super::{ending::Ending, run::Run, settings::SourceSetting, teller::Teller};
use crate::step::BufferWork;

const UNLIMITED: &str = "0 0 0";

/// Reads the limit and raises it if the plan says so; answers why it did not. Every process of a run does it: the one
/// before has put the limit back.
pub(super) async fn buffer(
    run: &mut Run,
    work: &BufferWork,
    teller: &mut Teller<'_>,
) -> Result<Option<String>, Ending> {
    let mut control = match run.request.servers.source.control().await {
        Ok(control) => control,
        Err(error) if !work.unlimited => return Ok(Some(format!("the source's limit could not be read: {error}"))),
        Err(error) => return Err(error.into()),
    };
    let limit = match SourceSetting::ReplicaOutput.read(&mut control).await {
        Ok(limit) => limit,
        Err(fault) if !work.unlimited => {
            return Ok(Some(format!("the source's output-buffer limit could not be read: {fault}")));
        }
        Err(fault) if fault.is_answer() => {
            teller.notice("The source does not let this user read its output-buffer limit, so it is not raised.");
            return Ok(Some(format!("the source does not show its output-buffer limit: {fault}")));
        }
        Err(fault) => return Err(fault.into()),
    };
    if !work.unlimited {
        return Ok(Some(format!(
            "what the source sends is spooled as fast as it comes; the source's limit stays at `{limit}`"
        )));
    }
    if limit == UNLIMITED {
        return Ok(Some("the source's limit is unlimited already".to_owned()));
    }
    run.change_setting(SourceSetting::ReplicaOutput, (&limit, UNLIMITED), teller)?;
    control.command(&SourceSetting::ReplicaOutput.set(UNLIMITED)).await?;
    Ok(None)
}
