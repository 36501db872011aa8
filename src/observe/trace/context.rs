//! W3C Trace Context: the position of an event in its producer's trace.
//!
//! Source: W3C Recommendation "Trace Context", level 1, sections 3.2 (`traceparent`) and 3.3 (`tracestate`).

use std::fmt::Write;

/// The name of the header, of the `CloudEvents` extension and of the message attribute.
pub(super) const PARENT: &str = "traceparent";

/// What goes with it, for the tracing systems themselves.
pub(super) const STATE: &str = "tracestate";

/// `00-`, trace id, `-`, span id, `-`, flags.
const LENGTH: usize = 55;

/// What everybody should pass on; beyond it nobody needs to.
const STATE_MAX: usize = 512;

const SAMPLED: u8 = 1;

/// A span that others can name as their parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    pub(super) flags: u8,
    /// The `tracestate` as it came.
    pub(super) state: Option<String>,
}

impl Context {
    /// Reads a `traceparent`. `None`: it is none, which W3C asks to ignore together with its `tracestate`.
    pub(super) fn read(parent: &str, state: Option<&str>) -> Option<Self> {
        let bytes = parent.as_bytes();
        let [version] = hex(bytes.get(..2)?)?;
        // A later version may have more behind it; what is before stays as it is.
        let ends = match version {
            0 => bytes.len() == LENGTH,
            0xff => false,
            _ => bytes.len() == LENGTH || bytes.get(LENGTH) == Some(&b'-'),
        };
        let dashes = [2, 35, 52].iter().all(|at| bytes.get(*at) == Some(&b'-'));
        if !ends || !dashes {
            return None;
        }
        let trace_id: [u8; 16] = hex(&bytes[3..35])?;
        let span_id: [u8; 8] = hex(&bytes[36..52])?;
        let [flags] = hex(&bytes[53..55])?;
        if trace_id == [0; 16] || span_id == [0; 8] {
            return None;
        }
        let state = state.filter(|it| is_state(it)).map(str::to_owned);
        Some(Self { trace_id, span_id, flags, state })
    }

    /// The beginning of a trace that is to be recorded.
    pub(super) fn root() -> Self {
        let trace_id = fastrand::u128(1..).to_be_bytes();
        Self { trace_id, span_id: span_id(), flags: SAMPLED, state: None }
    }

    /// A new span below this one, which is to be recorded.
    pub(super) fn child(&self) -> Self {
        Self { span_id: span_id(), flags: self.flags | SAMPLED, ..self.clone() }
    }

    /// Whether the producer records its part of the trace.
    pub(super) const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// As a `traceparent` of version 0.
    pub(super) fn to_parent(&self) -> String {
        let mut text = String::with_capacity(LENGTH);
        text.push_str("00-");
        let mut push = |bytes: &[u8], end: &str| {
            for byte in bytes {
                // A String takes all.
                let _ = write!(text, "{byte:02x}");
            }
            text.push_str(end);
        };
        push(&self.trace_id, "-");
        push(&self.span_id, "-");
        push(&[self.flags], "");
        text
    }
}

fn span_id() -> [u8; 8] {
    fastrand::u64(1..).to_be_bytes()
}

/// Its entries are for others to read; what can't be one at all is left out.
fn is_state(text: &str) -> bool {
    (1..=STATE_MAX).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Lower-case digits only.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_comes_out_as_it_went_in() {
        for parent in [PARENT, "00-ffffffffffffffffffffffffffffffff-0000000000000001-00"] {
            let context = Context::read(parent, Some("a=1,b=2")).unwrap();
            assert_eq!(context.to_parent(), parent);
            assert_eq!(context.state.as_deref(), Some("a=1,b=2"));
            assert_eq!(context.is_sampled(), parent == PARENT);
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for parent in [PARENT.replacen("00", "cc", 1), PARENT.replacen("00", "01", 1) + "-more"] {
            assert_eq!(Context::read(&parent, None).unwrap().to_parent(), PARENT, "{parent}");
        }
    }

    #[test]
    fn what_is_no_traceparent_is_ignored() {
        let with = |at: usize, byte: &str| format!("{}{byte}{}", &PARENT[..at], &PARENT[at + 1..]);
        for parent in [
            String::new(),
            "00".to_owned(),
            PARENT[..54].to_owned(),
            format!("{PARENT}-more"),
            format!("{PARENT} "),
            format!(" {PARENT}"),
            PARENT.to_uppercase(),
            PARENT.replacen("00", "ff", 1),
            PARENT.replacen("00", "01", 1) + "more",
            PARENT.replacen("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32), 1),
            PARENT.replacen("b7ad6b7169203331", &"0".repeat(16), 1),
            with(2, "_"),
            with(35, "a"),
            with(52, "+"),
            with(5, "g"),
            with(5, "+"),
            with(53, "é"),
        ] {
            assert_eq!(Context::read(&parent, None), None, "{parent:?}");
        }
    }

    #[test]
    fn a_tracestate_that_can_not_be_passed_on_is_left_out() {
        let read = |state: &str| Context::read(PARENT, Some(state)).unwrap().state;
        let (long, longest) = ("x".repeat(513), "x".repeat(512));
        for state in ["", "a=\u{1}", "a=ü", &long] {
            assert_eq!(read(state), None, "{state:?}");
        }
        assert_eq!(read(&longest), Some(longest));
    }

    #[test]
    fn a_child_is_another_span_of_the_same_trace() {
        let parent = Context::read(&PARENT.replace("-01", "-00"), Some("a=1")).unwrap();
        let child = parent.child();
        assert_eq!((child.trace_id, &child.state), (parent.trace_id, &parent.state));
        assert!(child.span_id != parent.span_id && child.is_sampled());
        assert_ne!(Context::root().trace_id, Context::root().trace_id);
    }
}
