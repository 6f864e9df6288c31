//! The text as a tree of nodes that know their place.
//!
//! Limits: depth 64, 100 000 nodes, and what aliases expand to is counted, not built: at most 100 000 nodes and 8 MiB.

use std::collections::HashMap;

use super::events::{Event, Events, SyntaxError};
use crate::plan::fault::{Problem, catalogue};
use crate::plan::text::{Path, Segment, Span};
use crate::unit::KeyText;

const MAX_DEPTH: usize = 64;
const MAX_NODES: usize = 100_000;
const MAX_EXPANDED_BYTES: usize = 8 << 20;

/// A document.
#[derive(Clone, Debug, Default)]
pub(in crate::plan) struct Tree {
    nodes: Vec<Node>,
    root: usize,
}

/// A node.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Node {
    pub(in crate::plan) span: Span,
    pub(in crate::plan) kind: Kind,
}

/// What a node is; numbers are those of other nodes.
#[derive(Clone, Debug)]
pub(in crate::plan) enum Kind {
    Scalar { text: String, plain: bool },
    Sequence(Vec<usize>),
    Mapping(Vec<(usize, usize)>),
    Alias(usize),
}

/// Where a value and its key are.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) struct Located {
    pub(in crate::plan) key: Option<Span>,
    pub(in crate::plan) value: Span,
    pub(in crate::plan) node: usize,
    /// The value is a mapping or a list: its span may be long.
    pub(in crate::plan) is_block: bool,
}

impl Located {
    /// The range to label for the value: a whole block would cover the screen, so its key stands for it.
    pub(in crate::plan) fn short(self) -> Span {
        if self.is_block { self.key.unwrap_or(Span::at(self.value.start)) } else { self.value }
    }

    /// The range of the key, or of the value when it has none.
    pub(in crate::plan) fn key_or_value(self) -> Span {
        self.key.unwrap_or_else(|| self.short())
    }
}

impl Tree {
    /// The number of the root.
    pub(in crate::plan) const fn root(&self) -> usize {
        self.root
    }

    /// A node, and the one it stands for when it is an alias.
    pub(in crate::plan) fn node(&self, number: usize) -> Option<&Node> {
        let node = self.nodes.get(number)?;
        // An alias never leads to an alias: anchors are on values only.
        match node.kind {
            Kind::Alias(target) => self.nodes.get(target),
            _ => Some(node),
        }
    }

    /// The text of a scalar.
    pub(in crate::plan) fn scalar(&self, number: usize) -> Option<&str> {
        match &self.node(number)?.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Where the value at `path` is, through aliases and merges; `None` when there is none.
    pub(in crate::plan) fn locate(&self, path: &Path) -> Option<Located> {
        let (mut key, mut node) = (None, self.root);
        for segment in &path.0 {
            (key, node) = match segment {
                Segment::Key(name) => {
                    let (key, value) = self.entry(node, name, 0)?;
                    (self.nodes.get(key).map(|node| node.span), value)
                }
                Segment::Index(index) => match &self.node(node)?.kind {
                    Kind::Sequence(items) => (None, *items.get(*index)?),
                    _ => return None,
                },
            };
        }
        let is_block = !matches!(self.node(node)?.kind, Kind::Scalar { .. });
        Some(Located { key, value: self.nodes.get(node)?.span, node, is_block })
    }

    /// Where the value at `path` is, or the nearest value around it.
    pub(in crate::plan) fn locate_nearest(&self, path: &Path) -> Located {
        let mut path = path.clone();
        loop {
            if let Some(found) = self.locate(&path) {
                return found;
            }
            match path.parent() {
                Some(parent) => path = parent,
                None => return Located { key: None, value: Span::default(), node: self.root, is_block: true },
            }
        }
    }

    /// Every node.
    pub(in crate::plan) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The entries of every mapping.
    pub(in crate::plan) fn mappings(&self) -> impl Iterator<Item = &Vec<(usize, usize)>> {
        self.nodes.iter().filter_map(|node| match &node.kind {
            Kind::Mapping(entries) => Some(entries),
            _ => None,
        })
    }

    /// The span of the first key of the document, to label the whole of it.
    pub(in crate::plan) fn first_key(&self) -> Span {
        match self.node(self.root).map(|node| &node.kind) {
            Some(Kind::Mapping(entries)) => {
                let key = entries.first().and_then(|(key, _)| self.nodes.get(*key));
                key.map_or(Span::default(), |node| node.span)
            }
            _ => self.nodes.get(self.root).map_or(Span::default(), |node| Span::at(node.span.start)),
        }
    }

    /// Key and value of `name` in a mapping, or in a mapping it merges.
    fn entry(&self, mapping: usize, name: &str, depth: usize) -> Option<(usize, usize)> {
        let Kind::Mapping(entries) = &self.node(mapping)?.kind else { return None };
        let own = entries.iter().find(|(key, _)| self.scalar(*key) == Some(name));
        if own.is_some() || depth > MAX_DEPTH {
            return own.copied();
        }
        let (_, merged) = entries.iter().find(|(key, _)| self.scalar(*key) == Some("<<"))?;
        match &self.node(*merged)?.kind {
            Kind::Sequence(items) => items.iter().find_map(|item| self.entry(*item, name, depth + 1)),
            _ => self.entry(*merged, name, depth + 1),
        }
    }
}

/// Reads a text into a tree, or says everything that is wrong with it as YAML.
pub(in crate::plan) fn build(text: &str) -> Result<Tree, Vec<Problem>> {
    let Some(mut events) = Events::new(text) else {
        return Err(vec![plain(&catalogue::text::SYNTAX, "there is no memory to read the file".to_owned())]);
    };
    let mut builder = Builder::default();
    loop {
        match events.next() {
            Ok((Event::StreamEnd, _)) => return builder.finish(),
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
    open: Vec<Open>,
    anchors: HashMap<String, usize>,
    /// What an alias of each node would expand to; by node number.
    weights: HashMap<usize, Weight>,
    documents: usize,
    problems: Vec<Problem>,
}

struct Open {
    node: usize,
    weight: Weight,
    /// A key that waits for its value.
    key: Option<usize>,
    /// Keys met so far and their nodes.
    keys: HashMap<String, usize>,
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
    fn take(&mut self, event: Event, span: Span, text: &str) -> Result<(), Problem> {
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart => self.document(span),
            Event::Scalar { anchor, tagged, text, plain } => {
                self.refuse_tag(tagged, span);
                let weight = Weight { nodes: 1, bytes: text.len(), height: 0 };
                let node = self.push(Node { span, kind: Kind::Scalar { text, plain } })?;
                self.anchor(anchor, node);
                self.weights.insert(node, weight);
                self.child(node, weight, span)
            }
            Event::Alias { anchor } => self.alias(&anchor, span),
            Event::SequenceStart { anchor, tagged } => self.start(Kind::Sequence(vec![]), anchor, tagged, span),
            Event::MappingStart { anchor, tagged } => self.start(Kind::Mapping(vec![]), anchor, tagged, span),
            Event::SequenceEnd | Event::MappingEnd => self.end(span, text),
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
                .label(Span::at(node.span.start), "the limit is reached here"));
        }
        self.tree.nodes.push(node);
        Ok(self.tree.nodes.len() - 1)
    }

    fn start(&mut self, kind: Kind, anchor: Option<String>, tagged: bool, span: Span) -> Result<(), Problem> {
        self.refuse_tag(tagged, span);
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(span));
        }
        let node = self.push(Node { span, kind })?;
        self.anchor(anchor, node);
        let weight = Weight { nodes: 1, bytes: 0, height: 1 };
        self.open.push(Open { node, weight, key: None, keys: HashMap::new() });
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
            return Err(plain(&catalogue::text::UNKNOWN_ALIAS, message).label(span, "this alias"));
        };
        if self.open.iter().any(|open| open.node == target) {
            let message = "the alias stands for a value that contains it".to_owned();
            let around = self.tree.nodes.get(target).map_or(Span::default(), |node| Span::at(node.span.start));
            return Err(plain(&catalogue::text::ALIAS_CYCLE, message)
                .label(span, "this alias")
                .label(around, "the value starts here"));
        }
        let weight = self.weights.get(&target).copied().unwrap_or_default();
        let node = self.push(Node { span, kind: Kind::Alias(target) })?;
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
            return Err(plain(&catalogue::text::ALIAS_BOMB, message).label(span, "the limit is reached here"));
        }
        let (container, key) = (open.node, open.key.take());
        match (self.tree.nodes.get_mut(container).map(|node| &mut node.kind), key) {
            (Some(Kind::Sequence(items)), _) => items.push(child),
            (Some(Kind::Mapping(entries)), Some(key)) => entries.push((key, child)),
            _ => self.key(child, span),
        }
        Ok(())
    }

    /// Takes a node as the next key of the innermost mapping.
    fn key(&mut self, node: usize, span: Span) {
        let name = self.tree.scalar(node).map(str::to_owned);
        let Some(open) = self.open.last_mut() else { return };
        open.key = Some(node);
        let Some(name) = name else { return };
        let Some(first) = open.keys.get(&name).copied() else {
            open.keys.insert(name, node);
            return;
        };
        let first = self.tree.nodes.get(first).map_or(Span::default(), |node| node.span);
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
            Some(Kind::Scalar { text, plain }) => *plain && matches!(text.as_str(), "" | "~" | "null"),
            Some(_) => false,
        };
        if empty {
            let problem = plain(&catalogue::text::EMPTY, "the file holds no plan".to_owned());
            return Err(vec![problem.help("start with the four lines of `plans/minimal.yaml`")]);
        }
        Ok(self.tree)
    }
}

fn too_deep(span: Span) -> Problem {
    let message = format!("values are nested more than {MAX_DEPTH} deep");
    plain(&catalogue::text::TOO_DEEP, message).label(Span::new(span.start, span.start + 1), "one level too many")
}

fn plain(fault: &'static crate::plan::fault::Fault, message: String) -> Problem {
    Problem::new(fault, Path::default(), message)
}

/// A syntax error in libyaml's words, with a help of its own for the most frequent one: tabs.
fn syntax(error: &SyntaxError, text: &str) -> Problem {
    let at = Span::new(error.at, error.at + 1).clamped(text);
    let line_start = text.get(..at.start).map_or(0, |before| before.rfind('\n').map_or(0, |end| end + 1));
    let indentation = text.get(line_start..).unwrap_or_default();
    let indentation = indentation.len() - indentation.trim_start_matches([' ', '\t']).len();
    let indentation = Span::new(line_start, line_start + indentation);
    if let Some(tab) = indentation.of(text).find('\t') {
        let tab = Span::new(indentation.start + tab, indentation.start + tab + 1);
        return plain(&catalogue::text::TAB, "a tab indents this line".to_owned())
            .label(tab, "the tab")
            .help("YAML indents with spaces");
    }
    let problem = plain(&catalogue::text::SYNTAX, format!("this is not YAML: {}", error.problem))
        .label(at, error.problem.clone());
    match &error.context {
        Some((context, begun)) if *begun != error.at => problem.label(Span::new(*begun, begun + 1), context.clone()),
        _ => problem,
    }
}
