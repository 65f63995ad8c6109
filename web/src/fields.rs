//! Reads a posted form: `application/x-www-form-urlencoded`, or
//! `multipart/form-data` where a file comes along.

use axum::extract::{FromRequest, Multipart, Request};
use gatewright_webkit::body::{BodyLimit, read_form, too_large};
use gatewright_webkit::problem::Problem;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

/// More fields than any page of ours has.
const MOST_FIELDS: usize = 1000;

/// A file that came with a form.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// The name of the field.
    pub(crate) field: String,
    /// The name the file has on the visitor's machine; empty when none was chosen.
    pub(crate) file_name: String,
    /// Its bytes.
    pub(crate) bytes: bytes::Bytes,
}

/// The fields of a form in the order in which they were sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    pairs: Vec<(String, String)>,
    files: Vec<Upload>,
}

impl Fields {
    /// The first value of a field, without blanks around it; empty when absent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The first value of a field as it was sent: passwords and documents.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value.as_str())
    }

    /// The first value of a field; `None` when it is absent or blank.
    pub(crate) fn some(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|value| !value.is_empty())
    }

    /// Every value of a field.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.pairs
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the field was sent at all: a checkbox, the button that was used.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| key == name)
    }

    /// A file that was chosen.
    pub(crate) fn file(&self, name: &str) -> Option<&Upload> {
        self.files
            .iter()
            .find(|file| file.field == name && !file.file_name.is_empty())
    }

    /// Every field with its value.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        Self {
            pairs: pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            files: Vec::new(),
        }
    }

    async fn read_multipart<S: Send + Sync>(request: Request, state: &S) -> Result<Self, Problem> {
        let BodyLimit(limit) = request
            .extensions()
            .get::<BodyLimit>()
            .copied()
            .unwrap_or_default();
        let request = request.map(|body| axum::body::Body::new(http_body_util::Limited::new(body, limit)));
        let broken = |error: axum::extract::multipart::MultipartError| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(BodyLimit(limit)),
            status => Problem::new(status, "invalid_form", error.body_text()),
        };
        let mut parts = Multipart::from_request(request, state)
            .await
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "invalid_form", error.body_text()))?;
        let mut fields = Self::default();
        while let Some(part) = parts.next_field().await.map_err(broken)? {
            fields.check_count()?;
            let name = part.name().unwrap_or("").to_owned();
            match part.file_name().map(str::to_owned) {
                Some(file_name) => fields.files.push(Upload {
                    field: name,
                    file_name,
                    bytes: part.bytes().await.map_err(broken)?,
                }),
                None => fields.pairs.push((name, part.text().await.map_err(broken)?)),
            }
        }
        Ok(fields)
    }

    fn check_count(&self) -> Result<(), Problem> {
        if self.pairs.len() + self.files.len() < MOST_FIELDS {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too_many_fields",
            format!("the form has more than {MOST_FIELDS} fields"),
        ))
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if is_multipart(request.headers()) {
            return Self::read_multipart(request, state).await;
        }
        let body = read_form(request).await?;
        let mut fields = Self::default();
        for (name, value) in url::form_urlencoded::parse(&body) {
            fields.check_count()?;
            fields.pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(fields)
    }
}

fn is_multipart(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("multipart/form-data"))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    async fn read(content_type: &str, body: &'static str) -> Result<Fields, Problem> {
        let request = Request::builder()
            .header("content-type", content_type)
            .body(Body::from(body))
            .unwrap();
        Fields::from_request(request, &()).await
    }

    #[tokio::test]
    async fn both_encodings_give_the_same_fields() {
        let plain = read("application/x-www-form-urlencoded", "a=1&b=%20x+&a=2")
            .await
            .unwrap();
        assert_eq!((plain.get("b"), plain.raw("b")), ("x", " x "));
        assert_eq!(plain.all("a").collect::<Vec<_>>(), ["1", "2"]);
        let multipart = "--X\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X\r\ncontent-disposition: form-data; name=\"document\"; filename=\"shop.yaml\"\r\n\r\nopenapi: 3.0.3\r\n--X--\r\n";
        let whole = read("multipart/form-data; boundary=X", multipart).await.unwrap();
        assert_eq!(whole.get("a"), "1");
        assert_eq!(&whole.file("document").unwrap().bytes[..], b"openapi: 3.0.3");
        assert!(whole.file("other").is_none());
    }

    #[tokio::test]
    async fn another_body_is_refused() {
        assert_eq!(read("application/json", "{}").await.unwrap_err().status(), 415);
        assert_eq!(read("multipart/form-data", "x").await.unwrap_err().status(), 400);
    }
}
