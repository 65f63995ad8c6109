//! Path templates in the language of the router.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What a path cannot hold as it is (RFC 3986, section 3.3). `%` stays: it
/// begins an escape that is there already.
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

/// The route of a template; `None` when its braces do not match. Parameters are
/// named by their position, so that templates of one shape are one text
/// whatever their authors called things; touching ones match as one; `{+name}`,
/// `{name+}` and `{name*}` go across slashes.
pub(super) fn to_route(template: &str) -> Option<String> {
    if !template.starts_with('/') {
        return None;
    }
    let mut route = String::with_capacity(template.len());
    let mut rest = template;
    let mut position = 0_usize;
    loop {
        let (literal, after) = match rest.split_once('{') {
            Some((literal, after)) => (literal, Some(after)),
            None => (rest, None),
        };
        if literal.contains('}') {
            return None;
        }
        push_literal(&mut route, literal);
        let Some(after) = after else {
            return Some(route);
        };
        let (reach, behind) = parameters(after)?;
        let star = if reach == Reach::Rest { "*" } else { "" };
        route.push_str(&format!("<{star}p{position}>"));
        position += 1;
        rest = behind;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Segment,
    Rest,
}

/// Reads the inside of a parameter and of those that touch it.
fn parameters(mut after: &str) -> Option<(Reach, &str)> {
    let mut reach = Reach::Segment;
    loop {
        let (inside, behind) = after.split_once('}')?;
        let inside = inside.trim();
        let name = inside.trim_start_matches('+').trim_end_matches(['+', '*']);
        if name.is_empty() || inside.contains('{') {
            return None;
        }
        if name.len() != inside.len() {
            reach = Reach::Rest;
        }
        match behind.strip_prefix('{') {
            Some(next) => after = next,
            None => return Some((reach, behind)),
        }
    }
}

/// Writes a literal as it stands in a normalised path (RFC 3986, section
/// 6.2.2): escapes in capitals, unreserved characters as themselves.
fn push_literal(route: &mut String, literal: &str) {
    let mut rest = literal;
    while let Some((before, after)) = rest.split_once('%') {
        route.extend(utf8_percent_encode(before, ENCODED));
        let byte = after
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                route.push(char::from(byte));
            }
            Some(byte) => route.push_str(&format!("%{byte:02X}")),
            None => route.push_str("%25"),
        }
        rest = if byte.is_some() {
            after.get(2..).unwrap_or("")
        } else {
            after
        };
    }
    route.extend(utf8_percent_encode(rest, ENCODED));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn templates_become_routes() {
        for (template, route) in [
            ("/", "/"),
            ("/a/{id}/b/{id}", "/a/<p0>/b/<p1>"),
            ("/a/{id}.json", "/a/<p0>.json"),
            ("/v1/{name}:cancel", "/v1/<p0>:cancel"),
            ("/v1/{+name}", "/v1/<*p0>"),
            ("/{Bucket}/{Key+}", "/<p0>/<*p1>"),
            ("/{a}{b}/{c}", "/<p0>/<p1>"),
            ("/a b/<é>", "/a%20b/%3C%C3%A9%3E"),
            ("/%7euser/%2fx/100%", "/~user/%2Fx/100%25"),
        ] {
            assert_eq!(to_route(template).as_deref(), Some(route), "{template}");
        }
        for template in ["", "a", "/{a", "/a}", "/{a{b}}", "/{}", "/{+}"] {
            assert_eq!(to_route(template), None, "{template}");
        }
    }

    proptest! {
        #[test]
        fn every_route_is_one_for_the_router(template in "/[a-c{}%+*<>/. é]{0,24}") {
            if let Some(route) = to_route(&template) {
                prop_assert!(wayfind::RouterBuilder::new().insert(&route, ()).is_ok(), "{route}");
            }
        }

        #[test]
        fn a_literal_path_finds_itself(path in "(/[a-z0-9._~:@!$&'()*+,;=-]{1,8}){1,5}") {
            let mut builder = wayfind::RouterBuilder::new();
            builder.insert(&to_route(&path).unwrap(), ()).unwrap();
            prop_assert!(builder.build().search(&path).is_some());
        }
    }
}
