//! Whether the destination's replicas have what it has confirmed: a failover to one that has not loses it.
//!
//! `WAIT` answers how many replicas have acknowledged what its own connection has written, and with it everything before
//! (replication.c, `waitCommand`; from 3.0), so something is written on it first: the heartbeat.

use std::time::Duration;

use redis::cmd;

use super::{Lease, LeaseFault};
use crate::{
    command::Info,
    net::{Control, ControlError},
};

/// How far the replicas of a destination are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replicas {
    /// All that are in step have everything; there may be none.
    Level,
    /// Of so many, only so many have everything.
    Behind {
        /// Replicas that are in step with the destination.
        of: u64,
        /// Those that have everything.
        confirmed: u64,
    },
    /// Nobody can say, for this reason.
    Unknown(String),
}

impl Lease {
    /// Waits until all replicas have what was written so far, for `within` at most; at least a millisecond, at most 5 s.
    pub async fn await_replicas(&self, control: &mut Control, within: Duration) -> Result<Replicas, LeaseFault> {
        let info = Info::parse(&control.info(Some("replication")).await?);
        let of = in_step(&info);
        if of == 0 {
            return Ok(Replicas::Level);
        }
        self.renew(control).await?;
        let within = within.clamp(SHORTEST, LONGEST);
        let millis = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let confirmed: Result<u64, ControlError> = control.query(cmd("WAIT").arg(of).arg(millis)).await;
        match confirmed {
            Ok(confirmed) if confirmed >= of => Ok(Replicas::Level),
            Ok(confirmed) => Ok(Replicas::Behind { of, confirmed }),
            Err(error) if error.refusal().is_some() => Ok(Replicas::Unknown(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }
}

/// The bounds of a wait; the longer one is below what an answer may take.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(5);

/// Replicas that receive the stream. One that is still being sent a dump has nothing that a failover could choose.
fn in_step(info: &Info) -> u64 {
    let lines =
        (0..info.connected_replicas().unwrap_or(0).min(MOST)).filter_map(|index| info.get(&format!("slave{index}")));
    lines.filter(|line| line.split(',').any(|field| field == "state=online")).count() as u64
}

/// More replicas than any destination has: a number from the wire is not believed.
const MOST: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_that_are_still_sent_a_dump_are_not_waited_for() {
        let said = |text: &str| in_step(&Info::parse(text));
        let online = "ip=127.0.0.1,port=7001,state=online,offset=14,lag=0";
        assert_eq!(said("connected_slaves:0\r\n"), 0);
        assert_eq!(said(&format!("connected_slaves:1\r\nslave0:{online}\r\n")), 1);
        let two = format!(
            "connected_slaves:2\r\nslave0:{online}\r\nslave1:ip=::1,port=1,state=wait_bgsave,offset=0,lag=0\r\n"
        );
        assert_eq!(said(&two), 1);
        assert_eq!(said("connected_slaves:18446744073709551615\r\n"), 0);
    }
}
