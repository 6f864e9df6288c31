//! The place of a value inside a plan.

/// The keys and indices that lead to a value, as `databases[1].keys.include`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub Vec<PathSegment>);

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathSegment {
    /// To the value of a key.
    Key(String),
    /// To an item, the first is 0.
    Index(usize),
}

impl Path {
    /// Reads what `Display` shows. Keys that hold `.` or `[` cannot be written this way.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut segments = vec![];
        for part in text.split('.').filter(|part| !part.is_empty()) {
            let (key, indices) = part.split_at(part.find('[').unwrap_or(part.len()));
            if !key.is_empty() {
                segments.push(PathSegment::Key(key.to_owned()));
            }
            let indices = indices.split(['[', ']']).filter_map(|index| index.parse().ok());
            segments.extend(indices.map(PathSegment::Index));
        }
        Self(segments)
    }

    /// The path of the value of `key` inside this one.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(PathSegment::Key(key.to_owned()))
    }

    /// The path of an item of this one.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(PathSegment::Index(index))
    }

    /// The path around this one; `None` for the whole plan.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.split_last().map(|(_, parent)| Self(parent.to_vec()))
    }

    /// Whether this is `other` or lies inside it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The key this path ends with.
    #[must_use]
    pub fn last_key(&self) -> Option<&str> {
        match self.0.last()? {
            PathSegment::Key(key) => Some(key),
            PathSegment::Index(_) => None,
        }
    }

    fn with(&self, segment: PathSegment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                PathSegment::Index(index) => write!(f, "[{index}]")?,
                PathSegment::Key(key) if position == 0 => f.write_str(key)?,
                PathSegment::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_shows() {
        for text in ["", "source.url", "databases[1].keys.include[0]", "stop.any[0].all[1].lag.for"] {
            assert_eq!(Path::parse(text).to_string(), text);
        }
        assert_eq!(Path::parse("a[2]").0, [PathSegment::Key("a".into()), PathSegment::Index(2)]);
    }
}
