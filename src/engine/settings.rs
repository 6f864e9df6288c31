//! Settings of the source that a run changes: recorded before they are changed, and put back on every ending, unless
//! somebody else changed them meanwhile.

use redis::cmd;

use super::{ending::Ending, run::Run, servers, teller::Teller};
use crate::{
    journal::Record,
    net::{Control, ControlError},
    sink::Settings,
    step::Event,
};

/// A setting that a run may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// The output-buffer limit of replicas. The class `slave` is known to every version, its alias `replica` only from
    /// 5.0 on.
    ReplicaOutput,
    /// How many replicas must be there for a write; the old name is known to every version.
    MinReplicas,
    /// How late these may be, in seconds; 0 turns the whole off.
    MinReplicasLag,
}

impl Setting {
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

    /// Its value; `None` when the server does not show it.
    pub(super) async fn read(self, control: &mut Control) -> Option<String> {
        let value = control.config_get(self.name()).await.ok()??;
        if self != Self::ReplicaOutput {
            return Some(value);
        }
        let words: Vec<&str> = value.split_ascii_whitespace().collect();
        let row = words.chunks_exact(4).find(|row| matches!(row.first(), Some(&"slave" | &"replica")))?;
        Some(row.get(1..)?.join(" "))
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

impl Run {
    /// Notes and tells that a setting is about to be changed. To be called before it is.
    pub(super) fn change_setting(
        &mut self,
        setting: Setting,
        (was, set_to): (&str, &str),
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        self.note_setting(setting, was, set_to)?;
        let (setting, was, set_to) = (setting.name().to_owned(), was.to_owned(), set_to.to_owned());
        teller.tell(Event::SettingChanged { setting, was, set_to });
        Ok(())
    }

    /// Notes that a setting may be changed.
    pub(super) fn note_setting(&mut self, setting: Setting, was: &str, set_to: &str) -> Result<(), Ending> {
        let (name, was, set_to) = (setting.name().to_owned(), was.to_owned(), set_to.to_owned());
        Ok(self.journal.append(&Record::SettingWas { name, was, set_to })?)
    }

    /// Takes over what another process of this run has changed; answers whether there was something.
    pub(super) fn adopt_settings(&mut self, changed: &Settings) -> Result<bool, Ending> {
        let mine = self.journal.state().settings.clone();
        let others = changed.iter().filter(|(name, _)| !mine.contains_key(*name));
        let mut some = false;
        for (name, (was, set_to)) in others {
            let (name, was, set_to) = (name.clone(), was.clone(), set_to.clone());
            self.journal.append(&Record::SettingWas { name, was, set_to })?;
            some = true;
        }
        Ok(some)
    }

    /// Puts those of `settings` back that this run has changed.
    pub(super) async fn restore_settings(
        &mut self,
        settings: &[Setting],
        teller: &mut Teller<'_>,
    ) -> Result<(), Ending> {
        let changed = self.journal.state().settings.clone();
        if !settings.iter().any(|setting| changed.contains_key(setting.name())) {
            return Ok(());
        }
        let graph = &self.request.graph;
        let mut control = servers::connect(&graph.source, self.request.passwords.source.as_ref()).await?;
        for setting in settings {
            let Some((was, set_to)) = changed.get(setting.name()) else { continue };
            let now = match setting.read(&mut control).await {
                Some(now) if now == *set_to => {
                    setting.write(&mut control, was).await?;
                    was.clone()
                }
                Some(now) if now == *was => now,
                now => {
                    let now = now.unwrap_or_default();
                    teller.notice(format!(
                        "The source's `{}` is `{now}` now, which is neither what this run set nor what it found (`{was}`): \
                         somebody changed it, and it is left so.",
                        setting.name(),
                    ));
                    now
                }
            };
            let name = setting.name().to_owned();
            self.journal.append(&Record::SettingRestored { name: name.clone() })?;
            teller.tell(Event::SettingRestored { setting: name, was: was.clone(), now });
        }
        Ok(())
    }
}
