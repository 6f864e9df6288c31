//! The connection for questions and settings.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use redis::{
    AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline, RedisConnectionInfo, RedisError, Value,
    aio::MultiplexedConnection,
};
use tokio_util::compat::FuturesAsyncReadCompatExt;

use super::{
    Access, ControlError, Excess, NetError, Timeouts,
    excess::Bounded,
    greeting::{Greeting, enter},
};
use crate::unit::{Address, quoted};

/// A connection that asks one thing after another, in RESP2. Opening it sends `AUTH` when there is a password, then
/// `PING`; nothing else that an old server would not know. It does not reconnect and repeats nothing by itself: after a
/// [`ControlError::Net`] it is of no more use, and whether the last command ran is not known.
pub struct Control {
    connection: MultiplexedConnection,
    address: Address,
    timeouts: Timeouts,
    /// What ended the connection, when that was a reply beyond all bounds.
    excess: Arc<OnceLock<Excess>>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Control {
    /// Connects and signs in. [`Timeouts::read`] limits the wait for each reply.
    pub(super) async fn open(access: &Access, timeouts: Timeouts) -> Result<Self, ControlError> {
        let address = &access.address;
        let stream = enter(access, &Greeting::Ping, timeouts).await?;
        let bare = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(timeouts.read));
        let stream = Bounded::new(stream);
        let excess = stream.found();
        let (connection, driver) = MultiplexedConnection::new_with_config(&bare, stream.compat(), config)
            .await
            .map_err(|error| ControlError::of(&error, address, "connect", timeouts.read))?;
        async_std::task::spawn(driver);
        Ok(Self { connection, address: address.clone(), timeouts, excess })
    }

    /// The server.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Asks once. What was refused inside a transaction is a [`Value::ServerError`] in the array of `EXEC`'s answer.
    pub async fn command(&mut self, command: &Cmd) -> Result<Value, ControlError> {
        // A refusal comes as a value here; inside an array (a transaction's) it stays one.
        let asked = Instant::now();
        let outcome = match self.connection.send_packed_command(command).await {
            Ok(Value::ServerError(error)) => Err(self.fault(&error.into(), &name(command))),
            Ok(value) => Ok(value),
            Err(error) => Err(self.fault(&error, &name(command))),
        };
        self.log(&name(command), asked, outcome.as_ref().err());
        outcome
    }

    /// Asks once and reads the answer as a `T`.
    pub async fn query<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, ControlError> {
        let value = self.command(command).await?;
        let seen = short(&value);
        T::from_redis_value(value).map_err(|_| self.unexpected(command, seen))
    }

    /// Sends several commands at once; the replies in order, refused ones as [`Value::ServerError`]. With
    /// [`Pipeline::atomic`] they are one transaction, and the only reply is that of `EXEC`.
    pub async fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Vec<Value>, ControlError> {
        let mut pipeline = pipeline.clone();
        pipeline.ignore_errors();
        let atomic = pipeline.is_transaction();
        let (skip, count) = if atomic { (pipeline.len().saturating_add(1), 1) } else { (0, pipeline.len()) };
        let asked = Instant::now();
        let outcome = self.connection.send_packed_commands(&pipeline, skip, count).await;
        let outcome = outcome.map_err(|error| self.fault(&error, "a pipeline"));
        self.log(if atomic { "a transaction" } else { "a pipeline" }, asked, outcome.as_ref().err());
        outcome
    }

    /// `INFO`, or one section of it.
    pub async fn info(&mut self, section: Option<&str>) -> Result<String, ControlError> {
        let mut command = redis::cmd("INFO");
        if let Some(section) = section {
            command.arg(section);
        }
        let text: Vec<u8> = self.query(&command).await?;
        if text.len() > INFO {
            return Err(self.unexpected(&command, format!("{} bytes", text.len())));
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// `CONFIG GET`: the value, or `None` when the server has no setting of that name.
    pub async fn config_get(&mut self, setting: &str) -> Result<Option<String>, ControlError> {
        let mut command = redis::cmd("CONFIG");
        command.arg("GET").arg(setting);
        let pairs: Vec<String> = self.query(&command).await?;
        Ok(pairs.into_iter().nth(1))
    }

    /// What a refusal inside a transaction's answer is.
    pub fn refused(&self, command: &str, error: redis::ServerError) -> ControlError {
        self.fault(&error.into(), command)
    }

    /// What was asked and how it went, without arguments and values: they may hold a secret.
    fn log(&self, command: &str, asked: Instant, error: Option<&ControlError>) {
        let (address, micros) = (&self.address, asked.elapsed().as_micros());
        match error {
            None => tracing::trace!(%address, command, micros, "answered"),
            Some(error) => tracing::trace!(%address, command, micros, %error, "not answered as asked"),
        }
    }

    fn fault(&self, error: &RedisError, command: &str) -> ControlError {
        if let Some(excess) = self.excess.get() {
            return NetError { address: self.address.clone(), fault: (*excess).into() }.into();
        }
        ControlError::of(error, &self.address, command, self.timeouts.read)
    }

    /// That `command` was answered with something of another form.
    pub fn unexpected_answer(&self, command: &Cmd, answer: &Value) -> ControlError {
        self.unexpected(command, short(answer))
    }

    fn unexpected(&self, command: &Cmd, seen: String) -> ControlError {
        ControlError::Unexpected { address: self.address.clone(), command: name(command), seen }
    }
}

/// The most bytes of an `INFO`: a hundred times what one has.
const INFO: usize = 4 << 20;

/// The command's name alone: its arguments may hold a secret or a value.
fn name(command: &Cmd) -> String {
    match command.args_iter().next() {
        Some(redis::Arg::Simple(name)) => String::from_utf8_lossy(name).into_owned(),
        _ => String::new(),
    }
}

fn short(value: &Value) -> String {
    quoted(format!("{value:?}").as_bytes(), 120)
}

#[cfg(test)]
mod tests {
    use async_std::{
        io::{ReadExt, WriteExt},
        net::TcpListener,
        task::block_on,
    };

    use super::*;
    use crate::{net::NetFault, resp::RefusalKind, unit::Secret};

    /// Opens a connection to a server that gives these answers, one to each thing it is sent (the first unasked when
    /// `eager`), then closes; what `then` makes of the connection, and all that the server was sent.
    fn play<T>(
        answers: &[&str],
        eager: bool,
        password: Option<&str>,
        then: impl AsyncFnOnce(Result<Control, ControlError>) -> T,
    ) -> (T, String) {
        block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = Address::Tcp { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
            let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
            let server = async_std::task::spawn(async move {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut heard = String::new();
                let mut buffer = [0; 1 << 12];
                for (index, answer) in answers.iter().enumerate() {
                    if index > 0 || !eager {
                        let count = socket.read(&mut buffer).await.unwrap();
                        heard.push_str(&String::from_utf8_lossy(&buffer[..count]));
                    }
                    socket.write_all(answer.as_bytes()).await.unwrap();
                }
                heard
            });
            let access = Access { password: password.map(Secret::from), ..Access::plain(address) };
            let timeouts = Timeouts { read: std::time::Duration::from_secs(20), ..Timeouts::default() };
            let control = access.control_within(timeouts).await;
            let outcome = then(control).await;
            (outcome, server.await)
        })
    }

    async fn refusal(outcome: Result<Control, ControlError>) -> Option<RefusalKind> {
        outcome.unwrap_err().refusal()
    }

    #[test]
    fn nothing_but_auth_and_ping_is_sent_to_open() {
        let (opened, heard) = play(&["+OK\r\n", "+PONG\r\n"], false, Some("hunter2"), async |control| control.is_ok());
        assert!(opened);
        assert_eq!(heard, "*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n*1\r\n$4\r\nPING\r\n");
    }

    #[test]
    fn a_server_that_turns_us_away_unasked_is_heard() {
        for (answer, kind) in [
            ("-ERR max number of clients reached\r\n", RefusalKind::MaxClients),
            ("-DENIED Redis is running in protected mode because ...\r\n", RefusalKind::ProtectedMode),
        ] {
            assert_eq!(play(&[answer], true, None, refusal).0, Some(kind));
        }
    }

    #[test]
    fn ping_may_be_refused_where_other_commands_are_not() {
        for answer in ["-NOPERM no\r\n", "-LOADING Redis is loading the dataset in memory\r\n", "-BUSY script\r\n"] {
            assert!(play(&[answer], false, None, async |control| control.is_ok()).0, "{answer}");
        }
        assert_eq!(play(&["-NOAUTH needed\r\n"], false, None, refusal).0, Some(RefusalKind::NoAuth));
        let (error, _) = play(&["HTTP/1.1 400\r\n"], false, None, async |control| control.unwrap_err());
        assert!(error.to_string().contains("is it a Redis or Valkey server"), "{error}");
    }

    #[test]
    fn answers_and_refusals_are_told_apart() {
        let config = "*2\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n";
        let exec = "*2\r\n+OK\r\n-WRONGTYPE Operation against a key\r\n";
        let answers = ["+PONG\r\n", config, "*0\r\n", "-OOM command not allowed\r\n", exec, "$6\r\nrole:m\r\n"];
        play(&answers, false, None, async |control| {
            let mut control = control.unwrap();
            assert_eq!(control.config_get("maxmemory").await, Ok(Some("0".into())));
            assert_eq!(control.config_get("no-such").await, Ok(None));
            let error = control.command(redis::cmd("SET").arg("key").arg("value")).await.unwrap_err();
            assert_eq!(error.refusal(), Some(RefusalKind::OutOfMemory));
            assert!(error.to_string().ends_with("refused SET: OOM command not allowed"), "{error}");
            let Ok(Value::Array(results)) = control.command(&redis::cmd("EXEC")).await else { panic!("no array") };
            assert!(matches!(results[..], [Value::Okay, Value::ServerError(_)]), "{results:?}");
            assert_eq!(control.info(None).await, Ok("role:m".into()));
            let gone = control.command(&redis::cmd("PING")).await.unwrap_err();
            assert!(matches!(&gone, ControlError::Net(_)) && gone.retryable(), "{gone}");
        });
    }

    #[test]
    fn a_connection_that_ends_within_a_reply_is_lost_and_not_misunderstood() {
        for cut in ["*3\r\n*2\r\n$3\r\nget\r\n:2\r\n", "$100\r\nredis_version", "*2\r\n+O", ":1"] {
            play(&["+PONG\r\n", cut], false, None, async |control| {
                let gone = control.unwrap().command(&redis::cmd("COMMAND")).await.unwrap_err();
                assert!(matches!(&gone, ControlError::Net(_)) && gone.retryable(), "{cut:?}: {gone}");
            });
        }
    }

    /// Memory is bounded by what is asked, not by what a peer sends.
    #[test]
    fn a_reply_beyond_all_bounds_ends_the_connection() {
        for reply in ["$67108865\r\n", "*268435456\r\n:1\r\n", "%99999999\r\n", "= -1\r\n"] {
            play(&["+PONG\r\n", reply], false, None, async |control| {
                let error = control.unwrap().command(&redis::cmd("COMMAND")).await.unwrap_err();
                assert!(matches!(&error, ControlError::Net(NetError { fault: NetFault::Excess(_), .. })), "{error}");
                assert!(!error.retryable(), "{error}");
            });
        }
        let info = format!("${}\r\n{}\r\n", INFO + 1, "x".repeat(INFO + 1));
        play(&["+PONG\r\n", &info], false, None, async |control| {
            let error = control.unwrap().info(None).await.unwrap_err();
            assert!(matches!(&error, ControlError::Unexpected { .. }), "{error}");
        });
    }

    /// Each byte comes in time, and the answer never does.
    #[test]
    fn a_peer_that_drips_is_ended_by_a_bound_on_duration() {
        let timeouts = Timeouts { read: std::time::Duration::from_millis(300), ..Timeouts::default() };
        for greeting in ["", "+PONG\r\n"] {
            block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = Address::Tcp { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
                let server = async_std::task::spawn(async move {
                    let (mut socket, _) = listener.accept().await.unwrap();
                    let mut heard = [0; 64];
                    let _ = socket.read(&mut heard).await.unwrap();
                    socket.write_all(greeting.as_bytes()).await.unwrap();
                    while socket.write_all(b"+").await.is_ok() {
                        async_std::task::sleep(std::time::Duration::from_millis(20)).await;
                    }
                });
                let asked = async {
                    let mut control = Access::plain(address.clone()).control_within(timeouts).await?;
                    control.info(None).await
                };
                let error = asked.await.unwrap_err();
                let fault = NetFault::Timeout {
                    doing: if greeting.is_empty() { "signing in" } else { "waiting for a reply" },
                    after: timeouts.read,
                };
                assert_eq!(error, ControlError::Net(NetError { address, fault }));
                server.cancel().await;
            });
        }
    }

    #[test]
    fn a_transaction_refused_when_queued_says_why() {
        let answers = [
            "+PONG\r\n",
            "+OK\r\n-ERR wrong number of arguments for 'set' command\r\n-EXECABORT Transaction \
            discarded because of previous errors.\r\n",
        ];
        play(&answers, false, None, async |control| {
            let mut pipeline = redis::pipe();
            pipeline.atomic().cmd("SET").arg("key");
            let error = control.unwrap().pipeline(&pipeline).await.unwrap_err();
            assert_eq!(error.refusal(), Some(RefusalKind::ExecAbort));
            assert!(error.to_string().contains("because of: ERR wrong number of arguments"), "{error}");
        });
    }
}
