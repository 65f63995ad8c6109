//! What the pages of a reference show, as typed views made from small parts of
//! a document. Nothing here reads a whole document but [`split`], which cuts it
//! once, at import, and [`download`].
//!
//! A view is built from parts that the caller has loaded so far. When it needs
//! more, the builder says which ([`source::Source::missing`]); the caller loads
//! those in one query and builds again. A page therefore costs what stands on
//! it, however large the document is and whatever circles it has.
//!
//! Start reading at [`operation`], then [`schema`].

pub mod code;
pub mod download;
pub mod example;
pub mod head;
pub mod json;
pub mod operation;
pub mod reference;
pub mod samples;
pub mod schema;
pub mod source;
pub mod split;
#[cfg(test)]
mod testing;
