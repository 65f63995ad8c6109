//! From a form to a call: the path of the operation's own template with its
//! parameters encoded, and nothing else that could lead elsewhere.

use bytes::Bytes;
use gatewright_control::console::{Call, CallHeaders, MAX_BODY, Proof};
use gatewright_model::id::SubscriptionId;
use gatewright_model::secret::SecretText;
use gatewright_model::template::{Part, PathTemplate, Reach};
use gatewright_openapi::docs::operation::Place;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use super::shape::{Parameter, Shape, Values};
use crate::fields::Fields;
use crate::form::FormState;

/// Everything but what RFC 3986, section 2.3 calls unreserved.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// What a template may hold unescaped and an address may not.
const LITERAL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'\\')
    .add(b'^')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The name of the field of a parameter. Names of parameters are their
/// author's, so they stand in no attribute.
pub(super) fn field_of(index: usize) -> String {
    format!("p{index}")
}

/// Reads a call, or says in the form what is wrong with it.
pub(super) fn read(
    shape: &Shape,
    template: &PathTemplate,
    fields: &Fields,
    form: &mut FormState,
) -> Option<Call> {
    let reader = Reader { shape, fields };
    let path = reader.path(template, form);
    let query = reader.query(form);
    let mut headers = reader.headers(form);
    let body = reader.body(&mut headers, form);
    let proof = reader.proof(form);
    form.is_ok().then(|| Call {
        path,
        query,
        headers,
        body,
        proof,
    })
}

struct Reader<'a> {
    shape: &'a Shape,
    fields: &'a Fields,
}

impl Reader<'_> {
    /// The parameters of one place with their fields.
    fn of(&self, place: Place) -> impl Iterator<Item = (String, &Parameter)> {
        self.shape
            .parameters
            .iter()
            .enumerate()
            .filter(move |(_, parameter)| parameter.place == place)
            .map(|(index, parameter)| (field_of(index), parameter))
    }

    /// The values that were typed; a required one that is missing is a fault.
    fn values(&self, field: &str, parameter: &Parameter, form: &mut FormState) -> Vec<String> {
        let typed = self.fields.get(field);
        if typed.is_empty() {
            if parameter.required {
                form.fail_field(field, format!("Enter a value for {}", parameter.name));
            }
            return Vec::new();
        }
        match parameter.values {
            Values::One => vec![typed.to_owned()],
            Values::Repeated | Values::Joined(_) => {
                typed.split(',').map(|value| value.trim().to_owned()).collect()
            }
        }
    }

    fn path(&self, template: &PathTemplate, form: &mut FormState) -> String {
        let mut path = String::new();
        for part in template.parts() {
            match part {
                Part::Literal(text) => path.extend(utf8_percent_encode(text, LITERAL)),
                Part::Parameter { name, reach } => {
                    let found = self.of(Place::Path).find(|(_, known)| known.name == *name);
                    let Some((field, parameter)) = found else {
                        continue;
                    };
                    let value = self.values(&field, parameter, form).join(",");
                    if let Some(rule) = refused_in_path(&value, *reach) {
                        form.fail_field(&field, format!("{name} {rule}"));
                    }
                    path.push_str(&in_path(&value, *reach));
                }
            }
        }
        path
    }

    fn query(&self, form: &mut FormState) -> String {
        let mut pairs = Vec::new();
        for (field, parameter) in self.of(Place::Query) {
            let values = self.values(&field, parameter, form);
            let name = utf8_percent_encode(&parameter.name, VALUE);
            let encoded = values
                .iter()
                .map(|value| utf8_percent_encode(value, VALUE).to_string());
            match parameter.values {
                Values::One | Values::Repeated => {
                    pairs.extend(encoded.map(|value| format!("{name}={value}")));
                }
                Values::Joined(_) if values.is_empty() => {}
                Values::Joined(separator) => {
                    pairs.push(format!("{name}={}", encoded.collect::<Vec<_>>().join(separator)));
                }
            }
        }
        pairs.join("&")
    }

    fn headers(&self, form: &mut FormState) -> CallHeaders {
        let mut headers = CallHeaders::default();
        for (field, parameter) in self.of(Place::Header) {
            let value = self.values(&field, parameter, form).join(",");
            if value.is_empty() {
                continue;
            }
            if let Err(invalid) = headers.add(&parameter.name, &value) {
                form.fail_field(&field, format!("{} {}", parameter.name, invalid.message));
            }
        }
        for (field, parameter) in self.of(Place::Cookie) {
            let value = self.values(&field, parameter, form).join(",");
            if value.is_empty() {
                continue;
            }
            if let Err(invalid) = headers.add_cookie(&parameter.name, &value) {
                form.fail_field(&field, format!("{} {}", parameter.name, invalid.message));
            }
        }
        self.more_headers(&mut headers, form);
        headers
    }

    /// One header a line, as curl takes them.
    fn more_headers(&self, headers: &mut CallHeaders, form: &mut FormState) {
        let lines = self.fields.raw("headers").lines();
        for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
            let Some((name, value)) = line.split_once(':') else {
                let rule = "Headers are written one a line: Name: value";
                form.fail_field("headers", rule);
                return;
            };
            if let Err(invalid) = headers.add(name, value) {
                form.fail_field("headers", format!("{} {}", name.trim(), invalid.message));
                return;
            }
        }
    }

    fn body(&self, headers: &mut CallHeaders, form: &mut FormState) -> Bytes {
        let typed = self.fields.raw("body");
        if self.shape.bodies.is_empty() || typed.trim().is_empty() {
            if self.shape.body_required {
                form.fail_field("body", "Enter a body");
            }
            return Bytes::new();
        }
        if typed.len() > MAX_BODY {
            form.fail_field(
                "body",
                "The body is larger than the 10 MB that can be sent from here",
            );
            return Bytes::new();
        }
        let chosen = self.fields.get("media_type");
        let kind = self.shape.bodies.iter().find(|kind| kind.media_type == chosen);
        let kind = kind.or(self.shape.bodies.first());
        if let Some(value) = kind.and_then(|kind| HeaderValue::from_str(&kind.media_type).ok()) {
            headers.or_add(CONTENT_TYPE, value);
        }
        // Browsers end the lines of a text field with CRLF.
        Bytes::from(typed.replace("\r\n", "\n"))
    }

    fn proof(&self, form: &mut FormState) -> Proof {
        let key = self.fields.get("key");
        if !key.is_empty() {
            if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
                form.fail_field("key", "A key has no spaces and no special characters");
            }
            return Proof::Key(SecretText::new(key.to_owned()));
        }
        match self.fields.get("credential").parse::<SubscriptionId>() {
            Ok(subscription) => Proof::Subscription(subscription),
            Err(_) => Proof::Nothing,
        }
    }
}

/// Why a value cannot stand in a path; the name of its parameter comes first.
/// The gateway would refuse it, because servers disagree about where such a
/// path leads, and could not say which value it was.
fn refused_in_path(value: &str, reach: Reach) -> Option<&'static str> {
    // Servers that cut path parameters off read `..;x` as `..`.
    let dots = |step: &str| matches!(step.split(';').next(), Some("." | ".."));
    let steps: Vec<&str> = match reach {
        Reach::Segment => vec![value],
        Reach::Rest => value.split('/').collect(),
    };
    if steps.iter().any(|step| dots(step)) {
        // RFC 3986, section 5.2.4.
        return Some("cannot be “.” or “..”: that would be another path");
    }
    if reach == Reach::Segment && value.contains('/') {
        return Some("cannot have a slash in it: the gateway refuses encoded slashes in a path");
    }
    if value.contains(|c: char| c == '\\' || c.is_control()) {
        return Some(
            "cannot have a backslash or a control character in it: the gateway refuses them in a path",
        );
    }
    if reach == Reach::Rest && (value.starts_with('/') || value.contains("//")) {
        return Some("cannot have an empty step: the gateway refuses two slashes in a row");
    }
    None
}

fn in_path(value: &str, reach: Reach) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, VALUE).to_string();
    match reach {
        Reach::Segment => encoded(value),
        Reach::Rest => value.split('/').map(encoded).collect::<Vec<_>>().join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::try_it::shape::BodyKind;

    fn parameter(place: Place, name: &str, values: Values) -> Parameter {
        Parameter {
            place,
            name: name.to_owned(),
            required: place == Place::Path,
            values,
            example: String::new(),
            choices: Vec::new(),
            about: String::new(),
            secret: false,
        }
    }

    fn call(
        template: &str,
        parameters: Vec<Parameter>,
        fields: &[(&str, &str)],
    ) -> Result<Call, Vec<(String, String)>> {
        let template = PathTemplate::parse(template).unwrap();
        let body = BodyKind {
            media_type: "application/json".to_owned(),
            example: String::new(),
        };
        let shape = Shape::new(&template, parameters, vec![body], Vec::new());
        let fields = Fields::of(fields);
        let mut form = FormState::from_fields(&fields);
        read(&shape, &template, &fields, &mut form).ok_or_else(|| {
            let faults = form.summary().into_iter();
            faults.map(|fault| (fault.field, fault.message)).collect()
        })
    }

    #[test]
    fn values_cannot_leave_their_place() {
        let parameters = || {
            vec![
                parameter(Place::Path, "id", Values::One),
                parameter(Place::Query, "q[x]", Values::One),
                parameter(Place::Query, "tag", Values::Repeated),
                parameter(Place::Query, "ids", Values::Joined(",")),
            ]
        };
        let fields = [
            ("p0", "..a b?x=1#y%2F"),
            ("p1", "a&b=c"),
            ("p2", "u, v"),
            ("p3", "1,2/3"),
        ];
        let call = call("/pets/{id}/é", parameters(), &fields).unwrap();
        assert_eq!(call.path, "/pets/..a%20b%3Fx%3D1%23y%252F/%C3%A9");
        assert_eq!(call.query, "q%5Bx%5D=a%26b%3Dc&tag=u&tag=v&ids=1,2%2F3");
    }

    #[test]
    fn steps_in_the_path_are_refused() {
        for (template, value) in [
            ("/a/{x}", ".."),
            ("/a/{x}", "."),
            ("/a/{x}", "..;v=1"),
            ("/a/{x}", "b/c"),
            ("/a/{x}", "b\\c"),
            ("/a/{x}", "b\tc"),
            ("/a/{x+}", "b/../c"),
            ("/a/{x+}", "/b"),
            ("/a/{x+}", "b//c"),
        ] {
            let faults = call(
                template,
                vec![parameter(Place::Path, "x", Values::One)],
                &[("p0", value)],
            )
            .unwrap_err();
            assert_eq!(faults[0].0, "p0", "{template} {value}");
        }
        let rest = call(
            "/a/{x+}",
            vec![parameter(Place::Path, "x", Values::One)],
            &[("p0", "b c/d")],
        );
        assert_eq!(rest.unwrap().path, "/a/b%20c/d");
    }

    #[test]
    fn all_faults_are_said_at_once_and_at_their_fields() {
        let parameters = vec![
            parameter(Place::Path, "id", Values::One),
            parameter(Place::Header, "X-Consumer-Id", Values::One),
        ];
        let fields = [("p1", "me"), ("headers", "Host: evil"), ("key", "a b")];
        let faults = call("/{id}", parameters, &fields).unwrap_err();
        let named: Vec<_> = faults.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(named, ["p0", "p1", "headers", "key"]);
    }

    #[test]
    fn headers_body_and_proof_are_taken_along() {
        let fields = [
            ("headers", "Accept-Language: de\r\n\r\nX-Tag: a:b\r\n"),
            ("body", "{\r\n}"),
            ("credential", "sub_00000000000000000000000001"),
        ];
        let call = call("/", Vec::new(), &fields).unwrap();
        assert_eq!(call.headers.as_map()["x-tag"], "a:b");
        assert_eq!(call.headers.as_map()["content-type"], "application/json");
        assert_eq!(&call.body[..], b"{\n}");
        assert!(matches!(call.proof, Proof::Subscription(_)));
    }

    #[test]
    fn cookies_of_the_portal_cannot_be_typed() {
        let cookie = |name: &str| {
            call(
                "/",
                vec![parameter(Place::Cookie, name, Values::One)],
                &[("p0", "x")],
            )
        };
        assert_eq!(cookie("theme").unwrap().headers.as_map()["cookie"], "theme=x");
        assert!(cookie("gw_session").is_err());
        assert!(cookie("__Host-gw_session").is_err());
    }
}
