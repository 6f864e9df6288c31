//! The control socket of a running process, in its state directory: operators see how it stands and steer it.
//!
//! An order is a line of JSON, its answer too. How the run stands is answered at once, from what its step posted last;
//! everything else goes to the step under way and is answered when the thing has happened.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_channel::{Receiver, Sender, WeakSender, bounded};
use async_std::task::{JoinHandle, spawn};

use super::orders::refused;
use crate::{
    net::{LocalListener, LocalStream},
    step::{Answer, Order, Status, without_secrets},
    store::own::NotOurs,
};

/// How long a process that ends waits until its answers are sent.
const ANSWERING: Duration = Duration::from_secs(2);

/// The socket's name in the state directory.
const NAME: &str = "control.sock";

/// An order and who waits for the answer.
#[derive(Debug)]
pub(super) struct PendingOrder {
    pub(super) order: Order,
    reply: Sender<Answer>,
}

impl PendingOrder {
    /// Answers it.
    pub(super) fn answer(self, answer: Answer) {
        // Whoever asked may have gone.
        let _ = self.reply.try_send(answer);
    }
}

/// How the run stands, as its step posted it last. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct StatusBoard(Arc<Mutex<Status>>);

impl StatusBoard {
    pub(super) fn new(status: Status) -> Self {
        Self(Arc::new(Mutex::new(status)))
    }

    /// Posts how the run stands now.
    pub(super) fn post(&self, status: Status) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    pub(super) fn read(&self) -> Status {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The socket while it is open.
#[derive(Debug)]
pub(super) struct Steering {
    task: JoinHandle<()>,
    /// Closed once no order is being carried out and the socket is closed.
    idle: Receiver<()>,
}

impl Steering {
    /// Opens the socket; orders come out of the receiver.
    pub(super) fn open(folder: &Path, board: StatusBoard) -> std::io::Result<(Self, Receiver<PendingOrder>)> {
        let listener = LocalListener::bind(folder, NAME)?;
        let (orders, asked) = bounded(64);
        let (busy, idle) = bounded(1);
        let task = spawn(async move {
            while let Ok(stream) = listener.accept().await {
                spawn(serve(stream, board.clone(), orders.clone(), busy.downgrade()));
            }
        });
        Ok((Self { task, idle }, asked))
    }

    /// Closes the socket, removes its file, and waits until what was answered is sent. Orders that nobody takes any more
    /// must be dropped before.
    pub(super) async fn close(self) {
        self.task.cancel().await;
        let _ = async_std::future::timeout(ANSWERING, self.idle.recv()).await;
    }
}

/// Answers one connection's orders, one after another.
async fn serve(mut stream: LocalStream, board: StatusBoard, orders: Sender<PendingOrder>, busy: WeakSender<()>) {
    while let Ok(Some(line)) = stream.line().await {
        let Some(_busy) = busy.upgrade() else { return };
        let answer = match serde_json::from_str(&line) {
            Ok(Order::Status) => Answer { done: true, text: String::new(), status: Some(Box::new(board.read())) },
            Ok(order) => carried_out(order, &orders).await,
            Err(error) => refused(format!("Unknown command: {error}.")),
        };
        let Ok(line) = serde_json::to_string(&without_secrets(answer)) else { return };
        if stream.send(&line).await.is_err() {
            return;
        }
    }
}

async fn carried_out(order: Order, orders: &Sender<PendingOrder>) -> Answer {
    let (reply, answer) = bounded(1);
    let sent = orders.send(PendingOrder { order, reply }).await;
    match answer.recv().await {
        Ok(answer) if sent.is_ok() => answer,
        _ => refused("The process ended before it could do this; `plan status` shows how."),
    }
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No process listens there.
    #[error("no process works on this run here")]
    Nobody,
    /// Somebody else could be the one who answers.
    #[error("the state directory is not trusted: {0}")]
    NotOurs(NotOurs),
    /// The process went away, or something else answered.
    #[error("the process did not answer: {0}")]
    Broken(String),
}

/// A connection to the process that works in a state directory.
pub struct ControlClient(LocalStream);

impl ControlClient {
    /// Connects to the process that works in `state_dir`.
    pub fn connect(state_dir: &Path) -> Result<Self, AskError> {
        use std::io::ErrorKind::{ConnectionRefused, NotFound};
        match async_std::task::block_on(LocalStream::connect(state_dir, NAME)) {
            Ok(stream) => Ok(Self(stream)),
            Err(error) if matches!(error.kind(), NotFound | ConnectionRefused) => Err(AskError::Nobody),
            Err(error) => Err(NotOurs::of(&error)
                .map_or_else(|| AskError::Broken(error.to_string()), |fault| AskError::NotOurs(fault.clone()))),
        }
    }

    /// Gives an order and waits for the answer, however long that takes.
    pub fn ask(&mut self, order: &Order) -> Result<Answer, AskError> {
        let broken = |error: &dyn std::fmt::Display| AskError::Broken(error.to_string());
        let line = serde_json::to_string(order).map_err(|error| broken(&error))?;
        let answer = async_std::task::block_on(async {
            self.0.send(&line).await?;
            self.0.line().await
        });
        let answer = answer.map_err(|error| broken(&error))?;
        let answer = answer.ok_or_else(|| AskError::Broken("it ended".to_owned()))?;
        serde_json::from_str(&answer).map_err(|error| broken(&error))
    }
}
