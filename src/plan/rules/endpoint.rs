//! Rules of `source` and `destination`.

use std::net::IpAddr;

use super::url::Url;
use super::{Checking, Rule};
use crate::plan::fault::Problem;
use crate::plan::fault::catalogue::{endpoints, exposure};
use crate::plan::raw;
use crate::plan::text::{Path, Span, is_variable_name};
use crate::step::{Plaintext, VersionRange};
use crate::unit::{Address, SecretRef};

pub(super) const RULES: &[Rule] = &[
    Rule { reads: &["source.url"], check: |checking| url(checking, "source", checking.raw.source.url.as_deref()) },
    Rule {
        reads: &["destination.url"],
        check: |checking| url(checking, "destination", Some(&checking.raw.destination.url)),
    },
    Rule { reads: &["source.url", "destination.url"], check: same_server },
    Rule { reads: &["source.url", "source.rdb"], check: source_form },
    Rule { reads: &["source.url"], check: rdb_with_server },
    Rule { reads: &[], check: |checking| secret(checking, "source", checking.raw.source.password.as_ref()) },
    Rule { reads: &[], check: |checking| secret(checking, "destination", checking.raw.destination.password.as_ref()) },
    Rule { reads: &["source.password"], check: source_user },
    Rule { reads: &["destination.password"], check: destination_user },
    Rule {
        reads: &["source.url", "source.tls"],
        check: |checking| tls(checking, "source", checking.raw.source.url.as_deref(), checking.raw.source.tls.as_ref()),
    },
    Rule {
        reads: &["destination.url", "destination.tls"],
        check: |checking| {
            tls(checking, "destination", Some(&checking.raw.destination.url), checking.raw.destination.tls.as_ref());
        },
    },
    Rule { reads: &["source.url", "source.password", "source.plaintext"], check: source_plaintext },
    Rule { reads: &["destination.url", "destination.password", "destination.plaintext"], check: destination_plaintext },
    Rule { reads: &[], check: ranges },
];

fn url(checking: &mut Checking<'_>, side: &str, url: Option<&str>) {
    let Some(url) = url else { return };
    let Err(faults) = Url::parse(url) else { return };
    let path = Path::parse(side).key("url");
    let place = checking.at(&path.to_string()).value;
    for fault in faults {
        let range = inside(place, checking.text, url, &fault.range);
        let problem = Problem::new(fault.fault, path.clone(), fault.message).label(range, fault.label).help(fault.help);
        checking.report(problem);
    }
}

/// The bytes of the file that a part of a scalar comes from; the whole scalar when escapes or line breaks hide them.
fn inside(scalar: Span, text: &str, value: &str, range: &std::ops::Range<usize>) -> Span {
    let raw = scalar.of(text);
    match raw.find(value) {
        Some(start) => Span::new(scalar.start + start + range.start, scalar.start + start + range.end),
        None => scalar,
    }
}

fn same_server(checking: &mut Checking<'_>) {
    let source = checking.raw.source.url.as_deref().and_then(|url| Url::parse(url).ok());
    let (Some(source), Ok(destination)) = (source, Url::parse(&checking.raw.destination.url)) else { return };
    if canonical(&source.address) == canonical(&destination.address) {
        let problem = checking
            .problem(
                &endpoints::SAME_SERVER,
                "destination.url",
                "source and destination are the same server",
                "the destination",
            )
            .label(checking.value("source.url"), "the source")
            .help("one of the two was probably copied and not changed: write the other server's address");
        checking.report(problem);
    }
}

/// The address with one spelling for the names of this machine.
fn canonical(address: &Address) -> Address {
    let Address::Tcp { host, port } = address else { return address.clone() };
    let host =
        if is_this_host(host) { "localhost".to_owned() } else { host.to_lowercase().trim_end_matches('.').to_owned() };
    Address::Tcp { host, port: *port }
}

/// Whether a host is a name of this machine, whose traffic no network carries.
fn is_this_host(host: &str) -> bool {
    let host = host.to_lowercase();
    let host = host.trim_end_matches('.');
    let address = host.parse::<IpAddr>().map(|address| address.to_canonical());
    host == "localhost" || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

fn source_form(checking: &mut Checking<'_>) {
    let source = &checking.raw.source;
    let problem = match (&source.url, &source.rdb) {
        (Some(_), Some(_)) => checking
            .problem(
                &endpoints::SOURCE_FORM,
                "source.rdb",
                "the source has both a url and a dump file",
                "the dump file",
            )
            .label(checking.value("source.url"), "the url")
            .help("keep one of them"),
        (None, None) => checking
            .problem(
                &endpoints::SOURCE_FORM,
                "source",
                "the source has neither a url nor a dump file",
                "`url` is missing here",
            )
            .help("write for example `source: { url: redis://host:6379 }`"),
        _ => return,
    };
    checking.report(problem);
}

fn rdb_with_server(checking: &mut Checking<'_>) {
    let source = &checking.raw.source;
    if source.rdb.is_none() || source.url.is_some() {
        return;
    }
    let keys = [
        ("topology", source.topology.is_some()),
        ("username", source.username.is_some()),
        ("password", source.password.is_some()),
        ("plaintext", source.plaintext.is_some()),
        ("tls", source.tls.is_some()),
        ("expect", source.expect.is_some()),
    ];
    for (key, _) in keys.into_iter().filter(|(_, present)| *present) {
        let path = Path::parse("source").key(key);
        let span = checking.key(&path.to_string());
        let problem = Problem::new(&endpoints::RDB_WITH_SERVER, path, format!("a dump file has no `{key}`"))
            .label(span, "has no effect")
            .label(checking.value("source.rdb"), "the dump file")
            .help(format!("delete `{key}`, or give a `url` instead of `rdb`"));
        checking.report(problem);
    }
}

fn secret(checking: &mut Checking<'_>, side: &str, secret: Option<&SecretRef>) {
    let Some(secret) = secret else { return };
    let (key, label, message, help) = match secret {
        SecretRef::Env(name) if !is_variable_name(name) => (
            "env",
            "not a name",
            "this is not the name of an environment variable",
            "names have letters, digits and `_`; do not put the password itself here",
        ),
        SecretRef::File(path) if path.as_os_str().is_empty() => (
            "file",
            "empty",
            "the path of the secret's file is empty",
            "write for example `{ file: /run/secrets/redis }`",
        ),
        SecretRef::Command(argv) if argv.first().is_none_or(|program| program.trim().is_empty()) => (
            "command",
            "empty",
            "the command for the secret names no program",
            "write for example `{ command: [pass, show, redis/prod] }`",
        ),
        _ => return,
    };
    let path = format!("{side}.password.{key}");
    let problem = checking.problem(&endpoints::SECRET_REFERENCE, &path, message, label).help(help);
    checking.report(problem);
}

fn source_user(checking: &mut Checking<'_>) {
    let source = &checking.raw.source;
    if source.url.is_some() && source.username.is_some() && source.password.is_none() {
        user_without_password(checking, "source.username");
    }
}

fn destination_user(checking: &mut Checking<'_>) {
    let destination = &checking.raw.destination;
    if destination.username.is_some() && destination.password.is_none() {
        user_without_password(checking, "destination.username");
    }
}

fn user_without_password(checking: &mut Checking<'_>, path: &str) {
    let message = "a user without a password is never sent to the server";
    let problem = checking
        .problem(&endpoints::USER_WITHOUT_PASSWORD, path, message, "this user")
        .help("add `password: { env: NAME }`, or delete the user");
    checking.report(problem);
}

fn tls(checking: &mut Checking<'_>, side: &str, url: Option<&str>, tls: Option<&raw::Tls>) {
    let Some(tls) = tls else { return };
    let path = format!("{side}.tls");
    if url.and_then(|url| Url::parse(url).ok()).is_some_and(|url| !url.tls) {
        let message = "certificates are given, but the connection is not encrypted";
        let problem = Problem::new(&endpoints::TLS_UNUSED, Path::parse(&path), message)
            .label(checking.key(&path), "has no effect")
            .label(checking.value(&format!("{side}.url")), "not `rediss://`")
            .help("write `rediss://` in the url, or delete `tls`");
        checking.report(problem);
    }
    tls_texts(checking, &path, tls);
    let (present, absent) = match (&tls.cert, &tls.key) {
        (Some(_), None) => ("cert", "key"),
        (None, Some(_)) => ("key", "cert"),
        _ => return,
    };
    let path = format!("{path}.{present}");
    let message = format!("`{present}` needs `{absent}` beside it");
    let problem = checking
        .problem(&endpoints::TLS_PAIR, &path, message, "one half")
        .help(format!("add `{absent}: PATH`, or delete `{present}`"));
    checking.report(problem);
}

fn tls_texts(checking: &mut Checking<'_>, block: &str, tls: &raw::Tls) {
    for (key, path) in [("ca", &tls.ca), ("crl", &tls.crl), ("cert", &tls.cert), ("key", &tls.key)] {
        if path.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            let problem = checking.problem(
                &endpoints::TLS_PATH,
                &format!("{block}.{key}"),
                format!("the path of `{key}` is empty"),
                "empty",
            );
            checking.report(problem.help("write the path of a PEM file, relative to the plan file"));
        }
    }
    let name_like = |name: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        name.parse::<IpAddr>().is_ok() || (!name.is_empty() && name.len() < 254 && name.chars().all(allowed))
    };
    if tls.server_name.as_deref().is_some_and(|name| !name_like(name)) {
        let path = format!("{block}.server_name");
        let problem =
            checking.problem(&endpoints::TLS_NAME, &path, "no certificate is for a name like this", "not a name");
        checking.report(problem.help("write a DNS name such as `redis.internal`, or an IP address"));
    }
}

fn source_plaintext(checking: &mut Checking<'_>) {
    let source = &checking.raw.source;
    let Some(url) = &source.url else { return };
    plaintext(checking, "source", url, source.password.is_some(), source.plaintext);
}

fn destination_plaintext(checking: &mut Checking<'_>) {
    let destination = &checking.raw.destination;
    plaintext(checking, "destination", &destination.url, destination.password.is_some(), destination.plaintext);
}

fn plaintext(checking: &mut Checking<'_>, side: &str, url: &str, has_password: bool, accepted: Option<Plaintext>) {
    let Ok(Url { tls, address }) = Url::parse(url) else { return };
    let place = |key: &str| Path::parse(side).key(key);
    let (url, key) = (checking.value(&format!("{side}.url")), |key: &str| checking.key(&format!("{side}.{key}")));
    let problem = match (&address, accepted) {
        (Address::Tcp { host, .. }, None) if !tls && has_password && !is_this_host(host) => {
            let message = format!("the {side}'s password travels without encryption");
            Problem::new(&exposure::PASSWORD_IN_PLAINTEXT, place("password"), message)
                .label(key("password"), "readable on the network")
                .label(url, "not `rediss://`")
                .help("write `rediss://` in the url, or add `plaintext: accepted` where nobody else reads the network")
        }
        (_, Some(Plaintext::Accepted)) if tls || matches!(address, Address::Unix { .. }) => {
            let message = "plain text is accepted, but nothing crosses a network in plain text";
            Problem::new(&exposure::PLAINTEXT_UNUSED, place("plaintext"), message)
                .label(key("plaintext"), "has no effect")
                .label(url, if tls { "encrypted" } else { "a socket of this machine" })
                .help("delete `plaintext`")
        }
        _ => return,
    };
    checking.report(problem);
}

fn ranges(checking: &mut Checking<'_>) {
    let source = checking.raw.source.expect.as_ref().and_then(|expect| expect.version.clone());
    let destination = checking.raw.destination.expect.as_ref().and_then(|expect| expect.version.clone());
    range(checking, "source.expect.version", source.as_ref());
    range(checking, "destination.expect.version", destination.as_ref());
}

fn range(checking: &mut Checking<'_>, path: &str, range: Option<&VersionRange>) {
    if range.is_some_and(|range| !range.is_possible()) {
        let problem = checking
            .problem(
                &endpoints::IMPOSSIBLE_RANGE,
                path,
                "no version fulfils all of these comparisons",
                "contradicts itself",
            )
            .help("write a range that some version lies in, for example `>=5, <7`");
        checking.report(problem);
    }
}
