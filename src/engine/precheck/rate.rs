//! How much is written at the source.

use std::time::{Duration, Instant};

use crate::{
    command::Info,
    engine::servers,
    net::{Control, ControlError},
};

/// How long is measured.
const MEASURED: Duration = Duration::from_secs(1);

/// Bytes a second that go into the replication stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum WriteRate {
    /// Of the stream itself.
    Measured(u64),
    /// Of everything that clients send, because a source without replicas counts no stream.
    AtMost(u64),
    /// The source counts neither.
    #[default]
    Unknown,
}

impl WriteRate {
    /// Bytes a second; nothing where it is not known.
    pub(super) fn bytes(self) -> u64 {
        match self {
            Self::Measured(rate) | Self::AtMost(rate) => rate,
            Self::Unknown => 0,
        }
    }
}

impl std::fmt::Display for WriteRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = crate::unit::ByteSize(self.bytes());
        match self {
            Self::Measured(0) => f.write_str("nothing is written now"),
            Self::Measured(_) => write!(f, "{shown}/s are written now"),
            Self::AtMost(_) => write!(f, "at most {shown}/s are written now"),
            Self::Unknown => f.write_str("what is written is not shown"),
        }
    }
}

/// Measures for a second.
pub(super) async fn measure(control: &mut Control) -> Result<WriteRate, ControlError> {
    let (begun, before) = (Instant::now(), servers::info(control).await?);
    async_std::task::sleep(MEASURED).await;
    let (after, took) = (servers::info(control).await?, begun.elapsed());
    Ok(between(&before, &after, took))
}

fn between(before: &Info, after: &Info, took: Duration) -> WriteRate {
    let grown = |before: u64, after: u64| {
        let bytes = u128::from(after.saturating_sub(before)) * 1000 / took.as_millis().max(1);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    };
    let counts = [before, after].iter().all(|info| info.get("repl_backlog_active") == Some("1"));
    if let (Some(from), Some(to), true) = (before.repl_offset(), after.repl_offset(), counts) {
        return WriteRate::Measured(grown(from.0, to.0));
    }
    let received = |info: &Info| info.get("total_net_input_bytes").and_then(|bytes| bytes.parse().ok());
    match (received(before), received(after)) {
        (Some(from), Some(to)) => WriteRate::AtMost(grown(from, to)),
        _ => WriteRate::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_counts_where_there_is_one_and_else_what_clients_send() {
        let info = |active: u8, offset: u64, received: u64| {
            Info::parse(&format!(
                "repl_backlog_active:{active}\r\nmaster_repl_offset:{offset}\r\ntotal_net_input_bytes:{received}\r\n"
            ))
        };
        let two = Duration::from_secs(2);
        assert_eq!(between(&info(1, 100, 0), &info(1, 2100, 9000), two), WriteRate::Measured(1000));
        assert_eq!(between(&info(0, 1, 0), &info(0, 1, 9000), two), WriteRate::AtMost(4500));
        assert_eq!(between(&Info::default(), &Info::default(), two), WriteRate::Unknown);
    }
}
