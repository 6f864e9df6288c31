//! How far the destination has confirmed a run, and whether it still is.

use super::{Checkpoint, Mark, RunRecord};

/// What the destination has confirmed of one copy. A server that was restarted from an older file, or a replica that lagged
/// and was promoted, has the same token and an older record: it shows by this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which copy.
    pub generation: u32,
    /// How far it is.
    pub upto: Upto,
}

/// How far a copy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upto {
    /// The dump, lane by lane.
    Dump(Vec<Mark>),
    /// The source's stream.
    Stream(Checkpoint),
}

impl Position {
    /// Whether the destination, by its record, still has everything up to here. Offsets of one copy only grow, so a later one
    /// under the same token is later; one that is equal must be of the same history.
    #[must_use]
    pub fn is_held(&self, record: &RunRecord) -> bool {
        let at_least = match &self.upto {
            Upto::Dump(marks) => {
                record.marks.len() == marks.len() && record.marks.iter().zip(marks).all(|(there, here)| there >= here)
            }
            Upto::Stream(here) => {
                record.stream.is_some_and(|there| there.offset > here.offset || there.is_same_place(here))
            }
        };
        record.generation == self.generation && at_least
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.upto {
            Upto::Dump(marks) => {
                let marks: Vec<String> = marks.iter().map(Mark::to_string).collect();
                write!(f, "{} dump {}", self.generation, marks.join(" "))
            }
            Upto::Stream(checkpoint) => write!(f, "{} stream {checkpoint}", self.generation),
        }
    }
}

impl std::str::FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (generation, rest) = text.split_once(' ').ok_or(())?;
        let (what, upto) = rest.split_once(' ').ok_or(())?;
        let upto = match what {
            "dump" => Upto::Dump(upto.split(' ').map(str::parse).collect::<Result<_, ()>>()?),
            "stream" => Upto::Stream(upto.parse()?),
            _ => return Err(()),
        };
        Ok(Self { generation: generation.parse().map_err(drop)?, upto })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sink::RecordState, unit::Db};

    const ID: &str = "8371445ee47dfae42b9e5e1d1dba8d1a1b2c3d4e";
    const OTHER: &str = "0000000000000000000000000000000000000000";

    fn record(generation: u32, marks: &[u64], stream: Option<&str>) -> RunRecord {
        RunRecord {
            run: "r".into(),
            digest: "d".into(),
            state: RecordState::Running,
            generation,
            occupied: vec![Db(0)],
            databases: None,
            libraries: None,
            marks: marks.iter().map(|at| Mark { at: *at, elements: 0 }).collect(),
            stream: stream.map(|stream| stream.parse().unwrap()),
            removed: None,
            left: None,
            doubt: None,
            heard: None,
            deadlines: crate::sink::DeadlineMode::Exact,
            settings: crate::sink::ChangedSettings::new(),
        }
    }

    fn position(text: &str) -> Position {
        let position: Position = text.parse().unwrap();
        assert_eq!(position.to_string(), text);
        position
    }

    #[test]
    fn a_record_that_was_set_back_holds_less() {
        let at = position(&format!("2 stream 90 {ID} 0"));
        let holds = |offset: u64, id: &str| at.is_held(&record(2, &[7], Some(&format!("{offset} {id} 0"))));
        assert!(holds(90, ID) && holds(91, ID) && holds(91, OTHER), "a failover gives a stream another name");
        assert!(!holds(89, ID) && !holds(90, OTHER));
        assert!(!at.is_held(&record(1, &[7], Some(&format!("95 {ID} 0")))), "another copy");
        assert!(!at.is_held(&record(2, &[7], None)));

        let at = position("1 dump 9+0 4+7");
        assert!(!at.is_held(&record(1, &[9, 4], None)), "seven elements are missing");
        assert!(at.is_held(&record(1, &[9, 5], None)));
        assert!(!at.is_held(&record(1, &[9], None)));
    }

    #[test]
    fn nothing_else_is_a_position() {
        for text in ["", "1", "1 dump", "1 dump x", "x dump 9+0", "1 stream 5", "1 lane 9+0"] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }
}
