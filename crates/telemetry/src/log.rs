//! The log of the process: one event is one line on stderr.

use std::io::{IsTerminal, Stderr, stderr};
use std::sync::OnceLock;

use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Registry, filter, reload};

use crate::layer::LineLayer;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Pretty {
        /// The level is coloured.
        colour: bool,
    },
    /// One JSON object a line: `time` (RFC 3339, UTC), `level`, `target`, `message`, then the fields.
    Json,
}

impl Format {
    /// The format for people, coloured when stderr is a terminal.
    #[must_use]
    pub fn pretty_on_stderr() -> Self {
        Self::Pretty {
            colour: stderr().is_terminal(),
        }
    }
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The directives of the level are wrong.
    #[error("the log level is wrong")]
    Filter(#[from] filter::ParseError),
    /// Another log is in place.
    #[error("the log was set up twice")]
    Twice(#[from] TryInitError),
    /// There is no log whose level could change.
    #[error("the log was not set up")]
    Missing,
    /// The log is gone.
    #[error("the log takes no other level")]
    Gone(#[from] reload::Error),
}

type Lines = Layered<LineLayer<fn() -> Stderr>, Registry>;

/// The level of the log of this process, which has one log at most.
static LEVEL: OnceLock<reload::Handle<EnvFilter, Lines>> = OnceLock::new();

/// What libraries say below this is noise to an operator. Directives of the operator come later and win.
const QUIET: &str = "hyper=warn,hyper_util=warn,h2=warn,rustls=warn,sqlx=warn,redis=warn,tower=warn";

/// Starts the log of this process on stderr. `level` holds directives such as
/// `info` or `info,gatewright_gateway=debug`. Records of the `log` crate are
/// taken in.
///
/// # Errors
/// [`LogError`] when the directives are wrong or a log is already there.
pub fn start(format: Format, level: &str) -> Result<(), LogError> {
    let lines = LineLayer {
        format,
        writer: stderr as fn() -> Stderr,
    };
    let (level, handle) = reload::Layer::new(filter(level)?);
    Registry::default().with(lines).with(level).try_init()?;
    // The log was set up just now, for the first time.
    drop(LEVEL.set(handle));
    Ok(())
}

/// Changes the level of the log that [`start`] has set up.
///
/// # Errors
/// [`LogError`] when the directives are wrong or there is no log.
pub fn set_level(level: &str) -> Result<(), LogError> {
    let handle = LEVEL.get().ok_or(LogError::Missing)?;
    Ok(handle.reload(filter(level)?)?)
}

fn filter(level: &str) -> Result<EnvFilter, filter::ParseError> {
    EnvFilter::try_new(format!("{QUIET},{level}"))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;
    use serde_json::Value;
    use tracing::{error, info, info_span};

    use super::*;

    /// A log that is read instead of printed.
    #[derive(Clone)]
    pub(crate) struct Captured {
        format: Format,
        bytes: Arc<Mutex<Vec<u8>>>,
    }

    impl Captured {
        pub(crate) fn new(format: Format) -> Self {
            Self {
                format,
                bytes: Arc::default(),
            }
        }

        pub(crate) fn run(&self, body: impl FnOnce()) {
            self.run_filtered(EnvFilter::new("trace"), body);
        }

        fn run_filtered(&self, filter: EnvFilter, body: impl FnOnce()) {
            let bytes = Arc::clone(&self.bytes);
            let lines = LineLayer {
                format: self.format,
                writer: move || Sink(Arc::clone(&bytes)),
            };
            tracing::subscriber::with_default(Registry::default().with(lines).with(filter), body);
        }

        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
        }

        pub(crate) fn json(&self) -> Value {
            serde_json::from_str(&self.text()).unwrap()
        }
    }

    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn libraries_are_quiet_unless_asked_for() {
        let said = |level: &str| {
            let log = Captured::new(Format::Json);
            log.run_filtered(filter(level).unwrap(), || {
                info!(target: "hyper::proto", "library");
                info!(target: "gatewright_gateway", "ours");
            });
            (log.text().contains("library"), log.text().contains("ours"))
        };
        assert_eq!(said("info"), (false, true));
        assert_eq!(said("info,hyper=debug"), (true, true));
        assert_eq!(said("warn"), (false, false));
    }

    #[test]
    fn an_event_carries_the_fields_of_its_spans() {
        let log = Captured::new(Format::Json);
        log.run(|| {
            let span = info_span!(
                "request",
                request.id = "call_1",
                http.status = tracing::field::Empty
            );
            span.record("http.status", 200);
            span.in_scope(|| info!(api.id = "api_1", ok = true, "served"));
        });
        let line = log.json();
        assert_eq!(line["message"], "served");
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["request.id"], "call_1");
        assert_eq!(line["http.status"], 200);
        assert_eq!(line["api.id"], "api_1");
        assert_eq!(line["ok"], true);
        assert!(line["time"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn a_field_cannot_pose_as_the_message_or_the_level() {
        let log = Captured::new(Format::Json);
        log.run(|| info!(level = "ERROR", target = "x", "real"));
        assert_eq!(log.json()["level"], "INFO");
        assert_eq!(log.json()["message"], "real");
    }

    #[test]
    fn errors_show_their_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot publish")]
        struct Outer(#[source] io::Error);
        let log = Captured::new(Format::Pretty { colour: false });
        let failure = Outer(io::Error::other("disk full"));
        log.run(|| error!(error = &failure as &dyn std::error::Error, "publish failed"));
        assert!(
            log.text()
                .ends_with("publish failed error=\"cannot publish: disk full\"\n"),
            "{}",
            log.text()
        );
    }

    #[test]
    fn long_values_are_cut() {
        let log = Captured::new(Format::Json);
        let long = "x".repeat(1 << 20);
        log.run(|| info!(agent = %long, "{long}"));
        assert!(log.text().len() < 6_000);
        assert!(log.json()["agent"].as_str().unwrap().ends_with('…'));
    }

    proptest! {
        #[test]
        fn one_event_is_one_clean_line(text in any::<String>(), hostile in "[\r\n\u{1b}\u{9b}\u{2028}\u{202e}\u{7f}a=\" ]{0,20}") {
            for format in [Format::Json, Format::Pretty { colour: false }] {
                let log = Captured::new(format);
                log.run(|| info!(agent = %hostile, path = ?text, "{hostile}{text}"));
                let line = log.text();
                let body = line.strip_suffix('\n').unwrap();
                prop_assert!(!body.chars().any(crate::capped::is_unsafe), "{body:?}");
                if format == Format::Json {
                    let line = log.json();
                    prop_assert_eq!(line["agent"].as_str(), Some(hostile.as_str()));
                }
            }
        }
    }
}
