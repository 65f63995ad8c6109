//! Short texts that people type, each parsed into a type that cannot be wrong.

use std::fmt;
use std::sync::Arc;

use crate::invalid::Invalid;

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident by $check:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads the text or says which rule it breaks.
            ///
            /// # Errors
            /// Names the rule and the fix.
            pub fn parse(text: &str) -> Result<Self, Invalid> {
                $check(text).map(|text| Self(Arc::from(text)))
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{:?}", &*self.0) }
        }

        impl std::str::FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> { Self::parse(text) }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

texts! {
    /// The short name of a thing in addresses: `[a-z0-9][a-z0-9-]{0,62}`. It has
    /// no underscore, so a slug and an id never clash in a path.
    Slug by slug;
    /// The name of a thing as people read it: 1 to 120 characters on one line.
    Name by name;
    /// An e-mail address, lower-cased, at most 254 characters (RFC 5321, section 4.5.3).
    Email by email;
    /// The label of a version: a slug that may hold dots, such as `v1` or `2026-10-01`.
    VersionLabel by label;
    /// The path under which an API stands at the gateway: `/shop` or `/eu/shop`.
    ContextPath by context_path;
    /// A reason, a comment or a message that a person wrote: 1 to 2,000 characters.
    Remark by remark;
}

impl Slug {
    /// Words that stand in the place of a slug in our own addresses:
    /// `/console/apis/new`, `POST /api/v1/apis/import`.
    pub const RESERVED: [&'static str; 2] = ["new", "import"];

    /// Makes a slug of any text: lower case, everything else folded to single hyphens.
    /// `None` when nothing remains.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let mut slug = String::with_capacity(text.len().min(63));
        for c in text.chars().flat_map(char::to_lowercase) {
            if slug.len() == 63 {
                break;
            }
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        let slug = slug.trim_end_matches('-');
        if Self::RESERVED.contains(&slug) {
            return Self::parse(&format!("{slug}-1")).ok();
        }
        Self::parse(slug).ok()
    }
}

impl ContextPath {
    /// First path segments that the gateway keeps for itself.
    pub const RESERVED: [&'static str; 4] = ["ai", "mcp", "t", ".well-known"];

    /// The path of its first segment alone.
    #[must_use]
    pub fn root(&self) -> Self {
        let first = self.0.split('/').nth(1).unwrap_or_default();
        Self(["/", first].concat().into())
    }

    /// The label that a version would need at another path for its calls to
    /// come here: `/shop/v1/x` stands where `v1` of `/shop` is called.
    #[must_use]
    pub fn label_below(&self, other: &Self) -> Option<VersionLabel> {
        let rest = self.0.strip_prefix(&*other.0)?.strip_prefix('/')?;
        VersionLabel::parse(rest.split('/').next()?).ok()
    }
}

fn is_slug_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

fn starts_well(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
}

fn slug(text: &str) -> Result<&str, Invalid> {
    if Slug::RESERVED.contains(&text) {
        return Err(reserved(text));
    }
    if starts_well(text) && text.len() <= 63 && text.chars().all(is_slug_char) {
        Ok(text)
    } else {
        Err(Invalid::new(
            "invalid_slug",
            "must be 1 to 63 characters of a-z, 0-9 and -, and start with a letter or a digit",
        ))
    }
}

fn reserved(text: &str) -> Invalid {
    let rule =
        format!("must not be {text}: addresses use this word themselves; take another, for example {text}-1");
    Invalid::new("reserved_word", rule)
}

fn label(text: &str) -> Result<&str, Invalid> {
    if Slug::RESERVED.contains(&text) {
        return Err(reserved(text));
    }
    if starts_well(text) && text.len() <= 63 && text.chars().all(|c| is_slug_char(c) || c == '.') {
        Ok(text)
    } else {
        Err(Invalid::new(
            "invalid_label",
            "must be 1 to 63 characters of a-z, 0-9, - and ., and start with a letter or a digit, for example v1",
        ))
    }
}

fn name(text: &str) -> Result<&str, Invalid> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 || length > 120 || text.chars().any(char::is_control) {
        return Err(Invalid::new(
            "invalid_name",
            "must be 1 to 120 characters on one line",
        ));
    }
    if text.chars().any(turns_direction) || text.chars().all(is_invisible) {
        return Err(Invalid::new(
            "invisible_name",
            "must have visible characters, and none that turn the direction of writing",
        ));
    }
    Ok(text)
}

/// Embeddings, overrides and isolates of direction (UAX 9): in a name they
/// change how the text around it reads.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Characters that show nothing by themselves. Inside a word some of them
/// belong: joiners make an emoji or a Persian word.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{206F}' | '\u{2800}'
            | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{E0000}'..='\u{E0FFF}')
}

fn remark(text: &str) -> Result<&str, Invalid> {
    let text = text.trim();
    let length = text.chars().count();
    let readable = |c: char| !c.is_control() || c == '\n' || c == '\r' || c == '\t';
    if length == 0 || length > 2000 || !text.chars().all(readable) {
        return Err(Invalid::new(
            "invalid_text",
            "must be 1 to 2,000 characters of text without control characters",
        ));
    }
    Ok(text)
}

fn email(text: &str) -> Result<String, Invalid> {
    let text = text.trim().to_lowercase();
    let well_formed = text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && local.len() <= 64
            && domain.contains('.') | (domain == "localhost")
            && !domain.starts_with('.')
            && !domain.ends_with('.')
            && !domain.contains("..")
            && domain
                .chars()
                .all(|c| c.is_alphanumeric() || c == '.' || c == '-')
    });
    let clean = text
        .chars()
        .all(|c| !c.is_control() && !c.is_whitespace() && !"<>\",;:()[]\\".contains(c));
    if well_formed && clean && text.len() <= 254 {
        Ok(text)
    } else {
        Err(Invalid::new(
            "invalid_email",
            "must be an e-mail address such as ana@example.com",
        ))
    }
}

fn context_path(text: &str) -> Result<&str, Invalid> {
    let segments = text
        .strip_prefix('/')
        .map(|rest| rest.split('/').collect::<Vec<_>>());
    let Some(segments) = segments.filter(|segments| {
        text.len() <= 128
            && segments.len() <= 4
            && segments.iter().all(|segment| {
                starts_well(segment) && segment.chars().all(|c| is_slug_char(c) || c == '.' || c == '_')
            })
    }) else {
        return Err(Invalid::new(
            "invalid_context_path",
            "must start with / and hold 1 to 4 segments of a-z, 0-9, -, _ and ., for example /shop",
        ));
    };
    if segments
        .first()
        .is_some_and(|first| ContextPath::RESERVED.contains(first))
    {
        return Err(Invalid::new(
            "reserved_context_path",
            "must not start with /ai, /mcp, /t or /.well-known: the gateway keeps these for itself",
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_of_our_own_addresses_are_no_slugs() {
        for word in Slug::RESERVED {
            assert_eq!(Slug::parse(word).unwrap_err().code, "reserved_word");
            assert_eq!(VersionLabel::parse(word).unwrap_err().code, "reserved_word");
        }
        assert_eq!(Slug::from_text("New").unwrap().as_str(), "new-1");
        assert!(Slug::parse("newer").is_ok());
    }

    #[test]
    fn names_can_be_seen_and_leave_their_surroundings_alone() {
        for name in ["\u{202E}gpj.exe", "\u{200B}", "a\u{2066}b", "\u{3164} \u{FEFF}"] {
            assert_eq!(Name::parse(name).unwrap_err().code, "invisible_name", "{name:?}");
        }
        for name in [
            "\u{1F468}\u{200D}\u{1F469}",
            "\u{645}\u{6CC}\u{200C}\u{62E}",
            "\u{5D0}\u{5D1}",
            "\u{2764}\u{FE0F}",
        ] {
            assert!(Name::parse(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn slugs_and_ids_never_clash() {
        for text in ["orders", "0", "a-b-", &"a".repeat(63)] {
            assert!(Slug::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "-a",
            "api_01h2xcejqtf2nbrexx3vqjhp41",
            "A",
            "a b",
            &"a".repeat(64),
        ] {
            assert_eq!(Slug::parse(text).unwrap_err().code, "invalid_slug", "{text}");
        }
    }

    #[test]
    fn a_path_may_stand_where_a_version_of_another_is_called() {
        let path = |text: &str| ContextPath::parse(text).unwrap();
        let label = |inner: &str, outer: &str| {
            path(inner)
                .label_below(&path(outer))
                .map(|label| label.to_string())
        };
        assert_eq!(label("/shop/v1", "/shop").as_deref(), Some("v1"));
        assert_eq!(label("/shop/v1/x", "/shop").as_deref(), Some("v1"));
        assert_eq!(label("/shopping/v1", "/shop"), None);
        assert_eq!(label("/shop", "/shop"), None);
        assert_eq!(path("/eu/shop").root(), path("/eu"));
    }

    #[test]
    fn context_paths_keep_off_the_reserved_ones() {
        for text in ["/shop", "/eu/shop", "/a.b_c-d"] {
            assert!(ContextPath::parse(text).is_ok(), "{text}");
        }
        for text in ["/ai", "/mcp/x", "/t", "/t/acme"] {
            assert_eq!(
                ContextPath::parse(text).unwrap_err().code,
                "reserved_context_path",
                "{text}"
            );
        }
        for text in [
            "shop",
            "/",
            "/shop/",
            "//shop",
            "/a/../b",
            "/A",
            "/a b",
            "/.well-known",
            "/a/b/c/d/e",
        ] {
            assert!(ContextPath::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn emails_are_folded_and_checked() {
        assert_eq!(
            Email::parse(" Ana@Example.COM ").unwrap().as_str(),
            "ana@example.com"
        );
        for text in [
            "ana",
            "@example.com",
            "ana@",
            "ana@example",
            "a b@example.com",
            "a@b..c",
            "a@x.com>\r\nBcc: b",
        ] {
            assert_eq!(Email::parse(text).unwrap_err().code, "invalid_email", "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_slug_made_of_any_text_is_a_slug(text in ".{0,100}") {
            if let Some(slug) = Slug::from_text(&text) {
                prop_assert_eq!(Slug::parse(slug.as_str()).unwrap(), slug);
            }
        }

        #[test]
        fn parsing_never_panics(text in any::<String>()) {
            let accepted = [
                Slug::parse(&text).is_ok(), Name::parse(&text).is_ok(), Email::parse(&text).is_ok(),
                VersionLabel::parse(&text).is_ok(), ContextPath::parse(&text).is_ok(),
            ];
            prop_assert!(accepted.len() == 5);
        }
    }
}
