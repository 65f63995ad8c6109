//! What a change is, and how those that are found are kept.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// What a change means for those who call the API, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Calls that worked fail, or their answers are not understood.
    Breaking,
    /// Whether it breaks somebody depends on what they do.
    Risky,
    /// Nobody has to do anything.
    Additive,
    /// Only the words are others.
    Docs,
}

impl Class {
    /// Every class, the worst first.
    pub const ALL: [Self; 4] = [Self::Breaking, Self::Risky, Self::Additive, Self::Docs];

    /// The word on the wire and on screen.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::Risky => "risky",
            Self::Additive => "additive",
            Self::Docs => "docs",
        }
    }
}

/// Declares the codes once: the variant, its text on the wire, and the code of
/// the same change seen from the other side.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident $text:literal $back:ident,)+) => {
        /// What kind of change it is. The text is part of the public contract
        /// and never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)+
        }

        impl Code {
            /// Every code there is, for generated references.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The code as it stands on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The code of the change that takes this one back.
            #[must_use]
            pub const fn reversed(self) -> Self {
                match self { $(Self::$variant => Self::$back,)+ }
            }
        }
    };
}

codes! {
    /// An operation is new.
    OperationAdded "operation_added" OperationRemoved,
    /// An operation is gone.
    OperationRemoved "operation_removed" OperationAdded,
    /// An operation has another method or path.
    OperationMoved "operation_moved" OperationMoved,
    /// An operation has another id: generated clients call it otherwise.
    OperationIdChanged "operation_id_changed" OperationIdChanged,
    /// An operation, parameter or field is advised against now.
    Deprecated "deprecated" Undeprecated,
    /// It is not advised against any more.
    Undeprecated "undeprecated" Deprecated,
    /// A title, summary, description, tag or example has changed.
    TextChanged "text_changed" TextChanged,
    /// Calls have to prove who sends them, or by something else or more than before.
    SecurityAdded "security_added" SecurityRemoved,
    /// Calls prove less than before.
    SecurityRemoved "security_removed" SecurityAdded,
    /// A way to prove who calls works otherwise.
    SecuritySchemeChanged "security_scheme_changed" SecuritySchemeChanged,
    /// A parameter is new.
    ParameterAdded "parameter_added" ParameterRemoved,
    /// A parameter is gone.
    ParameterRemoved "parameter_removed" ParameterAdded,
    /// A part of the path has another name.
    PathParameterRenamed "path_parameter_renamed" PathParameterRenamed,
    /// A parameter must be sent now.
    ParameterRequired "parameter_required" ParameterOptional,
    /// A parameter may be left out now.
    ParameterOptional "parameter_optional" ParameterRequired,
    /// A parameter is written otherwise: `style`, `explode`, content.
    ParameterStyleChanged "parameter_style_changed" ParameterStyleChanged,
    /// A body is taken now.
    BodyAdded "body_added" BodyRemoved,
    /// No body is taken any more.
    BodyRemoved "body_removed" BodyAdded,
    /// The body must be sent now.
    BodyRequired "body_required" BodyOptional,
    /// The body may be left out now.
    BodyOptional "body_optional" BodyRequired,
    /// A media type is new.
    MediaTypeAdded "media_type_added" MediaTypeRemoved,
    /// A media type is gone.
    MediaTypeRemoved "media_type_removed" MediaTypeAdded,
    /// A status is new.
    ResponseAdded "response_added" ResponseRemoved,
    /// A status is gone.
    ResponseRemoved "response_removed" ResponseAdded,
    /// A header of an answer is new.
    HeaderAdded "header_added" HeaderRemoved,
    /// A header of an answer is gone.
    HeaderRemoved "header_removed" HeaderAdded,
    /// A header is always there now.
    HeaderRequired "header_required" HeaderOptional,
    /// A header may be missing now.
    HeaderOptional "header_optional" HeaderRequired,
    /// Fewer types of value than before.
    TypeNarrowed "type_narrowed" TypeWidened,
    /// More types of value than before.
    TypeWidened "type_widened" TypeNarrowed,
    /// Other types of value.
    TypeChanged "type_changed" TypeChanged,
    /// A value is new among those that are listed, or there is no list any more.
    EnumValueAdded "enum_value_added" EnumValueRemoved,
    /// A value is gone from those that are listed, or there is a list now.
    EnumValueRemoved "enum_value_removed" EnumValueAdded,
    /// A length, size, count or step allows less.
    BoundNarrowed "bound_narrowed" BoundWidened,
    /// A length, size, count or step allows more.
    BoundWidened "bound_widened" BoundNarrowed,
    /// A step (`multipleOf`) is another one.
    BoundChanged "bound_changed" BoundChanged,
    /// The format of a value is another one.
    FormatChanged "format_changed" FormatChanged,
    /// There is a pattern now.
    PatternAdded "pattern_added" PatternRemoved,
    /// There is no pattern any more.
    PatternRemoved "pattern_removed" PatternAdded,
    /// The pattern is another one.
    PatternChanged "pattern_changed" PatternChanged,
    /// What holds without a value is another value.
    DefaultChanged "default_changed" DefaultChanged,
    /// A field is new.
    PropertyAdded "property_added" PropertyRemoved,
    /// A field is gone.
    PropertyRemoved "property_removed" PropertyAdded,
    /// A field must be there now.
    PropertyRequired "property_required" PropertyOptional,
    /// A field may be missing now.
    PropertyOptional "property_optional" PropertyRequired,
    /// Fields that are not described are allowed now.
    OtherFieldsAllowed "other_fields_allowed" OtherFieldsRefused,
    /// Fields that are not described are refused now.
    OtherFieldsRefused "other_fields_refused" OtherFieldsAllowed,
    /// One more shape can stand here.
    VariantAdded "variant_added" VariantRemoved,
    /// One shape less can stand here.
    VariantRemoved "variant_removed" VariantAdded,
    /// Something whose meaning for callers is not compared.
    RuleChanged "rule_changed" RuleChanged,
    /// A message that the API sends by itself is new.
    WebhookAdded "webhook_added" WebhookRemoved,
    /// A message that the API sends by itself is gone.
    WebhookRemoved "webhook_removed" WebhookAdded,
    /// The descriptions are too large to be compared to the end.
    NotCompared "not_compared" NotCompared,
}

/// In which of the two descriptions a pointer points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The old one: it is about something that is gone.
    Before,
    /// The new one.
    After,
}

/// One thing that is otherwise than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What it means for callers.
    pub class: Class,
    /// Stable name of the kind.
    pub code: Code,
    /// What has changed, as a sentence.
    pub message: String,
    /// Where it stands (RFC 6901) in the normalised form of one description:
    /// that of 3.x, which differs from the raw one for 2.0 alone.
    pub pointer: String,
    /// In which one.
    pub side: Side,
    /// The operations that it reaches, by their keys; the first of them.
    pub operations: Vec<String>,
    /// How many operations it reaches.
    pub operations_total: usize,
}

/// Everything that is otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// The worst first, else in the order of the new description.
    pub changes: Vec<Change>,
    /// How many more there are than are listed.
    pub unlisted: usize,
}

/// How many changes there are of each class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Of [`Class::Breaking`].
    pub breaking: u64,
    /// Of [`Class::Risky`].
    pub risky: u64,
    /// Of [`Class::Additive`].
    pub additive: u64,
    /// Of [`Class::Docs`].
    pub docs: u64,
}

impl Diff {
    /// How many of the listed changes are of each class.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let count = |class| self.count(class) as u64;
        Counts {
            breaking: count(Class::Breaking),
            risky: count(Class::Risky),
            additive: count(Class::Additive),
            docs: count(Class::Docs),
        }
    }

    /// How many of the listed changes are of a class.
    #[must_use]
    pub fn count(&self, class: Class) -> usize {
        self.changes.iter().filter(|change| change.class == class).count()
    }

    /// Whether calls that worked will fail.
    #[must_use]
    pub fn breaks(&self) -> bool {
        self.count(Class::Breaking) > 0
    }
}

/// Who writes the value and who has to understand it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Direction {
    /// Callers send it.
    Request,
    /// Callers get it.
    Response,
}

/// How the set of values that are allowed has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shift {
    Narrowed,
    Widened,
    Other,
}

impl Direction {
    /// Who sends must not be told that less is taken; who reads must not get more.
    pub(super) const fn class(self, shift: Shift) -> Class {
        match (self, shift) {
            (Self::Request, Shift::Widened) | (Self::Response, Shift::Narrowed) => Class::Additive,
            (Self::Request | Self::Response, _) => Class::Breaking,
        }
    }

    /// The same where a caller may well not care about what is new in an answer.
    pub(super) const fn class_of_value(self, shift: Shift) -> Class {
        match (self, shift) {
            (Self::Response, Shift::Widened | Shift::Other) => Class::Risky,
            _ => self.class(shift),
        }
    }

    pub(super) const fn flipped(self) -> Self {
        match self {
            Self::Request => Self::Response,
            Self::Response => Self::Request,
        }
    }
}

/// Changes that are listed one by one.
pub(super) const LISTED: usize = 500;
/// Operations that are named for one change.
const NAMED: usize = 20;
/// Values that are looked at: as many as two large documents have.
const STEPS: usize = 4_000_000;

/// A change as it is found.
pub(super) struct Found<'t> {
    pub(super) class: Class,
    pub(super) code: Code,
    pub(super) pointer: &'t str,
    pub(super) side: Side,
    /// Of data: who sends it. One schema may stand in requests and in answers.
    pub(super) direction: Option<Direction>,
    pub(super) message: String,
}

/// Where a change stands, and what it is: one that is found again is the same.
type Identity = (Code, Side, String, Option<Direction>);

/// Collects changes: what is shared by many operations is told once.
pub(super) struct Collector {
    changes: Vec<Change>,
    /// Where a change stands in the list.
    known: HashMap<Identity, usize>,
    unlisted: usize,
    steps: usize,
    /// The operation under comparison: how many came before it, and its key.
    operation: Option<(usize, String)>,
    begun: usize,
    /// Of each change the last operation that it was found to reach.
    reached: Vec<usize>,
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            changes: Vec::new(),
            known: HashMap::new(),
            unlisted: 0,
            steps: STEPS,
            operation: None,
            begun: 0,
            reached: Vec::new(),
        }
    }
}

impl Collector {
    /// What is found from here on reaches this operation.
    pub(super) fn begin(&mut self, operation: &str) {
        self.begun += 1;
        self.operation = Some((self.begun, operation.to_owned()));
    }

    /// What is found from here on reaches no operation.
    pub(super) fn end(&mut self) {
        self.operation = None;
    }

    /// Takes a step of the work; `false` when it is enough.
    pub(super) fn step(&mut self) -> bool {
        let Some(left) = self.steps.checked_sub(1) else {
            return false;
        };
        self.steps = left;
        if left == 0 {
            self.end();
            self.add(Found {
                class: Class::Risky,
                code: Code::NotCompared,
                pointer: "",
                side: Side::After,
                direction: None,
                message:
                    "the descriptions are too large to be compared to the end: there may be more changes"
                        .to_owned(),
            });
        }
        left > 0
    }

    pub(super) fn add(&mut self, found: Found<'_>) {
        let Found {
            class,
            code,
            pointer,
            side,
            direction,
            message,
        } = found;
        let key = (code, side, pointer.to_owned(), direction);
        let at = match self.known.get(&key) {
            Some(at) => *at,
            None if self.changes.len() >= LISTED && class != Class::Breaking => {
                self.unlisted += 1;
                return;
            }
            None => {
                self.known.insert(key, self.changes.len());
                self.changes.push(Change {
                    class,
                    code,
                    message,
                    pointer: pointer.to_owned(),
                    side,
                    operations: Vec::new(),
                    operations_total: 0,
                });
                self.reached.push(0);
                self.changes.len() - 1
            }
        };
        self.reach(at);
    }

    fn reach(&mut self, at: usize) {
        let Some((number, operation)) = &self.operation else {
            return;
        };
        let (Some(change), Some(last)) = (self.changes.get_mut(at), self.reached.get_mut(at)) else {
            return;
        };
        if *last == *number {
            return;
        }
        *last = *number;
        change.operations_total += 1;
        if change.operations.len() < NAMED {
            change.operations.push(operation.clone());
        }
    }

    pub(super) fn into_diff(mut self) -> Diff {
        self.changes.sort_by_key(|change| change.class);
        let beyond = self.changes.len().saturating_sub(LISTED);
        self.changes.truncate(LISTED);
        Diff {
            changes: self.changes,
            unlisted: self.unlisted + beyond,
        }
    }
}
