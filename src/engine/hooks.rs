//! The plan's hooks: programs of the operator that run at moments of a run.
//!
//! A hook runs without a shell, in a process group of its own that is ended when its time is up. It is told of the run in
//! its environment: `PLAN_NAME`, `PLAN_RUN`, `PLAN_MOMENT`, `PLAN_STATE`, and what the moment knows, such as
//! `PLAN_OFFSET`. A hook whose moment comes once in a run is not run again by a later process once it has ended with 0.

use std::{
    ffi::OsString,
    io::Read,
    path::PathBuf,
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use super::{ending::Ending, run::Run, teller::Teller};
use crate::{
    journal::Record,
    step::{Event, Hook, Moment, OnError, Outcome},
    unit::{Clean, masked},
};

/// How often the end of a program is looked for.
const LOOK: Duration = Duration::from_millis(10);
/// The most of a program's output that is kept: its end.
const KEPT: usize = 4 << 10;
/// And of what is searched for secrets before: the longest secret more.
const HELD: usize = KEPT + (64 << 10);

/// A program to run.
#[derive(Clone, Debug)]
pub(super) struct Program {
    argv: Vec<String>,
    folder: PathBuf,
    environment: Vec<(OsString, OsString)>,
    timeout: Duration,
}

/// What came of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProgramResult {
    /// `None` when it ended with 0; else how it failed, with the end of its output.
    pub(super) failure: Option<String>,
    pub(super) took: Duration,
}

impl Program {
    /// The program of this run, told of `moment` and `facts`.
    pub(super) fn of(run: &Run, argv: &[String], timeout: Duration, moment: &str, facts: &[(&str, String)]) -> Self {
        let state = run.journal.state();
        let state_dir = std::path::absolute(&run.request.state_dir).unwrap_or_else(|_| run.request.state_dir.clone());
        let mut environment = run.request.environment.clone();
        let told = [
            ("PLAN_NAME", run.request.graph.name.clone().into()),
            ("PLAN_RUN", state.run.clone().into()),
            ("PLAN_MOMENT", moment.to_owned().into()),
            ("PLAN_STATE", state_dir.into_os_string()),
        ];
        environment.extend(told.map(|(name, value)| (name.into(), value)));
        environment.extend(facts.iter().map(|(name, value)| (OsString::from(name), fact(value).into())));
        Self { argv: argv.to_vec(), folder: run.request.folder.clone(), environment, timeout }
    }

    /// Its name.
    pub(super) fn name(&self) -> String {
        self.argv.first().cloned().unwrap_or_default()
    }

    /// Runs it to its end.
    pub(super) async fn run(self) -> ProgramResult {
        async_std::task::spawn_blocking(move || self.run_blocking()).await
    }

    fn run_blocking(&self) -> ProgramResult {
        let begun = Instant::now();
        let failure = self.attempt(begun).err();
        ProgramResult { failure, took: begun.elapsed() }
    }

    fn attempt(&self, begun: Instant) -> Result<(), String> {
        let (output, input) = std::io::pipe().map_err(|error| error.to_string())?;
        let mut command = self.command().ok_or("it has no name")?;
        command.stdout(input.try_clone().map_err(|error| error.to_string())?).stderr(input);
        let mut child = command.spawn().map_err(|error| format!("it cannot be started: {error}"))?;
        // Its ends of the pipe are the child's alone from here on.
        drop(command);
        let reading = std::thread::spawn(move || last_of(output));
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Ok(status),
                Ok(None) if begun.elapsed() < self.timeout => std::thread::sleep(LOOK),
                Ok(None) => break Err(format!("it was ended after {} s, its time", self.timeout.as_secs())),
                Err(error) => break Err(error.to_string()),
            }
        };
        // What it has started goes with it, and lets go of the pipe.
        if let Some(group) = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap_or(0)) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = child.wait();
        let said = reading.join().unwrap_or_default();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(with_output(&ended(status), &said)),
            Err(how) => Err(with_output(&how, &said)),
        }
    }

    fn command(&self) -> Option<Command> {
        let mut command = crate::store::program(&self.folder, &self.argv)?;
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        Some(command)
    }
}

/// A fact as a program may be told it: it may repeat what a server said, and no variable can hold a NUL.
fn fact(value: &str) -> String {
    Clean(&masked(value)).to_string()
}

/// The end of what comes out of a program.
fn last_of(mut output: impl Read) -> String {
    let mut kept = vec![];
    let mut piece = [0; 4096];
    while let Ok(count) = output.read(&mut piece) {
        if count == 0 {
            break;
        }
        kept.extend_from_slice(piece.get(..count).unwrap_or_default());
        let before = kept.len().saturating_sub(HELD);
        kept.drain(..before);
    }
    // Masked before it is cut, so that no part of a secret is left at its beginning.
    let text = masked(String::from_utf8_lossy(&kept).trim()).into_owned();
    let begin = (text.len().saturating_sub(KEPT)..text.len()).find(|at| text.is_char_boundary(*at));
    text.get(begin.unwrap_or_default()..).unwrap_or_default().to_owned()
}

fn ended(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("it ended with {code}"),
        None => "a signal ended it".to_owned(),
    }
}

fn with_output(how: &str, said: &str) -> String {
    if said.is_empty() { how.to_owned() } else { format!("{how}: {said}") }
}

/// Whether a moment comes once in a run.
const fn comes_once(moment: Moment) -> bool {
    !matches!(
        moment,
        Moment::FullStarted
            | Moment::CutoverFenced
            | Moment::CutoverUndone
            | Moment::PrecheckPassed
            | Moment::RunFailed
    )
}

impl Run {
    /// The hooks of a moment that are still to run: place in the plan, and the hook.
    pub(super) fn hooks_of(&self, moment: Moment) -> Vec<(usize, Hook)> {
        let done = &self.journal.state().hooks;
        let hooks = self.request.graph.hooks.iter().cloned().enumerate();
        hooks.filter(|(index, hook)| hook.at == moment && !(comes_once(moment) && done.contains(index))).collect()
    }

    /// Notes what came of a hook, and says what it means.
    pub(super) fn hook_ran(
        &mut self,
        (index, hook): &(usize, Hook),
        ran: &ProgramResult,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        let program = hook.run.first().cloned().unwrap_or_default();
        let failure = ran.failure.clone();
        let seconds = ran.took.as_secs_f64();
        teller.tell(Event::HookRan { moment: hook.at, program: program.clone(), seconds, failure: failure.clone() });
        let Some(failure) = failure else {
            if comes_once(hook.at) {
                self.journal.append(&Record::HookDone { hook: *index })?;
            }
            return Ok(());
        };
        let text = format!("The hook `{program}` at {} failed: {failure}", hook.at);
        match hook.on_error {
            OnError::Report => Ok(()),
            OnError::Fail => Err(Ending::failed(format!("{text}. Fix it and rerun the command."))),
            OnError::Hold => {
                let text = format!("{text}. The run is held; once that is fixed, the same command runs it again.");
                Err(Ending::new(Outcome::Held, text))
            }
        }
    }

    /// Runs the hooks of a moment, one after another.
    pub(super) async fn hooks(
        &mut self,
        moment: Moment,
        facts: &[(&str, String)],
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        for hook in self.hooks_of(moment) {
            let program = Program::of(self, &hook.1.run, hook.1.timeout.0, moment.name(), facts);
            let ran = program.run().await;
            self.hook_ran(&hook, &ran, teller)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(script: &str, timeout: Duration) -> Program {
        Program {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            folder: PathBuf::from("."),
            environment: vec![("PATH".into(), "/usr/bin:/bin".into()), ("TOLD".into(), "this".into())],
            timeout,
        }
    }

    #[test]
    fn a_program_is_told_and_its_failure_is_quoted() {
        let run = |script| program(script, Duration::from_secs(20)).run_blocking().failure;
        assert_eq!(run("test \"$TOLD\" = this"), None);
        assert_eq!(run("echo no; exit 3").unwrap(), "it ended with 3: no");
        assert_eq!(run("kill -9 $$").unwrap(), "a signal ended it");
        let long = run("yes | head -c 100000; exit 1").unwrap();
        assert!(long.len() < KEPT + 100, "{}", long.len());
    }

    #[test]
    fn a_program_and_what_it_started_end_with_its_time() {
        let begun = Instant::now();
        let ran = program("sleep 30 & sleep 30", Duration::from_millis(100)).run_blocking();
        assert!(ran.failure.unwrap().contains("its time"));
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let missing = Program { argv: vec!["/no/such/program".to_owned()], ..program("", Duration::from_secs(1)) };
        assert!(missing.run_blocking().failure.unwrap().contains("cannot be started"));
    }
}
