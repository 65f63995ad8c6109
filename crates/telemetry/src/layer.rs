//! Collects the fields of events and of the spans around them.

use std::io::Write;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::event::{Fields, Line};
use crate::log::Format;

/// Writes every event as one line, with one call to the writer, so that lines
/// of several threads never mix.
pub(crate) struct LineLayer<W> {
    pub(crate) format: Format,
    pub(crate) writer: W,
}

impl<S, W> Layer<S> for LineLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            record.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        // Records of the `log` crate carry their module in a field.
        let logged = fields.take_text("log.target");
        if logged.is_some() {
            fields.drop_prefixed("log.");
        }
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.inherit(outer);
            }
        }
        let line = Line {
            level: *event.metadata().level(),
            target: logged.as_deref().unwrap_or(event.metadata().target()),
            fields: &fields,
        };
        let line = match self.format {
            Format::Pretty { colour } => line.pretty(colour),
            Format::Json => line.json(),
        };
        // There is nowhere left to report that stderr is closed.
        let _unreportable = self.writer.make_writer().write_all(line.as_bytes());
    }
}
