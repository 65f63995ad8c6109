//! Path templates (`/pets/{id}`): what they mean and how they are routed. The
//! importer proves with this that a template can be routed, and the gateway
//! routes by it: one grammar, so that neither takes what the other refuses.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// A parsed path template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate {
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text that stands in the path as it is.
    Literal(String),
    /// A variable.
    Parameter {
        /// Its name without braces and operators.
        name: String,
        /// How far it goes.
        reach: Reach,
    },
}

/// How far a parameter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Within one segment, at least one character (OpenAPI 3.1, section 4.8.8.2).
    Segment,
    /// Across slashes: `{+name}` (RFC 6570 section 3.2.3), or `{name+}` and
    /// `{name*}` as other gateways write it.
    Rest,
}

/// Why a text is no template that can be routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It must begin with `/`.
    #[error("a path must begin with `/`")]
    MissingSlash,
    /// `{` and `}` do not match, or are nested.
    #[error("the braces do not match")]
    UnbalancedBraces,
    /// `{}`.
    #[error("a parameter has no name")]
    EmptyName,
    /// Longer than any path the gateway accepts.
    #[error("a path may have at most {LONGEST} bytes")]
    TooLong,
    /// More than anybody writes.
    #[error("a path may have at most {MOST_PARAMETERS} parameters")]
    TooManyParameters,
}

/// Bytes of a template.
const LONGEST: usize = 1024;

/// Parameters of a template.
const MOST_PARAMETERS: usize = 32;

impl PathTemplate {
    /// Parses a template.
    ///
    /// # Errors
    /// When no request could be matched against it.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if !text.starts_with('/') {
            return Err(TemplateError::MissingSlash);
        }
        if text.len() > LONGEST {
            return Err(TemplateError::TooLong);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            let (inside, after) = after.split_once('}').ok_or(TemplateError::UnbalancedBraces)?;
            if inside.contains('{') {
                return Err(TemplateError::UnbalancedBraces);
            }
            push_literal(&mut parts, literal)?;
            parts.push(parameter(inside)?);
            rest = after;
        }
        push_literal(&mut parts, rest)?;
        let template = Self { parts };
        if template.parameters().count() > MOST_PARAMETERS {
            return Err(TemplateError::TooManyParameters);
        }
        Ok(template)
    }

    /// The pieces in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The names of the parameters in order.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Parameter { name, .. } => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The first name that two parameters share, if any.
    #[must_use]
    pub fn repeated_parameter(&self) -> Option<&str> {
        let mut seen = std::collections::HashSet::new();
        self.parameters().find(|name| !seen.insert(*name))
    }

    /// True when two parameters touch, so that no rule says where one ends.
    #[must_use]
    pub fn has_adjacent_parameters(&self) -> bool {
        self.parts
            .windows(2)
            .any(|pair| matches!(pair, [Part::Parameter { .. }, Part::Parameter { .. }]))
    }

    /// The template in the language of the router (the crate wayfind). Parameters
    /// are renamed by their position (`p0`, `p1`, …), so that templates of one
    /// shape are one text whatever their authors called things; touching
    /// parameters match as one; literals stand as in a normalised path.
    #[must_use]
    pub fn to_route(&self) -> String {
        let mut text = String::new();
        let mut position = 0_usize;
        let mut parts = self.parts.iter().peekable();
        while let Some(part) = parts.next() {
            match part {
                Part::Literal(literal) => push_normalised(&mut text, literal),
                Part::Parameter { reach, .. } => {
                    let mut reach = *reach;
                    while let Some(Part::Parameter { reach: next, .. }) =
                        parts.next_if(|next| matches!(next, Part::Parameter { .. }))
                    {
                        if *next == Reach::Rest {
                            reach = Reach::Rest;
                        }
                    }
                    let star = if reach == Reach::Rest { "*" } else { "" };
                    text.push_str(&format!("<{star}p{position}>"));
                    position += 1;
                }
            }
        }
        text
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Literal(text) => f.write_str(text),
            Part::Parameter {
                name,
                reach: Reach::Segment,
            } => write!(f, "{{{name}}}"),
            Part::Parameter {
                name,
                reach: Reach::Rest,
            } => write!(f, "{{+{name}}}"),
        })
    }
}

/// What a path cannot hold as it is (RFC 3986, section 3.3). `%` is looked at
/// before: it may begin an escape that is there already.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'|');

/// Writes a literal as it stands in a normalised path (RFC 3986, section
/// 6.2.2): escapes in capitals, unreserved characters as themselves.
fn push_normalised(route: &mut String, literal: &str) {
    let mut rest = literal;
    while let Some((before, after)) = rest.split_once('%') {
        route.extend(utf8_percent_encode(before, ENCODED));
        let escape = after
            .split_at_checked(2)
            .filter(|(digits, _)| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|(digits, behind)| Some((u8::from_str_radix(digits, 16).ok()?, behind)));
        match escape {
            Some((byte, _)) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                route.push(char::from(byte));
            }
            Some((byte, _)) => route.push_str(&format!("%{byte:02X}")),
            None => route.push_str("%25"),
        }
        rest = escape.map_or(after, |(_, behind)| behind);
    }
    route.extend(utf8_percent_encode(rest, ENCODED));
}

fn push_literal(parts: &mut Vec<Part>, literal: &str) -> Result<(), TemplateError> {
    if literal.contains('}') {
        return Err(TemplateError::UnbalancedBraces);
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.to_owned()));
    }
    Ok(())
}

fn parameter(inside: &str) -> Result<Part, TemplateError> {
    let inside = inside.trim();
    let name = inside.trim_matches(|c: char| matches!(c, '+' | '*') || c.is_whitespace());
    if name.is_empty() {
        return Err(TemplateError::EmptyName);
    }
    let reach = if name.len() == inside.len() {
        Reach::Segment
    } else {
        Reach::Rest
    };
    Ok(Part::Parameter {
        name: name.to_owned(),
        reach,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::{PathTemplate, TemplateError};

    fn routed(text: &str) -> String {
        PathTemplate::parse(text).unwrap().to_route()
    }

    #[test]
    fn templates_become_routes() {
        for (template, route) in [
            ("/", "/"),
            ("/a/{id}/b/{other}", "/a/<p0>/b/<p1>"),
            ("/a/{id}/b/{id}", "/a/<p0>/b/<p1>"),
            ("/a/{id}.json", "/a/<p0>.json"),
            ("/v1/{name}:cancel", "/v1/<p0>:cancel"),
            ("/v1/{+name}", "/v1/<*p0>"),
            ("/{Bucket}/{Key+}", "/<p0>/<*p1>"),
            ("/files/{path*}", "/files/<*p0>"),
            ("/{a}{b}/{c}", "/<p0>/<p1>"),
            ("/a b/<é>", "/a%20b/%3C%C3%A9%3E"),
            ("/%7euser/%2fx/100%/%+1", "/~user/%2Fx/100%25/%25+1"),
        ] {
            assert_eq!(routed(template), route, "{template}");
            wayfind::RouterBuilder::new()
                .insert(&routed(template), ())
                .unwrap();
        }
    }

    #[test]
    fn what_cannot_be_matched_is_refused() {
        for (template, error) in [
            ("a", TemplateError::MissingSlash),
            ("", TemplateError::MissingSlash),
            ("/{a", TemplateError::UnbalancedBraces),
            ("/a}", TemplateError::UnbalancedBraces),
            ("/{a{b}}", TemplateError::UnbalancedBraces),
            ("/{}", TemplateError::EmptyName),
            ("/{+}", TemplateError::EmptyName),
        ] {
            assert_eq!(PathTemplate::parse(template), Err(error), "{template}");
        }
        assert_eq!(
            PathTemplate::parse(&"/a".repeat(600)),
            Err(TemplateError::TooLong)
        );
        assert_eq!(
            PathTemplate::parse(&"/{a}".repeat(33)),
            Err(TemplateError::TooManyParameters)
        );
    }

    #[test]
    fn oddities_are_told() {
        assert_eq!(
            PathTemplate::parse("/{a}/{b}/{a}").unwrap().repeated_parameter(),
            Some("a")
        );
        assert_eq!(
            PathTemplate::parse("/{a}/{b}").unwrap().repeated_parameter(),
            None
        );
        assert!(PathTemplate::parse("/{a}{b}").unwrap().has_adjacent_parameters());
        assert!(!PathTemplate::parse("/{a}-{b}").unwrap().has_adjacent_parameters());
    }

    #[test]
    fn an_escape_and_a_literal_character_meet_on_the_wire() {
        assert_eq!(routed("/a%20b"), routed("/a b"));
    }

    proptest! {
        #[test]
        fn whatever_parses_can_be_routed(text in "/[a-z{}/+*<> :.%é]{0,40}") {
            if let Ok(template) = PathTemplate::parse(&text) {
                let mut builder = wayfind::RouterBuilder::new();
                prop_assert!(builder.insert(&template.to_route(), ()).is_ok(), "{}", template.to_route());
                prop_assert_eq!(PathTemplate::parse(&template.to_string()), Ok(template));
            }
        }

        #[test]
        fn a_literal_path_finds_itself(path in "(/[a-z0-9._~:@!$&'()*+,;=-]{1,8}){1,5}") {
            let mut builder = wayfind::RouterBuilder::new();
            builder.insert(&routed(&path), ()).unwrap();
            prop_assert!(builder.build().search(&path).is_some());
        }
    }
}
