//! Values as native commands: for a destination that cannot take the serialized form, and for values so large that
//! restoring them at once would hold it up.
//!
//! What native commands cannot set is left behind and named by [`Loss`], with one exception that is never reported:
//! when a stream's consumers were last seen and active. Those times begin anew with the writing.

mod caps;
mod gather;
mod live_ids;
mod loss;
mod score;
mod stream;
mod writer;

pub use caps::Features;
pub use loss::{Loss, Unsupported};
pub use writer::NativeWriter;
