//! The settings of the source that the run has to put back, as they stand now: what writes the run record back needs them.

use std::sync::{Arc, Mutex, PoisonError};

use super::{ChangedSettings, record::setting_field};

/// The settings to put back. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct NotedSettings(Arc<Mutex<ChangedSettings>>);

impl NotedSettings {
    /// They stand so now. To be called before the run record says so.
    pub fn set(&self, settings: ChangedSettings) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// Their fields in the run record, and the values of these.
    #[must_use]
    pub fn fields(&self) -> Vec<(String, String)> {
        let settings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        settings.iter().map(|(name, setting)| setting_field(name, setting)).collect()
    }
}
