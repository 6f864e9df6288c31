//! The events of libyaml's parser, with the bytes they come from. The only module that calls foreign-style code: it
//! wraps `unsafe-libyaml`, which `serde_yaml` stands on too.
#![expect(
    unsafe_code,
    reason = "unsafe-libyaml has no safe interface, and it is the one scanner that agrees with serde_yaml byte for byte"
)]

use std::ffi::CStr;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use unsafe_libyaml as unsafe_sys;

use crate::plan::text::Span;

/// What the parser met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum YamlEvent {
    StreamStart,
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Alias { anchor: String },
    Scalar { anchor: Option<String>, tagged: bool, text: String, plain: bool },
    SequenceStart { anchor: Option<String>, tagged: bool },
    SequenceEnd,
    MappingStart { anchor: Option<String>, tagged: bool },
    MappingEnd,
}

/// Why the text is no YAML, in libyaml's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) problem: String,
    pub(super) at: usize,
    /// What was being read, and where it began.
    pub(super) context: Option<(String, usize)>,
}

/// A parser over a text.
pub(super) struct Events<'text> {
    /// From `Box::into_raw`: the parser points into itself once it has its input, so it must not move.
    parser: NonNull<unsafe_sys::yaml_parser_t>,
    failed: bool,
    text: PhantomData<&'text str>,
}

impl<'text> Events<'text> {
    /// A parser at the start of `text`; `None` when there is no memory for it.
    pub(super) fn new(text: &'text str) -> Option<Self> {
        let parser = NonNull::from(Box::leak(Box::new(MaybeUninit::<unsafe_sys::yaml_parser_t>::uninit()))).cast();
        let events = Self { parser, failed: false, text: PhantomData };
        let parser = parser.as_ptr();
        // SAFETY: the pointer is to memory of a parser's size and alignment; all zeros is a parser that owns nothing, so
        // that dropping it is right even when the initialisation fails. The input outlives the parser ('text), and the
        // length is its own.
        unsafe {
            parser.write_bytes(0, 1);
            if unsafe_sys::yaml_parser_initialize(parser).fail {
                return None;
            }
            unsafe_sys::yaml_parser_set_encoding(parser, unsafe_sys::YAML_UTF8_ENCODING);
            unsafe_sys::yaml_parser_set_input_string(parser, text.as_ptr(), text.len() as u64);
        }
        Some(events)
    }

    /// The next event. After an error or the end of the stream there are only more ends.
    pub(super) fn next(&mut self) -> Result<(YamlEvent, Span), SyntaxError> {
        if self.failed {
            return Ok((YamlEvent::StreamEnd, Span::default()));
        }
        let mut event = MaybeUninit::<unsafe_sys::yaml_event_t>::uninit();
        // SAFETY: the parser was initialised in `new` and has not failed. A successful call initialises the event,
        // which is deleted exactly once, after everything was copied out of it.
        unsafe {
            if unsafe_sys::yaml_parser_parse(self.parser.as_ptr(), event.as_mut_ptr()).fail {
                self.failed = true;
                return Err(self.error());
            }
            let met = event.assume_init_ref();
            let span = Span::new(index(met.start_mark), index(met.end_mark));
            let copied = copy(met);
            unsafe_sys::yaml_event_delete(event.as_mut_ptr());
            Ok((copied, span))
        }
    }

    fn error(&self) -> SyntaxError {
        // SAFETY: the parser was initialised in `new`; the texts it points to are static strings of libyaml.
        unsafe {
            let parser = self.parser.as_ref();
            let context = text_at(parser.context.cast()).map(|context| (context, index(parser.context_mark)));
            let problem = text_at(parser.problem.cast()).unwrap_or_default();
            SyntaxError { problem, at: index(parser.problem_mark), context }
        }
    }
}

impl Drop for Events<'_> {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, where the memory came from a box of the same layout; both end only here.
        unsafe {
            unsafe_sys::yaml_parser_delete(self.parser.as_ptr());
            drop(Box::from_raw(self.parser.cast::<MaybeUninit<unsafe_sys::yaml_parser_t>>().as_ptr()));
        }
    }
}

/// Copies an event.
///
/// # Safety
/// The event comes from a successful `yaml_parser_parse` and was not deleted.
unsafe fn copy(event: &unsafe_sys::yaml_event_t) -> YamlEvent {
    // SAFETY: `type_` says which member of the union is set.
    unsafe {
        match event.type_ {
            unsafe_sys::YAML_STREAM_START_EVENT => YamlEvent::StreamStart,
            unsafe_sys::YAML_DOCUMENT_START_EVENT => YamlEvent::DocumentStart,
            unsafe_sys::YAML_DOCUMENT_END_EVENT => YamlEvent::DocumentEnd,
            unsafe_sys::YAML_ALIAS_EVENT => {
                let data = &event.data.alias;
                YamlEvent::Alias { anchor: text_at(data.anchor).unwrap_or_default() }
            }
            unsafe_sys::YAML_SCALAR_EVENT => {
                let data = &event.data.scalar;
                let bytes = match usize::try_from(data.length) {
                    Ok(length) if length > 0 && !data.value.is_null() => std::slice::from_raw_parts(data.value, length),
                    _ => &[],
                };
                YamlEvent::Scalar {
                    anchor: text_at(data.anchor),
                    tagged: !data.tag.is_null(),
                    text: String::from_utf8_lossy(bytes).into_owned(),
                    plain: data.style == unsafe_sys::YAML_PLAIN_SCALAR_STYLE,
                }
            }
            unsafe_sys::YAML_SEQUENCE_START_EVENT => {
                let data = &event.data.sequence_start;
                YamlEvent::SequenceStart { anchor: text_at(data.anchor), tagged: !data.tag.is_null() }
            }
            unsafe_sys::YAML_SEQUENCE_END_EVENT => YamlEvent::SequenceEnd,
            unsafe_sys::YAML_MAPPING_START_EVENT => {
                let data = &event.data.mapping_start;
                YamlEvent::MappingStart { anchor: text_at(data.anchor), tagged: !data.tag.is_null() }
            }
            unsafe_sys::YAML_MAPPING_END_EVENT => YamlEvent::MappingEnd,
            _ => YamlEvent::StreamEnd,
        }
    }
}

/// The text a pointer leads to; `None` for a null pointer.
///
/// # Safety
/// The pointer is null or leads to a text that ends with a zero byte.
unsafe fn text_at(pointer: *const u8) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: not null, and ends with a zero byte as the caller promises.
    let text = unsafe { CStr::from_ptr(pointer.cast()) };
    Some(text.to_string_lossy().into_owned())
}

/// In unsafe-libyaml a mark counts bytes.
fn index(mark: unsafe_sys::yaml_mark_t) -> usize {
    usize::try_from(mark.index).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Vec<(YamlEvent, String)> {
        let mut parser = Events::new(text).unwrap();
        let mut found = vec![];
        loop {
            let (event, span) = parser.next().unwrap();
            if event == YamlEvent::StreamEnd {
                return found;
            }
            found.push((event, span.of(text).to_owned()));
        }
    }

    #[test]
    fn a_span_is_the_bytes_of_its_scalar() {
        let text = "ключ: 'вал'\nb: |\n  txt\n";
        let scalars: Vec<(String, String)> = events(text)
            .into_iter()
            .filter_map(|(event, bytes)| match event {
                YamlEvent::Scalar { text, .. } => Some((text, bytes)),
                _ => None,
            })
            .collect();
        let expected = [("ключ", "ключ"), ("вал", "'вал'"), ("b", "b"), ("txt\n", "|\n  txt\n")];
        assert_eq!(scalars, expected.map(|(text, bytes)| (text.to_owned(), bytes.to_owned())));
    }

    #[test]
    fn an_error_says_where_and_ends_the_stream() {
        let mut parser = Events::new("a: [1, 2\nb: 3\n").unwrap();
        let error = std::iter::repeat_with(|| parser.next()).take(20).find_map(Result::err).unwrap();
        assert!(error.problem.contains("expected ',' or ']'"), "{error:?}");
        assert_eq!(error.context.unwrap().1, 3);
        assert_eq!(parser.next().unwrap().0, YamlEvent::StreamEnd);
    }
}
