//! RESP2, the protocol of Redis and Valkey, as pure codecs: commands are written into a buffer, replies and commands are
//! read out of one, however the bytes were cut on their way. No I/O.
//!
//! Everything read is bounded before it is believed ([`Limits`]), and every error names its absolute offset. RESP3 types
//! are not read: this tool never sends `HELLO`, so no server uses them towards it.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod buffer;
mod element;
mod encode;
mod error;
mod frames;
mod refusal;
mod reply;

pub use buffer::Buffer;
pub use element::RespLimits;
pub use encode::{array_header, auth, bulk, bulk_header, bulk_i64, bulk_u64, command};
pub use error::{RespError, RespFault};
pub use frames::{Command, CommandReader, longest_word};
pub use refusal::{Refusal, RefusalKind};
pub use reply::{Reply, ReplyReader};
