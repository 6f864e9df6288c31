//! The one place that turns what happened into an exit code and a hint.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::output::Output;
use crate::plan::Report;
use crate::report::diagnostics::human;
use crate::step::Outcome;
use crate::store::own::NotOurs;
use crate::unit::{Clean, CleanLines, masked};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// As a run or a check ended.
    Outcome(Outcome),
    /// The question was answered with no.
    No,
    /// The command line is wrong.
    Usage,
    /// `plan` itself is wrong.
    Bug,
    /// Stopped with a durable checkpoint by a signal.
    Signal(UnixSignal),
}

/// The signals that stop a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnixSignal {
    /// Ctrl-C.
    Interrupt,
    /// `kill`, a scheduler, a shutdown.
    Terminate,
}

/// Why a subcommand could not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The plan has faults; this is the whole report of them.
    #[error("the plan has faults")]
    Faults(Box<Report>),
    /// The graph is not the one that was approved.
    #[error(
        "the plan's digest is {actual}, not the expected {expected}: it changed since it was reviewed\n\
         help: review `plan preview` again, then pass the digest it shows (`plan explain R006` says more)"
    )]
    Digest {
        /// What `--expect-digest` says.
        expected: String,
        /// What the plan comes to.
        actual: String,
    },
    /// A command line that clap cannot judge.
    #[error("{0}")]
    Usage(String),
    /// A file that was named on the command line.
    #[error("cannot read {}: {source}", shown(path))]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that was to be written.
    #[error("cannot write {}: {source}", shown(path))]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What somebody else could have written to a state directory.
    #[error(
        "the state directory {} is not trusted: {fault}\n\
         help: find out who made it, and name a directory of your own with --state (`plan explain R413` says more)",
        shown(path)
    )]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        fault: NotOurs,
    },
    /// The metrics cannot be served.
    #[error("cannot serve metrics at {address}: {source}\nhelp: port 0 takes one that is free")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Standard output, for another reason than that nobody reads it any more.
    #[error("cannot write the result: {0}")]
    Output(std::io::Error),
    /// What a server is entered with.
    #[error("{0}")]
    Secret(#[from] super::secrets::CredentialError),
    /// Signals cannot be caught, so no run could be stopped.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
    /// The demo could not be shown.
    #[error(transparent)]
    Demo(#[from] super::demo::DemoError),
    /// A process that works on a run did not answer an order.
    #[error("{0}\nhelp: `plan status` shows whether it still works")]
    Unanswered(crate::engine::AskError),
    /// No run to report on.
    #[error("{0}")]
    NoRun(String),
}

/// A path in one line: whoever named the file chose its letters.
fn shown(path: &Path) -> String {
    Clean(&path.display().to_string()).to_string()
}

impl Failure {
    /// Why a state directory cannot be read.
    pub(super) fn of_state(folder: &Path, source: std::io::Error) -> Self {
        let path = folder.to_owned();
        match NotOurs::of(&source).cloned() {
            Some(fault) => Self::NotOurs { path, fault },
            None => Self::Read { path, source },
        }
    }
}

impl Exit {
    const fn code(self) -> u8 {
        match self {
            Self::Outcome(outcome) => outcome.exit_code(),
            Self::No => 1,
            Self::Usage => 2,
            Self::Bug => 70,
            Self::Signal(UnixSignal::Interrupt) => 130,
            Self::Signal(UnixSignal::Terminate) => 143,
        }
    }

    /// The exit code a command answered with, or that its result could not be written.
    pub(super) fn of_answer(code: std::io::Result<u8>) -> Result<Self, Failure> {
        Ok(match code.map_err(Failure::Output)? {
            0 => Self::Outcome(Outcome::Done),
            1 => Self::No,
            _ => Self::Usage,
        })
    }

    /// Says what is wrong with the command line, or prints the help that was asked for.
    pub(super) fn of_usage(error: &clap::Error) -> Self {
        _ = error.print();
        if error.use_stderr() { Self::Usage } else { Self::Outcome(Outcome::Done) }
    }

    /// Says why a subcommand failed.
    pub(super) fn of_failure(failure: &Failure) -> Self {
        let mut err = Output::stderr();
        let (exit, text) = match failure {
            Failure::Faults(report) => (Self::No, human(report, err.style())),
            Failure::Digest { .. } => (Self::Outcome(Outcome::Stale), format!("error: {failure}\n")),
            Failure::Usage(_) | Failure::Read { .. } | Failure::NoRun(_) => {
                (Self::Usage, format!("error: {failure}\n"))
            }
            Failure::Listen { .. }
            | Failure::NotOurs { .. }
            | Failure::Write { .. }
            | Failure::Output(_)
            | Failure::Secret(_)
            | Failure::Demo(_)
            | Failure::Unanswered(_)
            | Failure::Signals(_) => (Self::Outcome(Outcome::Failed), format!("error: {failure}\n")),
        };
        let text = if matches!(failure, Failure::Faults(_)) { text } else { CleanLines(&masked(&text)).to_string() };
        _ = err.write_all(text.as_bytes());
        exit
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_has_the_documented_code() {
        let outcomes = [
            (Outcome::Done, 0),
            (Outcome::Refused, 1),
            (Outcome::Failed, 3),
            (Outcome::Held, 4),
            (Outcome::Locked, 5),
            (Outcome::Stale, 6),
            (Outcome::Sealed, 7),
            (Outcome::Stopped, 75),
        ];
        for (outcome, code) in outcomes {
            assert_eq!(Exit::Outcome(outcome).code(), code);
        }
        let others = [Exit::No, Exit::Usage, Exit::Bug];
        assert_eq!(others.map(Exit::code), [1, 2, 70]);
        assert_eq!(
            [UnixSignal::Interrupt, UnixSignal::Terminate].map(|signal| Exit::Signal(signal).code()),
            [130, 143]
        );
    }
}
