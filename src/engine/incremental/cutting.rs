//! A cutover while the source is followed: fence, drain, compare, seal. Each part is a signal to the loop of following, so
//! that the stream goes on being applied meanwhile. Until the seal everything can be undone, and is: the writers first.

use std::time::{Duration, Instant};

use super::{
    follow::{Follow, FollowPhase},
    sealing::Unsealed,
    settling::SettlingProgress,
    signal::Signal,
};
use crate::{
    engine::{
        drift,
        ending::Ending,
        fence::{self, Fenced, NO_REPLICAS, SOME_LAG},
        hooks::{Program, ProgramResult},
        orders::refused,
        run::Run,
        servers,
        settings::SourceSetting,
        steering::PendingOrder,
        teller::Teller,
    },
    journal::Record,
    net::{Control, ControlError},
    sink::Lease,
    step::{Activity, CutoverPart, CutoverResult, Event, Fence, Hook, Moment, StepId},
    unit::{Offset, UnixMillis},
};

/// The destination has caught up when it is less than this behind, in seconds.
const CAUGHT_UP: f64 = 1.0;
/// What is added where the time of a cutover was up while both sides were compared.
const TOO_LONG: &str = ", comparing both sides took too long: give it more time (`cutover.timeout`, or `--timeout` for one \
                        cutover), or let it read less (`verify.mode`)";

/// What the parts of a cutover tell the loop.
#[derive(Debug)]
pub(super) enum CutoverSignal {
    /// The source is fenced by the cutover of this number, or could not be.
    Fenced(u32, Result<Box<Fenced>, String>),
    /// A hook has run.
    Hook((usize, Hook), ProgramResult),
    /// What the source says of its offset, now that nothing is under way.
    Stands(u32, Box<Fenced>, Option<Offset>),
    /// The destination is sealed, or is not.
    Sealed(Box<Fenced>, Result<(), Unsealed>),
}

/// A cutover under way.
#[derive(Debug)]
pub(super) struct CutoverState {
    /// Counts the cutovers that this process has tried.
    pub(super) number: u32,
    pub(super) asked: Option<PendingOrder>,
    pub(super) part: CutoverPart,
    pub(super) began: Instant,
    pub(super) timeout: Duration,
    pub(super) fence: fence::FenceMeans,
    pub(super) fenced: Option<Box<Fenced>>,
    /// Since when writers are kept off.
    pub(super) since: Option<Instant>,
    /// What has to be applied.
    pub(super) offset: Offset,
    /// Where the fence was put up.
    pub(super) fenced_at: Offset,
    /// The connection that brought the stream then.
    pub(super) connection: Option<u64>,
    /// Hooks that are still to run while it is fenced.
    hooks: Vec<(usize, Hook)>,
    /// A hook runs, or the source is being asked where it stands.
    busy: bool,
    /// The source stands at what is applied.
    pub(super) stands: bool,
    /// Both sides were compared and are equal, or nothing is to be compared.
    pub(super) compared: bool,
    /// How far deadlines are made exact.
    pub(super) deadlines: SettlingProgress,
}

impl Follow {
    /// Begins a cutover. What stands against it was looked at before.
    pub(super) async fn begin_cutover(
        &mut self,
        timeout: Option<Duration>,
        asked: Option<PendingOrder>,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        let Some(work) = self.cutover_work.clone() else { return Ok(()) };
        let timeout = timeout.unwrap_or(work.timeout.0);
        let fence = match &work.fence {
            Fence::Hook(hook) => {
                let program = |argv: &[String]| Program::of(run, argv, timeout, "cutover.fence", &[]);
                fence::FenceMeans::Programs(Box::new((program(&hook.run), program(&hook.undo))))
            }
            fence => fence::FenceMeans::Server(fence.clone()),
        };
        self.cutovers += 1;
        self.phase = FollowPhase::Cutting(Box::new(CutoverState {
            number: self.cutovers,
            asked,
            part: CutoverPart::Fence,
            began: Instant::now(),
            timeout,
            fence,
            fenced: None,
            since: None,
            offset: Offset::default(),
            fenced_at: Offset::default(),
            connection: None,
            hooks: run.hooks_of(Moment::CutoverFenced),
            busy: false,
            stands: false,
            compared: run.verify_work().is_none() && !self.must_compare(),
            deadlines: SettlingProgress::of(self.deadlines),
        }));
        self.raise_fence(&work.fence, run, teller).await
    }

    /// Fences the source; compares both sides before that where nobody could read behind the fence.
    pub(super) async fn raise_fence(
        &mut self,
        fence: &Fence,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        if let Err(ending) = drift::compare(run, teller).await {
            return self.undo(&ending.summary, run, teller).await;
        }
        let mut control = match source_of(run).await {
            Ok(control) => control,
            Err(error) => return self.undo(&error.to_string(), run, teller).await,
        };
        let info = match servers::info(&mut control).await {
            Ok(info) => info,
            Err(error) => return self.undo(&error.to_string(), run, teller).await,
        };
        if let Err(ending) = self.look_for_losses(run, teller).await {
            let reason = ending.summary.trim_end_matches('.').to_owned();
            return self.undo_with(ending, &reason, run, teller).await;
        }
        // A doubt is about what was: no writer need be blocked while it is settled.
        let is_before = run.verify_work().is_none() && self.doubts.is_any();
        let FollowPhase::Cutting(cutting) = &mut self.phase else { return Ok(()) };
        if !cutting.compared && (is_before || !fence::lets_read(&cutting.fence, servers::version_of(&info))) {
            return self.compare(run, teller).await;
        }
        if cutting.deadlines == SettlingProgress::Deferred {
            self.settle_far(run, teller).await;
            return Ok(());
        }
        if let Some(reason) = cutting.deadlines.is_late(cutting.timeout) {
            return self.undo(&reason, run, teller).await;
        }
        cutting.part = CutoverPart::Fence;
        cutting.began = Instant::now();
        let (number, timeout, plan) = (cutting.number, cutting.timeout, cutting.fence.clone());
        teller.tell(Event::CutoverPart { part: CutoverPart::Fence, offset: None });
        if let Err(reason) = note_replicas(fence, run, &mut control, &self.lease, teller).await? {
            return self.undo(&reason, run, teller).await;
        }
        let signals = self.beside.tell.clone();
        async_std::task::spawn(async move {
            let fenced = fence::fence(control, plan, timeout).await.map(Box::new);
            let _ = signals.send(Signal::Cut(CutoverSignal::Fenced(number, fenced))).await;
        });
        Ok(())
    }

    /// Takes what a part of the cutover tells; answers how it went once it is sealed.
    pub(super) async fn take_cut(
        &mut self,
        cut: CutoverSignal,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<Option<CutoverResult>, Ending> {
        match cut {
            CutoverSignal::Fenced(number, fenced) => self.fenced(number, fenced, run, teller).await?,
            CutoverSignal::Hook(hook, ran) if hook.1.at == Moment::CutoverFenced => {
                let outcome = run.hook_ran(&hook, &ran, teller);
                if let FollowPhase::Cutting(cutting) = &mut self.phase {
                    cutting.busy = false;
                    if let Err(ending) = outcome {
                        self.undo(&ending.summary, run, teller).await?;
                    }
                }
            }
            CutoverSignal::Hook(hook, ran) => {
                self.catching_up = self.catching_up.saturating_sub(1);
                run.hook_ran(&hook, &ran, teller)?;
            }
            CutoverSignal::Stands(number, fenced, stands) => self.stands(number, fenced, stands, run, teller).await?,
            CutoverSignal::Sealed(fenced, sealed) => return self.sealed(fenced, sealed, run, teller).await,
        }
        Ok(None)
    }

    /// Runs the hooks of the moment at which the destination has caught up for the first time.
    pub(super) fn catch_up(&mut self, run: &Run) {
        // Under a load that never ends there is always something that is not applied yet.
        if self.caught_up || self.figures.lag(UnixMillis::now()).is_none_or(|lag| lag.seconds >= CAUGHT_UP) {
            return;
        }
        self.caught_up = true;
        let moment = Moment::IncrementalCaughtUp;
        let hooks = run.hooks_of(moment).into_iter();
        let programs: Vec<_> =
            hooks.map(|hook| (Program::of(run, &hook.1.run, hook.1.timeout.0, moment.name(), &[]), hook)).collect();
        self.catching_up = programs.len();
        let signals = self.beside.tell.clone();
        async_std::task::spawn(async move {
            for (program, hook) in programs {
                let ran = program.run().await;
                let _ = signals.send(Signal::Cut(CutoverSignal::Hook(hook, ran))).await;
            }
        });
    }

    /// The cutover of this number, if it is the one under way.
    pub(super) fn cutting(&mut self, number: u32) -> Option<&mut CutoverState> {
        match &mut self.phase {
            FollowPhase::Cutting(cutting) if cutting.number == number => Some(cutting),
            _ => None,
        }
    }

    async fn fenced(
        &mut self,
        number: u32,
        fenced: Result<Box<Fenced>, String>,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        let connection = self.intake.state.connection();
        let is_followed = fenced.as_ref().is_ok_and(|fenced| self.intake.state.is_of(fenced.facts.replid));
        match (self.cutting(number), fenced) {
            (Some(cutting), Ok(fenced)) => {
                (cutting.offset, cutting.since) = (fenced.offset, Some(fenced.since));
                (cutting.fenced_at, cutting.connection) = (fenced.offset, connection);
                cutting.fenced = Some(fenced);
                if !is_followed {
                    return self
                        .undo("the source goes by another history than the one that is followed", run, teller)
                        .await;
                }
                cutting.part = CutoverPart::Drain;
                teller.tell(Event::CutoverPart { part: CutoverPart::Drain, offset: Some(cutting.offset) });
            }
            (Some(_), Err(reason)) => self.undo(&reason, run, teller).await?,
            // It was undone before the fence was up.
            (None, Ok(fenced)) => drop(self.lift(*fenced, run, teller).await?),
            (None, Err(_)) => run.restore_settings(&SourceSetting::FENCE, teller).await?,
        }
        Ok(())
    }

    /// Looks whether the cutover can go on, or has taken too long. To be called after every signal.
    pub(super) async fn cut_on(&mut self, lease: &Lease, run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
        let FollowPhase::Cutting(cutting) = &mut self.phase else { return Ok(()) };
        let elapsed = cutting.since.unwrap_or(cutting.began).elapsed();
        if cutting.part != CutoverPart::Seal && !cutting.waits() && elapsed > cutting.timeout {
            let mut reason = format!("it was not sealed within {} s", cutting.timeout.as_secs_f64());
            if cutting.part == CutoverPart::Verify {
                reason.push_str(TOO_LONG);
            }
            if let Some(begun) = self.figures.gauge.transaction() {
                reason = format!("{reason}: {}", begun.text(UnixMillis::now()));
            }
            return self.undo(&reason, run, teller).await;
        }
        if cutting.part == CutoverPart::Verify && !self.compared(run, teller).await? {
            return Ok(());
        }
        let FollowPhase::Cutting(cutting) = &mut self.phase else { return Ok(()) };
        if cutting.part != CutoverPart::Drain || cutting.busy {
            return Ok(());
        }
        let signals = self.beside.tell.clone();
        if !cutting.hooks.is_empty() {
            cutting.busy = true;
            let hook = cutting.hooks.remove(0);
            let facts = [("PLAN_OFFSET", cutting.offset.to_string())];
            let program = Program::of(run, &hook.1.run, hook.1.timeout.0, Moment::CutoverFenced.name(), &facts);
            async_std::task::spawn(async move {
                let ran = program.run().await;
                let _ = signals.send(Signal::Cut(CutoverSignal::Hook(hook, ran))).await;
            });
            return Ok(());
        }
        let applied = self.figures.gauge.applied();
        if applied < cutting.offset {
            return Ok(());
        }
        // Nothing more is handed out; when nothing is under way either, the destination stands still.
        run.gate.set_open(false);
        if !(self.beside.window.is_whole() && self.figures.gauge.is_quiet()) {
            return Ok(());
        }
        let number = cutting.number;
        match cutting.fenced.take() {
            Some(mut fenced) if !fenced.is_proof() && !cutting.stands => {
                cutting.busy = true;
                async_std::task::spawn(async move {
                    let stands = fenced.offset_now().await;
                    let _ = signals.send(Signal::Cut(CutoverSignal::Stands(number, fenced, stands))).await;
                });
                Ok(())
            }
            Some(fenced) if cutting.compared && cutting.deadlines == SettlingProgress::Exact => {
                self.seal(fenced, lease, run, teller)
            }
            fenced => {
                cutting.fenced = fenced;
                if !cutting.compared {
                    return self.compare(run, teller).await;
                }
                self.settle_near(teller).await;
                Ok(())
            }
        }
    }

    /// A source that its fence does not stop for certain says where it stands: what it has written since is applied first.
    async fn stands(
        &mut self,
        number: u32,
        fenced: Box<Fenced>,
        stands: Option<Offset>,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        let applied = self.figures.gauge.applied();
        let mode = self.deadlines;
        let Some(cutting) = self.cutting(number) else { return self.lift(*fenced, run, teller).await.map(drop) };
        cutting.fenced = Some(fenced);
        cutting.busy = false;
        let Some(stands) = stands else {
            return self.undo("the source does not say where it stands", run, teller).await;
        };
        if stands > applied {
            cutting.offset = stands;
            cutting.deadlines.reopen(mode);
            run.gate.set_open(true);
        } else {
            cutting.stands = true;
        }
        Ok(())
    }

    /// Undoes a cutover because of what may end following too; whoever asks meanwhile hears that nothing can be cut over yet.
    pub(super) async fn undo_with(
        &mut self,
        ending: Ending,
        reason: &str,
        run: &mut Run,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        let ends = ending.is_again() || ending.is_loss();
        if ends {
            run.board.post(run.status(Some(StepId::Incremental), Activity::Preparing));
        }
        self.undo(reason, run, teller).await?;
        if ends { Err(ending) } else { Ok(()) }
    }

    /// Undoes a cutover: lets writers go on first, then follows on.
    pub(super) async fn undo(&mut self, reason: &str, run: &mut Run, teller: &mut Teller<'_>) -> Result<(), Ending> {
        let FollowPhase::Cutting(cutting) = std::mem::replace(&mut self.phase, FollowPhase::Holding) else {
            return Ok(());
        };
        let CutoverState { asked, part, fenced, since, deadlines, .. } = *cutting;
        let mut blocked = since.map_or(Duration::ZERO, |since| since.elapsed());
        if let Some(fenced) = fenced {
            blocked += self.lift(*fenced, run, teller).await?;
        } else {
            let noted = run.journal.state().settings.clone();
            run.restore_settings(&SourceSetting::FENCE, teller).await?;
            // A fence that is still being put up may come after this: it tells its end, and is lifted once more then.
            for setting in SourceSetting::FENCE.into_iter().filter(|_| part == CutoverPart::Fence) {
                if let Some((was, set_to)) = noted.get(setting.name()) {
                    run.note_setting(setting, was, set_to)?;
                }
            }
        }
        run.gate.set_open(true);
        if deadlines.has_begun(self.deadlines) {
            self.defer_again(run).await;
        }
        if part == CutoverPart::Verify {
            self.comparison.cancel().await;
        }
        if part == CutoverPart::Seal {
            run.journal.append(&Record::NotSealed)?;
        }
        let blocked = blocked.as_secs_f64();
        teller.tell(Event::CutoverUndone { part, reason: reason.to_owned(), blocked });
        if let Some(asked) = asked {
            asked.answer(refused(format!(
                "The cutover was undone, its part `{}` failed: {reason}. Writes were blocked for {blocked:.3} s; the run follows \
                 the source again.",
                part.name()
            )));
        }
        run.hooks(Moment::CutoverUndone, &[("PLAN_REASON", reason.to_owned())], teller).await
    }

    /// Lets writers go on; answers how much longer they are kept off.
    async fn lift(&mut self, fenced: Fenced, run: &mut Run, teller: &mut Teller<'_>) -> Result<Duration, Ending> {
        let lifted = fenced.lift().await;
        run.restore_settings(&SourceSetting::FENCE, teller).await?;
        let lasts = lifted.unwrap_or_else(|reason| {
            teller.notice(format!("The fence could not be lifted: {reason}. Lift it yourself."));
            Duration::ZERO
        });
        self.paused_until = Some(Instant::now() + lasts);
        Ok(lasts)
    }
}

impl CutoverState {
    /// Whether both sides are compared, or deadlines made exact, before the fence: no writer is blocked, and no time runs.
    pub(super) fn waits(&self) -> bool {
        matches!(self.part, CutoverPart::Verify | CutoverPart::Settle) && self.since.is_none()
    }

    pub(super) fn result(&self) -> CutoverResult {
        let blocked = self.since.map_or(0.0, |since| since.elapsed().as_secs_f64());
        let (fence, proven) = (self.fence.to_string(), self.fence.is_proof());
        CutoverResult { offset: self.offset, blocked, fence, proven, late: 0 }
    }
}

async fn source_of(run: &Run) -> Result<Control, ControlError> {
    run.request.servers.source.control().await
}

/// Notes the settings that a fence by `min-slaves-to-write` changes, and turns it on where it is off.
async fn note_replicas(
    fence: &Fence,
    run: &mut Run,
    control: &mut Control,
    lease: &Lease,
    teller: &mut Teller<'_>,
) -> Result<Result<(), String>, Ending> {
    if *fence != Fence::MinReplicas {
        return Ok(Ok(()));
    }
    let (lag, replicas) =
        (SourceSetting::MinReplicasLag.read(control).await, SourceSetting::MinReplicas.read(control).await);
    let (lag, replicas) = match (lag, replicas) {
        (Ok(lag), Ok(replicas)) => (lag, replicas),
        (Err(fault), _) | (_, Err(fault)) => {
            return Ok(Err(format!(
                "`min-slaves-to-write` of the source could not be read, so it could not be put back: {fault}"
            )));
        }
    };
    let mut changes = vec![(SourceSetting::MinReplicas, &replicas, NO_REPLICAS)];
    if lag == "0" {
        changes.push((SourceSetting::MinReplicasLag, &lag, SOME_LAG));
    }
    let mut destination = run.request.servers.destination.control().await?;
    for (setting, was, set_to) in changes {
        run.change_setting(setting, (was, set_to), teller)?;
        lease.note_setting(&mut destination, setting.name(), (was, set_to)).await?;
    }
    if lag == "0"
        && let Err(error) = control.command(&SourceSetting::MinReplicasLag.set(SOME_LAG)).await
    {
        return Ok(Err(error.to_string()));
    }
    Ok(Ok(()))
}
