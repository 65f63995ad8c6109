//! The header fields that somebody may type for a call. What frames the
//! message, what is about one connection, and what only the portal or the
//! gateway may say is refused when it is typed, not dropped on the way.

use gatewright_model::invalid::Invalid;
use http::header::COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Fields that make, route or end a message, or prove somebody to the portal.
const NOT_TYPED: [&str; 18] = [
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-plan",
    "x-real-ip",
    "x-request-id",
    "x-subscription-id",
];
const NOT_TYPED_BEGINNINGS: [&str; 5] = ["gatewright-", "proxy-", "sec-", "x-consumer-", "x-forwarded-"];
/// Where the key of a call stands.
pub(super) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Typed header fields, checked.
#[derive(Debug, Clone, Default)]
pub struct CallHeaders(HeaderMap);

impl CallHeaders {
    /// Adds a field.
    ///
    /// # Errors
    /// When it is no field at all, or one that may not be typed.
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), Invalid> {
        let name = HeaderName::from_bytes(name.trim().as_bytes())
            .map_err(|_| Invalid::new("invalid_header", "is not the name of a header"))?;
        check(&name)?;
        let mut value = HeaderValue::from_bytes(value.trim().as_bytes())
            .map_err(|_| Invalid::new("invalid_header", "must be one line without control characters"))?;
        value.set_sensitive(name == http::header::AUTHORIZATION);
        self.0.append(name, value);
        Ok(())
    }

    /// Adds a cookie.
    ///
    /// # Errors
    /// When it is no cookie (RFC 6265, section 4.1.1), or one of the portal's.
    pub fn add_cookie(&mut self, name: &str, value: &str) -> Result<(), Invalid> {
        let own = ["gw_", "__host-"]
            .iter()
            .any(|own| name.to_ascii_lowercase().starts_with(own));
        if own {
            return Err(Invalid::new(
                "reserved_cookie",
                "is a cookie of the portal, which is never sent on",
            ));
        }
        let octet = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
        let token = |byte: u8| octet(byte) && !b"()<>@:/[]?={}".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) || !value.bytes().all(octet) {
            return Err(Invalid::new(
                "invalid_cookie",
                "holds characters that no cookie may have",
            ));
        }
        let pair = format!("{name}={value}");
        let joined = match self.0.get(COOKIE).and_then(|known| known.to_str().ok()) {
            Some(known) => format!("{known}; {pair}"),
            None => pair,
        };
        let value = HeaderValue::from_str(&joined)
            .map_err(|_| Invalid::new("invalid_cookie", "holds characters that no cookie may have"))?;
        self.0.insert(COOKIE, value);
        Ok(())
    }

    /// Adds a field unless it was typed.
    pub fn or_add(&mut self, name: HeaderName, value: HeaderValue) {
        self.0.entry(name).or_insert(value);
    }

    /// The fields.
    #[must_use]
    pub const fn as_map(&self) -> &HeaderMap {
        &self.0
    }

    pub(super) fn into_map(self) -> HeaderMap {
        self.0
    }
}

fn check(name: &HeaderName) -> Result<(), Invalid> {
    if *name == API_KEY {
        return Err(Invalid::new(
            "reserved_header",
            "is set by the choice of a subscription or key",
        ));
    }
    let text = name.as_str();
    let reserved = NOT_TYPED.contains(&text) || NOT_TYPED_BEGINNINGS.iter().any(|own| text.starts_with(own));
    if reserved {
        return Err(Invalid::new(
            "reserved_header",
            "cannot be set here: the connection or the gateway sets it",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_gateway_may_say_cannot_be_typed() {
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "Connection",
            "Cookie",
            "X-Api-Key",
            "X-Consumer-Id",
            "x-forwarded-for",
            "Proxy-Authorization",
            "Gatewright-Refusal",
            "bad name",
            "",
        ] {
            let mut headers = CallHeaders::default();
            assert!(headers.add(name, "x").is_err(), "{name}");
            assert!(headers.as_map().is_empty());
        }
    }

    #[test]
    fn other_fields_are_taken_as_they_are() {
        let mut headers = CallHeaders::default();
        headers.add(" Accept-Language ", " de ").unwrap();
        headers.add("X-Tag", "a").unwrap();
        headers.add("X-Tag", "b").unwrap();
        headers.or_add(http::header::ACCEPT_LANGUAGE, HeaderValue::from_static("en"));
        assert_eq!(headers.as_map()["accept-language"], "de");
        assert_eq!(headers.as_map().get_all("x-tag").iter().count(), 2);
        headers.add_cookie("a", "1").unwrap();
        headers.add_cookie("b", "2").unwrap();
        assert_eq!(headers.as_map()["cookie"], "a=1; b=2");
        assert!(headers.add_cookie("c", "3; gw_session=x").is_err());
        assert!(headers.add("X-Evil", "a\r\nHost: b").is_err());
    }
}
