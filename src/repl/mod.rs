//! The replication protocol from the replica's side, as data and decisions: what to say to a source, what its answers
//! mean, where its dump begins and ends. No I/O, no clock.
//!
//! A session is: [`Handshake`] (one request at a time), [`psync_full`] or [`psync_from`], the answer judged by
//! [`PsyncReply`], lines until a [`PayloadHeader`], the dump cut out by [`Payload`], then the command stream
//! ([`crate::resp::CommandReader`]) and an [`ack`] at least every second. Two rules are easy to break: **nothing** is
//! sent between PSYNC and the payload header, because a source starts a diskless dump only once the waiting replica has
//! been silent (replication.c, `replicationCron`); and nothing is pipelined before PSYNC, which a source refuses
//! ("SYNC and PSYNC are invalid with pending output").

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod handshake;
mod handshake_error;
mod header;
mod line;
mod payload;
mod psync;

pub use handshake::{Action, Handshake, HandshakeOptions};
pub use handshake_error::HandshakeError;
pub use header::{HeaderLine, PayloadHeader};
pub use line::{LineFault, line};
pub use payload::{Cut, PayloadReader};
pub use psync::{PsyncReply, ack, psync_from, psync_full, sync};
