//! What a [`Proxy`](super::Proxy) can do to connections.

use std::time::Duration;

/// Everything at once; the default does nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// What meets new connections.
    pub door: Door,
    /// What meets bytes from the one who connected.
    pub up: Flow,
    /// What meets bytes to the one who connected.
    pub down: Flow,
}

/// What meets new connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Door {
    /// They are taken.
    #[default]
    Open,
    /// Nobody listens.
    Refused,
}

/// What meets the bytes of one direction. Offsets count from the beginning of
/// the connection, and a connection that is past one already has reached it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Each piece waits for so long, and those after it behind it.
    pub delay: Duration,
    /// Each piece waits for up to so much more, in a sequence that is the same in every run.
    pub jitter: Duration,
    /// Pieces are at most so large, each a segment of its own.
    pub slice: usize,
    /// At most so much in a second.
    pub bytes_per_second: Option<u64>,
    /// The byte at this offset arrives with all its bits turned.
    pub corrupt_at: Option<u64>,
    /// What happens after so many bytes.
    pub end: Option<(u64, End)>,
}

/// How the bytes of one direction end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing moves any more, until the fault is taken away.
    Stall,
    /// Both sides see an orderly end (FIN).
    Fin,
    /// Both sides see a reset (RST).
    Reset,
    /// This direction ends in order; the other goes on.
    HalfClose,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            slice: 64 << 10,
            bytes_per_second: None,
            corrupt_at: None,
            end: None,
        }
    }
}

impl Flow {
    /// The direction ends in this way after so many bytes.
    #[must_use]
    pub fn ends(after: u64, end: End) -> Self {
        Self {
            end: Some((after, end)),
            ..Self::default()
        }
    }

    /// Each piece is late by this much.
    #[must_use]
    pub fn late(delay: Duration, jitter: Duration) -> Self {
        Self {
            delay,
            jitter,
            ..Self::default()
        }
    }

    /// Pieces of this size.
    #[must_use]
    pub fn sliced(slice: usize) -> Self {
        Self {
            slice: slice.max(1),
            ..Self::default()
        }
    }
}

impl Faults {
    /// Nobody listens.
    #[must_use]
    pub fn refusing() -> Self {
        Self {
            door: Door::Refused,
            ..Self::default()
        }
    }

    /// Connections are taken, and nothing moves on any.
    #[must_use]
    pub fn frozen() -> Self {
        let still = Flow::ends(0, End::Stall);
        Self {
            up: still,
            down: still,
            ..Self::default()
        }
    }

    /// Both directions are late.
    #[must_use]
    pub fn late(delay: Duration, jitter: Duration) -> Self {
        let late = Flow::late(delay, jitter);
        Self {
            up: late,
            down: late,
            ..Self::default()
        }
    }

    /// Both directions come in pieces of this size.
    #[must_use]
    pub fn sliced(slice: usize) -> Self {
        let sliced = Flow::sliced(slice);
        Self {
            up: sliced,
            down: sliced,
            ..Self::default()
        }
    }

    /// Answers end in this way after so many bytes.
    #[must_use]
    pub fn answers_end(after: u64, end: End) -> Self {
        Self {
            down: Flow::ends(after, end),
            ..Self::default()
        }
    }
}
