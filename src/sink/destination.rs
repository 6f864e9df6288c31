//! What the destination can take.

use crate::{
    rdb::{Kind, ModuleId},
    unit::{Dialect, Expiry, ServerVersion},
};

/// What is known of the destination before anything is written to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its version.
    pub version: ServerVersion,
    /// The RDB version in the payloads it makes itself, read from a DUMP.
    pub rdb_version: u16,
    /// Names of the modules that it has loaded; `None` where it does not list them.
    pub modules: Option<Vec<String>>,
    /// How many databases it has.
    pub databases: u32,
    /// How deadlines are written there.
    pub expiry: Expiry,
}

/// How a value can be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// As the bytes the source sent, with RESTORE and this RDB version in the footer.
    Restore {
        /// The version to stamp.
        version: u16,
    },
    /// As native commands.
    Native,
    /// Not at all, for this reason.
    Unsupported(String),
}

impl Destination {
    /// How a value of this kind can be sent. RESTORE refuses a footer version above the server's own (and any but 6
    /// before 3.2), Valkey 12 to 79 as well (cluster.c, `verifyDumpPayload`), so the lowest version that knows the type
    /// is stamped.
    #[must_use]
    pub fn form(&self, kind: Kind, module: Option<ModuleId>) -> Form {
        match kind {
            Kind::ModulePreGa => {
                Form::Unsupported("a module value of a 4.0 release candidate cannot be moved".to_owned())
            }
            Kind::Module2 => self.module_form(module),
            // From 6.2 on a server refuses one of more pairs than its first byte can count.
            Kind::HashZipmap => Form::Native,
            _ if self.restores(kind) => Form::Restore { version: kind.since() },
            _ if kind.type_name() == "stream" && !self.version.has_redis((5, 0)) => {
                Form::Unsupported(format!("{} has no streams", self.version))
            }
            _ => Form::Native,
        }
    }

    fn restores(&self, kind: Kind) -> bool {
        // A payload holds its fields' deadlines as they are.
        if self.expiry.defers() && kind.has_field_deadlines() {
            return false;
        }
        let vendor = kind.only().is_none_or(|only| only == self.version.dialect);
        // Release candidates' types were given up before 7.4: no released server is trusted with them.
        let released = !matches!(kind, Kind::HashMetadataPreGa | Kind::HashListpackExPreGa);
        vendor && released && kind.since() <= self.rdb_version
    }

    /// Servers before 6.2 exit on a module value that they do not know (rdb.c, `rdbLoadObject`), so one is sent to them only
    /// where its module is known to be. Later ones answer with an error, so every type may be tried where there can be a
    /// module for it.
    fn module_form(&self, module: Option<ModuleId>) -> Form {
        let name = module.map(ModuleId::name).unwrap_or_default();
        let built_in = name == "vectorset" && self.version.has((8, 0), (u16::MAX, 0));
        let provides = |loaded: &String| module_provides(loaded, &name);
        let there = self.modules.iter().flatten().any(provides);
        let tried = self.version.has_redis((6, 2)) && self.modules.as_ref().is_none_or(|modules| !modules.is_empty());
        if built_in || there || tried {
            Form::Restore { version: Kind::Module2.since() }
        } else {
            Form::Unsupported(format!("the destination has no module for the type `{name}`"))
        }
    }

    /// The words after a RESTORE payload that this destination knows: REPLACE came with 3.0, ABSTTL, IDLETIME and FREQ
    /// with 5.0.0 (cluster.c, `restoreCommand`).
    #[must_use]
    pub fn knows_replace(&self) -> bool {
        self.version.has_redis((3, 0))
    }

    /// See [`Self::knows_replace`].
    #[must_use]
    pub fn knows_absolute_expiry(&self) -> bool {
        self.version.has_redis((5, 0))
    }

    /// Whether SET takes an absolute expiry: PXAT came with 6.2 (`t_string.c`, `parseExtendedStringArgumentsOrReply`).
    #[must_use]
    pub fn knows_expiry_in_set(&self) -> bool {
        self.version.has_redis((6, 2))
    }

    /// Whether fields of hashes have deadlines there (7.4, Valkey 9.0).
    #[must_use]
    pub fn knows_field_deadlines(&self) -> bool {
        self.version.has((7, 4), (9, 0))
    }

    /// Whether it has function libraries.
    #[must_use]
    pub fn knows_functions(&self) -> bool {
        self.version.has_redis((7, 0))
    }

    /// Whether FLUSHDB can free memory in the background.
    #[must_use]
    pub fn knows_async_flush(&self) -> bool {
        self.version.has_redis((4, 0))
    }

    /// The dialect of its payloads.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.version.dialect
    }
}

/// The types that well-known modules bring, by the module's name in `MODULE LIST`.
const MODULE_TYPES: [(&str, &[&str]); 5] = [
    ("bf", &["MBbloom--", "MBbloomCF", "CMSk-TYPE", "TopK-TYPE", "TDIS-TYPE"]),
    ("ReJSON", &["ReJSON-RL"]),
    ("timeseries", &["TSDB-TYPE"]),
    ("graph", &["graphdata", "graphmeta"]),
    ("vectorset", &["vectorset"]),
];

fn module_provides(loaded: &str, type_name: &str) -> bool {
    let known = MODULE_TYPES.iter().find(|(module, _)| module.eq_ignore_ascii_case(loaded));
    known.is_some_and(|(_, types)| types.contains(&type_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(version: ServerVersion, rdb_version: u16) -> Destination {
        Destination { version, rdb_version, modules: Some(vec![]), databases: 16, expiry: Expiry::Exact }
    }

    #[test]
    fn the_stamp_is_the_lowest_version_that_knows_the_type() {
        let old = destination(ServerVersion::redis(5, 0, 10), 9);
        assert_eq!(old.form(Kind::String, None), Form::Restore { version: 6 });
        assert_eq!(old.form(Kind::StreamListpacks, None), Form::Restore { version: 9 });
        assert_eq!(old.form(Kind::HashListpack, None), Form::Native);
        let valkey = destination(ServerVersion::valkey(9, 1, 2), 80);
        assert_eq!(valkey.form(Kind::SetListpack, None), Form::Restore { version: 11 });
        assert_eq!(valkey.form(Kind::ValkeyHash2, None), Form::Restore { version: 80 });
        assert_eq!(valkey.form(Kind::HashMetadata, None), Form::Native);
        let redis = destination(ServerVersion::redis(8, 2, 3), 12);
        assert_eq!(redis.form(Kind::HashMetadata, None), Form::Restore { version: 12 });
        assert_eq!(redis.form(Kind::ValkeyHash2, None), Form::Native);
        let ancient = destination(ServerVersion::redis(3, 2, 9), 7);
        assert!(matches!(ancient.form(Kind::StreamListpacks, None), Form::Unsupported(_)));
    }

    #[test]
    fn a_module_value_goes_only_where_its_module_is() {
        let mut redis = destination(ServerVersion::redis(7, 2, 4), 11);
        assert!(matches!(redis.form(Kind::Module2, None), Form::Unsupported(_)));
        redis.modules = Some(vec!["bf".to_owned()]);
        assert!(matches!(redis.form(Kind::Module2, None), Form::Restore { .. }), "it can be tried");
        redis.modules = None;
        assert!(matches!(redis.form(Kind::Module2, None), Form::Restore { .. }), "it can be tried");
        let mut old = destination(ServerVersion::redis(6, 0, 9), 9);
        old.modules = Some(vec!["bf".to_owned()]);
        assert!(matches!(old.form(Kind::Module2, None), Form::Unsupported(_)), "it would exit");
        old.modules = None;
        assert!(matches!(old.form(Kind::Module2, None), Form::Unsupported(_)), "it would exit");
        assert!(module_provides("bf", "MBbloom--"));
        assert!(!module_provides("bf", "ReJSON-RL"));
    }
}
