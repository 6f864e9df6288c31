//! From events to a tree.
//!
//! Limits: depth 64, 20 000 nodes, and what aliases expand to is counted, not built: at most 20 000 nodes and 8 MiB.

use std::collections::HashMap;

use super::events::{Events, YamlEvent};
use super::syntax::syntax;
use super::tree::{Entries, MAX_DEPTH, Node, NodeKind, Tree};
use crate::plan::fault::{Fault, Problem, catalogue};
use crate::plan::text::{Path, Span};
use crate::unit::KeyText;

const MAX_NODES: usize = 20_000;
const MAX_EXPANDED_BYTES: usize = 8 << 20;

/// Reads a text into a tree, or says everything that is wrong with it as YAML.
pub(in crate::plan) fn build(text: &str) -> Result<Tree, Vec<Problem>> {
    let Some(mut events) = Events::new(text) else {
        return Err(vec![plain(&catalogue::text::SYNTAX, "there is no memory to read the file".to_owned())]);
    };
    let mut builder = Builder::default();
    loop {
        match events.next() {
            Ok((YamlEvent::StreamEnd, _)) => return builder.finish(),
            Ok((event, span)) => {
                if let Err(problem) = builder.take(event, span, text) {
                    builder.problems.push(problem);
                    return Err(builder.problems);
                }
            }
            Err(error) => {
                builder.problems.push(syntax(&error, text));
                return Err(builder.problems);
            }
        }
    }
}

#[derive(Default)]
struct Builder {
    tree: Tree,
    /// Containers that are not closed, outermost first.
    open: Vec<OpenNode>,
    anchors: HashMap<String, usize>,
    /// What an alias of each node would expand to; by node number.
    weights: HashMap<usize, Weight>,
    documents: usize,
    problems: Vec<Problem>,
}

struct OpenNode {
    node: usize,
    weight: Weight,
    /// A key that waits for its value.
    key: Option<usize>,
}

/// What a node is when all its aliases are expanded.
#[derive(Clone, Copy, Default)]
struct Weight {
    nodes: usize,
    bytes: usize,
    /// Containers inside each other, itself included.
    height: usize,
}

impl Weight {
    fn add(&mut self, other: Self) {
        self.nodes = self.nodes.saturating_add(other.nodes);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.height = self.height.max(other.height.saturating_add(1));
    }

    const fn too_much(self) -> bool {
        self.nodes > MAX_NODES || self.bytes > MAX_EXPANDED_BYTES
    }
}

impl Builder {
    fn take(&mut self, event: YamlEvent, span: Span, text: &str) -> Result<(), Problem> {
        match event {
            YamlEvent::StreamStart | YamlEvent::StreamEnd | YamlEvent::DocumentEnd => Ok(()),
            YamlEvent::DocumentStart => self.document(span),
            YamlEvent::Scalar { anchor, tagged, text, plain } => {
                self.refuse_tag(tagged, span);
                let weight = Weight { nodes: 1, bytes: text.len(), height: 0 };
                let node = self.push(Node { span, kind: NodeKind::Scalar { text, plain } })?;
                self.anchor(anchor, node);
                self.weights.insert(node, weight);
                self.child(node, weight, span)
            }
            YamlEvent::Alias { anchor } => self.alias(&anchor, span),
            YamlEvent::SequenceStart { anchor, tagged } => self.start(NodeKind::Sequence(vec![]), anchor, tagged, span),
            YamlEvent::MappingStart { anchor, tagged } => {
                self.start(NodeKind::Mapping(Entries::default()), anchor, tagged, span)
            }
            YamlEvent::SequenceEnd | YamlEvent::MappingEnd => self.end(span, text),
        }
    }

    fn document(&mut self, span: Span) -> Result<(), Problem> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        let problem = plain(&catalogue::text::SEVERAL_DOCUMENTS, "a second document starts here".to_owned())
            .label(span, "second document")
            .help("keep one plan per file; `plan validate` takes several files");
        Err(problem)
    }

    fn push(&mut self, node: Node) -> Result<usize, Problem> {
        if self.tree.nodes.len() >= MAX_NODES {
            let message = format!("the file has more than {MAX_NODES} values");
            return Err(plain(&catalogue::text::TOO_MANY_NODES, message)
                .label(Span::at(node.span.start), "the limit is reached here")
                .help("is this the plan, or the data it moves? key patterns stand for many keys"));
        }
        self.tree.nodes.push(node);
        Ok(self.tree.nodes.len() - 1)
    }

    fn start(&mut self, kind: NodeKind, anchor: Option<String>, tagged: bool, span: Span) -> Result<(), Problem> {
        self.refuse_tag(tagged, span);
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(span));
        }
        let node = self.push(Node { span, kind })?;
        self.anchor(anchor, node);
        let weight = Weight { nodes: 1, bytes: 0, height: 1 };
        self.open.push(OpenNode { node, weight, key: None });
        Ok(())
    }

    fn end(&mut self, span: Span, text: &str) -> Result<(), Problem> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        self.weights.insert(open.node, open.weight);
        let mut whole = span;
        if let Some(node) = self.tree.nodes.get_mut(open.node) {
            // A block ends where the next thing starts; what lies between is not part of it.
            let covered = Span::new(node.span.start, span.end);
            node.span = Span::new(node.span.start, node.span.start + covered.of(text).trim_end().len());
            whole = node.span;
        }
        self.child(open.node, open.weight, whole)
    }

    fn alias(&mut self, anchor: &str, span: Span) -> Result<(), Problem> {
        let Some(target) = self.anchors.get(anchor).copied() else {
            let message = format!("no anchor `&{}` stands before this alias", KeyText(anchor.as_bytes()));
            return Err(plain(&catalogue::text::UNKNOWN_ALIAS, message)
                .label(span, "this alias")
                .help(format!("put a text that starts with `*` in quotes: \"*{}\"", KeyText(anchor.as_bytes()))));
        };
        if self.open.iter().any(|open| open.node == target) {
            let message = "the alias stands for a value that contains it".to_owned();
            let around = self.tree.nodes.get(target).map_or(Span::default(), |node| Span::at(node.span.start));
            return Err(plain(&catalogue::text::ALIAS_CYCLE, message)
                .label(span, "this alias")
                .label(around, "the value starts here")
                .help("move the anchor to the value that is meant, outside of this one"));
        }
        let weight = self.weights.get(&target).copied().unwrap_or_default();
        let node = self.push(Node { span, kind: NodeKind::Alias(target) })?;
        self.child(node, weight, span)
    }

    /// Puts a complete node into the container around it.
    fn child(&mut self, child: usize, weight: Weight, span: Span) -> Result<(), Problem> {
        if self.open.len().saturating_add(weight.height) > MAX_DEPTH {
            return Err(too_deep(span));
        }
        let Some(open) = self.open.last_mut() else {
            self.tree.root = child;
            return Ok(());
        };
        open.weight.add(weight);
        if open.weight.too_much() {
            let message =
                format!("the aliases expand to more than {MAX_NODES} values or {} MiB", MAX_EXPANDED_BYTES >> 20);
            return Err(plain(&catalogue::text::ALIAS_BOMB, message)
                .label(span, "the limit is reached here")
                .help("write the values out, or use fewer aliases"));
        }
        let (container, key) = (open.node, open.key.take());
        match (self.tree.nodes.get_mut(container).map(|node| &mut node.kind), key) {
            (Some(NodeKind::Sequence(items)), _) => items.push(child),
            (Some(NodeKind::Mapping(entries)), Some(key)) => entries.pairs.push((key, child)),
            _ => self.key(child, span),
        }
        Ok(())
    }

    /// Takes a node as the next key of the innermost mapping.
    fn key(&mut self, node: usize, span: Span) {
        let Some(open) = self.open.last_mut() else { return };
        open.key = Some(node);
        let container = open.node;
        let Some(name) = self.tree.scalar(node).map(str::to_owned) else { return };
        let Some(NodeKind::Mapping(entries)) = self.tree.nodes.get_mut(container).map(|node| &mut node.kind) else {
            return;
        };
        let position = entries.pairs.len();
        let Some(first) = entries.by_name.get(&name).copied() else {
            entries.by_name.insert(name, position);
            return;
        };
        let first = entries.pairs.get(first).map(|(key, _)| *key).and_then(|key| self.tree.nodes.get(key));
        let first = first.map_or(Span::default(), |node| node.span);
        let message = format!("the key `{}` is written twice", KeyText(name.as_bytes()));
        let problem =
            plain(&catalogue::text::DUPLICATE_KEY, message).label(span, "again here").label(first, "first here");
        self.problems.push(problem.help("keep one of the two"));
    }

    fn anchor(&mut self, anchor: Option<String>, node: usize) {
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, node);
        }
    }

    fn refuse_tag(&mut self, tagged: bool, span: Span) {
        if tagged {
            let problem = plain(&catalogue::text::TAG, "a plan has no tags".to_owned());
            self.problems.push(
                problem
                    .label(Span::new(span.start, span.start + 1), "the tag is here")
                    .help("delete the word that starts with `!`"),
            );
        }
    }

    fn finish(self) -> Result<Tree, Vec<Problem>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let empty = match self.tree.nodes.get(self.tree.root).map(|node| &node.kind) {
            None => true,
            Some(NodeKind::Scalar { text, plain }) => *plain && matches!(text.as_str(), "" | "~" | "null"),
            Some(_) => false,
        };
        if empty {
            let problem = plain(&catalogue::text::EMPTY, "the file holds no plan".to_owned());
            return Err(vec![problem.help("the smallest plan has `version: 1`, `name`, `source: { url: … }`, `destination: { url: … }` and `migration: [full]`")]);
        }
        Ok(self.tree)
    }
}

fn too_deep(span: Span) -> Problem {
    let message = format!("values are nested more than {MAX_DEPTH} deep");
    plain(&catalogue::text::TOO_DEEP, message)
        .label(Span::new(span.start, span.start + 1), "one level too many")
        .help("check brackets and indentation before this place: a plan needs about ten levels")
}

pub(super) fn plain(fault: &'static Fault, message: String) -> Problem {
    Problem::new(fault, Path::default(), message)
}
