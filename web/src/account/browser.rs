//! The browser that sends a request, as sessions and throttles know it.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use gatewright_control::sessions::Client;
use gatewright_webkit::peer::Peer;
use gatewright_webkit::problem::Problem;
use gatewright_webkit::request_id::RequestId;
use http::header::USER_AGENT;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use crate::app::App;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Browsers and what they call themselves; many call themselves others too, so the order counts.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];
const SYSTEMS: &[(&str, &str)] = &[
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// Who sends the request.
#[derive(Debug)]
pub(crate) struct Browser(pub(crate) Client);

impl FromRequestParts<App> for Browser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let user_agent = parts.headers.get(USER_AGENT);
        let user_agent = user_agent.and_then(|value| value.to_str().ok()).unwrap_or("");
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip());
        let request_id = parts.extensions.get::<RequestId>();
        Ok(Self(Client {
            user_agent: user_agent.to_owned(),
            address: address(&parts.headers, peer, app.secure()),
            request_id: request_id.map(|id| id.as_str().to_owned()),
        }))
    }
}

/// With an https portal somebody else ends TLS in front of this process: the
/// address that they saw is the last one they added. Without, nobody is trusted.
fn address(headers: &HeaderMap, peer: Option<IpAddr>, behind_proxy: bool) -> Option<IpAddr> {
    if !behind_proxy {
        return peer;
    }
    let last = headers.get_all(FORWARDED_FOR).iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

/// A browser in few words: `Firefox on Linux`.
pub(super) fn in_words(user_agent: &str) -> String {
    let known = |list: &[(&str, &'static str)]| {
        list.iter()
            .find(|(mark, _)| user_agent.contains(mark))
            .map(|(_, name)| *name)
    };
    match (known(BROWSERS), known(SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => "Unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn browsers_are_told_apart() {
        for (user_agent, words) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
                "Edge on Windows",
            ),
            ("curl/8.9", "curl"),
            ("", "Unknown browser"),
        ] {
            assert_eq!(in_words(user_agent), words);
        }
    }

    #[test]
    fn a_forwarded_address_counts_only_behind_a_proxy() {
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED_FOR, HeaderValue::from_static("10.0.0.1, 192.0.2.7"));
        let peer = "127.0.0.1".parse().ok();
        assert_eq!(address(&headers, peer, false), peer);
        assert_eq!(address(&headers, peer, true), "192.0.2.7".parse().ok());
        assert_eq!(address(&HeaderMap::new(), peer, true), None);
    }
}
