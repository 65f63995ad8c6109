//! What a client of HTTP/2 may make us do without asking for anything
//! (`security.md`, 3.10, T19): frames are counted by their headers as they come.
//!
//! Within [`WINDOW`] a connection may send [`RESETS`] resets, [`CONTROL`] frames
//! that ask for work and bring none, and [`UPDATES`] changes of windows. What
//! is really asked and answered raises the last two, because honest clients
//! probe the round trip while data flows and open windows as they read.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use super::PREFACE;

const WINDOW: Duration = Duration::from_secs(10);
/// `RST_STREAM`.
const RESETS: u64 = 100;
/// `SETTINGS`, `PING`, `PRIORITY`, empty `DATA` and frames of unknown types.
const CONTROL: u64 = 50;
/// `WINDOW_UPDATE`.
const UPDATES: u64 = 1_000;
/// `CONTINUATION` frames of one head.
const CONTINUATIONS: u32 = 8;
/// Bytes of answers that allow one more control frame; an acknowledgement has 17.
const BYTES_FOR_CONTROL: u64 = 1_024;
/// Bytes of answers that allow one more change of a window.
const BYTES_FOR_UPDATE: u64 = 16;

const HEADER: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;

/// What was seen of a connection.
#[derive(Debug)]
pub(super) struct FrameWatch {
    frames: RefCell<Frames>,
    written: Cell<u64>,
    flooded: Cell<bool>,
}

/// Where in the stream of bytes we are, and what was counted.
#[derive(Debug)]
struct Frames {
    /// Bytes to pass over: what is left of the preface or of a payload.
    skip: usize,
    header: [u8; HEADER],
    have: usize,
    continuations: u32,
    counted: Counted,
}

/// What was counted since a window began.
#[derive(Debug)]
struct Counted {
    since: Instant,
    resets: u64,
    control: u64,
    updates: u64,
    /// Frames that bring a request or a part of one.
    useful: u64,
}

impl Counted {
    fn now() -> Self {
        Self {
            since: Instant::now(),
            resets: 0,
            control: 0,
            updates: 0,
            useful: 0,
        }
    }
}

impl FrameWatch {
    pub(super) fn new() -> Self {
        Self {
            frames: RefCell::new(Frames {
                skip: PREFACE.len(),
                header: [0; HEADER],
                have: 0,
                continuations: 0,
                counted: Counted::now(),
            }),
            written: Cell::new(0),
            flooded: Cell::new(false),
        }
    }

    /// So many bytes went out.
    pub(super) fn wrote(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(0);
        self.written.set(self.written.get().saturating_add(bytes));
    }

    /// Whether the client sent more than it may.
    pub(super) fn is_flooded(&self) -> bool {
        self.flooded.get()
    }

    /// These bytes came.
    pub(super) fn read(&self, mut bytes: &[u8]) {
        let mut frames = self.frames.borrow_mut();
        while !bytes.is_empty() {
            if frames.skip > 0 {
                let passed = frames.skip.min(bytes.len());
                frames.skip -= passed;
                bytes = bytes.get(passed..).unwrap_or_default();
                continue;
            }
            let have = frames.have;
            let taken = (HEADER - have).min(bytes.len());
            let (head, rest) = bytes.split_at(taken);
            if let Some(slot) = frames.header.get_mut(have..have + taken) {
                slot.copy_from_slice(head);
            }
            frames.have += taken;
            bytes = rest;
            if frames.have < HEADER {
                return;
            }
            if frames.counted.since.elapsed() > WINDOW {
                frames.counted = Counted::now();
                self.written.set(0);
            }
            if frames.frame(self.written.get()) == Verdict::Flood {
                self.flooded.set(true);
                return;
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Fine,
    Flood,
}

impl Frames {
    /// Counts the frame whose header is whole.
    fn frame(&mut self, written: u64) -> Verdict {
        let [high, middle, low, kind, flags, ..] = self.header;
        self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        self.have = 0;
        let counted = &mut self.counted;
        match kind {
            CONTINUATION => {
                self.continuations += 1;
                verdict(self.continuations > CONTINUATIONS)
            }
            HEADERS => {
                self.continuations = 0;
                counted.useful += 1;
                Verdict::Fine
            }
            DATA if self.skip > 0 || flags & END_STREAM != 0 => {
                counted.useful += 1;
                Verdict::Fine
            }
            RST_STREAM => {
                counted.resets += 1;
                verdict(counted.resets > RESETS)
            }
            WINDOW_UPDATE => {
                counted.updates += 1;
                verdict(counted.updates > UPDATES + 4 * counted.useful + written / BYTES_FOR_UPDATE)
            }
            _ => {
                counted.control += 1;
                verdict(counted.control > CONTROL + counted.useful + written / BYTES_FOR_CONTROL)
            }
        }
    }
}

const fn verdict(is_flood: bool) -> Verdict {
    if is_flood { Verdict::Flood } else { Verdict::Fine }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        // A payload that looks like headers of other frames.
        frame.resize(HEADER + usize::from(length), RST_STREAM);
        frame
    }

    /// How many of these frames pass.
    fn passed(watch: &FrameWatch, kind: u8, length: u8, count: u64) -> u64 {
        (0..count)
            .take_while(|_| {
                watch.read(&frame(kind, 0, length));
                !watch.is_flooded()
            })
            .count() as u64
    }

    fn begun() -> FrameWatch {
        let watch = FrameWatch::new();
        watch.read(PREFACE);
        watch
    }

    #[test]
    fn each_kind_of_frame_has_its_budget() {
        assert_eq!(passed(&begun(), RST_STREAM, 4, 1_000), RESETS);
        for kind in [2, 4, 6, 0xfa] {
            assert_eq!(passed(&begun(), kind, 8, 1_000), CONTROL, "{kind}");
        }
        assert_eq!(passed(&begun(), DATA, 0, 1_000), CONTROL);
        assert_eq!(passed(&begun(), WINDOW_UPDATE, 4, 9_000), UPDATES);
        assert_eq!(
            passed(&begun(), CONTINUATION, 20, 1_000),
            u64::from(CONTINUATIONS)
        );
        assert_eq!(passed(&begun(), HEADERS, 20, 9_000), 9_000);
        assert_eq!(passed(&begun(), DATA, 1, 9_000), 9_000);
    }

    #[test]
    fn what_is_asked_and_answered_allows_more_and_acknowledgements_do_not() {
        let watch = begun();
        watch.wrote(100 * 1_024);
        assert_eq!(passed(&watch, 6, 8, 1_000), CONTROL + 100);
        let watch = begun();
        let answered = (0..10_000).take_while(|_| {
            watch.read(&frame(6, 0, 8));
            watch.wrote(17);
            !watch.is_flooded()
        });
        assert!(answered.count() < 60);
    }

    proptest! {
        #[test]
        fn any_split_counts_the_same(kinds in proptest::collection::vec((0_u8..12, 0_u8..30), 0..80), size in 1_usize..50) {
            let mut bytes = PREFACE.to_vec();
            for (kind, length) in kinds {
                bytes.extend(frame(kind, 0, length));
            }
            let (whole, split) = (FrameWatch::new(), FrameWatch::new());
            whole.read(&bytes);
            for piece in bytes.chunks(size) {
                if !split.is_flooded() {
                    split.read(piece);
                }
            }
            prop_assert_eq!(whole.is_flooded(), split.is_flooded());
        }
    }
}
