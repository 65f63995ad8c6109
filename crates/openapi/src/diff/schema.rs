//! Two schemas of one thing: what callers may send or will get otherwise than before.

use std::collections::HashSet;
use std::fmt;

use serde_json::Value;

use super::Description;
use super::change::{Class, Code, Collector, Direction, Found, Shift, Side};
use super::flat::{At, Flat, Types, types_of};
use super::limits;
use super::unchanged::Shared;

/// Keywords whose meaning for callers is not compared.
const OPAQUE: [&str; 14] = [
    "not",
    "if",
    "then",
    "else",
    "contains",
    "minContains",
    "maxContains",
    "patternProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
    "unevaluatedItems",
    "discriminator",
];
/// Values that a message names.
const NAMED: usize = 10;
/// How much of a value a message shows, in characters.
const SHOWN: usize = 60;

/// The same thing in both descriptions.
#[derive(Debug, Clone)]
pub(super) struct Pair<'o> {
    pub(super) old: At<'o>,
    pub(super) new: At<'o>,
}

impl<'o> Pair<'o> {
    pub(super) const fn new(old: At<'o>, new: At<'o>) -> Self {
        Self { old, new }
    }

    /// What stands below a name in both.
    pub(super) fn both(&self, name: &str) -> Option<Self> {
        Some(Self::new(self.old.member(name)?, self.new.member(name)?))
    }
}

/// Compares the schemas of one operation.
pub(super) struct Walk<'o, 'c> {
    pub(super) old: Description<'o>,
    pub(super) new: Description<'o>,
    pub(super) shared: &'c Shared,
    pub(super) found: &'c mut Collector,
    /// What was compared on the way here already: schemas may contain themselves.
    seen: HashSet<(String, String, Direction)>,
    /// Who sends the data under comparison.
    direction: Option<Direction>,
}

/// Where in a message the walk is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) direction: Direction,
    /// `the body`, `the answer 200`.
    subject: String,
    /// The way inside of it: `owner.name`.
    way: String,
}

impl Place {
    pub(super) fn new(direction: Direction, subject: impl Into<String>) -> Self {
        Self {
            direction,
            subject: subject.into(),
            way: String::new(),
        }
    }

    pub(super) fn field(&self, name: &str) -> Self {
        let dot = if self.way.is_empty() { "" } else { "." };
        self.at([self.way.as_str(), dot, name].concat())
    }

    fn item(&self) -> Self {
        self.at([self.way.as_str(), "[]"].concat())
    }

    fn at(&self, way: String) -> Self {
        Self { way, ..self.clone() }
    }

    /// What it is about, to begin a sentence with.
    pub(super) fn named(&self) -> String {
        if self.way.is_empty() {
            self.subject.clone()
        } else {
            format!("`{}` in {}", self.way, self.subject)
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.named())
    }
}

impl<'o, 'c> Walk<'o, 'c> {
    pub(super) fn new(
        old: Description<'o>,
        new: Description<'o>,
        shared: &'c Shared,
        found: &'c mut Collector,
    ) -> Self {
        Self {
            old,
            new,
            shared,
            found,
            seen: HashSet::new(),
            direction: None,
        }
    }

    /// Tells a change of what stands at the new place.
    pub(super) fn tell(&mut self, class: Class, code: Code, at: &At<'_>, message: String) {
        self.found.add(Found {
            class,
            code,
            pointer: &at.pointer,
            side: Side::After,
            direction: self.direction,
            message,
        });
    }

    /// Tells that something is gone from the old place.
    pub(super) fn tell_gone(&mut self, class: Class, code: Code, at: &At<'_>, message: String) {
        self.found.add(Found {
            class,
            code,
            pointer: &at.pointer,
            side: Side::Before,
            direction: self.direction,
            message,
        });
    }

    /// Compares two schemas and what is inside of them.
    pub(super) fn schemas(&mut self, pair: &Pair<'o>, place: &Place) {
        let around = self.direction.replace(place.direction);
        self.contents(pair, place);
        self.direction = around;
    }

    fn contents(&mut self, pair: &Pair<'o>, place: &Place) {
        if self.is_known(pair, place.direction) || !self.found.step() {
            return;
        }
        let (old, new) = (
            Flat::of(self.old.document, &pair.old),
            Flat::of(self.new.document, &pair.new),
        );
        if self.types(&old, &new, pair, place) {
            return;
        }
        self.values(&old, &new, pair, place);
        self.limits(&old, &new, pair, place);
        self.texts(&old, &new, pair, place);
        self.fields(&old, &new, pair, place);
        self.other_fields(&old, &new, pair, place);
        self.items(&old, &new, place);
        for keyword in ["oneOf", "anyOf"] {
            self.variants(keyword, &old, &new, place);
        }
        self.opaque(&old, &new, pair, place);
        self.words(&old, &new, pair, place);
    }

    /// Whether the pair was compared on the way here, or says the same for sure.
    fn is_known(&mut self, pair: &Pair<'o>, direction: Direction) -> bool {
        let shared = match (pair.old.bare_reference(), pair.new.bare_reference()) {
            (Some(old), Some(new)) => old == new && self.shared.has(&old),
            _ => false,
        };
        shared
            || !self
                .seen
                .insert((pair.old.pointer.clone(), pair.new.pointer.clone(), direction))
    }

    /// `true` when the types have so little in common that nothing below is compared.
    fn types(&mut self, old: &Flat<'_>, new: &Flat<'_>, pair: &Pair<'o>, place: &Place) -> bool {
        let (before, after) = (old.types(), new.types());
        if before == after {
            return false;
        }
        let (code, shift) = if before.includes(after) {
            (Code::TypeNarrowed, Shift::Narrowed)
        } else if after.includes(before) {
            (Code::TypeWidened, Shift::Widened)
        } else {
            (Code::TypeChanged, Shift::Other)
        };
        let message = format!(
            "{} was {} and is now {}",
            place.named(),
            before.words(),
            after.words()
        );
        self.tell(place.direction.class(shift), code, &pair.new, message);
        shift == Shift::Other || before == Types::ANY || after == Types::ANY
    }

    fn values(&mut self, old: &Flat<'_>, new: &Flat<'_>, pair: &Pair<'o>, place: &Place) {
        let direction = place.direction;
        let (before, after) = match (old.listed(), new.listed()) {
            (None, None) => return,
            (Some(_), None) => {
                let message = format!(
                    "{} may have any value now, not only those of a list",
                    place.named()
                );
                let class = direction.class_of_value(Shift::Widened);
                return self.tell(class, Code::EnumValueAdded, &pair.new, message);
            }
            (None, Some(listed)) => {
                let message = format!("{} has only these values now: {}", place.named(), named(&listed));
                let class = direction.class_of_value(Shift::Narrowed);
                return self.tell(class, Code::EnumValueRemoved, &pair.new, message);
            }
            (Some(before), Some(after)) => (before, after),
        };
        let gone: Vec<&Value> = before
            .iter()
            .copied()
            .filter(|value| !after.contains(value))
            .collect();
        let come: Vec<&Value> = after
            .iter()
            .copied()
            .filter(|value| !before.contains(value))
            .collect();
        if !gone.is_empty() {
            let message = format!("{} has no longer the values {}", place.named(), named(&gone));
            let class = direction.class_of_value(Shift::Narrowed);
            self.tell(class, Code::EnumValueRemoved, &pair.new, message);
        }
        if !come.is_empty() {
            let message = format!("{} can have new values: {}", place.named(), named(&come));
            let class = direction.class_of_value(Shift::Widened);
            self.tell(class, Code::EnumValueAdded, &pair.new, message);
        }
    }

    fn limits(&mut self, old: &Flat<'_>, new: &Flat<'_>, pair: &Pair<'o>, place: &Place) {
        for moved in limits::moved(old, new) {
            let code = match moved.shift {
                Shift::Narrowed => Code::BoundNarrowed,
                Shift::Widened => Code::BoundWidened,
                Shift::Other => Code::BoundChanged,
            };
            let class = place.direction.class_of_value(moved.shift);
            let (name, before, after) = (moved.name, moved.before, moved.after);
            let message = format!("{}: `{name}` was {before} and is now {after}", place.named());
            match (new.get(name), old.get(name)) {
                (Some(at), _) => self.tell(class, code, &at, message),
                (None, Some(at)) => self.tell_gone(class, code, &at, message),
                (None, None) => self.tell(class, code, &pair.new, message),
            }
        }
    }

    fn texts(&mut self, old: &Flat<'_>, new: &Flat<'_>, pair: &Pair<'o>, place: &Place) {
        let (before, after) = (old.text("format"), new.text("format"));
        if before != after {
            let (before, after) = (before.unwrap_or("none"), after.unwrap_or("none"));
            let message = format!("{}: the format was {before} and is now {after}", place.named());
            self.tell(Class::Risky, Code::FormatChanged, &pair.new, message);
        }
        let (code, class, what) = match (old.text("pattern"), new.text("pattern")) {
            (None, Some(_)) => {
                let class = place.direction.class_of_value(Shift::Narrowed);
                (Code::PatternAdded, class, "has to match a pattern now")
            }
            (Some(_), None) => {
                let class = place.direction.class_of_value(Shift::Widened);
                (Code::PatternRemoved, class, "has to match no pattern any more")
            }
            (Some(before), Some(after)) if before != after => {
                (Code::PatternChanged, Class::Risky, "has to match another pattern")
            }
            _ => return,
        };
        self.tell(class, code, &pair.new, format!("{} {what}", place.named()));
    }

    fn items(&mut self, old: &Flat<'o>, new: &Flat<'o>, place: &Place) {
        if let (Some(before), Some(after)) = (old.get("items"), new.get("items")) {
            self.schemas(&Pair::new(before, after), &place.item());
        }
        let listed = |flat: &Flat<'o>| -> Vec<At<'o>> {
            flat.get("prefixItems")
                .map(|list| list.items().collect())
                .unwrap_or_default()
        };
        for (before, after) in listed(old).into_iter().zip(listed(new)) {
            self.schemas(&Pair::new(before, after), &place.item());
        }
    }

    /// The shapes that can stand in one place. Equal ones and those of one name
    /// belong together; when one is left on either side, it became the other.
    fn variants(&mut self, keyword: &str, old: &Flat<'o>, new: &Flat<'o>, place: &Place) {
        let list = |flat: &Flat<'o>| -> Vec<At<'o>> {
            flat.get(keyword)
                .map(|list| list.items().collect())
                .unwrap_or_default()
        };
        let (before, mut after) = (list(old), list(new));
        if before.is_empty() && after.is_empty() {
            return;
        }
        let mut left = Vec::new();
        for variant in before {
            let twin = after.iter().position(|other| are_twins(&variant, other));
            match twin.map(|twin| after.remove(twin)) {
                Some(twin) => self.schemas(&Pair::new(variant, twin), place),
                None => left.push(variant),
            }
        }
        if let ([before], [now]) = (left.as_slice(), after.as_slice()) {
            return self.schemas(&Pair::new(before.clone(), now.clone()), place);
        }
        let direction = place.direction;
        for variant in &left {
            let message = format!("{}: {} cannot stand here any more", place.named(), shape(variant));
            let class = direction.class(Shift::Narrowed);
            self.tell_gone(class, Code::VariantRemoved, variant, message);
        }
        for variant in &after {
            let message = format!("{}: {} can stand here too", place.named(), shape(variant));
            let class = direction.class_of_value(Shift::Widened);
            self.tell(class, Code::VariantAdded, variant, message);
        }
    }

    fn opaque(&mut self, old: &Flat<'o>, new: &Flat<'o>, pair: &Pair<'o>, place: &Place) {
        for keyword in OPAQUE {
            let (before, after) = (old.get(keyword), new.get(keyword));
            let same = before.as_ref().map(|at| at.value) == after.as_ref().map(|at| at.value);
            let means_the_same = same && before.as_ref().is_none_or(|at| self.shared.covers(at.value));
            if !means_the_same {
                let message = format!("{}: `{keyword}` has changed", place.named());
                match (after, before) {
                    (Some(at), _) => self.tell(Class::Risky, Code::RuleChanged, &at, message),
                    (None, Some(at)) => self.tell_gone(Class::Risky, Code::RuleChanged, &at, message),
                    (None, None) => {}
                }
            }
        }
        let (before, after) = (old.get("default"), new.get("default"));
        if before.map(|at| at.value) != after.map(|at| at.value) && place.direction == Direction::Request {
            let message = format!("{} has another default", place.named());
            self.tell(Class::Risky, Code::DefaultChanged, &pair.new, message);
        }
    }

    fn words(&mut self, old: &Flat<'_>, new: &Flat<'_>, pair: &Pair<'o>, place: &Place) {
        let named = place.named();
        let deprecated = [old, new].map(|flat| flat.says("deprecated"));
        self.advice(deprecated, &pair.new, &named);
        let changed = ["title", "description", "example", "examples"]
            .iter()
            .any(|name| old.get(name).map(|at| at.value) != new.get(name).map(|at| at.value));
        if changed {
            let message = format!("the words about {named} have changed");
            self.tell(Class::Docs, Code::TextChanged, &pair.new, message);
        }
    }

    /// Tells when the publisher begins or stops to advise against something.
    pub(super) fn advice(&mut self, [before, after]: [bool; 2], at: &At<'_>, named: &str) {
        match (before, after) {
            (false, true) => {
                let message = format!("{named} is advised against now");
                self.tell(Class::Docs, Code::Deprecated, at, message);
            }
            (true, false) => {
                let message = format!("{named} is not advised against any more");
                self.tell(Class::Docs, Code::Undeprecated, at, message);
            }
            _ => {}
        }
    }
}

fn are_twins(one: &At<'_>, other: &At<'_>) -> bool {
    match (one.bare_reference(), other.bare_reference()) {
        (Some(one), Some(other)) => one == other,
        (None, None) => {
            let title = |at: &At<'_>| at.value.get("title").and_then(Value::as_str).map(str::to_owned);
            one.value == other.value || (title(one).is_some() && title(one) == title(other))
        }
        _ => false,
    }
}

/// A shape in words.
fn shape(variant: &At<'_>) -> String {
    let reference = variant.value.get("$ref").and_then(Value::as_str);
    let name = reference.and_then(|reference| reference.rsplit('/').next());
    let name = name.or_else(|| variant.value.get("title").and_then(Value::as_str));
    name.map_or_else(
        || format!("a shape of {}", types_of(variant.value).words()),
        |name| format!("`{name}`"),
    )
}

fn named(values: &[&Value]) -> String {
    let shown = values.iter().take(NAMED).map(|value| {
        let text = value.to_string();
        let cut: String = text.chars().take(SHOWN).collect();
        if cut.len() < text.len() { cut + "…" } else { cut }
    });
    let shown: Vec<String> = shown.collect();
    let more = values.len().saturating_sub(NAMED);
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    shown.join(", ") + &rest
}
