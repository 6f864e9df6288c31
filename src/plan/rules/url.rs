//! The urls of servers.

use std::net::Ipv6Addr;
use std::ops::Range;

use crate::plan::fault::Fault;
use crate::plan::fault::catalogue::endpoints;
use crate::unit::Address;

const DEFAULT_PORT: u16 = 6379;

/// A url that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::plan) struct Url {
    /// The scheme asks for TLS.
    pub(in crate::plan) tls: bool,
    /// Where the server listens.
    pub(in crate::plan) address: Address,
}

/// What is wrong with a url. Nothing of the url is repeated: it may hold a password.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::plan) struct UrlFault {
    pub(super) fault: &'static Fault,
    pub(super) message: &'static str,
    /// The bytes of the url that it is about.
    pub(super) range: Range<usize>,
    pub(super) help: &'static str,
    /// What those bytes are called.
    pub(super) label: &'static str,
}

impl Url {
    /// Reads a url, or says everything that is wrong with it.
    pub(in crate::plan) fn parse(text: &str) -> Result<Self, Vec<UrlFault>> {
        let mut faults = vec![];
        let read = read(text, &mut faults);
        read.filter(|_| faults.is_empty()).ok_or(faults)
    }
}

fn read(text: &str, faults: &mut Vec<UrlFault>) -> Option<Url> {
    let fault = |fault, message, range, help| UrlFault { fault, message, range, help, label: "no known scheme" };
    let Some((scheme, rest)) = text.split_once("://") else {
        let help = "write for example `redis://host:6379`";
        faults.push(fault(&endpoints::URL_SCHEME, "the url has no scheme", 0..text.len(), help));
        return None;
    };
    let start = scheme.len() + 3;
    let tls = match scheme {
        "unix" => return socket(rest, start, faults),
        "redis" => false,
        "rediss" => true,
        "valkey" | "valkeys" | "REDIS" | "REDISS" => {
            let help = "write `redis://`, or `rediss://` for TLS; Valkey speaks the same protocol";
            faults.push(fault(&endpoints::URL_SCHEME, "the url's scheme is unknown", 0..scheme.len(), help));
            false
        }
        _ => {
            let help = "known are `redis://`, `rediss://` for TLS, and `unix:///path/to/redis.sock`; a Sentinel or a cluster has no scheme of its own";
            faults.push(fault(&endpoints::URL_SCHEME, "the url's scheme is unknown", 0..scheme.len(), help));
            return None;
        }
    };
    // As for masking, everything up to the last `@` counts as user and password: a password may hold a `/`.
    let (rest, start) = match rest.rsplit_once('@') {
        Some((user_info, rest)) => {
            let range = start..start + user_info.len();
            faults.push(user_fault(user_info, range.clone()));
            (rest, range.end + 1)
        }
        None => (rest, start),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    after_authority(behind, start + end, faults);
    authority_of(authority, start, faults).map(|address| Url { tls, address })
}

fn user_fault(user_info: &str, range: Range<usize>) -> UrlFault {
    match user_info.split_once(':') {
        Some((_, password)) if !password.is_empty() => UrlFault {
            fault: &endpoints::SECRET_IN_URL,
            label: "user and password",
            message: "a password stands in the url",
            range,
            help: "move the user to `username` and write `password: { env: NAME }`, `{ file: PATH }` or `{ command: [program] }`",
        },
        _ => UrlFault {
            fault: &endpoints::USER_IN_URL,
            label: "the user",
            message: "a user stands in the url",
            range,
            help: "move the part before `@` to `username`",
        },
    }
}

fn socket(path: &str, start: usize, faults: &mut Vec<UrlFault>) -> Option<Url> {
    if !path.starts_with('/') || path.len() < 2 {
        faults.push(UrlFault {
            fault: &endpoints::URL_HOST,
            label: "not an address",
            message: "a socket's url has an absolute path",
            range: start..start + path.len(),
            help: "write for example `unix:///run/redis.sock`, with three slashes",
        });
        return None;
    }
    Some(Url { tls: false, address: Address::Unix { path: path.into() } })
}

fn authority_of(authority: &str, start: usize, faults: &mut Vec<UrlFault>) -> Option<Address> {
    let mut host_fault = |message, help| {
        faults.push(UrlFault {
            fault: &endpoints::URL_HOST,
            message,
            range: start..start + authority.len(),
            help,
            label: "not an address",
        });
        None
    };
    let (host, port, port_at) = if let Some(rest) = authority.strip_prefix('[') {
        let Some((host, behind)) = rest.split_once(']').filter(|(host, _)| host.parse::<Ipv6Addr>().is_ok()) else {
            return host_fault("the brackets hold no IPv6 address", "write for example `redis://[2001:db8::1]:6379`");
        };
        match behind.strip_prefix(':') {
            Some(port) => (host, Some(port), host.len() + 3),
            None if behind.is_empty() => (host, None, 0),
            None => {
                return host_fault(
                    "something follows the brackets that is no port",
                    "write for example `redis://[::1]:6379`",
                );
            }
        }
    } else {
        match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return host_fault("an IPv6 address needs brackets", "write for example `redis://[2001:db8::1]:6379`");
            }
            Some((host, port)) => (host, Some(port), host.len() + 1),
            None => (authority, None, 0),
        }
    };
    if host.is_empty() {
        return host_fault("the url names no host", "write for example `redis://host:6379`");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if !host.chars().all(allowed) {
        return host_fault("the host has characters that no host name has", "write a DNS name or an IP address");
    }
    let number = match port {
        None => Some(DEFAULT_PORT),
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok().filter(|port| *port > 0),
        Some(_) => None,
    };
    let Some(port_number) = number else {
        let range = start + port_at..start + port_at + port.map_or(0, str::len);
        let help = "write a number from 1 to 65535, or leave `:` and port out for 6379";
        faults.push(UrlFault {
            fault: &endpoints::URL_PORT,
            label: "the port",
            message: "the port is not a number from 1 to 65535",
            range,
            help,
        });
        return None;
    };
    Some(Address::Tcp { host: host.to_owned(), port: port_number })
}

fn after_authority(behind: &str, start: usize, faults: &mut Vec<UrlFault>) {
    let path_end = behind.find(['?', '#']).unwrap_or(behind.len());
    let (path, rest) = behind.split_at(path_end);
    let database = path.trim_matches('/');
    if !database.is_empty() {
        faults.push(UrlFault {
            fault: &endpoints::URL_DATABASE,
            label: "a database",
            message: "the url names a database",
            range: start..start + path.len(),
            help: "delete it and say with `databases` what moves, for example `databases: [0]`",
        });
    }
    if !rest.is_empty() {
        faults.push(UrlFault {
            fault: &endpoints::URL_REST,
            label: "never read",
            message: "the url has a query or a fragment",
            range: start + path_end..start + behind.len(),
            help: "delete it; options are keys of the plan",
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp { host: host.into(), port }
    }

    #[test]
    fn urls_are_read() {
        for (text, tls, address) in [
            ("redis://10.0.0.5:6379", false, tcp("10.0.0.5", 6379)),
            ("redis://10.0.0.5", false, tcp("10.0.0.5", 6379)),
            ("redis://host/", false, tcp("host", 6379)),
            ("rediss://r-cart.example.com:6380", true, tcp("r-cart.example.com", 6380)),
            ("redis://[::1]:7000", false, tcp("::1", 7000)),
            ("redis://[::1]", false, tcp("::1", 6379)),
            ("unix:///run/redis.sock", false, Address::Unix { path: "/run/redis.sock".into() }),
        ] {
            assert_eq!(Url::parse(text), Ok(Url { tls, address }), "{text}");
        }
    }

    #[test]
    fn every_fault_of_a_url_is_named_with_its_bytes() {
        for (text, expected) in [
            ("host:6379", vec![("P204", "host:6379")]),
            ("http://host", vec![("P204", "http")]),
            ("redis://", vec![("P205", "")]),
            ("redis://:6379", vec![("P205", ":6379")]),
            ("redis://::1:6379", vec![("P205", "::1:6379")]),
            ("redis://[::1", vec![("P205", "[::1")]),
            ("redis://ho st", vec![("P205", "ho st")]),
            ("redis://h:0", vec![("P206", "0")]),
            ("redis://h:", vec![("P206", "")]),
            ("redis://h:65536", vec![("P206", "65536")]),
            ("redis://[::1]:x", vec![("P206", "x")]),
            ("redis://h/3?a=b", vec![("P207", "/3"), ("P208", "?a=b")]),
            ("redis://u@h", vec![("P203", "u")]),
            ("redis://u:p/w@h:0/1", vec![("P202", "u:p/w"), ("P207", "/1"), ("P206", "0")]),
            ("unix://run/x", vec![("P205", "run/x")]),
        ] {
            let faults = Url::parse(text).unwrap_err();
            let found: Vec<_> = faults.iter().map(|fault| (fault.fault.code, &text[fault.range.clone()])).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
