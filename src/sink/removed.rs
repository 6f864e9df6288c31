//! What a server has removed by itself: keys that were written, confirmed, and are not there any more.

use crate::command::Info;

/// How many keys a process of a server has removed by itself since it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The process: another one counts from 0.
    process: String,
    /// Keys that it removed to make room.
    evicted: u64,
    /// Keys whose time had passed.
    expired: u64,
}

impl Removed {
    /// What a server says; `None` where it hides it.
    #[must_use]
    pub fn of(info: &Info) -> Option<Self> {
        let number = |field| info.get(field)?.parse().ok();
        let process = info.run_id().unwrap_or("-").to_owned();
        Some(Self { process, evicted: number("evicted_keys")?, expired: number("expired_keys").unwrap_or(0) })
    }

    /// How many keys were evicted since `then`, at least: what another process of the server had evicted since is not known.
    #[must_use]
    pub fn evicted_since(&self, then: &Self) -> u64 {
        // A counter that is lower was reset.
        let goes_on = self.process == then.process && self.evicted >= then.evicted;
        if goes_on { self.evicted.saturating_sub(then.evicted) } else { self.evicted }
    }
}

impl std::fmt::Display for Removed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.process, self.evicted, self.expired)
    }
}

impl std::str::FromStr for Removed {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split(' ');
        let (Some(process), Some(evicted), Some(expired), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(());
        };
        let number = |word: &str| word.parse().map_err(drop);
        Ok(Self { process: process.to_owned(), evicted: number(evicted)?, expired: number(expired)? })
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
