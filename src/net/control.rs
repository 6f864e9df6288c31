//! The connection for questions and settings.

use redis::{
    AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline, RedisConnectionInfo, RedisError, Value,
    aio::MultiplexedConnection,
};
use secrecy::ExposeSecret;
use tokio_util::compat::FuturesAsyncReadCompatExt;

use super::{ControlError, Timeouts, dial};
use crate::resp::RefusalKind;
use crate::unit::{Address, Secret};

/// A connection that asks one thing after another, in RESP2. Opening it sends `AUTH` when there is a password, then
/// `PING`; nothing else that an old server would not know. It does not reconnect and repeats nothing by itself: after a
/// [`ControlError::Net`] it is of no more use, and whether the last command ran is not known.
pub struct Control {
    connection: MultiplexedConnection,
    address: Address,
    timeouts: Timeouts,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Control {
    /// Connects and authenticates. [`Timeouts::read`] limits the wait for each reply.
    pub async fn open(
        address: &Address,
        username: Option<&str>,
        password: Option<&Secret>,
        timeouts: Timeouts,
    ) -> Result<Self, ControlError> {
        let stream = dial(address, timeouts).await?;
        let bare = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(timeouts.read));
        let (connection, driver) = MultiplexedConnection::new_with_config(&bare, stream.compat(), config)
            .await
            .map_err(|error| ControlError::of(&error, address, "connect", timeouts.read))?;
        async_std::task::spawn(driver);
        let mut control = Self { connection, address: address.clone(), timeouts };
        if let Some(password) = password {
            control.authenticate(username, password).await?;
        }
        control.greet().await?;
        Ok(control)
    }

    /// The server.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Asks once. What was refused inside a transaction is a [`Value::ServerError`] in the array of `EXEC`'s answer.
    pub async fn command(&mut self, command: &Cmd) -> Result<Value, ControlError> {
        // A refusal comes as a value here; inside an array (a transaction's) it stays one.
        match self.connection.send_packed_command(command).await {
            Ok(Value::ServerError(error)) => Err(self.fault(&error.into(), &name(command))),
            Ok(value) => Ok(value),
            Err(error) => Err(self.fault(&error, &name(command))),
        }
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
        let outcome = self.connection.send_packed_commands(&pipeline, skip, count).await;
        outcome.map_err(|error| self.fault(&error, "a pipeline"))
    }

    /// `INFO`, or one section of it.
    pub async fn info(&mut self, section: Option<&str>) -> Result<String, ControlError> {
        let mut command = redis::cmd("INFO");
        if let Some(section) = section {
            command.arg(section);
        }
        let text: Vec<u8> = self.query(&command).await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// `CONFIG GET`: the value, or `None` when the server has no setting of that name.
    pub async fn config_get(&mut self, setting: &str) -> Result<Option<String>, ControlError> {
        let mut command = redis::cmd("CONFIG");
        command.arg("GET").arg(setting);
        let pairs: Vec<String> = self.query(&command).await?;
        Ok(pairs.into_iter().nth(1))
    }

    async fn authenticate(&mut self, username: Option<&str>, password: &Secret) -> Result<(), ControlError> {
        let mut command = redis::cmd("AUTH");
        if let Some(username) = username {
            command.arg(username);
        }
        command.arg(password.expose_secret());
        self.command(&command).await.map(drop)
    }

    /// A server that lets us in answers `PING`, or refuses it for a reason that other commands may not meet.
    async fn greet(&mut self) -> Result<(), ControlError> {
        let command = redis::cmd("PING");
        match self.command(&command).await {
            Ok(Value::SimpleString(_) | Value::BulkString(_)) => Ok(()),
            Ok(other) => Err(self.unexpected(&command, short(&other))),
            Err(error) => match error.refusal() {
                Some(
                    RefusalKind::NoPermission
                    | RefusalKind::Loading
                    | RefusalKind::Busy
                    | RefusalKind::MasterDown
                    | RefusalKind::Misconf
                    | RefusalKind::UnknownCommand,
                ) => Ok(()),
                _ => Err(error),
            },
        }
    }

    fn fault(&self, error: &RedisError, command: &str) -> ControlError {
        ControlError::of(error, &self.address, command, self.timeouts.read)
    }

    fn unexpected(&self, command: &Cmd, seen: String) -> ControlError {
        ControlError::Unexpected { address: self.address.clone(), command: name(command), seen }
    }
}

/// The command's name alone: its arguments may hold a secret or a value.
fn name(command: &Cmd) -> String {
    match command.args_iter().next() {
        Some(redis::Arg::Simple(name)) => String::from_utf8_lossy(name).into_owned(),
        _ => String::new(),
    }
}

fn short(value: &Value) -> String {
    format!("{value:?}").chars().take(120).collect()
}
