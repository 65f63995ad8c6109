//! The addresses under which outsiders reach the listeners.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::{Host, Url};

use crate::error::Fault;
use crate::key::{Fallback, Key, Kind, Reach, Scope};
use crate::layers::Reader;

pub(crate) static GATEWAY_URL: Key = Key {
    name: "gateway-url",
    section: "Public addresses",
    kind: Kind::Url,
    fallback: Fallback::Derived("the bound address"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "The address under which clients reach the gateway: scheme, host and port.",
};

pub(crate) static MANAGEMENT_URL: Key = Key {
    name: "management-url",
    section: "Public addresses",
    kind: Kind::Url,
    fallback: Fallback::Derived("the bound address"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "The address under which programs reach the management API.",
};

pub(crate) static PORTAL_URL: Key = Key {
    name: "portal-url",
    section: "Public addresses",
    kind: Kind::Url,
    fallback: Fallback::Derived("the bound address"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "The address under which browsers reach the portal; with https its cookies are Secure.",
};

pub(crate) static ALLOW_SHARED_HOST: Key = Key {
    name: "allow-shared-host",
    section: "Public addresses",
    kind: Kind::Switch,
    fallback: Fallback::Unset,
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "Accept an https portal on the gateway's own host name, although browsers send a host's cookies to every port.",
};

/// A public address: http or https, a host, perhaps a port, and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicUrl(Url);

impl PublicUrl {
    /// Reads an address.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        const FIX: &str = "give scheme, host and port alone, for example https://api.example.com";
        // What was given is not repeated: it may hold a password.
        let url = Url::parse(text).map_err(|error| Fault::new(format!("is no URL: {error}"), FIX))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Fault::new("has a scheme other than http and https", FIX));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Fault::new("carries credentials", FIX));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(Fault::new("has a path, a query or a fragment", FIX));
        }
        Ok(Self(url))
    }

    /// The address of a listener that nobody gave a public one; a wildcard is reached on loopback.
    #[must_use]
    pub fn of_bound(address: SocketAddr) -> Option<Self> {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        let text = format!("http://{}", SocketAddr::new(ip, address.port()));
        Url::parse(&text).ok().map(Self)
    }

    /// The address without a slash at its end, as in the ready line and in an `Origin` header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The host name, in lower case; an IPv6 address stands in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether browsers reach it over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether an `Origin` is this address. On loopback `127.0.0.1`,
    /// `localhost` and `[::1]` are one host (`product.md` 2).
    #[must_use]
    pub fn is_origin(&self, origin: &str) -> bool {
        let Ok(other) = Url::parse(origin) else {
            return false;
        };
        let same_host = self.0.host() == other.host() || (is_loopback(&self.0) && is_loopback(&other));
        same_host
            && self.0.scheme() == other.scheme()
            && self.0.port_or_known_default() == other.port_or_known_default()
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip == Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(ip)) => ip == Ipv6Addr::LOCALHOST,
        None => false,
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The public addresses that were given. What is `None` follows from the bound
/// address, see [`PublicUrl::of_bound`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrls {
    /// Of the gateway.
    pub gateway: Option<PublicUrl>,
    /// Of the management API.
    pub management: Option<PublicUrl>,
    /// Of the portal.
    pub portal: Option<PublicUrl>,
}

impl PublicUrls {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let urls = Self {
            gateway: reader.read(&GATEWAY_URL, PublicUrl::parse),
            management: reader.read(&MANAGEMENT_URL, PublicUrl::parse),
            portal: reader.read(&PORTAL_URL, PublicUrl::parse),
        };
        let shared_allowed = reader.read_switch(&ALLOW_SHARED_HOST)?;
        if let (Some(gateway), Some(portal)) = (&urls.gateway, &urls.portal)
            && portal.is_https()
            && portal.host() == gateway.host()
            && !shared_allowed
        {
            let problem = format!("is an https portal on the gateway's own host {}", portal.host());
            let fix = "give the portal a host name of its own, or set --allow-shared-host";
            reader.refuse(&PORTAL_URL, Fault::new(problem, fix));
        }
        Some(urls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> PublicUrl {
        PublicUrl::parse(text).unwrap()
    }

    #[test]
    fn loopback_spellings_are_one_origin_on_one_port() {
        let portal = url("http://127.0.0.1:8002");
        for origin in [
            "http://localhost:8002",
            "http://[::1]:8002",
            "http://127.0.0.1:8002",
        ] {
            assert!(portal.is_origin(origin), "{origin}");
        }
        for origin in [
            "http://localhost:8001",
            "https://localhost:8002",
            "http://evil.example:8002",
            "http://127.0.0.2:8002",
            "null",
        ] {
            assert!(!portal.is_origin(origin), "{origin}");
        }
        assert!(url("https://portal.example").is_origin("https://portal.example:443"));
    }

    #[test]
    fn refuses_more_than_an_origin_and_shows_no_password() {
        for text in [
            "ftp://a",
            "http://u:hunter2@a",
            "https://a/x",
            "https://a?x",
            "a:80",
            "nonsense",
        ] {
            let fault = PublicUrl::parse(text).unwrap_err();
            assert!(!fault.problem.contains("hunter2"), "{text}");
        }
        assert_eq!(url("HTTPS://Api.Example/").as_str(), "https://api.example");
    }

    #[test]
    fn a_wildcard_is_reached_on_loopback() {
        let of = |text: &str| PublicUrl::of_bound(text.parse().unwrap()).unwrap().to_string();
        assert_eq!(of("0.0.0.0:8000"), "http://127.0.0.1:8000");
        assert_eq!(of("[::]:8000"), "http://[::1]:8000");
        assert_eq!(of("10.1.2.3:80"), "http://10.1.2.3");
    }
}
