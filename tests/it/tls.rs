//! Encrypted connections to both servers, and what can be wrong with them.

use std::{fs, path::Path};

use crate::{
    cmd,
    faults::{await_told, begin, fill, tool},
    harness::{Authority, Comparer, Direction, Fault, Issued, Plan, Proxy, Server, Tool},
};

const IDLE: &str = "{ any: [source_idle: { for: 2s }] }";

fn url(port: u16) -> String {
    format!("rediss://127.0.0.1:{port}")
}

fn block(ca: &Path, client: Option<&Issued>, name: Option<&str>) -> String {
    let mut keys = vec![format!("ca: {}", ca.display())];
    if let Some(client) = client {
        keys.push(format!("cert: {}, key: {}", client.cert.display(), client.key.display()));
    }
    keys.extend(name.map(|name| format!("server_name: {name}")));
    format!("tls: {{ {} }}", keys.join(", "))
}

#[test]
fn a_migration_follows_over_tls_with_client_certificates_on_both_sides() {
    let authority = Authority::new();
    let client = authority.issue("client", [], 2099);
    let by_address = authority.issue("source", ["127.0.0.1"], 2099);
    let by_name = authority.issue("destination", ["redis.internal"], 2099);
    let source = Server::of("redis-7.0.15").tls(&by_address, "yes", &authority).start();
    let destination = Server::of("redis-7.4.1").tls(&by_name, "yes", &authority).start();
    fill(&source, 5000, 200);
    source.client().command(&cmd!["SET", "big", "x".repeat(5 << 20)]);
    let plan = Plan::between_urls(&url(source.tls_port()), &url(destination.tls_port()))
        .following(IDLE)
        .source(&block(&authority.ca(), Some(&client), None))
        .destination(&block(&authority.ca(), Some(&client), Some("redis.internal")));
    let tool = tool(&plan);
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "\"event\":\"following\""), "{}", run.wait());
    let mut client = source.client();
    for index in 0..1000 {
        client.command(&cmd!["INCR", format!("count:{}", index % 7)]);
        client.command(&cmd!["RPUSH", "list", "y".repeat(1000)]);
    }
    client.command(&cmd!["SET", "big", "z".repeat(5 << 20)]);
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
    let clients = source.client().command(&cmd!["INFO", "clients"]);
    println!("{clients:?}");
}

#[test]
fn relative_paths_start_at_the_plan_file_and_approved_digests_do_not_depend_on_it() {
    let authority = Authority::new();
    let server = authority.issue("server", ["127.0.0.1"], 2099);
    let source = Server::of("redis-7.2.4").tls(&server, "no", &authority).start();
    let destination = Server::start("redis-7.2.4");
    fill(&source, 10, 10);
    let plan = Plan::between_urls(&url(source.tls_port()), &format!("redis://127.0.0.1:{}", destination.port()));
    let tool = tool(&plan.source("tls: { ca: certs/ca.pem }"));
    for folder in ["a", "b"] {
        fs::create_dir_all(tool.folder().join(folder).join("certs")).unwrap();
        fs::copy(tool.folder().join("plan.yaml"), tool.folder().join(folder).join("plan.yaml")).unwrap();
        fs::copy(authority.ca(), tool.folder().join(folder).join("certs/ca.pem")).unwrap();
    }
    let digest = |file: &str| {
        let preview = tool.run(["preview", file, "--format", "json"]).expect(0);
        serde_json::from_str::<serde_json::Value>(&preview.stdout).unwrap()["digest"].as_str().unwrap().to_owned()
    };
    let here = digest("plan.yaml");
    assert_eq!(here, digest("a/plan.yaml"));
    tool.run(["apply", "plan.yaml", "--expect-digest", &here]).expect(3).says("certs/ca.pem: No such file");
    tool.run(["apply", "a/plan.yaml", "--expect-digest", &here]).expect(0);
    tool.run(["apply", "b/plan.yaml", "--expect-digest", &here]).expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn every_path_of_a_plan_starts_at_its_folder_for_every_command() {
    let authority = Authority::new();
    let server = authority.issue("server", ["127.0.0.1"], 2099);
    let source = Server::of("redis-7.2.4").tls(&server, "no", &authority).password("first secret").start();
    let destination = Server::of("redis-7.2.4").password("second secret").start();
    fill(&source, 10, 10);
    let plan = Plan::between_urls(&url(source.tls_port()), &format!("redis://127.0.0.1:{}", destination.port()))
        .source("password: { file: secrets/source }")
        .source("tls: { ca: certs/ca.pem }")
        .destination("password: { command: [./secrets/destination, secrets/word] }")
        .line("hooks: [ { at: full.started, run: [./hooks/note, word] } ]");
    let tool = tool(&plan);
    let folder = tool.folder().join("sub");
    for name in ["sub", "sub/certs", "sub/secrets", "sub/hooks"] {
        fs::create_dir(tool.folder().join(name)).unwrap();
    }
    fs::rename(tool.folder().join("plan.yaml"), folder.join("plan.yaml")).unwrap();
    fs::copy(authority.ca(), folder.join("certs/ca.pem")).unwrap();
    tool.write("sub/secrets/source", "first secret\n");
    tool.write("sub/secrets/word", "second secret\n");
    tool.script("sub/secrets/destination", "cat \"$1\"");
    tool.script("sub/hooks/note", "echo noted > \"$1\"");
    tool.run(["check", "sub/plan.yaml"]).expect(0);
    tool.run(["apply", "sub/plan.yaml"]).expect(0);
    assert_eq!(fs::read_to_string(folder.join("word")).unwrap(), "noted\n");
    tool.run(["verify", "sub/plan.yaml"]).expect(0);
    tool.run(["cleanup", "sub/plan.yaml"]).expect(0);
    fs::remove_file(folder.join("secrets/source")).unwrap();
    tool.run(["verify", "sub/plan.yaml"]).expect(3).says("sub/secrets/source cannot be read");
}

#[test]
fn a_connection_that_breaks_inside_a_record_is_opened_anew() {
    let authority = Authority::new();
    let server = authority.issue("server", ["127.0.0.1"], 2099);
    let source = Server::of("redis-7.2.4").tls(&server, "no", &authority).start();
    let destination = Server::of("redis-7.2.4").tls(&server, "no", &authority).start();
    fill(&source, 5000, 200);
    let from = Proxy::to(source.tls_port());
    let to = Proxy::to(destination.tls_port()).with(Fault::cut(Direction::ToServer, 50_001).times(2));
    let plan = Plan::between_urls(&url(from.port()), &url(to.port())).following(IDLE);
    let trusting = block(&authority.ca(), None, None);
    let tool = tool(&plan.source(&trusting).destination(&trusting));
    let mut run = begin(&tool);
    assert!(await_told(&tool, &mut run, "\"event\":\"following\""), "{}", run.wait());
    assert!(to.struck() > 0, "no lane's connection was cut");
    let mut client = source.client();
    from.cut();
    for index in 0..2000 {
        client.command(&cmd!["RPUSH", "list", index]);
    }
    run.wait().expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

/// What a check says that has come to the destination, where nothing listens. The source's item passes then.
const REACHED: &str = "pass    source-reachable";

/// What `plan check` says of a source with this url and `tls`.
fn refused(code: i32, source: &str, tls: Option<&str>, says: &str) {
    println!("{source} {tls:?}");
    let mut plan = Plan::between_urls(source, "redis://127.0.0.1:2");
    if let Some(tls) = tls {
        plan = plan.source(tls);
    }
    let tool = Tool::new().env("NO_COLOR", "1").env("COLUMNS", "500");
    tool.write("plan.yaml", &plan.text());
    tool.run(["check", "plan.yaml"]).expect(code).says(says);
}

#[test]
fn what_the_server_shows_is_verified_and_each_fault_is_named() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let good = authority.issue("good", ["redis.internal", "127.0.0.1"], 2099);
    let other = authority.issue("other", ["elsewhere.internal"], 2099);
    let nameless = authority.issue("nameless", [], 2099);
    let expired = authority.issue("expired", ["127.0.0.1"], 2020);
    let itself = Issued { cert: authority.ca(), key: authority.folder().join("ca.key") };
    let start = |certificate: &Issued| Server::of("redis-7.2.4").tls(certificate, "no", &authority).start();
    let trusting = block(&authority.ca(), None, None);

    let server = start(&good);
    let at = url(server.tls_port());
    refused(1, &at, None, "no authority that is trusted here");
    refused(1, &at, Some(&block(&stranger.ca(), None, None)), "give the authority's certificate as `tls.ca`");
    refused(1, &at, Some(&block(&authority.ca(), None, Some("example.com"))), "not for `example.com` but for");
    refused(1, &at, Some(&block(&authority.ca(), None, Some("redis.internal"))), REACHED);
    refused(1, &at, Some(&trusting), REACHED);
    refused(1, &url(server.port()), Some(&trusting), "the server does not speak TLS on this port");
    refused(
        1,
        &format!("redis://127.0.0.1:{}", server.tls_port()),
        None,
        "the server speaks TLS on this port: write `rediss://`",
    );

    let misnamed = start(&other);
    refused(1, &url(misnamed.tls_port()), Some(&trusting), "elsewhere.internal");
    let unnamed = start(&nameless);
    refused(1, &url(unnamed.tls_port()), Some(&trusting), "`subjectAltName`");
    let old = start(&expired);
    refused(1, &url(old.tls_port()), Some(&trusting), "has expired (");
    let own = start(&itself);
    refused(1, &url(own.tls_port()), Some(&trusting), "`CA:TRUE`");
}

#[test]
fn a_revoked_certificate_is_refused_where_the_plan_names_revocation_lists() {
    let (authority, namesake, stranger) = (Authority::new(), Authority::new(), Authority::named("a stranger"));
    let stolen = authority.issue("stolen", ["127.0.0.1"], 2099);
    let server = Server::of("redis-7.2.4").tls(&stolen, "no", &authority).start();
    let at = url(server.tls_port());
    let with = |crl: &Path| format!("tls: {{ ca: {}, crl: {} }}", authority.ca().display(), crl.display());
    refused(1, &at, Some(&block(&authority.ca(), None, None)), REACHED);
    refused(1, &at, Some(&with(&authority.revoke("none.pem", &[], 2099))), REACHED);
    refused(1, &at, Some(&with(&authority.revoke("other.pem", &["other"], 2099))), REACHED);
    refused(
        1,
        &at,
        Some(&with(&authority.revoke("list.pem", &["other", "stolen"], 2099))),
        "was revoked by its authority",
    );
    refused(1, &at, Some(&with(&authority.revoke("old.pem", &[], 2020))), "`tls.crl` is out of date (");
    refused(1, &at, Some(&with(&stranger.revoke("foreign.pem", &[], 2099))), "nobody can say whether");
    refused(1, &at, Some(&with(&namesake.revoke("forged.pem", &[], 2099))), "nobody can say whether");
    refused(3, &at, Some(&with(&authority.ca())), "ca.pem holds no revocation list in PEM form");
    let garbled = authority.folder().join("garbled.pem");
    fs::write(&garbled, "-----BEGIN X509 CRL-----\naGVsbG8=\n-----END X509 CRL-----\n").unwrap();
    refused(3, &at, Some(&with(&garbled)), "garbled.pem: ");
}

#[test]
fn a_server_that_asks_for_a_client_certificate_gets_the_right_one_or_the_plan_says_what_is_wrong() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = authority.issue("server", ["127.0.0.1"], 2099);
    let (good, foreign) = (authority.issue("client", [], 2099), stranger.issue("client", [], 2099));
    let expired = authority.issue("expired", [], 2020);
    for protocols in ["TLSv1.2", "TLSv1.3"] {
        let server =
            Server::of("redis-7.2.4").tls(&server, "yes", &authority).arg("--tls-protocols", protocols).start();
        let at = url(server.tls_port());
        let with = |client: Option<&Issued>| block(&authority.ca(), client, None);
        refused(1, &at, Some(&with(None)), "client certificate");
        refused(1, &at, Some(&with(Some(&foreign))), "the server does not accept the client certificate");
        refused(1, &at, Some(&with(Some(&expired))), "the server does not accept the client certificate");
        refused(1, &at, Some(&with(Some(&good))), REACHED);
    }
}

#[test]
fn files_that_cannot_be_used_are_named_before_anything_is_done() {
    let authority = Authority::new();
    let (one, two) = (authority.issue("one", [], 2099), authority.issue("two", [], 2099));
    let write = |name: &str, text: &str| {
        let path = authority.folder().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let pem = fs::read_to_string(authority.ca()).unwrap();
    let empty = write("empty.pem", "no certificate\n");
    let cut = write("cut.pem", &pem[..pem.len() / 2]);
    let garbled = write("garbled.pem", &pem.replacen('M', "*", 4));
    let no_certificate = write("no.pem", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n");
    let locked =
        write("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\naGVsbG8=\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let at = "rediss://127.0.0.1:1";
    for (path, says) in [
        (&authority.folder().join("none.pem"), "none.pem: No such file or directory"),
        (&empty, "empty.pem holds no certificate in PEM form"),
        (&one.key, "one.key holds no certificate in PEM form"),
        (&cut, "cut.pem: a block of it has no end line"),
        (&garbled, "garbled.pem: a block of it is not base64"),
        (&no_certificate, "no.pem: "),
    ] {
        refused(3, at, Some(&block(path, None, None)), says);
    }
    let pair = |cert: &Path, key: &Path| Issued { cert: cert.to_owned(), key: key.to_owned() };
    for (pair, says) in [
        (pair(&one.cert, &two.key), "two.key does not belong to the certificate in"),
        (pair(&one.cert, &one.cert), "one.pem holds no private key in PEM form"),
        (pair(&one.cert, &locked), "locked.key has a passphrase"),
    ] {
        refused(3, at, Some(&block(&authority.ca(), Some(&pair), None)), says);
    }
}
