//! Bytes over the connections of this process, by the address they go to: what a metered link would bill, encryption
//! included, headers of the network's own layers left out.

use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::unit::Address;

/// Counts of the addresses that were ever dialled: one for each server of a plan.
static METERS: LazyLock<Mutex<HashMap<Address, Arc<Meter>>>> = LazyLock::new(Mutex::default);

/// Bytes to and from one address.
#[derive(Debug, Default)]
pub(super) struct Meter {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Meter {
    pub(super) fn sent(&self, count: usize) {
        self.sent.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn received(&self, count: usize) {
        self.received.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// The meter of an address.
pub(super) fn of(address: &Address) -> Arc<Meter> {
    let mut meters = METERS.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(meters.entry(address.clone()).or_default())
}

/// Bytes that went over all connections of this process to one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metered {
    /// To it.
    pub sent: u64,
    /// From it.
    pub received: u64,
}

/// Bytes that went over all connections of this process to `address` so far.
pub fn metered(address: &Address) -> Metered {
    let meter = of(address);
    Metered { sent: meter.sent.load(Ordering::Relaxed), received: meter.received.load(Ordering::Relaxed) }
}

#[cfg(test)]
mod tests {
    use async_std::{
        io::{ReadExt, WriteExt},
        net::TcpListener,
        task::block_on,
    };

    use super::*;
    use crate::net::{Timeouts, dial};

    #[test]
    fn bytes_of_all_connections_to_an_address_are_counted() {
        block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = Address::Tcp { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
            assert_eq!(metered(&address), Metered::default());
            for _ in 0..2 {
                let mut stream = dial(&address, None, Timeouts::default()).await.unwrap();
                let (mut peer, _) = listener.accept().await.unwrap();
                stream.write_all(b"PING\r\n").await.unwrap();
                peer.read_exact(&mut [0; 6]).await.unwrap();
                peer.write_all(b"+PONG\r\n").await.unwrap();
                let mut read = 0;
                while read < 7 {
                    read += stream.read(&mut [0; 16]).await.unwrap();
                }
            }
            assert_eq!(metered(&address), Metered { sent: 12, received: 14 });
        });
    }
}
