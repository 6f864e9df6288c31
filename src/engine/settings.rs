//! Settings of the source that a run changes: recorded before they are changed, and put back on every ending, unless
//! somebody else changed them meanwhile.

use redis::cmd;

use super::{ending::Ending, run::Run, teller::Teller};
use crate::{
    journal::Record,
    net::{Control, ControlError},
    plan::fault::catalogue::runs,
    sink::ChangedSettings,
    step::Event,
};

/// A setting that a run may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceSetting {
    /// The output-buffer limit of replicas. The class `slave` is known to every version, its alias `replica` only from
    /// 5.0 on.
    ReplicaOutput,
    /// How many replicas must be there for a write; the old name is known to every version.
    MinReplicas,
    /// How late these may be, in seconds; 0 turns the whole off.
    MinReplicasLag,
}

impl SourceSetting {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::ReplicaOutput, Self::MinReplicas, Self::MinReplicasLag];
    /// Those of a fence.
    pub(super) const FENCE: [Self; 2] = [Self::MinReplicas, Self::MinReplicasLag];

    /// Its name for `CONFIG`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ReplicaOutput => "client-output-buffer-limit",
            Self::MinReplicas => "min-slaves-to-write",
            Self::MinReplicasLag => "min-slaves-max-lag",
        }
    }

    /// Its value; an error when the server does not show it.
    pub(super) async fn read(self, control: &mut Control) -> Result<String, Unread> {
        let value = control.config_get(self.name()).await?.ok_or(Unread::Missing)?;
        let value = if self == Self::ReplicaOutput { row_of_replicas(&value).ok_or(Unread::Missing)? } else { value };
        // What is noted and put back is numbers, and nothing else that a server may say.
        let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        if value.split(' ').all(is_number) { Ok(value) } else { Err(Unread::Missing) }
    }

    /// The command that sets it.
    pub(super) fn set(self, value: &str) -> redis::Cmd {
        let value = if self == Self::ReplicaOutput { format!("slave {value}") } else { value.to_owned() };
        cmd("CONFIG").arg("SET").arg(self.name()).arg(value).clone()
    }

    async fn write(self, control: &mut Control, value: &str) -> Result<(), ControlError> {
        control.command(&self.set(value)).await.map(drop)
    }
}

/// The numbers of the class of replicas in the value of `client-output-buffer-limit`.
fn row_of_replicas(value: &str) -> Option<String> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let row = words.chunks_exact(4).find(|row| matches!(row.first(), Some(&"slave" | &"replica")))?;
    Some(row.get(1..)?.join(" "))
}

/// Why the value of a setting is not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    /// The conversation failed, or the server refused.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The server answered, and the setting is not in its answer.
    #[error("the server does not show the setting")]
    Missing,
}

impl Unread {
    /// Whether the server answered that it does not show the setting to this user.
    pub(super) fn is_answer(&self) -> bool {
        match self {
            Self::Control(error) => !matches!(error, ControlError::Net(_)) && !error.retryable(),
            Self::Missing => true,
        }
    }

    /// The same fault, on the way to put back a setting that was `was`.
    fn while_changed(self, setting: SourceSetting, was: &str) -> Ending {
        match self {
            Self::Control(error) if error.retryable() => error.into(),
            fault => left(setting, was, &fault),
        }
    }
}

impl From<Unread> for Ending {
    fn from(fault: Unread) -> Self {
        match fault {
            Unread::Control(error) => error.into(),
            Unread::Missing => Self::failed(fault.to_string()),
        }
    }
}

/// A setting of the source that this process could not put back. It stays recorded, so that the next process tries again.
fn left(setting: SourceSetting, was: &str, fault: &dyn std::fmt::Display) -> Ending {
    let name = setting.name();
    Ending::of(
        &runs::SETTINGS_LEFT,
        format!(
            "The source's `{name}`, which this run has changed, is not put back: {fault}. It stays recorded. Grant the \
             user of this plan `+config|get +config|set` at the source (or set `{name}` to `{was}` there yourself), then \
             run `plan cleanup`."
        ),
    )
}

impl Run {
    /// Notes and tells that a setting is about to be changed. To be called before it is.
    pub(super) fn change_setting(
        &mut self,
        setting: SourceSetting,
        (was, set_to): (&str, &str),
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        self.note_setting(setting, was, set_to)?;
        let (setting, was, set_to) = (setting.name().to_owned(), was.to_owned(), set_to.to_owned());
        teller.tell(Event::SettingChanged { setting, was, set_to });
        Ok(())
    }

    /// Notes that a setting may be changed.
    pub(super) fn note_setting(&mut self, setting: SourceSetting, was: &str, set_to: &str) -> Result<(), Ending> {
        let (name, was, set_to) = (setting.name().to_owned(), was.to_owned(), set_to.to_owned());
        self.append_setting(&Record::SettingWas { name, was, set_to })
    }

    /// Notes what is to be put back, or is.
    fn append_setting(&mut self, record: &Record) -> Result<(), Ending> {
        self.journal.append(record)?;
        self.noted.set(self.journal.state().settings.clone());
        Ok(())
    }

    /// Takes over what another process of this run has changed; answers whether there was something.
    pub(super) fn adopt_settings(&mut self, changed: &ChangedSettings) -> Result<bool, Ending> {
        let mine = self.journal.state().settings.clone();
        let others = changed.iter().filter(|(name, _)| !mine.contains_key(*name));
        let mut some = false;
        for (name, (was, set_to)) in others {
            let (name, was, set_to) = (name.clone(), was.clone(), set_to.clone());
            self.append_setting(&Record::SettingWas { name, was, set_to })?;
            some = true;
        }
        Ok(some)
    }

    /// Puts those of `settings` back that this run has changed.
    pub(super) async fn restore_settings(
        &mut self,
        settings: &[SourceSetting],
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        let changed = self.journal.state().settings.clone();
        if !settings.iter().any(|setting| changed.contains_key(setting.name())) {
            return Ok(());
        }
        let mut control = self.request.servers.source.control().await?;
        let mut ending: Result<(), Ending> = Ok(());
        for setting in settings {
            let Some(noted) = changed.get(setting.name()) else { continue };
            // One that cannot be put back keeps none of the others.
            let outcome = self.restore_setting(*setting, noted, &mut control, teller).await;
            ending = match (ending, outcome) {
                (Err(first), Err(next)) if first.summary != next.summary => Err(first.also(&next)),
                (ending, outcome) => ending.and(outcome),
            };
        }
        ending
    }

    /// Puts one setting back. On an error it stays recorded.
    async fn restore_setting(
        &mut self,
        setting: SourceSetting,
        (was, set_to): &(String, String),
        control: &mut Control,
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        let found = setting.read(control).await.map_err(|fault| fault.while_changed(setting, was))?;
        let now = if found == *set_to {
            let written = setting.write(control, was).await;
            written.map_err(|fault| Unread::from(fault).while_changed(setting, was))?;
            was.clone()
        } else {
            if found != *was {
                teller.notice(format!(
                    "The source's `{}` is now `{found}`, which is neither what this run set nor what it was before (`{was}`). \
                     It was changed by someone else, so it is not restored.",
                    setting.name(),
                ));
            }
            found
        };
        let name = setting.name().to_owned();
        self.append_setting(&Record::SettingRestored { name: name.clone() })?;
        teller.tell(Event::SettingRestored { setting: name, was: was.clone(), now });
        Ok(())
    }
}
