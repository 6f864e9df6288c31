//! What a lane had sent on a connection that broke must not land after the lane wrote it again.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use crate::{
    cmd,
    faults::{begin, big_sizes, fill_big, tool},
    harness::{Comparer, Plan, Server},
};

/// A relay that breaks a lane's connection at an EXEC and hands that EXEC to the server a second later.
struct Late {
    port: u16,
    held: Arc<AtomicU32>,
}

/// Bytes of a lane's connection before an EXEC is held back: the middle of a value.
const BEFORE: usize = 1_500_000;
/// How many EXECs come late.
const TIMES: u32 = 3;

fn late(server: u16) -> Late {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let held = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&held);
    thread::spawn(move || {
        for client in listener.incoming().map(Result::unwrap) {
            let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let (client_too, server_too) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                drop(std::io::copy(&mut &server_too, &mut &client_too));
                drop(client_too.shutdown(Shutdown::Both));
            });
            let count = Arc::clone(&count);
            thread::spawn(move || drop(pass_on(&client, &server, &count)));
        }
    });
    Late { port, held }
}

fn pass_on(mut client: &TcpStream, mut server: &TcpStream, held: &AtomicU32) -> std::io::Result<()> {
    let has = |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
    let (mut is_lane, mut passed, mut buffer) = (false, 0, vec![0; 1 << 16]);
    loop {
        let count = client.read(&mut buffer)?;
        let bytes = &buffer[..count];
        is_lane |= has(bytes, b"redis-plan-lane");
        if is_lane && passed > BEFORE && has(bytes, b"\nEXEC\r") && held.fetch_add(1, SeqCst) < TIMES {
            client.shutdown(Shutdown::Both)?;
            thread::sleep(Duration::from_secs(1));
            server.write_all(bytes)?;
            thread::sleep(Duration::from_secs(1));
            return server.shutdown(Shutdown::Both);
        }
        if count == 0 {
            return server.shutdown(Shutdown::Both);
        }
        server.write_all(bytes)?;
        passed += count;
    }
}

#[test]
fn an_exec_that_comes_late_is_not_carried_out_a_second_time() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    fill_big(&source, 60_000);
    source.client().command(&cmd!["DEL", "big:set", "big:hash"]);
    let late = late(destination.port());
    let plan = Plan::between_ports(source.port(), late.port).line("limits: { chunk_above: 64 KiB, connections: 1 }");
    let tool = tool(&plan);
    begin(&tool).wait().expect(0);
    assert!(late.held.load(SeqCst) >= 1, "no EXEC was late");
    thread::sleep(Duration::from_millis(2100)); // Until the last one that is late has come.
    assert_eq!(format!("{:?}", big_sizes(&source)), format!("{:?}", big_sizes(&destination)));
    Comparer::of(&source, &destination).run().assert_equal();
}
