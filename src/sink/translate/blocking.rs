//! Commands that would wait. In a stream they stand for what did not have to: sources up to 3.2 send BRPOPLPUSH as it was
//! said. At the destination they would block our connection.

use super::words::{Argv, Change, SAME, becomes};
use crate::command::Spec;

/// The same without waiting.
pub(super) fn at_once<'a>(spec: &Spec, words: &Argv<'a>) -> Change<'a> {
    let key = || [words.word(1)];
    match spec.name {
        "BRPOPLPUSH" => becomes(Argv::new("RPOPLPUSH", [words.word(1), words.word(2)])),
        "BLMOVE" => becomes(Argv::new("LMOVE", words.from(1).take(4))),
        "BLPOP" => becomes(Argv::new("LPOP", key())),
        "BRPOP" => becomes(Argv::new("RPOP", key())),
        "BZPOPMIN" => becomes(Argv::new("ZPOPMIN", key())),
        "BZPOPMAX" => becomes(Argv::new("ZPOPMAX", key())),
        "BLMPOP" => becomes(Argv::new("LMPOP", words.from(2))),
        "BZMPOP" => becomes(Argv::new("ZMPOP", words.from(2))),
        _ => SAME,
    }
}
