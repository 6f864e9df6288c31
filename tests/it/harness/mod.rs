//! The one harness: real servers, a client, the tool itself, a network that fails on request, data and a comparer.

mod browser;
mod certificates;
mod client;
mod comparer;
mod dataset;
mod difference;
mod flavour;
mod parrot;
mod peer;
mod plan;
mod proxy;
mod random;
mod reply;
mod server;
mod tool;
mod value;
mod workload;

pub use browser::{Browser, Light};
pub use certificates::{Authority, Issued};
pub use client::{Client, Command, ToArgument, encode};
pub use comparer::Comparer;
pub use dataset::{Dataset, Size};
pub use difference::{Comparison, Difference};
pub use flavour::{ALL, Flavour};
pub use parrot::Parrot;
pub use peer::{Flood, answering, flooding_answer, flooding_source, replacing};
pub use plan::Plan;
pub use proxy::{Direction, Fault, Proxy};
pub use random::Random;
pub use reply::Reply;
pub use server::{Server, free_port};
pub use tool::{Finished, Running, Tool};
pub use value::apart;
pub use workload::Workload;
