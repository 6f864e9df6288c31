//! What is gone at a server: keys that it removed by itself, and databases that somebody emptied or swapped.

use redis::{FromRedisValue, Value, cmd, pipe};

use crate::{
    command::Info,
    net::{Control, ControlError},
};

/// The commands that act on whole databases, as `INFO commandstats` names them. It counts each call of any client, those in
/// scripts and transactions among them (server.c, `call`).
const WHOLE: [&str; 3] = ["cmdstat_flushdb", "cmdstat_flushall", "cmdstat_swapdb"];

/// How many keys a process of a server has removed by itself since it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The process: another one counts from 0.
    process: String,
    /// Keys that it removed to make room.
    evicted: u64,
    /// Keys whose time had passed.
    expired: u64,
    /// Calls of commands that act on whole databases; `None` where it hides them.
    emptied: Option<u64>,
}

impl Removed {
    /// What a server says; `None` where it hides it.
    #[must_use]
    pub fn of(info: &Info) -> Option<Self> {
        let number = |field| info.get(field)?.parse().ok();
        let process = info.run_id().unwrap_or("-").to_owned();
        Some(Self {
            process,
            evicted: number("evicted_keys")?,
            expired: number("expired_keys").unwrap_or(0),
            emptied: emptied(info),
        })
    }

    /// Asks a server; `None` where it hides that.
    pub async fn ask(control: &mut Control) -> Result<Option<Self>, ControlError> {
        let replies = control.pipeline(&asking()).await?;
        Ok(Self::of(&told(replies.into_iter())))
    }

    /// How often a whole database was emptied or swapped since `then`, at least, by others than this run, which counts its own
    /// in.
    #[must_use]
    pub fn emptied_since(&self, then: &Self) -> u64 {
        let Some((now, before)) = self.emptied.zip(then.emptied) else { return 0 };
        let goes_on = self.process == then.process && now >= before;
        if goes_on { now.saturating_sub(before) } else { now }
    }

    /// How many keys have expired since `then` in the same process; `None` in another one.
    #[must_use]
    pub fn expired_since(&self, then: &Self) -> Option<u64> {
        (self.process == then.process).then(|| self.expired.checked_sub(then.expired)).flatten()
    }

    /// Counts in what this run does to so many whole databases.
    pub fn count_own(&mut self, calls: u64) {
        self.emptied = self.emptied.map(|emptied| emptied.saturating_add(calls));
    }

    /// What is counted from here on, at `now`, where keys that were evicted since are still to be noticed.
    #[must_use]
    pub fn begun_again(&self, now: &Self) -> Self {
        let goes_on = self.process == now.process && now.evicted >= self.evicted;
        Self { evicted: if goes_on { self.evicted } else { 0 }, ..now.clone() }
    }

    /// How many keys were evicted since `then`, at least: what another process of the server had evicted since is not known.
    #[must_use]
    pub fn evicted_since(&self, then: &Self) -> u64 {
        // A counter that is lower was reset.
        let goes_on = self.process == then.process && self.evicted >= then.evicted;
        if goes_on { self.evicted.saturating_sub(then.evicted) } else { self.evicted }
    }
}

/// The questions whose answers say what is gone.
pub(super) fn asking() -> redis::Pipeline {
    let mut asking = pipe();
    asking.add_command(cmd("INFO"));
    asking.add_command(cmd("INFO").arg("commandstats").clone());
    asking
}

/// What the replies to [`asking`] say together. A service may refuse them.
pub(super) fn told(replies: impl Iterator<Item = Value>) -> Info {
    let text = |reply| -> Vec<u8> { FromRedisValue::from_redis_value(reply).unwrap_or_default() };
    let said: Vec<Vec<u8>> = replies.map(text).collect();
    Info::parse(&String::from_utf8_lossy(&said.join(&b"\r\n"[..])))
}

fn emptied(info: &Info) -> Option<u64> {
    // That of `INFO` itself is there wherever the section is shown.
    info.get("cmdstat_info").or_else(|| info.get("cmdstat_get"))?;
    let calls =
        |name: &&str| -> Option<u64> { info.get(name)?.strip_prefix("calls=")?.split(',').next()?.parse().ok() };
    Some(WHOLE.iter().filter_map(calls).fold(0, u64::saturating_add))
}

impl std::fmt::Display for Removed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.process, self.evicted, self.expired)?;
        self.emptied.map_or(Ok(()), |emptied| write!(f, " {emptied}"))
    }
}

impl std::str::FromStr for Removed {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split(' ');
        let (Some(process), Some(evicted), Some(expired), emptied, None) =
            (words.next(), words.next(), words.next(), words.next(), words.next())
        else {
            return Err(());
        };
        let number = |word: &str| word.parse().map_err(drop);
        let emptied = emptied.map(number).transpose()?;
        Ok(Self { process: process.to_owned(), evicted: number(evicted)?, expired: number(expired)?, emptied })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(process: &str, evicted: u64) -> Removed {
        let text = format!("run_id:{process}\r\nevicted_keys:{evicted}\r\nexpired_keys:7\r\n");
        let removed = Removed::of(&Info::parse(&text)).unwrap();
        assert_eq!(removed.to_string().parse(), Ok(removed.clone()));
        removed
    }

    #[test]
    fn databases_that_others_emptied_are_counted_and_ones_own_are_counted_in() {
        let counted = |process: &str, calls: &str| {
            let text =
                format!("run_id:{process}\r\nevicted_keys:3\r\nexpired_keys:7\r\ncmdstat_info:calls=1\r\n{calls}");
            let removed = Removed::of(&Info::parse(&text)).unwrap();
            assert_eq!(removed.to_string().parse(), Ok(removed.clone()));
            removed
        };
        let mut then = counted("a", "cmdstat_flushdb:calls=1,usec=9\r\n");
        let now = counted("a", "cmdstat_flushdb:calls=2,usec=9\r\ncmdstat_swapdb:calls=1,usec=1\r\n");
        assert_eq!(now.emptied_since(&then), 2);
        then.count_own(2);
        assert_eq!(now.emptied_since(&then), 0);
        let other = counted("b", "cmdstat_flushall:calls=1,usec=1\r\n");
        assert_eq!(other.emptied_since(&then), 1, "restarted");
        assert_eq!(then.begun_again(&other).to_string(), "b 0 7 1");
        assert_eq!(then.begun_again(&now).to_string(), "a 3 7 3");
        assert_eq!(removed("a", 3).emptied_since(&then), 0, "a service that hides it");
        assert_eq!((now.expired_since(&then), other.expired_since(&then)), (Some(0), None));
    }

    #[test]
    fn what_was_evicted_is_counted_within_a_process_and_from_its_start() {
        let then = removed("a", 5);
        assert_eq!(removed("a", 5).evicted_since(&then), 0);
        assert_eq!(removed("a", 12).evicted_since(&then), 7);
        assert_eq!(removed("a", 3).evicted_since(&then), 3, "CONFIG RESETSTAT");
        assert_eq!(removed("b", 3).evicted_since(&then), 3, "restarted");
        assert_eq!(removed("b", 0).evicted_since(&then), 0);
        assert_eq!(Removed::of(&Info::parse("run_id:a\r\n")), None, "a service that hides it");
    }
}
