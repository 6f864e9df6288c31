//! FUNCTION. Libraries belong to a server as a whole, so what the source does with all of its own is done to those that came
//! from it, by their names.

use std::{borrow::Cow, collections::BTreeSet};

use super::{
    Outgoing, Translator,
    words::{Argv, fixed},
};
use crate::{
    rdb,
    sink::libraries::{Owner, library_name},
    unit::Db,
};

/// The RDB version that came with functions (7.0).
const FUNCTIONS: u16 = 10;

impl Translator {
    /// FUNCTION. Nothing else of it comes in a stream.
    pub(super) fn function(&mut self, words: &Argv<'_>, out: &mut Outgoing) {
        let done = match words.get(1).unwrap_or_default().to_ascii_uppercase().as_slice() {
            b"LOAD" => self.load_library(words, out),
            b"DELETE" => {
                self.delete_library(words, out);
                Ok(())
            }
            b"FLUSH" => self.flush_libraries(out),
            b"RESTORE" => self.restore_libraries(words, out),
            _ => {
                out.send(std::slice::from_ref(words), Db(0));
                Ok(())
            }
        };
        if let Err(reason) = done {
            self.leave(words, Db(0), &reason, out);
        }
    }

    /// LOAD: REPLACE is said only of what came from the source, so that the destination refuses to replace another.
    fn load_library(&mut self, words: &Argv<'_>, out: &mut Outgoing) -> Result<(), String> {
        let code = words.word(words.len().saturating_sub(1));
        let name = library_name(&code).ok_or("the first line of the library does not name it")?;
        let replaces = self.replaces(std::slice::from_ref(&name))?;
        let replace = replaces.then_some(fixed("REPLACE"));
        out.send(&[Argv::new("FUNCTION", [fixed("LOAD")].into_iter().chain(replace).chain([code]))], Db(0));
        self.setup.libraries.add(name);
        self.note_libraries(out);
        Ok(())
    }

    fn delete_library(&mut self, words: &Argv<'_>, out: &mut Outgoing) {
        let name = String::from_utf8_lossy(words.get(2).unwrap_or_default()).into_owned();
        let known = self.setup.libraries.ours().is_none_or(|ours| ours.contains(&name));
        if !known {
            out.filtered += 1;
            return;
        }
        out.send(std::slice::from_ref(words), Db(0));
        self.setup.libraries.remove(&name);
        self.note_libraries(out);
    }

    fn flush_libraries(&mut self, out: &mut Outgoing) -> Result<(), String> {
        let ours: BTreeSet<String> = self.setup.libraries.ours().cloned().ok_or_else(|| {
            "this run was begun by version 0.1, so which libraries at the destination came from the source is not recorded"
                .to_owned()
        })?;
        for name in &ours {
            let args = [fixed("DELETE"), Cow::Borrowed(name.as_bytes())];
            out.send(&[Argv::new("FUNCTION", args)], Db(0));
            self.setup.libraries.remove(name);
        }
        if !ours.is_empty() {
            self.note_libraries(out);
        }
        Ok(())
    }

    /// RESTORE, with a version that every server with functions takes. Its policy FLUSH is done as FLUSH is.
    fn restore_libraries(&mut self, words: &Argv<'_>, out: &mut Outgoing) -> Result<(), String> {
        let payload = words.get(2).unwrap_or_default();
        let codes = rdb::libraries(payload).ok_or("its payload cannot be read")?;
        let names: Option<Vec<String>> = codes.iter().map(|code| library_name(code)).collect();
        let names = names.ok_or("the first line of a library does not name it")?;
        // A replaced one of ours is flushed before.
        let flushes = words.is(3, "FLUSH");
        let replaces = self.replaces(&names)?;
        if flushes {
            self.flush_libraries(out)?;
        }
        let policy = if replaces && !words.is(3, "APPEND") { "REPLACE" } else { "APPEND" };
        let content = payload.len().saturating_sub(rdb::payload_len(0).saturating_sub(1));
        let mut stamped = payload.get(..content).unwrap_or_default().to_vec();
        stamped.extend(rdb::footer(FUNCTIONS, rdb::Crc64::new().with(&stamped)));
        out.send(&[Argv::new("FUNCTION", [fixed("RESTORE"), Cow::Owned(stamped), fixed(policy)])], Db(0));
        for name in names {
            self.setup.libraries.add(name);
        }
        self.note_libraries(out);
        Ok(())
    }

    /// Whether one of these is there already and may be replaced; an error where one is somebody else's.
    fn replaces(&self, names: &[String]) -> Result<bool, String> {
        let libraries = &self.setup.libraries;
        if let Some(name) = names.iter().find(|name| libraries.owner(name) == Owner::Other) {
            return Err(format!("the destination has a library `{name}` that did not come from the source"));
        }
        let there = |name: &String| libraries.owner(name) == Owner::Run || libraries.is_of_others(name);
        Ok(libraries.ours().is_none() || names.iter().any(there))
    }

    /// Notes in the run record which libraries came from the source.
    pub(super) fn note_libraries(&self, out: &mut Outgoing) {
        if let Some(words) = self.setup.libraries.note(&self.setup.keys) {
            out.send(&[Argv(words.to_vec())], Db(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            CommandOutcome, TranslatorSetup,
            tests::{NOW, libraries as at_destination, lines as lines_of, setup},
        },
        *,
    };
    use crate::{
        resp::{self, CommandReader, RespLimits},
        step::{OnConflict, Selection},
        unit::ServerVersion,
    };

    /// Code of a library; its first line is cut at a tab.
    fn library(name: &str) -> Vec<u8> {
        format!("#!lua\tname={name}\n").into_bytes()
    }

    /// What a stream's FUNCTION of these words comes to, one after another.
    fn functions(on_conflict: OnConflict, stream: &[&[&[u8]]]) -> Vec<String> {
        let setup = TranslatorSetup {
            libraries: at_destination(&["ours"], &["ours", "theirs"], on_conflict),
            ..setup(ServerVersion::redis(7, 2, 4), Selection::all())
        };
        let mut translator = Translator::new(setup);
        let take = |words: &&[&[u8]]| {
            let mut out = Outgoing::default();
            let mut bytes = vec![];
            resp::command(&mut bytes, &[&[&b"FUNCTION"[..]], *words].concat());
            let mut reader = CommandReader::starting_at(0, RespLimits::default());
            reader.feed(&bytes);
            assert_eq!(translator.take(&reader.next().unwrap().unwrap(), NOW, &mut out), CommandOutcome::Done);
            let mut said = lines_of(&out.bytes);
            said.extend(out.left.iter().map(|left| format!("LEFT {}", left.reason)));
            said.extend((out.filtered > 0).then(|| format!("FILTERED {}", out.filtered)));
            said.join(" ; ")
                .replace("HSET redis-plan:{t}:run libraries", "NOTE")
                .replace("#!lua\t", "")
                .replace('\n', "")
        };
        stream.iter().map(take).collect()
    }

    #[test]
    fn only_libraries_that_came_from_the_source_are_replaced_and_deleted() {
        let (new, ours, theirs) = (library("new"), library("ours"), library("theirs"));
        let said = functions(
            OnConflict::Fail,
            &[
                &[b"LOAD", &new],
                &[b"LOAD", b"REPLACE", &ours],
                &[b"LOAD", b"REPLACE", &theirs],
                &[b"DELETE", b"theirs"],
                &[b"DELETE", b"new"],
                &[b"FLUSH", b"ASYNC"],
                &[b"FLUSH"],
            ],
        );
        let foreign =
            "LEFT FUNCTION was not applied: the destination has a library `theirs` that did not come from the source.";
        assert_eq!(
            said,
            [
                "FUNCTION LOAD name=new ; NOTE new,ours",
                "FUNCTION LOAD REPLACE name=ours ; NOTE new,ours",
                foreign,
                "FILTERED 1",
                "FUNCTION DELETE new ; NOTE ours",
                "FUNCTION DELETE ours ; NOTE ",
                "",
            ]
        );
        let said = functions(OnConflict::Replace, &[&[b"LOAD", b"REPLACE", &theirs], &[b"FLUSH"]]);
        assert_eq!(
            said,
            [
                "FUNCTION LOAD REPLACE name=theirs ; NOTE ours,theirs",
                "FUNCTION DELETE ours ; FUNCTION DELETE theirs ; NOTE ",
            ]
        );
    }
}
