//! Commands that would wait. In a stream they stand for what did not have to: sources up to 3.2 send BRPOPLPUSH as it was
//! said. At the destination they would block our connection.

use super::words::{Change, SAME, Words, becomes};
use crate::command::Spec;

/// The same without waiting.
pub(super) fn at_once<'a>(spec: &Spec, words: &Words<'a>) -> Change<'a> {
    let key = || [words.word(1)];
    match spec.name {
        "BRPOPLPUSH" => becomes(Words::new("RPOPLPUSH", [words.word(1), words.word(2)])),
        "BLMOVE" => becomes(Words::new("LMOVE", words.from(1).take(4))),
        "BLPOP" => becomes(Words::new("LPOP", key())),
        "BRPOP" => becomes(Words::new("RPOP", key())),
        "BZPOPMIN" => becomes(Words::new("ZPOPMIN", key())),
        "BZPOPMAX" => becomes(Words::new("ZPOPMAX", key())),
        "BLMPOP" => becomes(Words::new("LMPOP", words.from(2))),
        "BZMPOP" => becomes(Words::new("ZMPOP", words.from(2))),
        _ => SAME,
    }
}
