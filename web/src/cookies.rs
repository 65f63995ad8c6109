//! The cookies: the session, the choices of a visitor, and the message that
//! the next page shows once.

use axum_extra::extract::cookie::CookieJar;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The colours a visitor chose; without it the system's choice holds.
pub(crate) const THEME: &str = "gw_theme";
/// The density of tables.
pub(crate) const DENSITY: &str = "gw_density";
/// What the next page says once.
const TOAST: &str = "gw_toast";
const TOAST_SECONDS: i64 = 60;
/// As much as fits into a cookie beside the others.
const LONGEST_TOAST: usize = 200;

/// The name of the session cookie. Browsers accept the `__Host-` prefix only
/// with `Secure`, hence only where the portal is reached by https.
pub(crate) fn session_name(secure: bool, tenant: Option<&str>) -> String {
    let mut name = if secure { "__Host-gw_session" } else { "gw_session" }.to_owned();
    if let Some(tenant) = tenant {
        name.push('_');
        name.push_str(tenant);
    }
    name
}

/// Reads one cookie.
pub(crate) fn read(headers: &HeaderMap, name: &str) -> Option<String> {
    CookieJar::from_headers(headers)
        .get(name)
        .map(|cookie| cookie.value().to_owned())
        .filter(|value| !value.is_empty())
}

/// A cookie that scripts cannot read and other sites cannot send along. The
/// value must consist of characters that a cookie may hold (RFC 6265, 4.1.1).
pub(crate) fn set(secure: bool, name: &str, value: &str, max_age_seconds: Option<i64>) -> HeaderValue {
    let mut text = [name, "=", value, "; Path=/; HttpOnly; SameSite=Lax"].concat();
    if secure {
        text.push_str("; Secure");
    }
    if let Some(seconds) = max_age_seconds {
        text.push_str("; Max-Age=");
        text.push_str(&seconds.to_string());
    }
    // Names and values are ours or percent-encoded, so they always make a header value.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// A cookie that is sent below one path alone and ends with the browser. Path
/// and value must consist of characters that a cookie may hold.
pub(crate) fn set_below(secure: bool, path: &str, name: &str, value: &str) -> HeaderValue {
    let end = if secure { "; Secure" } else { "" };
    let text = [name, "=", value, "; Path=", path, "; HttpOnly; SameSite=Lax", end].concat();
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// Takes a cookie away.
pub(crate) fn remove(secure: bool, name: &str) -> HeaderValue {
    set(secure, name, "", Some(0))
}

/// Leaves a message for the next page.
pub(crate) fn toast(secure: bool, text: &str) -> HeaderValue {
    let short: String = text.chars().take(LONGEST_TOAST).collect();
    let value = utf8_percent_encode(&short, NON_ALPHANUMERIC).to_string();
    set(secure, TOAST, &value, Some(TOAST_SECONDS))
}

/// The message that the page before this one left.
pub(crate) fn read_toast(headers: &HeaderMap) -> Option<String> {
    let value = read(headers, TOAST)?;
    percent_decode_str(&value)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

/// Takes the message away once it was shown.
pub(crate) fn clear_toast(secure: bool, headers: &mut HeaderMap) {
    headers.append(SET_COOKIE, remove(secure, TOAST));
}
