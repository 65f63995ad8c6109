//! What must hold of each single step: it happened whole, or not at all.

use std::collections::BTreeSet;
use std::fmt;

use gatewright_model::audit::AuditEvent;

use crate::walk::view::{Thing, View};

/// What brings back what had ended; no verb of its own machine does.
const RESTORE: &str = "subscription.restore";

/// How the walk went so far.
#[derive(Debug, Default)]
pub(super) struct Rules {
    changed: u64,
    refused: u64,
    moves: BTreeSet<(&'static str, &'static str, &'static str)>,
}

impl Rules {
    /// A refused step left nothing behind.
    pub(super) fn refused(&mut self, before: &View, after: &View, place: &str) {
        self.refused += 1;
        assert_eq!(
            before.things, after.things,
            "a refused step changed something: {place}"
        );
        assert_eq!(
            before.parts, after.parts,
            "a refused step reached the gateways: {place}"
        );
        assert_eq!(
            (before.head, before.events.len()),
            (after.head, after.events.len()),
            "a refused step left a trace: {place}"
        );
    }

    /// A step that was taken moved things along their machines, and each move
    /// stands in the audit trail once.
    pub(super) fn changed(&mut self, before: &View, after: &View, place: &str) {
        self.changed += 1;
        let (earlier, new) = after.events.split_at(before.events.len());
        assert_eq!(earlier, before.events, "the past was changed: {place}");
        for (id, thing) in &after.things {
            let about = || new.iter().filter(|event| event.subject_id == *id);
            match before.things.get(id) {
                Some(known) if known == thing => {}
                Some(known) if known.state == thing.state => {
                    assert!(
                        !new.is_empty(),
                        "{id} changed and nobody knows who did it: {place}"
                    );
                }
                Some(known) => {
                    let told: Vec<&str> = about().map(|event| event.action.as_str()).collect();
                    assert_eq!(
                        told.len(),
                        1,
                        "{id} from {} to {}: {told:?}: {place}",
                        known.state,
                        thing.state
                    );
                    assert!(
                        known.reachable.contains(&thing.state) || told == [RESTORE],
                        "{id} went from {} to {}: {place}",
                        known.state,
                        thing.state
                    );
                    self.moves.insert((thing.kind, known.state, thing.state));
                }
                None => assert!(names(new, id), "{id} came from nowhere: {place}"),
            }
        }
        let gone = before
            .things
            .iter()
            .filter(|(id, _)| !after.things.contains_key(*id));
        for (id, thing) in gone {
            assert!(is_draft(thing) && names(new, id), "{id} is gone: {place}");
        }
        if new.is_empty() {
            assert_eq!(before.parts, after.parts, "gateways got what nobody did: {place}");
        }
    }

    /// A walk that hardly moves proves nothing.
    pub(super) fn went_about(&self) {
        let kinds: BTreeSet<&str> = self.moves.iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(kinds.len(), 6, "only these moved: {:?}", self.moves);
        assert!(
            self.moves.len() >= 20,
            "only {} kinds of moves: {:?}",
            self.moves.len(),
            self.moves
        );
        assert!(self.refused > 0);
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} taken, {} refused, {} different moves",
            self.changed,
            self.refused,
            self.moves.len()
        )
    }
}

/// Whether one of the events is about the thing or names it.
fn names(events: &[AuditEvent], id: &str) -> bool {
    let named = |event: &AuditEvent| event.subject_id == id || event.details.to_string().contains(id);
    events.iter().any(named)
}

/// Only the draft of a plan is ever deleted.
fn is_draft(thing: &Thing) -> bool {
    thing.kind == "plan" && thing.state == "draft"
}
