//! The request as the upstream gets it: a new message, made of what may go on
//! and of what the gateway says about the caller (`product.md`, section 5).

use std::net::IpAddr;

use gatewright_model::id::IdText;
use http::header::{CONTENT_LENGTH, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Body;
use ipnet::IpNet;

use crate::body::RequestBody;
use crate::edge::Head;
use crate::headers::{self, Leave, REQUEST_ID};
use crate::http1::encode::{self, Framing};
use crate::http1::outbound::{Outbound, Trailers};
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
    /// The message for a target, its head written into `out`, which is empty.
    pub(crate) fn message(
        &self,
        target: &Target,
        body: RequestBody,
        mut out: Vec<u8>,
    ) -> Outbound<RequestBody> {
        let framing = match (&body, body.size_hint().exact()) {
            (RequestBody::Empty, _) => Framing::Bodiless,
            (_, Some(length)) => Framing::Length(length),
            (_, None) => Framing::Chunked,
        };
        self.write_line(&mut out, &target.base_path);
        let mut write = |name: &HeaderName, value: &[u8]| encode::field(&mut out, name.as_str(), value);
        let leave = Leave {
            key: self.admitted.key_location,
            trace_continued: self.trace.continued,
        };
        write(&HOST, target.authority.as_bytes());
        headers::of_request(&self.parts.headers, leave, &mut write);
        self.write_ours(&mut write);
        match framing {
            Framing::Length(length) => encode::length(&mut out, length),
            Framing::Chunked => encode::chunked(&mut out),
            // An announced body of no bytes is not the same as none (RFC 9110, section 8.6).
            _ if self.parts.headers.contains_key(CONTENT_LENGTH) => encode::length(&mut out, 0),
            _ => {}
        }
        out.extend_from_slice(b"\r\n");
        Outbound::new(out, body, framing, Trailers::Wanted)
    }

    /// What comes together here was checked by itself: the base path as an
    /// address, path and query as what the client asked for.
    fn write_line(&self, out: &mut Vec<u8>, base: &str) {
        let rest = self.admitted.upstream_path(&self.head.path);
        out.extend_from_slice(self.parts.method.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(base.as_bytes());
        out.extend_from_slice(rest.as_bytes());
        if base.is_empty() && rest.is_empty() {
            out.push(b'/');
        }
        if let Some(query) = self.head.query {
            out.push(b'?');
            out.extend_from_slice(query.as_bytes());
        }
        out.extend_from_slice(b" HTTP/1.1\r\n");
    }

    fn write_ours(&self, write: &mut impl FnMut(&HeaderName, &[u8])) {
        write(&REQUEST_ID, self.request_id.as_bytes());
        write(&TRACEPARENT, self.trace.parent());
        write(&FORWARDED_FOR, self.client.forwarded_for.as_bytes());
        write(&FORWARDED_PROTO, self.client.forwarded_proto.as_bytes());
        if let Some(host) = self.head.authority {
            write(&FORWARDED_HOST, host.as_bytes());
        }
        if let Some(consumer) = &self.admitted.consumer {
            write(&CONSUMER_ID, IdText::of(consumer.application_id).as_bytes());
            write(&CONSUMER_NAME, &consumer.name);
            write(&SUBSCRIPTION_ID, IdText::of(consumer.subscription_id).as_bytes());
            write(&PLAN, consumer.plan_slug.as_bytes());
        }
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
