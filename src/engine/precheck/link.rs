//! Whether a side can be reached, and how far away it is.

use std::time::Duration;

use super::{finding::Finding, scene::CheckInput, server::CheckedServer};
use crate::{engine::servers, net::ControlError, resp::RefusalKind, step::Side};

/// A round trip above this is felt: the destination is asked once for each batch of a lane.
const FAR: Duration = Duration::from_millis(20);

pub(super) fn reached(side: Side, asked: &Result<CheckedServer, ControlError>) -> Finding {
    match asked {
        Ok(server) => {
            let address = &server.access.address;
            Finding::pass(format!("{address} answers: {}", servers::version_of(&server.info)))
        }
        Err(error) => {
            let (place, remedy) = way_in(side, error.refusal());
            Finding::fail(error.to_string(), remedy).at(format!("{side}.{place}"))
        }
    }
}

/// The key of the plan that a refusal is about, and what to do.
fn way_in(side: Side, refusal: Option<RefusalKind>) -> (&'static str, String) {
    match refusal {
        Some(RefusalKind::NoAuth) => ("url", format!("Give `{side}.password`, a reference to where the password is.")),
        Some(RefusalKind::WrongPassword | RefusalKind::NoPasswordSet) => {
            ("password", format!("Check the plan's `{side}`: its user and what `password` refers to."))
        }
        Some(RefusalKind::Arity) => ("username", format!("Remove `{side}.username`: the server knows no users.")),
        Some(RefusalKind::NoPermission) => {
            ("username", "Let the user ask for the server's state: `ACL SETUSER <user> +ping +info`.".to_owned())
        }
        Some(RefusalKind::MaxClients) => ("url", "Raise its `maxclients`, or close other connections.".to_owned()),
        Some(_) => ("url", format!("Check the plan's `{side}`: its address, user and password.")),
        None => {
            let side = format!(
                "Check `{side}.url`: its host and port, and whether a firewall or an allow-list lets this host"
            );
            ("url", format!("{side} in."))
        }
    }
}

/// Ours to the server and back.
pub(super) fn latency(server: &CheckedServer, _: &CheckInput<'_>) -> Finding {
    let seen = format!("round trip {:.1} ms", server.latency.as_secs_f64() * 1000.0);
    if server.latency < FAR {
        return Finding::pass(seen);
    }
    let (side, more) = match server.side {
        Side::Source => ("source", "the dump and the stream come over this way, as fast as one connection lets them"),
        Side::Destination => ("destination", "raise `limits.connections`, so that more batches are on the way at once"),
    };
    Finding::warn(seen, format!("Run this tool nearer to the {side}; if that cannot be, {more}."))
}

/// Who we are to the server: what an allow-list there must let in.
pub(super) fn address(server: &CheckedServer, _: &CheckInput<'_>) -> Finding {
    let user = server.user();
    match &server.sees_us_at {
        Some(address) => Finding::pass(format!("it sees us at {address} as the user `{user}`")),
        None => Finding::unknown(
            format!("it does not report our address, only the user `{user}`"),
            "Only an allow-list in front of the server needs it: `ACL SETUSER <user> +client|info` lets us ask.",
        )
        .at(server.user_place()),
    }
}
