//! Panics as log lines, so that they reach whoever reads the log.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};

/// From now on a panic is logged as one error line with its place and thread,
/// and with a backtrace where `RUST_BACKTRACE` asks for one. Call it after
/// [`crate::log::start`]: before that the line would be lost.
pub fn log_panics() {
    panic::set_hook(Box::new(log_panic));
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let place = info.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(
        panic.place = place.as_deref(),
        thread.name = thread.name(),
        backtrace = backtrace.as_deref(),
        "a part of the process panicked: {}",
        info.payload_as_str().unwrap_or("(no text)")
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Format;
    use crate::log::tests::Captured;

    #[test]
    fn a_panic_is_one_line_with_its_place() {
        let log = Captured::new(Format::Json);
        let before = panic::take_hook();
        log.run(|| {
            log_panics();
            let outcome = panic::catch_unwind(|| panic!("two\nlines"));
            assert!(outcome.is_err());
        });
        panic::set_hook(before);
        let line = log.json();
        assert_eq!(line["message"], "a part of the process panicked: two\nlines");
        assert!(line["panic.place"].as_str().unwrap().contains("panics.rs"));
    }
}
