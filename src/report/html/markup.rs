//! HTML that cannot be broken by what it shows: text becomes [`Html`] only by being made harmless.

use std::fmt::Write as _;

use crate::report::text::Clean;
use crate::unit::UnixMillis;

/// A piece of HTML.
#[derive(Clone, Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Nothing.
    pub(super) const fn none() -> Self {
        Self(String::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Markup of this program's own.
    pub(super) fn own(markup: &'static str) -> Self {
        Self(markup.to_owned())
    }

    pub(super) fn push(&mut self, next: impl Into<Self>) {
        self.0.push_str(&next.into().0);
    }

    pub(super) fn and(mut self, next: impl Into<Self>) -> Self {
        self.push(next);
        self
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl From<&str> for Html {
    fn from(text: &str) -> Self {
        Self(escaped(&Clean(text).to_string()))
    }
}

impl From<String> for Html {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl FromIterator<Self> for Html {
    fn from_iter<T: IntoIterator<Item = Self>>(pieces: T) -> Self {
        pieces.into_iter().fold(Self::none(), Self::and)
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// An element; `attributes` are written as they are, so they are this program's own.
pub(super) fn element(name: &'static str, attributes: &'static str, content: impl Into<Html>) -> Html {
    let space = if attributes.is_empty() { "" } else { " " };
    Html(format!("<{name}{space}{attributes}>{}</{name}>", content.into().0))
}

/// A sentence; what stands between backticks in it is code.
pub(super) fn prose(text: &str) -> Html {
    let mut pieces = text.split('`').peekable();
    let (mut out, mut inside) = (Html::none(), false);
    while let Some(piece) = pieces.next() {
        // The last backtick of an odd number is a character like any other.
        match (inside, pieces.peek().is_some()) {
            (true, true) => out.push(code(piece)),
            (true, false) => out.push(format!("`{piece}")),
            (false, _) => out.push(piece),
        }
        inside = !inside;
    }
    out
}

/// What a machine wrote and a machine may read.
pub(super) fn code(text: &str) -> Html {
    element("code", "", text)
}

/// A moment, in UTC.
pub(super) fn moment(at: UnixMillis) -> Html {
    let exact = at.to_string();
    let shown = exact.replace('T', " ");
    let shown = shown.trim_end_matches('Z');
    Html(format!("<time datetime=\"{}\">{}</time>", escaped(&exact), escaped(shown)))
}

/// A moment by its time of day, where the day is known.
pub(super) fn time_of_day(at: UnixMillis) -> Html {
    let exact = at.to_string();
    let shown = exact.get(11..).unwrap_or(&exact).trim_end_matches('Z');
    Html(format!("<time datetime=\"{0}\" title=\"{0}\">{1}</time>", escaped(&exact), escaped(shown)))
}

/// A part of the page, with its heading; nothing when there is nothing in it.
pub(super) fn section(id: &'static str, title: &'static str, content: Html) -> Html {
    if content.is_empty() {
        return content;
    }
    Html(format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n{}</section>\n",
        content.0
    ))
}

/// A table whose first column names its rows. Wide ones scroll by themselves, by keyboard too.
pub(super) fn table(caption: &'static str, heads: &[&'static str], rows: Vec<Vec<Html>>) -> Html {
    if rows.is_empty() {
        return Html::none();
    }
    let mut out = format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">\n<table>\n\
         <caption>{caption}</caption>\n<thead><tr>"
    );
    for head in heads {
        _ = write!(out, "<th scope=\"col\">{head}</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (index, cell) in row.into_iter().enumerate() {
            _ = match index {
                0 => write!(out, "<th scope=\"row\">{}</th>", cell.0),
                _ => write!(out, "<td>{}</td>", cell.0),
            };
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
    Html(out)
}

/// Names and values.
pub(super) fn facts(rows: Vec<(&'static str, Html)>) -> Html {
    if rows.is_empty() {
        return Html::none();
    }
    let rows = rows.into_iter().fold(String::new(), |mut out, (name, value)| {
        _ = writeln!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", value.0);
        out
    });
    Html(format!("<dl class=\"facts\">\n{rows}</dl>\n"))
}

/// How good or bad something is; never said by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Risky,
    Bad,
    Plain,
}

impl Tone {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Risky => "risky",
            Self::Bad => "bad",
            Self::Plain => "plain",
        }
    }

    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Risky => "!",
            Self::Bad => "✕",
            Self::Plain => "•",
        }
    }
}

/// A word with a sign before it.
pub(super) fn mark(tone: Tone, word: &str) -> Html {
    let (class, sign) = (tone.class(), tone.sign());
    Html(format!("<span class=\"mark {class}\"><span aria-hidden=\"true\">{sign}</span> {}</span>", Html::from(word).0))
}

/// A drawing with its name and its description in words.
pub(super) fn drawing(id: &'static str, height: f64, title: &str, description: &str, content: &Html) -> Html {
    Html(format!(
        "<svg viewBox=\"0 0 {} {height:.0}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n<title id=\"{id}-t\">{}</title>\n\
         <desc id=\"{id}-d\">{}</desc>\n{}</svg>\n",
        WIDTH,
        Html::from(title).0,
        Html::from(description).0,
        content.0
    ))
}

/// How wide drawings are, in their own units.
pub(super) const WIDTH: f64 = 960.0;

/// A part of a drawing.
#[derive(Debug, Default)]
pub(super) struct Drawing(String);

impl Drawing {
    pub(super) fn line(&mut self, class: &'static str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        _ = writeln!(self.0, "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
    }

    pub(super) fn rect(&mut self, class: &'static str, (x, y): (f64, f64), (width, height): (f64, f64), tip: &str) {
        let tip = if tip.is_empty() { String::new() } else { format!("<title>{}</title>", Html::from(tip).0) };
        _ = writeln!(
            self.0,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\" rx=\"2\">{tip}</rect>",
            width.max(0.0)
        );
    }

    pub(super) fn circle(&mut self, class: &'static str, (x, y): (f64, f64), radius: f64) {
        _ = writeln!(self.0, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"/>");
    }

    /// A line through points; with `floor`, filled down to there.
    pub(super) fn path(&mut self, class: &'static str, points: &[(f64, f64)], floor: Option<f64>) {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
        let mut path = String::new();
        for (index, (x, y)) in points.iter().enumerate() {
            _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" });
        }
        if let Some(floor) = floor {
            _ = write!(path, "L{:.1} {floor:.1}L{:.1} {floor:.1}Z", last.0, first.0);
        }
        _ = writeln!(self.0, "<path class=\"{class}\" d=\"{path}\"/>");
    }

    pub(super) fn text(&mut self, class: &'static str, (x, y): (f64, f64), text: &str) {
        _ = writeln!(self.0, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", Html::from(text).0);
    }

    pub(super) fn html(self) -> Html {
        Html(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_are_code_in_pairs() {
        let shown = |text: &str| prose(text).into_string();
        assert_eq!(shown("set `a<b` to `c`."), "set <code>a&lt;b</code> to <code>c</code>.");
        assert_eq!(shown("a ` b"), "a ` b");
        assert_eq!(shown("`x` `"), "<code>x</code> `");
    }

    #[test]
    fn nothing_that_is_shown_becomes_markup() {
        let bad = "<script>alert(\"1\")</script>&\u{1b}[2J\u{202e}";
        let safe = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;\\u{1b}[2J\\u{202e}";
        assert_eq!(Html::from(bad).into_string(), safe);
        let mut drawn = Drawing::default();
        drawn.text("a", (0.0, 0.0), bad);
        drawn.rect("a", (0.0, 0.0), (1.0, 1.0), bad);
        let all = table("t", &["a"], vec![vec![bad.into(), code(bad)]])
            .and(facts(vec![("n", bad.into())]))
            .and(mark(Tone::Good, bad))
            .and(drawing("d", 1.0, bad, bad, &drawn.html()))
            .into_string();
        assert_eq!(all.matches(safe).count(), 8);
        assert!(!all.contains("<script"));
    }
}
