//! W3C Trace Context (Recommendation of 2021-11-23): a trace that the client
//! began goes on, any other call begins one. The gateway is a span of its own.

use gatewright_model::traffic::TraceId;
use http::{HeaderMap, HeaderName};

/// `traceparent`
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// `tracestate`
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Version, trace id, parent id and flags with their hyphens.
const LENGTH: usize = 55;
/// Random bytes that [`Trace::of`] needs: a trace id and a span id.
pub(crate) const RANDOM: usize = 24;

/// The trace that a call belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trace {
    /// What the upstream gets as `traceparent`, ASCII.
    parent: [u8; LENGTH],
    /// Whether the client began it, so that its `tracestate` goes on as well.
    pub(crate) continued: bool,
}

impl Trace {
    /// Continues the client's trace, or begins one.
    pub(crate) fn of(headers: &HeaderMap, random: &[u8; RANDOM]) -> Self {
        let mut values = headers.get_all(&TRACEPARENT).iter();
        let incoming = match (values.next(), values.next()) {
            (Some(only), None) => parse(only.as_bytes()),
            _ => None,
        };
        let mut parent = *b"00-00000000000000000000000000000000-0000000000000000-01";
        let (fresh_trace, fresh_span) = random.split_at(16);
        let (id, flags) = incoming.map_or((None, None), |(id, flags)| (Some(id), Some(flags)));
        if let Some(slot) = parent.get_mut(3..35) {
            match id {
                Some(id) => slot.copy_from_slice(id),
                None => write_hex(slot, fresh_trace),
            }
        }
        if let Some(slot) = parent.get_mut(36..52) {
            write_hex(slot, fresh_span);
        }
        if let (Some(slot), Some(flags)) = (parent.get_mut(53..55), flags) {
            slot.copy_from_slice(flags);
        }
        Self {
            parent,
            continued: id.is_some(),
        }
    }

    /// The value of `traceparent` for the upstream.
    pub(crate) const fn parent(&self) -> &[u8] {
        &self.parent
    }

    /// The trace id.
    pub(crate) fn id(&self) -> TraceId {
        let mut digits = [b'0'; 32];
        if let Some(id) = self.parent.get(3..35) {
            digits.copy_from_slice(id);
        }
        TraceId::from_digits(digits)
    }
}

/// Trace id and flags of a `traceparent`; `None` when it has to be ignored (section 3.2.2).
fn parse(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let (version, id, parent, flags) = (
        value.get(..2)?,
        value.get(3..35)?,
        value.get(36..52)?,
        value.get(53..55)?,
    );
    let hyphens = [2, 35, 52].iter().all(|at| value.get(*at) == Some(&b'-'));
    let lower_hex = |text: &[u8]| {
        text.iter()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
    };
    let zero = |text: &[u8]| text.iter().all(|b| *b == b'0');
    // A later version may carry more behind a further hyphen; `ff` is no version.
    let ends = match value.get(LENGTH) {
        None => true,
        Some(next) => version != b"00" && *next == b'-',
    };
    let sound = hyphens
        && ends
        && version != b"ff"
        && [version, id, parent, flags].into_iter().all(lower_hex)
        && !zero(id)
        && !zero(parent);
    sound.then_some((id, flags))
}

fn write_hex(slot: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in slot.chunks_exact_mut(2).zip(bytes) {
        for (digit, nibble) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    fn trace(values: &[&str]) -> Trace {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, value.parse().unwrap());
        }
        Trace::of(&headers, &[0xab; RANDOM])
    }

    #[test]
    fn the_clients_trace_goes_on_under_a_span_of_ours() {
        let trace = trace(&[CLIENT]);
        assert!(trace.continued);
        assert_eq!(trace.id().as_str(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(
            std::str::from_utf8(trace.parent()).unwrap(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-abababababababab-00"
        );
    }

    #[test]
    fn anything_else_begins_a_trace() {
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert!(trace(&[later]).continued);
        for broken in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(!trace(&[broken]).continued, "{broken}");
        }
        let twice = trace(&[CLIENT, CLIENT]);
        assert!(!twice.continued);
        assert_eq!(twice.id().as_str(), "ab".repeat(16));
    }
}
