//! Markdown of publishers as HTML that does nothing.
