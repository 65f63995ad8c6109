//! How many elements a page may have (`portal-ux.md` 5.1). What names things
//! always stands; long texts, details of rows, examples and colours are left
//! out from where the room is used up, which only descriptions come to that
//! nobody wrote by hand.

use std::cell::Cell;
use std::rc::Rc;

use gatewright_openapi::docs::code::Tokens;
use gatewright_openapi::docs::operation::{Content, InputKind, OperationDoc, Parameter};
use gatewright_openapi::docs::schema::SchemaView;

use super::samples::CodeHtml;
use crate::markdown::SafeHtml;
use crate::portal::try_it::MOST_LISTED;

/// Elements of a page, but for what stands around every page.
const MOST: usize = 4_500;
/// Elements of the head of a row, with the block that opens what is inside.
const ROW: usize = 10;
const SHAPE: usize = 8;
const RESPONSE: usize = 6;
const CONTENT: usize = 4;
/// A field of the form by which an operation is tried.
const INPUT: usize = 7;
const CALLBACK: usize = 22;
const LINK: usize = 12;

/// The room that is left on a page. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Room(Rc<Cell<usize>>);

impl Room {
    /// Of a page that shows one schema.
    pub(super) fn of_schema(view: &SchemaView) -> Self {
        Self::without(heads(view))
    }

    /// Of the page of an operation.
    pub(super) fn of_operation(doc: &OperationDoc) -> Self {
        let fields =
            |list: &[Parameter]| -> usize { list.iter().map(|parameter| ROW + heads(&parameter.view)).sum() };
        let contents = |list: &[Content]| -> usize {
            let content = |content: &Content| {
                CONTENT + 3 * content.encoding.len() + content.view.as_ref().map_or(0, heads)
            };
            list.iter().map(content).sum()
        };
        let parameters = || doc.parameters.iter().flat_map(|group| &group.parameters);
        let choices = parameters().map(|parameter| match &parameter.input.kind {
            InputKind::Choice(choices) => choices.len(),
            InputKind::Boolean => 2,
            _ => 0,
        });
        let mut taken = choices.sum::<usize>().min(MOST_LISTED) + INPUT * parameters().count();
        for group in &doc.parameters {
            taken += fields(&group.parameters);
        }
        let callbacks = doc.callbacks.iter();
        let bodies = doc
            .body
            .iter()
            .chain(callbacks.filter_map(|call| call.body.as_ref()));
        taken += bodies.map(|body| contents(&body.contents)).sum::<usize>();
        taken += CALLBACK * doc.callbacks.len();
        for response in &doc.responses {
            taken += RESPONSE + fields(&response.headers) + contents(&response.contents);
            taken += LINK * response.links.len();
        }
        Self::without(taken)
    }

    fn without(taken: usize) -> Self {
        Self(Rc::new(Cell::new(MOST.saturating_sub(taken))))
    }

    /// Takes so many elements, if there is room for all of them.
    pub(super) fn take(&self, elements: usize) -> bool {
        let left = self.0.get().checked_sub(elements);
        if let Some(left) = left {
            self.0.set(left);
        }
        left.is_some()
    }

    /// A text below a heading of this level; as plain text when its marks do not fit.
    pub(super) fn prose(&self, text: &str, level: u8) -> SafeHtml {
        let html = SafeHtml::below(text, level);
        if self.take(html.elements()) {
            html
        } else {
            SafeHtml::plain(text)
        }
    }

    /// Code, in colours when they fit.
    pub(super) fn code(&self, tokens: Tokens) -> CodeHtml {
        if self.take(tokens.list().len()) {
            CodeHtml::new(tokens)
        } else {
            CodeHtml::new(Tokens::plain(&tokens.text()))
        }
    }
}

/// The elements of what is inside of a schema, without what is said about it.
fn heads(view: &SchemaView) -> usize {
    let rows: usize = view.rows.iter().map(|row| ROW + heads(&row.view)).sum();
    let shapes = view.choices.iter().flat_map(|group| &group.choices);
    let shapes: usize = shapes.map(|choice| SHAPE + heads(&choice.view)).sum();
    rows + shapes + 4 * view.choices.len() + 3
}

/// The elements of what is said about a schema, without its description.
pub(super) fn lines(view: &SchemaView) -> usize {
    let rules = view.rules.iter().map(|rule| 4 + rule.values.len());
    let folded = view.rules.iter().filter(|rule| !rule.more.is_empty());
    rules.sum::<usize>()
        + 3 * folded.count()
        + 2 * view.notes.len()
        + view.composed_of.len()
        + view.links.len()
        + 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_said_more_simply() {
        let room = Room::without(MOST - 4);
        assert!(room.prose("**a** and *b*", 3).to_string().contains("<strong>"));
        let plain = room.prose("**c** <i>", 3).to_string();
        assert_eq!(plain, "<p>**c** &lt;i&gt;</p>");
        assert!(!room.take(2) && room.take(1) && !room.take(1) && room.take(0));
    }
}
