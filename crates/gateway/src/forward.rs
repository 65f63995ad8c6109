//! The request as the upstream gets it: a new message, made of what may go on
//! and of what the gateway says about the caller (`product.md`, section 5).

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, Version};
use ipnet::IpNet;

use crate::body::RequestBody;
use crate::edge::Head;
use crate::headers::{self, Leave, REQUEST_ID};
use crate::rejection::Rejection;
use crate::runtime::Admitted;
use crate::trace::{TRACEPARENT, Trace};
use crate::upstream::target::Target;

const CONSUMER_ID: HeaderName = HeaderName::from_static("x-consumer-id");
const CONSUMER_NAME: HeaderName = HeaderName::from_static("x-consumer-name");
const SUBSCRIPTION_ID: HeaderName = HeaderName::from_static("x-subscription-id");
const PLAN: HeaderName = HeaderName::from_static("x-plan");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Who is at the other end, as far as the network can tell.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// The address that counts: the peer's, or the one that a trusted proxy reports.
    pub(crate) address: IpAddr,
    forwarded_for: HeaderValue,
    forwarded_proto: HeaderValue,
}

impl Client {
    /// A client that is connected to us. `peer_text` is its address as a header value.
    pub(crate) fn of(peer: IpAddr, peer_text: &HeaderValue, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let direct = Self {
            address: peer,
            forwarded_for: peer_text.clone(),
            forwarded_proto: HeaderValue::from_static("http"),
        };
        let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
        if trusted.is_empty() || !is_trusted(&peer) {
            return direct;
        }
        let lines: Vec<&str> = headers
            .get_all(&FORWARDED_FOR)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .collect();
        let chain = lines.join(", ");
        // From the right: each hop is believed as long as a trusted one reports it.
        let hops = chain
            .rsplit(',')
            .map_while(|hop| hop.trim().parse::<IpAddr>().ok());
        let mut address = peer;
        for hop in hops {
            address = hop;
            if !is_trusted(&hop) {
                break;
            }
        }
        let appended = if chain.is_empty() {
            Some(direct.forwarded_for.clone())
        } else {
            HeaderValue::try_from(format!("{chain}, {peer}")).ok()
        };
        let secure = headers
            .get(&FORWARDED_PROTO)
            .is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
        Self {
            address,
            forwarded_for: appended.unwrap_or(direct.forwarded_for),
            forwarded_proto: HeaderValue::from_static(if secure { "https" } else { "http" }),
        }
    }
}

/// Everything that a request to an upstream is made of, but the target and the body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    /// The client's head.
    pub(crate) parts: &'a Parts,
    /// The same, read.
    pub(crate) head: &'a Head<'a>,
    /// What was decided.
    pub(crate) admitted: &'a Admitted,
    /// Who is at the other end.
    pub(crate) client: &'a Client,
    /// Our id of the call.
    pub(crate) request_id: &'a HeaderValue,
    /// The trace it belongs to.
    pub(crate) trace: &'a Trace,
}

impl Outgoing<'_> {
    /// The request for a target.
    ///
    /// # Errors
    /// When base path, path and query together are no request target.
    pub(crate) fn request(
        &self,
        target: &Target,
        body: RequestBody,
    ) -> Result<Request<RequestBody>, Rejection> {
        let empty = matches!(body, RequestBody::Empty);
        let mut request = Request::new(body);
        *request.method_mut() = self.parts.method.clone();
        *request.version_mut() = Version::HTTP_11;
        *request.uri_mut() = self.target(&target.base_path)?;
        *request.headers_mut() = self.headers(&target.authority);
        // An announced body of no bytes is not the same as none (RFC 9110, section 8.6).
        if empty && self.parts.headers.contains_key(CONTENT_LENGTH) {
            request
                .headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Ok(request)
    }

    fn target(&self, base: &str) -> Result<Uri, Rejection> {
        let rest = self.admitted.upstream_path(&self.head.path);
        let query = self.head.query;
        let mut text = String::with_capacity(base.len() + rest.len() + query.map_or(1, str::len) + 1);
        text.push_str(base);
        text.push_str(rest);
        if text.is_empty() {
            text.push('/');
        }
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
        PathAndQuery::from_maybe_shared(Bytes::from(text))
            .map(Uri::from)
            .map_err(|_| Rejection::BadRequest("the address cannot be passed on"))
    }

    fn headers(&self, authority: &HeaderValue) -> HeaderMap {
        let leave = Leave {
            key: self.admitted.key_location,
            trace_continued: self.trace.continued,
        };
        let mut out = headers::of_request(&self.parts.headers, leave);
        out.insert(HOST, authority.clone());
        out.insert(REQUEST_ID, self.request_id.clone());
        out.insert(TRACEPARENT, self.trace.header());
        out.insert(FORWARDED_FOR, self.client.forwarded_for.clone());
        out.insert(FORWARDED_PROTO, self.client.forwarded_proto.clone());
        let host = self
            .head
            .authority
            .and_then(|host| HeaderValue::from_str(host).ok());
        if let Some(host) = host {
            out.insert(FORWARDED_HOST, host);
        }
        if let Some(consumer) = &self.admitted.consumer {
            out.insert(CONSUMER_ID, consumer.application_id.clone());
            out.insert(CONSUMER_NAME, consumer.application_name.clone());
            out.insert(SUBSCRIPTION_ID, consumer.subscription_id.clone());
            out.insert(PLAN, consumer.plan_slug.clone());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[&str], trusted: &[&str]) -> (String, String) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        let client = Client::of(peer.parse().unwrap(), &peer.parse().unwrap(), &headers, &trusted);
        let chain = client.forwarded_for.to_str().unwrap().to_owned();
        assert_eq!(client.forwarded_proto == "https", !trusted.is_empty());
        (client.address.to_string(), chain)
    }

    #[test]
    fn only_a_trusted_peer_may_report_others() {
        let told = ["6.6.6.6, 203.0.113.9"];
        assert_eq!(
            client("10.0.0.1", &told, &[]),
            ("10.0.0.1".into(), "10.0.0.1".into())
        );
        assert_eq!(
            client("10.0.0.1", &told, &["10.0.0.0/8"]),
            ("203.0.113.9".into(), "6.6.6.6, 203.0.113.9, 10.0.0.1".into())
        );
        assert_eq!(
            client("10.0.0.1", &["203.0.113.9", "10.0.0.2"], &["10.0.0.0/8"]),
            ("203.0.113.9".into(), "203.0.113.9, 10.0.0.2, 10.0.0.1".into())
        );
        assert_eq!(client("10.0.0.1", &["unknown"], &["10.0.0.0/8"]).0, "10.0.0.1");
        assert_eq!(
            client("10.0.0.1", &[], &["10.0.0.0/8"]),
            ("10.0.0.1".into(), "10.0.0.1".into())
        );
    }
}
