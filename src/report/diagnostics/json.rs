//! Problems for programs. The structure is stable: `format` counts up when it changes otherwise than by new keys.
//!
//! Lines and columns start at 1, columns count characters; `start` and `end` count the bytes of the file. A problem
//! without a place has none of these keys. `fix` is the change of the text that mends a problem, when there is one; of very
//! many problems only the first are listed, and `omitted` counts the others.

use serde_json::{Map, Value, json};

use crate::plan::{Problem, Report, SourceText, Span};

/// The problems of some files, in the order of the files.
#[must_use]
pub fn json(reports: &[&Report]) -> Value {
    json!({ "format": 1, "files": reports.iter().map(|report| file(report)).collect::<Vec<_>>() })
}

fn file(report: &Report) -> Value {
    json!({
        "file": report.source().name(),
        "valid": report.errors() == 0,
        "errors": report.errors(),
        "warnings": report.warnings(),
        "omitted": report.omitted(),
        "problems": report.problems().iter().map(|one| problem(one, report.source())).collect::<Vec<_>>(),
    })
}

fn problem(problem: &Problem, source: &SourceText) -> Value {
    let mut entry = Map::new();
    entry.insert("code".to_owned(), problem.fault.code.into());
    entry.insert("severity".to_owned(), problem.severity().to_string().into());
    entry.insert("path".to_owned(), problem.path.to_string().into());
    if let Some(span) = problem.span() {
        place(&mut entry, span, source);
    }
    entry.insert("message".to_owned(), problem.message.clone().into());
    entry.insert("help".to_owned(), problem.help.clone().into());
    entry.insert("url".to_owned(), problem.fault.url().into());
    let labels = problem.labels.iter().map(|label| {
        let mut entry = Map::new();
        place(&mut entry, label.span, source);
        entry.insert("text".to_owned(), label.text.clone().into());
        Value::Object(entry)
    });
    entry.insert("labels".to_owned(), labels.collect());
    if let Some(edit) = &problem.edit {
        let span = source.in_file(edit.span);
        entry.insert("fix".to_owned(), json!({ "start": span.start, "end": span.end, "text": edit.text }));
    }
    Value::Object(entry)
}

fn place(entry: &mut Map<String, Value>, span: Span, source: &SourceText) {
    let position = source.position(span.start);
    let in_file = source.in_file(span);
    entry.insert("line".to_owned(), position.line.into());
    entry.insert("column".to_owned(), position.column.into());
    entry.insert("start".to_owned(), in_file.start.into());
    entry.insert("end".to_owned(), in_file.end.into());
}
