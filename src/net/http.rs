//! One page of text for whoever asks by HTTP: `GET` of one path, one request a connection, everything bounded.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_std::{
    future::timeout,
    io::{ReadExt, WriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, block_on, sleep, spawn},
};

/// The longest request that is read.
const LONGEST: usize = 8 << 10;
/// How long a request, and how long its answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests that are answered at once.
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
    let (page, busy) = (Arc::new(page), Arc::new(AtomicUsize::new(0)));
    let task = spawn(async move {
        loop {
            match listener.accept().await {
                Ok((socket, _)) => answer_beside(socket, &page, &busy),
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

/// Answers a connection in a task of its own; one too many is closed without a word.
fn answer_beside(socket: TcpStream, page: &Arc<Page>, busy: &Arc<AtomicUsize>) {
    if busy.fetch_add(1, Ordering::AcqRel) >= MOST {
        busy.fetch_sub(1, Ordering::AcqRel);
        return;
    }
    let (page, busy) = (Arc::clone(page), Arc::clone(busy));
    spawn(async move {
        // Whoever asks too slowly, or goes away, gets no answer.
        let _ = answer(socket, &page).await;
        busy.fetch_sub(1, Ordering::AcqRel);
    });
}

async fn answer(mut socket: TcpStream, page: &Page) -> io::Result<()> {
    let request = timeout(PATIENCE, head(&mut socket)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let text = match request.as_deref().map(|line| asked(line, page.path)) {
        None => {
            said("431 Request Header Fields Too Large", "text/plain; charset=utf-8", "", "the request is too long\n")
        }
        Some(Asked::Page) => said("200 OK", page.kind, "", &(page.body)()),
        Some(Asked::Other) => {
            said("404 Not Found", "text/plain; charset=utf-8", "", &format!("there is nothing but {}\n", page.path))
        }
        Some(Asked::Write) => said(
            "405 Method Not Allowed",
            "text/plain; charset=utf-8",
            "Allow: GET\r\n",
            "GET is all that is understood\n",
        ),
        Some(Asked::Nonsense) => said("400 Bad Request", "text/plain; charset=utf-8", "", "this is no HTTP request\n"),
    };
    let sending = async {
        socket.write_all(text.as_bytes()).await?;
        socket.flush().await
    };
    timeout(PATIENCE, sending).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// The request's first line, once its head is whole; `None` when that is too long.
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
        if memchr::memmem::find(&head, b"\r\n\r\n").is_some() {
            let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
            return Ok(Some(String::from_utf8_lossy(line).into_owned()));
        }
    }
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Page,
    Other,
    Write,
    Nonsense,
}

fn asked(line: &str, path: &str) -> Asked {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Asked::Nonsense;
    };
    if !version.starts_with("HTTP/1.") {
        return Asked::Nonsense;
    }
    let target = target.split('?').next().unwrap_or_default();
    match (method, target == path) {
        ("GET", true) => Asked::Page,
        ("GET", false) => Asked::Other,
        _ => Asked::Write,
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
        let found = ask(&served, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(found.starts_with("HTTP/1.1 200 OK\r\n") && found.ends_with("\r\n\r\nfigures\n"), "{found}");
        assert!(found.contains("Content-Length: 8\r\n"), "{found}");
        for (request, status) in [
            ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200"),
            ("GET / HTTP/1.1\r\n\r\n", "404"),
            ("GET /metrics/../etc/passwd HTTP/1.1\r\n\r\n", "404"),
            ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
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
    fn those_who_say_nothing_take_no_place_from_the_run_and_there_is_a_bound_on_them() {
        let served = page();
        let silent: Vec<Link> = (0..MOST).map(|_| Link::connect(served.address()).unwrap()).collect();
        // They are taken up in order, so the next one is one too many: it is closed.
        let mut late = Link::connect(served.address()).unwrap();
        assert!(matches!(late.read(&mut [0; 1]), Ok(0) | Err(_)));
        drop(silent);
        let place = (0..500).find(|_| {
            std::thread::sleep(Duration::from_millis(2));
            let mut link = Link::connect(served.address()).unwrap();
            let asked = link.write_all(b"GET /metrics HTTP/1.1\r\n\r\n");
            let mut answer = String::new();
            asked.is_ok() && link.read_to_string(&mut answer).is_ok() && answer.contains("200 OK")
        });
        assert!(place.is_some(), "a place is free again");
        let address = served.address();
        drop(served);
        assert!(Link::connect(address).is_err(), "nobody listens any more");
    }
}
