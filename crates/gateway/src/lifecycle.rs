//! What a version's life says in header fields: `Deprecation` (RFC 9745),
//! `Sunset` (RFC 8594) and `Link`. Made once, when a configuration is compiled.

use std::sync::Arc;

use gatewright_model::snapshot::DeprecationPart;
use http::header::LINK;
use http::{HeaderMap, HeaderName, HeaderValue};

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// The version that replaces another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// Its label.
    pub label: Box<str>,
    /// Its address at the gateway.
    pub url: Box<str>,
    /// The `Link` field that names it.
    pub(crate) link: HeaderValue,
}

/// The header fields of a version whose end is announced.
#[derive(Debug, Clone, Default)]
pub(crate) struct LifecycleHeaders {
    deprecation: Option<HeaderValue>,
    sunset: Option<HeaderValue>,
    links: Vec<HeaderValue>,
    pub(crate) successor: Option<Arc<Successor>>,
}

impl LifecycleHeaders {
    /// The fields of an announced end; none without one.
    pub(crate) fn of(deprecation: Option<&DeprecationPart>) -> Self {
        let Some(end) = deprecation else {
            return Self::default();
        };
        let successor = end.successor.as_ref().and_then(|successor| {
            let link = link(&successor.url, "successor-version")?;
            Some(Arc::new(Successor {
                label: successor.label.as_str().into(),
                url: successor.url.as_str().into(),
                link,
            }))
        });
        let info = end.info_url.as_deref();
        let links = [
            successor.as_ref().map(|successor| successor.link.clone()),
            info.and_then(|url| link(url, "deprecation")),
            info.and_then(|url| link(url, "sunset")),
        ];
        Self {
            deprecation: HeaderValue::try_from(format!("@{}", end.deprecated_at.as_seconds())).ok(),
            sunset: HeaderValue::try_from(end.sunset_at.to_http_date()).ok(),
            links: links.into_iter().flatten().collect(),
            successor,
        }
    }

    /// Sets the fields. Links of the upstream stay.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        if let Some(value) = &self.deprecation {
            headers.insert(DEPRECATION, value.clone());
        }
        if let Some(value) = &self.sunset {
            headers.insert(SUNSET, value.clone());
        }
        for value in &self.links {
            headers.append(LINK, value.clone());
        }
    }
}

/// A link (RFC 8288). `None` for an address that cannot stand between angle brackets.
fn link(url: &str, relation: &str) -> Option<HeaderValue> {
    let clean = url
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'<' && byte != b'>');
    clean
        .then(|| HeaderValue::try_from(format!("<{url}>; rel=\"{relation}\"")).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use gatewright_model::snapshot::SuccessorPart;
    use gatewright_model::text::VersionLabel;
    use gatewright_model::time::Timestamp;

    use super::*;

    fn deprecation(successor: &str) -> DeprecationPart {
        DeprecationPart {
            deprecated_at: Timestamp::from_millis(1_688_169_599_999),
            sunset_at: "2026-11-21T08:00:00Z".parse().unwrap(),
            info_url: Some("https://portal.example/changes".to_owned()),
            successor: Some(SuccessorPart {
                label: VersionLabel::parse("v2").unwrap(),
                url: successor.to_owned(),
            }),
        }
    }

    #[test]
    fn the_announced_end_is_told_in_the_forms_of_the_standards() {
        let mut headers = HeaderMap::new();
        headers.insert("sunset", HeaderValue::from_static("what the upstream thinks"));
        headers.insert("link", HeaderValue::from_static("<next>; rel=next"));
        LifecycleHeaders::of(Some(&deprecation("https://gw.example/shop/v2"))).write(&mut headers);
        assert_eq!(headers["deprecation"], "@1688169599");
        assert_eq!(headers["sunset"], "Sat, 21 Nov 2026 08:00:00 GMT");
        let links: Vec<_> = headers
            .get_all("link")
            .iter()
            .map(|link| link.to_str().unwrap())
            .collect();
        assert_eq!(
            links,
            [
                "<next>; rel=next",
                "<https://gw.example/shop/v2>; rel=\"successor-version\"",
                "<https://portal.example/changes>; rel=\"deprecation\"",
                "<https://portal.example/changes>; rel=\"sunset\"",
            ]
        );
    }

    #[test]
    fn an_address_that_would_break_the_field_is_left_out() {
        let headers = LifecycleHeaders::of(Some(&deprecation("https://x/\r\nSet-Cookie: a")));
        assert!(headers.successor.is_none());
        assert_eq!(headers.links.len(), 2);
    }
}
