//! JSON pointers (RFC 6901) and the fragments of `$ref`s that hold them.

use std::borrow::Cow;

use serde_json::Value;

/// Appends one reference token, escaped (RFC 6901 section 4).
pub fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    for character in token.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// A pointer made of the given tokens.
pub fn from_tokens<'a>(tokens: impl IntoIterator<Item = &'a str>) -> String {
    let mut pointer = String::new();
    for token in tokens {
        push(&mut pointer, token);
    }
    pointer
}

/// The pointer one level below.
#[must_use]
pub fn child(pointer: &str, token: &str) -> String {
    let mut below = String::with_capacity(pointer.len() + token.len() + 1);
    below.push_str(pointer);
    push(&mut below, token);
    below
}

/// The unescaped tokens of a pointer. An invalid escape stays as it is.
pub fn tokens(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let rest = pointer.strip_prefix('/');
    rest.into_iter().flat_map(|rest| rest.split('/')).map(|token| {
        if token.contains('~') {
            Cow::Owned(token.replace("~1", "/").replace("~0", "~"))
        } else {
            Cow::Borrowed(token)
        }
    })
}

/// The value a pointer names, if there is one.
#[must_use]
pub fn get<'a>(root: &'a Value, pointer: &str) -> Option<&'a Value> {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return None;
    }
    tokens(pointer).try_fold(root, |value, token| match value {
        Value::Object(members) => members.get(token.as_ref()),
        Value::Array(items) => items.get(token.parse::<usize>().ok()?),
        _ => None,
    })
}

/// The pointer inside of a local `$ref` (`#/…` or `#`), percent-decoded
/// (RFC 6901 section 6). `None` when it is not a local pointer.
#[must_use]
pub fn of_local_ref(reference: &str) -> Option<Cow<'_, str>> {
    let fragment = reference.strip_prefix('#')?;
    if !fragment.is_empty() && !fragment.starts_with('/') && !fragment.starts_with('%') {
        return None;
    }
    let decoded = percent_encoding::percent_decode_str(fragment)
        .decode_utf8()
        .ok()?;
    (decoded.is_empty() || decoded.starts_with('/')).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use serde_json::json;

    use super::{from_tokens, get, of_local_ref, tokens};

    #[test]
    fn escapes_are_undone_in_the_right_order() {
        let tree = json!({"paths": {"/a~b/{id}": {"get": [1, 2]}}, "~1": 3});
        assert_eq!(get(&tree, "/paths/~1a~0b~1{id}/get/1"), Some(&json!(2)));
        assert_eq!(get(&tree, "/~01"), Some(&json!(3)));
        assert_eq!(get(&tree, ""), Some(&tree));
        assert_eq!(get(&tree, "paths"), None);
        assert_eq!(get(&tree, "/paths/nowhere"), None);
    }

    #[test]
    fn a_local_ref_is_percent_decoded() {
        assert_eq!(
            of_local_ref("#/paths/~1a~1%7Bid%7D").as_deref(),
            Some("/paths/~1a~1{id}")
        );
        assert_eq!(of_local_ref("#").as_deref(), Some(""));
        assert_eq!(of_local_ref("#name"), None);
        assert_eq!(of_local_ref("other.json#/a"), None);
        assert_eq!(of_local_ref("#/%ff"), None);
    }

    proptest! {
        #[test]
        fn tokens_survive_the_round_trip(parts in proptest::collection::vec(any::<String>(), 1..6)) {
            let pointer = from_tokens(parts.iter().map(String::as_str));
            let back: Vec<String> = tokens(&pointer).map(std::borrow::Cow::into_owned).collect();
            prop_assert_eq!(back, parts);
        }
    }
}
