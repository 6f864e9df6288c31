//! From a command of the source's stream to what the destination is sent. Pure: no socket, no clock.
//!
//! A command that no rule and no difference of versions touches goes out as the bytes it came in. What is changed and why:
//! databases are renumbered and keys left out as the plan says ([`route`], [`crossing`], [`flush`]); a source's transaction
//! loses its MULTI and EXEC, because our batch is the transaction; an expiry that counts from now becomes absolute from the
//! time of receipt ([`expiry`]); what would wait for an element does not ([`blocking`]); scripts carry their bodies
//! ([`scripts`]); libraries of functions keep to those that came from the source ([`libraries`]); a message to a channel that deployments obey is left out ([`channels`]); a command newer than the destination becomes an older one where that is exactly the same ([`older`]).
//! Where nothing exact exists the command is left out as a whole and reported.

mod blocking;
mod channels;
mod crossing;
mod expiry;
mod flush;
mod libraries;
mod older;
mod outgoing;
mod route;
mod scripts;
mod translator;
mod words;

#[cfg(test)]
mod ends_tests;
#[cfg(test)]
mod tests;

pub use flush::Erase;
pub use outgoing::Outgoing;
pub use scripts::meets_deadlines;
pub(super) use scripts::name_of;
pub use translator::{CommandOutcome, Name, SourceDeadlines, Translator, TranslatorSetup};
