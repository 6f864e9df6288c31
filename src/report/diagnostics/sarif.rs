//! Problems as SARIF 2.1.0, the format in which code hosts and editors take what analysers found.
//!
//! Columns count characters. A secondary label is a related location, a change that mends the problem a fix.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::plan::{Edit, Fault, Problem, Report, Severity, SourceText, Span};

/// The problems of some files as one run.
#[must_use]
pub fn sarif(reports: &[&Report]) -> Value {
    let mut rules: Vec<&'static Fault> =
        reports.iter().flat_map(|report| report.problems()).map(|problem| problem.fault).collect();
    rules.sort_by_key(|fault| fault.code);
    rules.dedup_by_key(|fault| fault.code);
    let results = reports.iter().flat_map(|report| report.problems().iter().map(|one| result(one, report, &rules)));
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "redis-plan",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|fault| rule(fault)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "artifacts": reports.iter().map(|report| json!({ "location": artifact(report.source()) })).collect::<Vec<_>>(),
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn rule(fault: &Fault) -> Value {
    json!({
        "id": fault.code,
        "shortDescription": { "text": fault.title },
        "fullDescription": { "text": fault.explanation },
        "helpUri": fault.url(),
        "help": { "text": fault.explanation },
        "defaultConfiguration": { "level": level(fault.severity()) },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn result(problem: &Problem, report: &Report, rules: &[&'static Fault]) -> Value {
    let source = report.source();
    let help = problem.help.as_ref().map_or(String::new(), |help| format!("\n\nHelp: {help}"));
    let mut result = json!({
        "ruleId": problem.fault.code,
        "ruleIndex": rules.iter().position(|rule| rule.code == problem.fault.code),
        "level": level(problem.severity()),
        "message": { "text": format!("{}{help}", problem.message) },
        "locations": [location(source, problem.span(), problem.labels.first().map(|label| label.text.as_str()))],
        "properties": { "path": problem.path.to_string() },
    });
    let related: Vec<Value> = problem
        .labels
        .iter()
        .enumerate()
        .skip(1)
        .map(|(id, label)| {
            let mut location = location(source, Some(label.span), Some(&label.text));
            location["id"] = id.into();
            location
        })
        .collect();
    if !related.is_empty() {
        result["relatedLocations"] = related.into();
    }
    if let Some(edit) = &problem.edit {
        result["fixes"] = json!([fix(problem, edit, source)]);
    }
    result
}

fn location(source: &SourceText, span: Option<Span>, text: Option<&str>) -> Value {
    let mut physical = json!({ "artifactLocation": artifact(source) });
    if let Some(span) = span {
        physical["region"] = region(source, span);
    }
    let mut location = json!({ "physicalLocation": physical });
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        location["message"] = json!({ "text": text });
    }
    location
}

fn region(source: &SourceText, span: Span) -> Value {
    let (start, end) = (source.position(span.start), source.position(span.end));
    json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    })
}

fn fix(problem: &Problem, edit: &Edit, source: &SourceText) -> Value {
    let replacement = json!({
        "deletedRegion": region(source, edit.span),
        "insertedContent": { "text": edit.text },
    });
    json!({
        "description": { "text": problem.help.as_deref().unwrap_or(problem.fault.title) },
        "artifactChanges": [{ "artifactLocation": artifact(source), "replacements": [replacement] }],
    })
}

fn artifact(source: &SourceText) -> Value {
    json!({ "uri": uri(source.name()) })
}

/// A file's name as a relative or absolute reference: what a URI cannot hold is percent-encoded.
fn uri(name: &str) -> String {
    let mut out = if name.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in name.trim_start_matches("./").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => out.push(char::from(byte)),
            byte => _ = write!(out, "%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_reference() {
        for (name, reference) in [
            ("plans/a.yaml", "plans/a.yaml"),
            ("./a b.yaml", "a%20b.yaml"),
            ("/plans/ä.yaml", "file:///plans/%C3%A4.yaml"),
            ("<stdin>", "%3Cstdin%3E"),
        ] {
            assert_eq!(uri(name), reference);
        }
    }
}
