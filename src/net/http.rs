//! One page of text by HTTP: `GET` of one path, one request a connection, by a name that is ours, everything bounded.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_channel::{Receiver, Sender, bounded};
use async_std::{
    future::timeout,
    io::{ReadExt, WriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, block_on, sleep, spawn},
};
use futures_util::future::{Either, select};

/// The longest request that is read.
const LONGEST: usize = 8 << 10;
/// How long a request, and how long its answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Connections at once. Where one comes that is too many, the one that has said nothing for longest ends.
const MOST: usize = 16;
/// How long to rest when the system has no descriptor for a connection.
const REST: Duration = Duration::from_millis(100);

/// A page that is made anew for every request.
pub struct Page {
    /// Its path, such as `/metrics`.
    pub path: &'static str,
    /// What it is, such as `text/plain`.
    pub kind: &'static str,
    /// Makes it.
    pub body: Box<dyn Fn() -> String + Send + Sync>,
}

/// A page that is being served. Dropping it ends that.
pub struct Served {
    address: SocketAddr,
    task: Option<JoinHandle<()>>,
}

/// Serves a page at an address; port 0 is one that is free.
pub fn serve(address: SocketAddr, page: Page) -> io::Result<Served> {
    let listener = block_on(TcpListener::bind(address))?;
    let address = listener.local_addr()?;
    let (page, door) = (Arc::new(page), Arc::new(Mutex::new(Door::default())));
    let task = spawn(async move {
        loop {
            match listener.accept().await {
                Ok((socket, _)) => answer_beside(socket, address, &page, &door),
                Err(_) => sleep(REST).await,
            }
        }
    });
    Ok(Served { address, task: Some(task) })
}

impl Served {
    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            block_on(task.cancel());
        }
    }
}

/// Who is connected.
#[derive(Default)]
struct Door {
    /// Connections there are.
    busy: usize,
    /// Those that have not asked yet, oldest first; one is ended by dropping its sender.
    silent: VecDeque<(u64, Sender<()>)>,
    next: u64,
}

impl Door {
    /// Lets one more in, if need be in place of the oldest that is silent: its number, and what ends when it has to go.
    fn enter(&mut self) -> Option<(u64, Receiver<()>)> {
        if self.busy >= MOST {
            self.silent.pop_front()?;
        }
        let (stay, leave) = bounded(1);
        self.busy += 1;
        self.next += 1;
        self.silent.push_back((self.next, stay));
        Some((self.next, leave))
    }

    /// This one has asked, or is gone.
    fn heard(&mut self, number: u64) {
        self.silent.retain(|(other, _)| *other != number);
    }
}

/// Answers a connection in a task of its own; one too many is closed without a word.
fn answer_beside(socket: TcpStream, own: SocketAddr, page: &Arc<Page>, door: &Arc<Mutex<Door>>) {
    let Some((number, leave)) = door.lock().unwrap_or_else(PoisonError::into_inner).enter() else { return };
    let (page, door) = (Arc::clone(page), Arc::clone(door));
    spawn(async move {
        // A client that asks too slowly, or goes away, gets no answer.
        let _ = answer(socket, own, &page, || door.lock().unwrap_or_else(PoisonError::into_inner).heard(number), leave)
            .await;
        let mut door = door.lock().unwrap_or_else(PoisonError::into_inner);
        door.heard(number);
        door.busy -= 1;
    });
}

async fn answer(
    mut socket: TcpStream,
    own: SocketAddr,
    page: &Page,
    heard: impl Fn(),
    leave: Receiver<()>,
) -> io::Result<()> {
    let request =
        async { timeout(PATIENCE, head(&mut socket)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))? };
    let request = match select(Box::pin(request), Box::pin(leave.recv())).await {
        Either::Left((request, _)) => request?,
        Either::Right(_) => return Ok(()),
    };
    heard();
    let text = reply(request.as_deref(), own, page);
    let sending = async {
        socket.write_all(text.as_bytes()).await?;
        socket.flush().await
    };
    timeout(PATIENCE, sending).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// The answer to a request's head; `None` is one that is too long.
fn reply(head: Option<&str>, own: SocketAddr, page: &Page) -> String {
    const PLAIN: &str = "text/plain; charset=utf-8";
    let Some(head) = head else {
        return said("431 Request Header Fields Too Large", PLAIN, "", "the request is too long\n");
    };
    let line = head.split("\r\n").next().unwrap_or_default();
    match asked(line, page.path) {
        HttpRequest::Nonsense => said("400 Bad Request", PLAIN, "", "this is no HTTP request\n"),
        _ if !names_us(head, own) => said(
            "421 Misdirected Request",
            PLAIN,
            "",
            "the request names another host: ask by the address that `--metrics` listens at, or from this host by `localhost`\n",
        ),
        HttpRequest::Page => said("200 OK", page.kind, "", &(page.body)()),
        HttpRequest::Other => said("404 Not Found", PLAIN, "", &format!("there is nothing but {}\n", page.path)),
        HttpRequest::Write => {
            said("405 Method Not Allowed", PLAIN, "Allow: GET\r\n", "GET is all that is understood\n")
        }
    }
}

/// Whether a request is meant for this page: a browser sends the name of the page that it shows, which an attacker may have
/// pointed at our address. A name is `localhost`; an address is a loopback one or the one we listen at, or any where we
/// listen at all of them.
fn names_us(head: &str, own: SocketAddr) -> bool {
    let mut lines = head.split("\r\n");
    let is_old = lines.next().is_some_and(|line| line.ends_with("HTTP/1.0"));
    let fields = lines.filter_map(|line| line.split_once(':'));
    let mut hosts = fields.filter(|(name, _)| name.eq_ignore_ascii_case("host")).map(|(_, host)| host.trim());
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_ours(host, own),
        // Old clients send none, and no browser is one.
        (None, _) => is_old,
        (Some(_), Some(_)) => false,
    }
}

fn is_ours(host: &str, own: SocketAddr) -> bool {
    let name = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((name, _)) => name,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || own.ip().is_unspecified() || address == own.ip(),
        Err(_) => name.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
    }
}

/// The request's head, once it is whole; `None` when it is too long.
async fn head(socket: &mut TcpStream) -> io::Result<Option<String>> {
    let (mut head, mut buffer) = (vec![], [0; 1024]);
    loop {
        let count = socket.read(&mut buffer).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if head.len() > LONGEST {
            return Ok(None);
        }
        if let Some(end) = memchr::memmem::find(&head, b"\r\n\r\n") {
            return Ok(Some(String::from_utf8_lossy(head.get(..end).unwrap_or_default()).into_owned()));
        }
    }
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum HttpRequest {
    Page,
    Other,
    Write,
    Nonsense,
}

fn asked(line: &str, path: &str) -> HttpRequest {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return HttpRequest::Nonsense;
    };
    if !version.starts_with("HTTP/1.") {
        return HttpRequest::Nonsense;
    }
    let target = target.split('?').next().unwrap_or_default();
    match (method, target == path) {
        ("GET", true) => HttpRequest::Page,
        ("GET", false) => HttpRequest::Other,
        _ => HttpRequest::Write,
    }
}

fn said(status: &str, kind: &str, more: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{more}Cache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{Ipv4Addr, TcpStream as Link},
    };

    use super::*;

    fn page() -> Served {
        let body = Box::new(|| "figures\n".to_owned());
        serve((Ipv4Addr::LOCALHOST, 0).into(), Page { path: "/metrics", kind: "text/plain", body }).unwrap()
    }

    fn ask(served: &Served, request: &str) -> String {
        let mut link = Link::connect(served.address()).unwrap();
        link.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        link.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn one_page_is_served_and_nothing_else() {
        let served = page();
        let found = ask(&served, "GET /metrics HTTP/1.1\r\nHost: localhost:9187\r\n\r\n");
        assert!(found.starts_with("HTTP/1.1 200 OK\r\n") && found.ends_with("\r\n\r\nfigures\n"), "{found}");
        assert!(found.contains("Content-Length: 8\r\n"), "{found}");
        for (request, status) in [
            ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200"),
            ("GET / HTTP/1.0\r\n\r\n", "404"),
            ("GET /metrics/../etc/passwd HTTP/1.0\r\n\r\n", "404"),
            ("POST /metrics HTTP/1.0\r\n\r\n", "405"),
            ("GET /metrics HTTP/1.1\r\n\r\n", "421"),
            ("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421"),
            ("GET /metrics HTTP/1.0\r\nHost: evil.example\r\n\r\n", "421"),
            ("GET /metrics HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n", "421"),
            ("GET /metrics HTTP/1.1\r\nhost:LOCALHOST:1\r\n\r\n", "200"),
            ("GET /metrics\r\n\r\n", "400"),
            ("\r\n\r\n", "400"),
            ("GET /metrics HTTP/2\r\n\r\n", "400"),
        ] {
            let found = ask(&served, request);
            assert!(found.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {found}");
        }
        let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(LONGEST));
        assert!(ask(&served, &long[..=LONGEST]).starts_with("HTTP/1.1 431 "));
    }

    #[test]
    fn a_host_is_a_name_of_ours() {
        let at = |own: &str, host: &str| is_ours(host, own.parse().unwrap());
        for host in
            ["localhost", "localhost:9187", "127.0.0.1:9187", "127.8.8.8", "[::1]:9187", "10.0.0.7", "10.0.0.7:80"]
        {
            assert!(at("10.0.0.7:9187", host), "{host}");
        }
        for host in
            ["", "evil.example", "10.0.0.8", "localhost.evil.example", "10.0.0.7.evil.example", "[::2]", "[fe80::1"]
        {
            assert!(!at("10.0.0.7:9187", host), "{host}");
        }
        assert!(at("0.0.0.0:9187", "10.0.0.8:9187") && !at("0.0.0.0:9187", "evil.example:9187"));
        assert!(at("[2001:db8::1]:9187", "[2001:db8::1]:9187"));
    }

    #[test]
    fn those_who_say_nothing_keep_nobody_from_the_page() {
        const ASKS: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let served = page();
        let mut silent: Vec<Link> = (0..3 * MOST).map(|_| Link::connect(served.address()).unwrap()).collect();
        let half = silent.last_mut().unwrap();
        half.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
        assert!(ask(&served, ASKS).ends_with("figures\n"), "a scrape comes through at once");
        // All of them are ended, the newest by its time.
        let begun = std::time::Instant::now();
        for link in &mut silent {
            link.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            assert!(matches!(link.read(&mut [0; 1]), Ok(0) | Err(_)));
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        let address = served.address();
        drop(served);
        assert!(Link::connect(address).is_err(), "nobody listens any more");
    }
}
