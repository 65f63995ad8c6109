//! What a call to one operation can carry, as far as a form asks for it.

use gatewright_model::template::PathTemplate;
use gatewright_openapi::docs::operation::{self as docs, InputKind, OperationDoc, Place};

/// Choices that a form lists.
const MOST_CHOICES: usize = 40;
/// Choices of all fields of a form.
pub(crate) const MOST_LISTED: usize = 150;

/// How several values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// There is one.
    One,
    /// The parameter stands once for each.
    Repeated,
    /// They are joined by this.
    Joined(&'static str),
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// Where it stands.
    pub(crate) place: Place,
    /// Its name.
    pub(crate) name: String,
    /// Whether a call must carry it.
    pub(crate) required: bool,
    /// How its values are written.
    pub(crate) values: Values,
    /// A value that works, if one is known.
    pub(crate) example: String,
    /// The only values that work; empty when others do too.
    pub(crate) choices: Vec<String>,
    /// What it is, in words.
    pub(crate) about: String,
    /// Whether its values open something.
    pub(crate) secret: bool,
}

impl Parameter {
    fn of(parameter: &docs::Parameter) -> Self {
        let is_list = parameter.input.kind == InputKind::List;
        let choices = match &parameter.input.kind {
            // Who has more to choose from types it.
            InputKind::Choice(choices) if choices.len() <= MOST_CHOICES => choices.clone(),
            InputKind::Boolean => vec!["true".to_owned(), "false".to_owned()],
            _ => Vec::new(),
        };
        Self {
            place: parameter.place,
            name: parameter.name.clone(),
            required: parameter.required,
            values: if is_list { values(parameter) } else { Values::One },
            example: parameter.input.value.clone(),
            choices,
            about: parameter.view.types.clone(),
            secret: parameter.view.format.as_deref() == Some("password") || sounds_secret(&parameter.name),
        }
    }
}

/// How a list is written (OpenAPI 3.1, section 4.8.12.3).
fn values(parameter: &docs::Parameter) -> Values {
    let style = parameter.style.as_deref().unwrap_or("form");
    match (parameter.place, style) {
        (Place::Query, "spaceDelimited") => Values::Joined("%20"),
        (Place::Query, "pipeDelimited") => Values::Joined("%7C"),
        (Place::Query, _) if parameter.explode != Some(false) => Values::Repeated,
        _ => Values::Joined(","),
    }
}

/// A body that the operation takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BodyKind {
    /// Its media type.
    pub(crate) media_type: String,
    /// A body that works, if one is known.
    pub(crate) example: String,
}

impl BodyKind {
    /// Whether it can be typed. Forms with files and bytes cannot.
    fn can_be_typed(&self) -> bool {
        let essence = self.media_type.split(';').next().unwrap_or("").trim();
        !essence.starts_with("multipart/")
            && !["image/", "audio/", "video/", "font/"]
                .iter()
                .any(|kind| essence.starts_with(kind))
            && !matches!(
                essence,
                "application/octet-stream" | "application/zip" | "application/pdf" | "*/*"
            )
    }
}

/// An answer that the document describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Documented {
    /// `200`, `4XX`, `default`.
    pub(crate) status: String,
    /// What the document says about it.
    pub(crate) description: String,
}

/// What a call to an operation can carry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// In the order of the path, then query, headers, cookies.
    pub(crate) parameters: Vec<Parameter>,
    /// The bodies that can be typed.
    pub(crate) bodies: Vec<BodyKind>,
    /// Whether a call must carry a body.
    pub(crate) body_required: bool,
    /// Whether it takes bodies, but none that can be typed.
    pub(crate) takes_files_only: bool,
    /// The answers.
    pub(crate) answers: Vec<Documented>,
}

/// Names that are no parameters even where a document has them (OpenAPI 3.1, section 4.8.12.2).
const NO_HEADERS: [&str; 3] = ["accept", "content-type", "authorization"];

impl Shape {
    /// What the document says of an operation.
    pub(crate) fn of(doc: &OperationDoc, template: &PathTemplate) -> Self {
        let documented = Place::ALL.into_iter().flat_map(|place| doc.all_of(place));
        let contents = doc.body.iter().flat_map(|body| &body.contents);
        let bodies = contents.map(|content| BodyKind {
            media_type: content.media_type.clone(),
            example: content
                .examples
                .first()
                .map(|example| example.text.clone())
                .unwrap_or_default(),
        });
        let answers = doc.responses.iter().map(|response| Documented {
            status: response.status.clone(),
            description: first_line(response.description.as_deref().unwrap_or(response.title)),
        });
        let mut listed = 0;
        let parameters = documented.map(Parameter::of).map(|mut parameter| {
            listed += parameter.choices.len();
            if listed > MOST_LISTED {
                parameter.choices.clear();
            }
            parameter
        });
        let shape = Self::new(
            template,
            parameters.collect(),
            bodies.collect(),
            answers.collect(),
        );
        Self {
            body_required: doc.body.as_ref().is_some_and(|body| body.required) && !shape.takes_files_only,
            ..shape
        }
    }

    /// Puts together what the document says. Every parameter of the path is
    /// asked for, also one that the document forgot.
    pub(crate) fn new(
        template: &PathTemplate,
        documented: Vec<Parameter>,
        bodies: Vec<BodyKind>,
        answers: Vec<Documented>,
    ) -> Self {
        let in_path = template.parameters().map(|name| {
            documented
                .iter()
                .find(|known| known.place == Place::Path && known.name == name)
                .cloned()
                .unwrap_or_else(|| undocumented(name))
        });
        let mut parameters: Vec<Parameter> = in_path
            .map(|parameter| Parameter {
                required: true,
                ..parameter
            })
            .collect();
        let mut others: Vec<Parameter> = documented
            .into_iter()
            .filter(|parameter| parameter.place != Place::Path && is_parameter(parameter))
            .collect();
        others.sort_by_key(|parameter| (order(parameter.place), !parameter.required));
        parameters.extend(others);
        let takes_bodies = !bodies.is_empty();
        let bodies: Vec<BodyKind> = bodies.into_iter().filter(BodyKind::can_be_typed).collect();
        Self {
            parameters,
            takes_files_only: takes_bodies && bodies.is_empty(),
            body_required: false,
            bodies,
            answers,
        }
    }

    /// The answer that the document describes for a status: its own, that of
    /// its class, or the one for all others (OpenAPI 3.1, section 4.8.16).
    pub(crate) fn documented(&self, status: u16) -> Option<&Documented> {
        let exact = status.to_string();
        let class = format!("{}XX", status / 100);
        [exact.as_str(), class.as_str(), "default"]
            .into_iter()
            .find_map(|wanted| {
                self.answers
                    .iter()
                    .find(|known| known.status.eq_ignore_ascii_case(wanted))
            })
    }
}

/// The beginning of a description, as plain text.
fn first_line(text: &str) -> String {
    let line = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("")
        .trim();
    let mut short: String = line.chars().take(200).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

fn order(place: Place) -> usize {
    Place::ALL.iter().position(|known| *known == place).unwrap_or(0)
}

fn undocumented(name: &str) -> Parameter {
    Parameter {
        place: Place::Path,
        name: name.to_owned(),
        required: true,
        values: Values::One,
        example: String::new(),
        choices: Vec::new(),
        about: String::new(),
        secret: sounds_secret(name),
    }
}

/// Whether a name says that its values open something.
pub(super) fn sounds_secret(name: &str) -> bool {
    const WORDS: [&str; 10] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "credential",
        "authorization",
        "signature",
        "apikey",
        "accesskey",
    ];
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    WORDS.iter().any(|word| plain.contains(word)) || matches!(plain.as_str(), "key" | "pin" | "pwd" | "auth")
}

fn is_parameter(parameter: &Parameter) -> bool {
    parameter.place != Place::Header || !NO_HEADERS.contains(&parameter.name.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(place: Place, name: &str, required: bool) -> Parameter {
        Parameter {
            place,
            required,
            ..undocumented(name)
        }
    }

    #[test]
    fn the_path_says_what_must_be_asked_for() {
        let template = PathTemplate::parse("/a/{x}/b/{y}").unwrap();
        let documented = vec![
            parameter(Place::Query, "limit", false),
            parameter(Place::Header, "Authorization", true),
            parameter(Place::Query, "must", true),
            parameter(Place::Path, "y", false),
            parameter(Place::Path, "gone", true),
        ];
        let shape = Shape::new(&template, documented, Vec::new(), Vec::new());
        let names: Vec<_> = shape
            .parameters
            .iter()
            .map(|known| (known.name.as_str(), known.required))
            .collect();
        assert_eq!(
            names,
            [("x", true), ("y", true), ("must", true), ("limit", false)]
        );
    }

    #[test]
    fn the_nearest_described_answer_is_meant() {
        let answers = ["404", "4xx", "default"].map(|status| Documented {
            status: status.to_owned(),
            description: String::new(),
        });
        let shape = Shape {
            answers: answers.to_vec(),
            ..Shape::default()
        };
        let meant = |status| shape.documented(status).map(|known| known.status.as_str());
        assert_eq!(
            [meant(404), meant(429), meant(200)],
            [Some("404"), Some("4xx"), Some("default")]
        );
        assert_eq!(Shape::default().documented(200), None);
    }

    #[test]
    fn files_cannot_be_typed() {
        let template = PathTemplate::parse("/").unwrap();
        let body = |media_type: &str| BodyKind {
            media_type: media_type.to_owned(),
            example: String::new(),
        };
        let only = Shape::new(
            &template,
            Vec::new(),
            vec![body("multipart/form-data")],
            Vec::new(),
        );
        assert!(only.takes_files_only && only.bodies.is_empty());
        let both = vec![body("image/png"), body("application/json; charset=utf-8")];
        let both = Shape::new(&template, Vec::new(), both, Vec::new());
        assert_eq!((both.bodies.len(), both.takes_files_only), (1, false));
    }
}
