//! One text for one value, whatever the order of its members, to tell whether
//! an operation has changed.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The SHA-256 of the canonical text, in hexadecimal.
pub(crate) fn fingerprint(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut text = Vec::new();
    write(&mut text);
    hex::encode(Sha256::digest(&text))
}

/// Appends a value with sorted members and without white space.
pub(crate) fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<(&str, &Value)> = members
                .iter()
                .map(|(name, member)| (name.as_str(), member))
                .collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            out.push(b'{');
            for (name, member) in sorted {
                write_scalar(name, out);
                out.push(b':');
                write(member, out);
                out.push(b',');
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for item in items {
                write(item, out);
                out.push(b',');
            }
            out.push(b']');
        }
        scalar => write_scalar(scalar, out),
    }
}

/// Appends a scalar or a member name as JSON.
pub(crate) fn write_scalar<T: Serialize + ?Sized>(scalar: &T, out: &mut Vec<u8>) {
    // Writing a string, number, boolean or null to memory has nothing that can fail.
    drop(serde_json::to_writer(out, scalar));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{fingerprint, write};

    #[test]
    fn order_of_members_does_not_count_and_everything_else_does() {
        let of = |value: serde_json::Value| fingerprint(|out| write(&value, out));
        assert_eq!(
            of(json!({"a": 1, "b": [1, {"c": 2, "d": 3}]})),
            of(json!({"b": [1, {"d": 3, "c": 2}], "a": 1}))
        );
        assert_ne!(of(json!({"a": [1, 2]})), of(json!({"a": [2, 1]})));
        assert_ne!(of(json!({"a": "1"})), of(json!({"a": 1})));
        assert_ne!(of(json!(["a", "b"])), of(json!(["a,b"])));
        assert_eq!(of(json!(null)).len(), 64);
    }
}
