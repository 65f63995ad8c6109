//! Reads JSON or YAML text into one tree, under bounds that hold while it grows.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use crate::bounds::Bounds;
use crate::document::Syntax;
use crate::finding::{Code, Findings};
use crate::pointer;

/// A tree, and the members that were named twice.
#[derive(Debug)]
pub(crate) struct Tree {
    pub root: Value,
    pub syntax: Syntax,
    /// Pointers of the members that an earlier one of the same name lost to.
    pub duplicates: Vec<String>,
    /// Values in the tree.
    pub nodes: usize,
}

/// Reads a raw document.
///
/// # Errors
/// One finding that says why the bytes are not a tree that may be kept.
pub(crate) fn read(raw: &[u8], bounds: &Bounds) -> Result<Tree, Findings> {
    if raw.len() > bounds.raw_bytes {
        return Err(refuse(
            Code::InputTooLarge,
            format!("{} bytes; at most {} are read", raw.len(), bounds.raw_bytes),
            None,
        ));
    }
    let text = text_of(raw)?;
    match text.trim_start().as_bytes().first() {
        None => Err(refuse(Code::Empty, "the document is empty", None)),
        Some(b'<') => Err(refuse(
            Code::NotADescription,
            "this is HTML or XML, not an OpenAPI description; give the address of the JSON or YAML file itself",
            None,
        )),
        Some(b'{' | b'[') => read_json(text, bounds),
        Some(_) => read_yaml(text, bounds),
    }
}

fn text_of(raw: &[u8]) -> Result<&str, Findings> {
    let raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    std::str::from_utf8(raw).map_err(|error| {
        let good = raw.get(..error.valid_up_to()).unwrap_or_default();
        let line = u32::try_from(good.iter().filter(|byte| **byte == b'\n').count() + 1).ok();
        refuse(
            Code::NotUtf8,
            "the document is not UTF-8 text; save it as UTF-8",
            line,
        )
    })
}

fn refuse(code: Code, message: impl Into<String>, line: Option<u32>) -> Findings {
    let mut findings = Findings::default();
    findings.add_at(code, "", message, line);
    findings
}

fn read_json(text: &str, bounds: &Bounds) -> Result<Tree, Findings> {
    let mut meter = Meter::new(text.len(), bounds);
    let mut reader = serde_json::Deserializer::from_str(text);
    let root = Seed {
        meter: &mut meter,
        depth: 0,
        path: 0,
    }
    .deserialize(&mut reader)
    .and_then(|root| reader.end().map(|()| root));
    match root {
        Ok(root) => Ok(meter.into_tree(root, Syntax::Json)),
        Err(error) => Err(meter.refusal(bounds).unwrap_or_else(|| {
            let line = u32::try_from(error.line()).ok().filter(|line| *line > 0);
            let message = error.to_string();
            if message.starts_with("recursion limit") {
                too_deep(bounds, line)
            } else {
                refuse(Code::Syntax, format!("the JSON is broken: {message}"), line)
            }
        })),
    }
}

fn read_yaml(text: &str, bounds: &Bounds) -> Result<Tree, Findings> {
    let mut meter = Meter::new(text.len(), bounds);
    let result =
        serde_saphyr::with_deserializer_from_str_with_options(text, yaml_options(bounds), |reader| {
            Seed {
                meter: &mut meter,
                depth: 0,
                path: 0,
            }
            .deserialize(reader)
        });
    match result {
        Ok(root) => Ok(meter.into_tree(root, Syntax::Yaml)),
        Err(error) => Err(meter
            .refusal(bounds)
            .unwrap_or_else(|| yaml_refusal(&error, bounds))),
    }
}

/// How YAML is read: by version 1.2 as OpenAPI asks, so `yes` and `on` are text.
pub(crate) fn yaml_options(bounds: &Bounds) -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            // The parser counts keys too; the exact bound is the meter's.
            max_events: bounds.nodes.saturating_mul(4),
            max_nodes: bounds.nodes.saturating_mul(2),
            max_depth: bounds.depth,
            flow_nesting_limit: bounds.depth,
            max_documents: 1,
            max_aliases: bounds.nodes,
            max_anchors: bounds.nodes,
            max_recorded_anchor_events: bounds.nodes.saturating_mul(3),
            enforce_alias_anchor_ratio: false,
            max_total_scalar_bytes: bounds.raw_bytes.saturating_mul(bounds.expansion_factor),
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: bounds.nodes,
        },
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::LastWins,
        strict_booleans: true,
        emit_comments: false,
        with_snippet: false,
    }
}

fn yaml_refusal(error: &serde_saphyr::Error, bounds: &Bounds) -> Findings {
    use serde_saphyr::budget::BudgetBreach;

    let line = error
        .location()
        .and_then(|location| u32::try_from(location.line()).ok())
        .filter(|line| *line > 0);
    match error.without_snippet() {
        serde_saphyr::Error::Budget { breach, .. } => match breach {
            BudgetBreach::Depth { .. } => too_deep(bounds, line),
            BudgetBreach::Events { .. } | BudgetBreach::Nodes { .. } => too_many_values(bounds, line),
            BudgetBreach::Documents { .. } => several_documents(line),
            other => refuse(
                Code::AliasExpansion,
                format!("the YAML asks for too much: {other:?}"),
                line,
            ),
        },
        serde_saphyr::Error::AliasReplayLimitExceeded { .. }
        | serde_saphyr::Error::AliasExpansionLimitExceeded { .. }
        | serde_saphyr::Error::AliasReplayStackDepthExceeded { .. } => alias_expansion(bounds, line),
        serde_saphyr::Error::MultipleDocuments { .. } => several_documents(line),
        other => {
            let message = other.to_string();
            // The scanner looks ahead of the budget and has a limit of its own for `[[[…`.
            if message.starts_with("recursion limit") {
                too_deep(bounds, line)
            } else {
                refuse(Code::Syntax, format!("the YAML is broken: {message}"), line)
            }
        }
    }
}

fn too_deep(bounds: &Bounds, line: Option<u32>) -> Findings {
    refuse(
        Code::TooDeep,
        format!("nested deeper than {} levels", bounds.depth),
        line,
    )
}

fn too_many_values(bounds: &Bounds, line: Option<u32>) -> Findings {
    refuse(
        Code::TooManyValues,
        format!("more than {} values", bounds.nodes),
        line,
    )
}

fn several_documents(line: Option<u32>) -> Findings {
    refuse(
        Code::SeveralDocuments,
        "the file holds several YAML documents; keep the one with the description and no `---` after it",
        line,
    )
}

fn alias_expansion(bounds: &Bounds, line: Option<u32>) -> Findings {
    let factor = bounds.expansion_factor;
    refuse(
        Code::AliasExpansion,
        format!(
            "the YAML aliases make the document more than {factor} times as large; write the parts out or use `$ref`"
        ),
        line,
    )
}

/// What a tree has cost so far.
struct Meter {
    nodes: usize,
    max_nodes: usize,
    bytes: usize,
    max_bytes: usize,
    max_depth: usize,
    max_path: usize,
    /// Reversed tokens: a level adds its own name while the reader returns through it.
    duplicates: Vec<Vec<String>>,
    breach: Option<Breach>,
}

#[derive(Clone, Copy)]
enum Breach {
    Nodes,
    Expansion,
    Depth,
    Path,
}

/// Members named twice that are listed; each is a finding.
const DUPLICATES_LISTED: usize = 50;

/// Text a small document may expand to before the factor counts.
const EXPANSION_FLOOR: usize = 64 * 1024;

impl Meter {
    fn new(raw_bytes: usize, bounds: &Bounds) -> Self {
        Self {
            nodes: 0,
            max_nodes: bounds.nodes,
            bytes: 0,
            max_bytes: raw_bytes
                .saturating_mul(bounds.expansion_factor)
                .max(EXPANSION_FLOOR),
            max_depth: bounds.depth,
            max_path: bounds.path_bytes,
            duplicates: Vec::new(),
            breach: None,
        }
    }

    /// Charges one value and the bytes of its text.
    fn charge<E: Error>(&mut self, bytes: usize) -> Result<(), E> {
        self.nodes += 1;
        self.bytes += bytes + 1;
        if self.nodes > self.max_nodes {
            self.breach = Some(Breach::Nodes);
        } else if self.bytes > self.max_bytes {
            self.breach = Some(Breach::Expansion);
        } else {
            return Ok(());
        }
        Err(E::custom("over the bound"))
    }

    /// Charges an object or a list on level `depth`.
    fn open<E: Error>(&mut self, depth: usize) -> Result<(), E> {
        if depth > self.max_depth {
            self.breach = Some(Breach::Depth);
            return Err(E::custom("over the bound"));
        }
        self.charge(0)
    }

    /// Checks the names on the way to a member.
    fn name<E: Error>(&mut self, path: usize) -> Result<(), E> {
        if path > self.max_path {
            self.breach = Some(Breach::Path);
            return Err(E::custom("over the bound"));
        }
        Ok(())
    }

    fn refusal(&self, bounds: &Bounds) -> Option<Findings> {
        self.breach.map(|breach| match breach {
            Breach::Nodes => too_many_values(bounds, None),
            Breach::Expansion => alias_expansion(bounds, None),
            Breach::Depth => too_deep(bounds, None),
            Breach::Path => {
                let message = format!(
                    "member names on the way to one value have more than {} bytes",
                    bounds.path_bytes
                );
                refuse(Code::TooDeep, message, None)
            }
        })
    }

    fn into_tree(self, root: Value, syntax: Syntax) -> Tree {
        let duplicates = self
            .duplicates
            .iter()
            .map(|reversed| pointer::from_tokens(reversed.iter().rev().map(String::as_str)))
            .collect();
        Tree {
            root,
            syntax,
            duplicates,
            nodes: self.nodes,
        }
    }

    fn prefix_duplicates(&mut self, since: usize, token: &str) {
        for reversed in self.duplicates.iter_mut().skip(since) {
            reversed.push(token.to_owned());
        }
    }
}

struct Seed<'m> {
    meter: &'m mut Meter,
    /// Objects and lists around this value.
    depth: usize,
    /// Bytes of the member names on the way to it.
    path: usize,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.meter.charge(0)?;
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.meter.charge(0)?;
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.meter.charge(0)?;
        Ok(Value::from(value))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Value, E> {
        self.visit_string(value.to_string())
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Value, E> {
        self.visit_string(value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.meter.charge(0)?;
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.meter.charge(value.len())?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        self.meter.charge(value.len())?;
        Ok(Value::String(value))
    }

    fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<Value, E> {
        self.visit_string(String::from_utf8_lossy(value).into_owned())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.meter.charge(0)?;
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let (depth, path) = (self.depth + 1, self.path);
        let meter = self.meter;
        meter.open(depth)?;
        let mut items = Vec::new();
        loop {
            let known = meter.duplicates.len();
            let Some(item) = access.next_element_seed(Seed {
                meter: &mut *meter,
                depth,
                path,
            })?
            else {
                return Ok(Value::Array(items));
            };
            if meter.duplicates.len() > known {
                meter.prefix_duplicates(known, &items.len().to_string());
            }
            items.push(item);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let depth = self.depth + 1;
        let meter = self.meter;
        meter.open(depth)?;
        let mut members = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            meter.bytes += key.len();
            let path = self.path + key.len();
            meter.name(path)?;
            let known = meter.duplicates.len();
            let value = access.next_value_seed(Seed {
                meter: &mut *meter,
                depth,
                path,
            })?;
            if meter.duplicates.len() > known {
                meter.prefix_duplicates(known, &key);
            }
            match members.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(value);
                }
                Entry::Occupied(mut place) => {
                    if meter.duplicates.len() < DUPLICATES_LISTED {
                        meter.duplicates.push(vec![place.key().clone()]);
                    }
                    place.insert(value);
                }
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    use super::read;
    use crate::bounds::Bounds;
    use crate::document::Syntax;
    use crate::finding::Code;

    fn code_of(raw: &[u8]) -> Code {
        read(raw, &Bounds::default()).unwrap_err().listed()[0].code
    }

    #[test]
    fn json_and_yaml_give_the_same_tree() {
        let json = br#"{"openapi": "3.0.0", "on": "yes", "r": {"200": {"x": [1, 2.5, null, true]}}}"#;
        let yaml = b"openapi: 3.0.0\non: yes\nr:\n  200:\n    x: [1, 2.5, ~, true]\n";
        let from_json = read(json, &Bounds::default()).unwrap();
        let from_yaml = read(yaml, &Bounds::default()).unwrap();
        assert_eq!(from_json.root, from_yaml.root);
        assert_eq!((from_json.syntax, from_yaml.syntax), (Syntax::Json, Syntax::Yaml));
        assert_eq!(from_json.nodes, from_yaml.nodes);
    }

    #[test]
    fn what_is_no_tree_is_refused_by_name() {
        assert_eq!(code_of(b""), Code::Empty);
        assert_eq!(code_of(b"\xef\xbb\xbf \n"), Code::Empty);
        assert_eq!(code_of(b"<!doctype html><p>"), Code::NotADescription);
        assert_eq!(code_of(b"{\"a\": \xff}"), Code::NotUtf8);
        assert_eq!(code_of(b"{\"a\": 1,}"), Code::Syntax);
        assert_eq!(code_of(b"{} {}"), Code::Syntax);
        assert_eq!(code_of(b"a: [1"), Code::Syntax);
        assert_eq!(code_of(&b"[".repeat(200)), Code::TooDeep);
        assert_eq!(
            code_of(&[b"a: ".as_slice(), &b"[".repeat(200)].concat()),
            Code::TooDeep
        );
        assert_eq!(
            code_of(&vec![b' '; Bounds::default().raw_bytes + 1]),
            Code::InputTooLarge
        );
    }

    #[test]
    fn syntax_errors_name_the_line() {
        let refusal = read(b"{\n\"a\": 1\n\"b\": 2}", &Bounds::default()).unwrap_err();
        assert_eq!(refusal.listed()[0].line, Some(3));
        let refusal = read(b"a: 1\nb: 'open\nc: 2\n", &Bounds::default()).unwrap_err();
        assert!(refusal.listed()[0].line.is_some(), "{refusal}");
    }

    #[test]
    fn values_are_counted_while_they_are_read() {
        let bounds = Bounds {
            nodes: 5,
            ..Bounds::default()
        };
        for raw in ["[1,2,3,4]", "x: [2,3,4]"] {
            assert!(read(raw.as_bytes(), &bounds).is_ok(), "{raw}");
        }
        for raw in ["[1,2,3,4,5]", "x: [2,3,4,5,6]"] {
            let refusal = read(raw.as_bytes(), &bounds).unwrap_err();
            assert_eq!(refusal.listed()[0].code, Code::TooManyValues, "{raw}");
        }
    }

    #[test]
    fn a_yaml_bomb_is_refused() {
        assert_eq!(
            code_of(include_bytes!("../testdata/bomb.yaml")),
            Code::AliasExpansion
        );
    }

    #[test]
    fn several_documents_in_one_file_are_refused_by_name() {
        assert_eq!(code_of(b"a: 1\n---\nb: 2\n"), Code::SeveralDocuments);
        assert!(read(b"---\na: 1\n", &Bounds::default()).is_ok());
    }

    #[test]
    fn aliases_within_reason_are_expanded() {
        let tree = read(b"a: &x {k: v}\nb: *x\nc:\n  <<: *x\n  l: w\n", &Bounds::default()).unwrap();
        assert_eq!(
            tree.root,
            json!({"a": {"k": "v"}, "b": {"k": "v"}, "c": {"k": "v", "l": "w"}})
        );
    }

    #[test]
    fn members_named_twice_are_told_and_the_last_counts() {
        let expected = vec!["/a/0/b~1c".to_owned()];
        for raw in [r#"{"a": [{"b/c": 1, "b/c": 2}]}"#, "a:\n  - b/c: 1\n    b/c: 2\n"] {
            let tree = read(raw.as_bytes(), &Bounds::default()).unwrap();
            assert_eq!(tree.root, json!({"a": [{"b/c": 2}]}), "{raw}");
            if tree.syntax == Syntax::Json {
                assert_eq!(tree.duplicates, expected, "{raw}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(raw in proptest::collection::vec(any::<u8>(), 0..400)) {
            drop(read(&raw, &Bounds::default()));
        }

        #[test]
        fn no_text_makes_it_panic(raw in "[\\[\\]{}:,&*!|>'\"#\\-? \n\t0-9a-z<~]{0,200}") {
            drop(read(raw.as_bytes(), &Bounds::default()));
        }
    }
}
