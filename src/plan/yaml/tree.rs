//! The text as a tree of nodes that know their place.

use std::collections::HashMap;

use crate::plan::text::{Path, PathSegment, Span};

/// How deep values may be nested.
pub(super) const MAX_DEPTH: usize = 64;

/// A document.
#[derive(Clone, Debug, Default)]
pub(in crate::plan) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) root: usize,
}

/// A node.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Node {
    pub(in crate::plan) span: Span,
    pub(in crate::plan) kind: NodeKind,
}

/// What a node is; numbers are those of other nodes.
#[derive(Clone, Debug)]
pub(in crate::plan) enum NodeKind {
    Scalar { text: String, plain: bool },
    Sequence(Vec<usize>),
    Mapping(Entries),
    Alias(usize),
}

/// The entries of a mapping.
#[derive(Clone, Debug, Default)]
pub(in crate::plan) struct Entries {
    /// Keys and values, in the order of the text.
    pub(in crate::plan) pairs: Vec<(usize, usize)>,
    /// Where in `pairs` a key that is a scalar is.
    pub(super) by_name: HashMap<String, usize>,
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
        self.key.filter(|_| self.is_block).unwrap_or(self.value)
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
            NodeKind::Alias(target) => self.nodes.get(target),
            _ => Some(node),
        }
    }

    /// The text of a scalar.
    pub(in crate::plan) fn scalar(&self, number: usize) -> Option<&str> {
        match &self.node(number)?.kind {
            NodeKind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Where the value at `path` is, through aliases and merges; `None` when there is none.
    pub(in crate::plan) fn locate(&self, path: &Path) -> Option<Located> {
        let (mut key, mut node) = (None, self.root);
        for segment in &path.0 {
            (key, node) = match segment {
                PathSegment::Key(name) => {
                    let (key, value) = self.entry(node, name, 0)?;
                    (self.nodes.get(key).map(|node| node.span), value)
                }
                PathSegment::Index(index) => match &self.node(node)?.kind {
                    NodeKind::Sequence(items) => (None, *items.get(*index)?),
                    _ => return None,
                },
            };
        }
        let is_block = !matches!(self.node(node)?.kind, NodeKind::Scalar { .. });
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
    pub(in crate::plan) fn entries(&self) -> impl Iterator<Item = (usize, usize)> {
        let entries = self.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Mapping(entries) => Some(entries.pairs.iter().copied()),
            _ => None,
        });
        entries.flatten()
    }

    /// The span of the first key of the document, to label the whole of it.
    pub(in crate::plan) fn first_key(&self) -> Span {
        match self.node(self.root).map(|node| &node.kind) {
            Some(NodeKind::Mapping(entries)) => {
                let key = entries.pairs.first().and_then(|(key, _)| self.nodes.get(*key));
                key.map_or(Span::default(), |node| node.span)
            }
            _ => self.nodes.get(self.root).map_or(Span::default(), |node| Span::at(node.span.start)),
        }
    }

    /// Key and value of `name` in a mapping, or in a mapping it merges.
    fn entry(&self, mapping: usize, name: &str, depth: usize) -> Option<(usize, usize)> {
        let NodeKind::Mapping(entries) = &self.node(mapping)?.kind else { return None };
        let named = |name: &str| entries.pairs.get(*entries.by_name.get(name)?).copied();
        let own = named(name);
        if own.is_some() || depth > MAX_DEPTH {
            return own;
        }
        let (_, merged) = named("<<")?;
        match &self.node(merged)?.kind {
            NodeKind::Sequence(items) => items.iter().find_map(|item| self.entry(*item, name, depth + 1)),
            _ => self.entry(merged, name, depth + 1),
        }
    }
}
