//! From a plan's bytes to a checked plan, or to everything that is wrong with it.

use std::sync::Arc;

use serde_json::Value;

use super::checked::{self, Plan};
use super::fault::catalogue::shape;
use super::fault::{Problem, Report};
use super::raw::PlanFile;
use super::rules::{self, Look, Url};
use super::schema::{Checker, SchemaFinding, prune};
use super::text::{Path, SourceText, Span, read, shown};
use super::yaml::{Tree, build, value};
use crate::step::Endpoint;

/// A plan without errors, and where its parts stand in the file.
#[derive(Clone, Debug)]
pub struct LoadedPlan {
    /// The plan.
    pub plan: Plan,
    /// Problems that do not keep it from running; maybe none.
    pub warnings: Report,
    places: Tree,
}

impl LoadedPlan {
    /// The bytes of the value at a path such as `source.expect.version`, or of the nearest value around it that the
    /// file has: a default has no place of its own. For a block it is its key.
    #[must_use]
    pub fn locate(&self, path: &Path) -> Span {
        let place = self.places.locate_nearest(path);
        if path.0.is_empty() || place.node == self.places.root() { self.places.first_key() } else { place.short() }
    }
}

/// Reads and checks a plan. `name` is what messages call the file.
///
/// # Errors
/// Everything that is wrong with the plan, in one report; warnings too when there is an error.
pub fn load(name: &str, bytes: &[u8]) -> Result<LoadedPlan, Report> {
    load_beside(name, bytes, None)
}

fn load_beside(name: &str, bytes: &[u8], look: Option<Look<'_>>) -> Result<LoadedPlan, Report> {
    let (source, readable) = read(name, bytes);
    let source = Arc::new(source);
    let report = |tree: Option<&Tree>, problems| Report::new(source.clone(), shown(&source, tree).into(), problems);
    readable.map_err(|problem| report(None, vec![problem]))?;
    let tree = build(source.text()).map_err(|problems| report(None, problems))?;
    let (problems, plan) = check(&source, &tree, look);
    let report = report(Some(&tree), problems);
    match plan {
        Some(plan) if report.errors() == 0 => Ok(LoadedPlan { plan, warnings: report, places: tree }),
        _ => Err(report),
    }
}

/// Everything that is wrong with the bytes of a plan file, warnings too. With `look`, programs that the plan names are looked
/// for.
#[must_use]
pub fn judge(name: &str, bytes: &[u8], look: Option<Look<'_>>) -> Report {
    load_beside(name, bytes, look).map_or_else(|report| report, |loaded| loaded.warnings)
}

/// Everything that is wrong with a document, and the plan when it has no error.
fn check(source: &SourceText, tree: &Tree, look: Option<Look<'_>>) -> (Vec<Problem>, Option<Plan>) {
    let value = match value(source.text(), tree) {
        Ok(value) => value,
        Err(problems) => return (problems, None),
    };
    let Some(checker) = Checker::get() else {
        let message = "the schema of this program is broken";
        return (vec![Problem::new(&shape::WRONG_TYPE, Path::default(), message)], None);
    };
    let findings = checker.check(&value, tree);
    let mut problems: Vec<Problem> = findings.iter().map(|finding| finding.problem.clone()).collect();
    let (raw, unknown) = if findings.is_empty() {
        match typed(&value) {
            Ok(raw) => (Some(raw), vec![]),
            Err(wrong) => {
                problems.push(not_whole(tree, &wrong));
                (None, vec![])
            }
        }
    } else {
        rest(checker, &value, findings, tree)
    };
    let Some(raw) = raw else { return (problems, None) };
    problems.extend(rules::judge(&raw, (tree, source.text()), &unknown, look));
    let plan = if unknown.is_empty() { plan(&raw) } else { None };
    (problems, plan)
}

/// What can still be judged of a plan with a wrong shape.
fn rest(checker: &Checker, value: &Value, findings: Vec<SchemaFinding>, tree: &Tree) -> (Option<PlanFile>, Vec<Path>) {
    let Some((rest, unknown)) = prune(checker, value, findings, tree) else { return (None, vec![]) };
    (typed(&rest).ok(), unknown)
}

fn typed(value: &Value) -> Result<PlanFile, Path> {
    serde_path_to_error::deserialize(value).map_err(|error| Path::parse(&error.path().to_string()))
}

fn not_whole(tree: &Tree, path: &Path) -> Problem {
    let message = format!("`{path}` cannot be held as it is written");
    Problem::new(&shape::NOT_WHOLE, path.clone(), message)
        .label(tree.locate_nearest(path).short(), "not a whole number")
        .help("write the number without a fraction")
}

/// The plan with its defaults; `None` when a rule that was judged before does not hold.
fn plan(raw: &PlanFile) -> Option<Plan> {
    let migration = checked::migration(&raw.migration);
    let source = Url::parse(raw.source.url.as_deref()?).ok()?;
    let destination = Url::parse(&raw.destination.url).ok()?;
    Some(Plan {
        name: raw.name.clone(),
        change: raw.change.clone(),
        labels: raw.labels.clone().unwrap_or_default(),
        source: Endpoint {
            address: source.address,
            tls: source.tls.then(|| checked::tls(raw.source.tls.as_ref())),
            username: raw.source.username.clone(),
            password: raw.source.password.clone(),
            plaintext: raw.source.plaintext,
        },
        source_expect: raw.source.expect.clone().unwrap_or_default(),
        destination: Endpoint {
            address: destination.address,
            tls: destination.tls.then(|| checked::tls(raw.destination.tls.as_ref())),
            username: raw.destination.username.clone(),
            password: raw.destination.password.clone(),
            plaintext: raw.destination.plaintext,
        },
        destination_expect: raw.destination.expect.clone().unwrap_or_default(),
        selection: checked::selection(raw.databases.as_ref()),
        migration,
        on_conflict: raw.on_conflict.unwrap_or(crate::step::OnConflict::Fail),
        on_unsupported: raw.on_unsupported.unwrap_or(crate::step::OnUnsupported::Fail),
        on_stream_lost: raw.on_stream_lost.unwrap_or_default(),
        buffer: checked::buffer(raw.buffer.as_ref(), migration),
        limits: checked::limits(raw.limits.as_ref()),
        stop: checked::stop(raw.stop.as_ref(), checked::verify(raw.verify.as_ref())),
        deadline: checked::deadline(raw.stop.as_ref()),
        verify: checked::verify(raw.verify.as_ref()),
        cutover: checked::cutover(raw.cutover.as_ref()),
        windows: checked::windows(raw.windows.as_ref()),
        hooks: checked::hooks(raw.hooks.as_ref()),
        cleanup: checked::cleanup(raw.cleanup.as_ref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str =
        "version: 1\nname: a\nsource: { url: redis://a }\ndestination: { url: redis://b }\nmigration: [full]\n";

    fn codes(text: &str) -> Vec<&'static str> {
        match load("plan.yaml", text.as_bytes()) {
            Ok(loaded) => loaded.warnings.problems().iter().map(|problem| problem.fault.code).collect(),
            Err(report) => {
                for p in report.problems() {
                    eprintln!("{p:?}");
                }
                report.problems().iter().map(|problem| problem.fault.code).collect()
            }
        }
    }

    #[test]
    fn defaults_are_applied() {
        let plan = load("plan.yaml", MINIMAL.as_bytes()).unwrap().plan;
        assert_eq!(plan.limits.connections, None);
        assert_eq!(plan.limits.spool.to_string(), "64 GiB");
        assert_eq!(plan.limits.chunk_above.to_string(), "16 MiB");
        assert_eq!(plan.cleanup.keep_run_record.map(|keep| keep.to_string()).as_deref(), Some("30d"));
        assert!(!plan.buffer.unlimited);
    }

    #[test]
    fn faults_of_shape_and_of_meaning_come_in_one_report() {
        let text =
            MINIMAL.replace("redis://a", "redis://u:pw@a/3").replace("name: a", "name: A") + "limits: { spol: 3 }\n";
        assert_eq!(codes(&text), ["P110", "P202", "P207", "P101"]);
    }

    #[test]
    fn a_part_is_found_where_it_stands_or_by_the_key_around_it() {
        let loaded = load("plan.yaml", MINIMAL.as_bytes()).unwrap();
        let at = |path: &str| loaded.locate(&Path::parse(path)).of(MINIMAL);
        assert_eq!(at("source.url"), "redis://a");
        assert_eq!(at("source.expect.version"), "source");
        assert_eq!(at("limits.spool"), "version");
    }
}
