//! Waiting that does not stay silent.

use std::time::Duration;

use super::teller::Teller;

/// After so long without an answer somebody is told who is waited for.
const QUIET: Duration = Duration::from_secs(10);

/// Waits for `work`, and tells who is waited for when that takes a while.
pub(super) async fn or_told<T>(
    mut work: impl Future<Output = T> + Unpin,
    who: impl Fn() -> String,
    teller: &mut Teller<'_>,
) -> T {
    if let Ok(done) = async_std::future::timeout(QUIET, &mut work).await {
        return done;
    }
    teller.notice(format!(
        "{} did not answer within {} s. A connection that stays silent is given up after a minute.",
        who(),
        QUIET.as_secs()
    ));
    work.await
}
