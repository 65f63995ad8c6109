//! How a closed set of words and a state machine are declared: the words stand
//! once, as they are on the wire, in the database and on screen; a machine is
//! the table of its moves.

use std::fmt;

use crate::invalid::Invalid;

/// A move that a state does not allow, with the states that could be reached instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{entity} in state {state}: {verb} is not possible")]
pub struct IllegalTransition {
    /// What it is, in words: `api version`.
    pub entity: &'static str,
    /// The state it is in.
    pub state: &'static str,
    /// What was asked.
    pub verb: &'static str,
    /// The states that can be reached from here.
    pub allowed: Vec<&'static str>,
}

/// A closed set of words.
pub trait Word: Copy + Eq + fmt::Debug + Send + Sync + 'static {
    /// Every member in the order of its declaration.
    const ALL: &'static [Self];
    /// The word on the wire, in the database and on screen.
    fn as_str(self) -> &'static str;
    /// What it means, as its declaration says: pages and generated references tell it.
    fn meaning(self) -> &'static str;

    /// Reads the word.
    ///
    /// # Errors
    /// Lists the words that are known.
    fn parse(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .iter()
            .copied()
            .find(|word| word.as_str() == text)
            .ok_or_else(|| {
                let known: Vec<_> = Self::ALL.iter().map(|word| word.as_str()).collect();
                Invalid::new("unknown_word", format!("must be one of: {}", known.join(", ")))
            })
    }
}

/// Declares an enum whose variants are words.
#[macro_export]
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[doc = $doc])+ $variant,)+ }

        impl $crate::state::Word for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];
            fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
            fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str($crate::state::Word::as_str(*self))
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::invalid::Invalid;
            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                <Self as $crate::state::Word>::parse(text)
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str($crate::state::Word::as_str(*self))
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                let text = <String as ::serde::Deserialize>::deserialize(deserializer)?;
                <Self as $crate::state::Word>::parse(&text).map_err(::serde::de::Error::custom)
            }
        }
    };
}

/// Declares a state machine: `State via Verb as "entity" { From: verb => To; … }`.
#[macro_export]
macro_rules! machine {
    ($state:ident via $verb:ident as $entity:literal { $($from:ident : $($by:ident => $to:ident),+ ;)+ }) => {
        impl $state {
            const MOVES: &'static [($state, $verb, $state)] =
                &[$($(($state::$from, $verb::$by, $state::$to),)+)+];

            /// Where a verb leads from this state.
            ///
            /// # Errors
            /// The states that can be reached instead.
            pub fn after(self, verb: $verb) -> ::std::result::Result<Self, $crate::state::IllegalTransition> {
                Self::MOVES
                    .iter()
                    .find(|(from, by, _)| *from == self && *by == verb)
                    .map(|(_, _, to)| *to)
                    .ok_or_else(|| $crate::state::IllegalTransition {
                        entity: $entity,
                        state: $crate::state::Word::as_str(self),
                        verb: $crate::state::Word::as_str(verb),
                        allowed: self.reachable(),
                    })
            }

            /// The verbs that this state allows, in table order.
            #[must_use]
            pub fn verbs(self) -> Vec<$verb> {
                Self::MOVES.iter().filter(|(from, _, _)| *from == self).map(|(_, by, _)| *by).collect()
            }

            /// The states that can be reached from this one, each once.
            #[must_use]
            pub fn reachable(self) -> Vec<&'static str> {
                let mut targets = Vec::new();
                for (from, _, to) in Self::MOVES {
                    let word = $crate::state::Word::as_str(*to);
                    if *from == self && !targets.contains(&word) {
                        targets.push(word);
                    }
                }
                targets
            }

            /// True when nothing leads out of this state.
            #[must_use]
            pub fn is_terminal(self) -> bool {
                Self::MOVES.iter().all(|(from, _, _)| *from != self)
            }
        }
    };
}
