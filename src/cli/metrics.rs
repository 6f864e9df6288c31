//! `--metrics`: a running process in figures, for a monitoring system that asks for them by HTTP.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use super::exit::Failure;
use crate::net::{Page, Served, serve};
use crate::report::{Metrics, OPEN_METRICS};
use crate::step::{Graph, Stamped};

/// Where they are found.
const PATH: &str = "/metrics";

/// The figures of a run, served until this is dropped.
pub(super) struct MetricsPage {
    metrics: Arc<Mutex<Metrics>>,
    served: Served,
}

impl MetricsPage {
    /// Begins to serve the figures of a run of `graph`.
    pub(super) fn open(address: SocketAddr, graph: &Graph) -> Result<Self, Failure> {
        let metrics = Arc::new(Mutex::new(Metrics::of(graph)));
        let shared = Arc::clone(&metrics);
        let body = Box::new(move || shared.lock().unwrap_or_else(PoisonError::into_inner).exposition());
        let served = serve(address, Page { path: PATH, kind: OPEN_METRICS, body })
            .map_err(|source| Failure::Listen { address, source })?;
        if !served.address().ip().is_loopback() {
            tracing::warn!("the metrics at {} can be read by everyone who reaches it", served.address());
        }
        Ok(Self { metrics, served })
    }

    /// Where they are.
    pub(super) fn url(&self) -> String {
        format!("http://{}{PATH}", self.served.address())
    }

    /// Takes one event.
    pub(super) fn take(&self, event: &Stamped) {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner).take(event);
    }
}

/// Reads an address: `9187` and `:9187` are ports of this host alone, any other one names its IP address.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = port.parse() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    let localhost = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let named = localhost.map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    named.or_else(|| text.parse().ok()).ok_or_else(|| {
        "say a port of this host, such as `9187`, or an IP address with one, such as `10.0.0.7:9187` or `[::]:9187`"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_of_this_host() {
        let shown = |text: &str| address(text).map(|address| address.to_string());
        for text in ["9187", ":9187", "localhost:9187", "127.0.0.1:9187"] {
            assert_eq!(shown(text).as_deref(), Ok("127.0.0.1:9187"), "{text}");
        }
        assert_eq!(shown("[::]:0").as_deref(), Ok("[::]:0"));
        assert_eq!(shown("0.0.0.0:9187").as_deref(), Ok("0.0.0.0:9187"));
        for text in ["", ":", "10.0.0.7", "example.com:80", "99999", "9187/metrics"] {
            assert!(shown(text).is_err(), "{text}");
        }
    }
}
