//! Which network addresses we may connect to on behalf of somebody. One rule
//! for every connection whose target a user named: upstreams, imports,
//! external references, webhooks, providers (`product.md`, section 2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// What kind of place an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    /// Reachable from everywhere.
    Global,
    /// A private or shared network, or this machine (RFC 1918, RFC 4193, RFC 6598, loopback).
    Private,
    /// Never a legitimate target: link-local with its metadata services, multicast,
    /// broadcast, unspecified, documentation and reserved ranges.
    Forbidden,
}

impl AddressClass {
    /// The kind of an address. An IPv6 address that carries an IPv4 one
    /// (mapped, NAT64, 6to4) is what the inner one is.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => of_v4(v4),
            IpAddr::V6(v6) => embedded_v4(v6).map_or_else(|| of_v6(v6), of_v4),
        }
    }
}

fn of_v4(v4: Ipv4Addr) -> AddressClass {
    let [a, b, c, _] = v4.octets();
    let shared = a == 100 && (64..128).contains(&b);
    // 192.0.0.192 is Oracle's and 100.100.100.200 Alibaba's metadata service.
    let metadata = v4 == Ipv4Addr::new(100, 100, 100, 200) || v4 == Ipv4Addr::new(192, 0, 0, 192);
    let benchmarking = a == 198 && (b == 18 || b == 19);
    let protocol = a == 192 && b == 0 && c == 0;
    if metadata
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_broadcast()
        || v4.is_documentation()
        || a == 0
        || a >= 240
        || protocol
        || benchmarking
    {
        AddressClass::Forbidden
    } else if v4.is_private() || v4.is_loopback() || shared {
        AddressClass::Private
    } else {
        AddressClass::Global
    }
}

fn of_v6(v6: Ipv6Addr) -> AddressClass {
    let [first, second, ..] = v6.segments();
    let documentation = first == 0x2001 && second == 0x0db8;
    let discard = first == 0x0100;
    // fd00:ec2::254 is the metadata service of EC2 over IPv6.
    let metadata = v6 == Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);
    if metadata
        || v6.is_unspecified()
        || v6.is_multicast()
        || v6.is_unicast_link_local()
        || (first & 0xffc0) == 0xfec0
        || documentation
        || discard
    {
        AddressClass::Forbidden
    } else if v6.is_loopback() || v6.is_unique_local() {
        AddressClass::Private
    } else {
        AddressClass::Global
    }
}

/// The IPv4 address inside of ::ffff:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48, 2002::/16 or ::/96.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = v6.segments();
    let from = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0 | 1, _, _, _, high, low] => {
            Some(from(high, low))
        }
        [0x2002, high, low, ..] => Some(from(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(from(high, low)),
        _ => None,
    }
}

/// Who may be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Private and loopback addresses are allowed.
    pub private: bool,
    /// Further networks that are allowed; they never open forbidden ones.
    pub allow: Vec<IpNet>,
}

impl AddressPolicy {
    /// Whether this address may be connected to.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        match AddressClass::of(address) {
            AddressClass::Global => true,
            AddressClass::Private => {
                let canonical = address.to_canonical();
                self.private || self.allow.iter().any(|net| net.contains(&canonical))
            }
            AddressClass::Forbidden => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(text: &str) -> AddressClass {
        AddressClass::of(text.parse().unwrap())
    }

    #[test]
    fn every_spelling_of_a_forbidden_place_is_forbidden() {
        for text in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "0.0.0.0",
            "::",
            "fe80::1",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "100.100.100.200",
            "fd00:ec2::254",
            "240.0.0.1",
            "192.0.2.1",
            "2001:db8::1",
            "198.18.0.1",
            "::a9fe:a9fe",
        ] {
            assert_eq!(class(text), AddressClass::Forbidden, "{text}");
        }
    }

    #[test]
    fn private_places_need_permission() {
        let closed = AddressPolicy::default();
        let open = AddressPolicy {
            private: true,
            allow: vec![],
        };
        let one = AddressPolicy {
            private: false,
            allow: vec!["10.1.0.0/16".parse().unwrap()],
        };
        for text in ["10.1.2.3", "::ffff:10.1.2.3"] {
            let address = text.parse().unwrap();
            assert!(
                !closed.permits(address) && open.permits(address) && one.permits(address),
                "{text}"
            );
        }
        for text in [
            "127.0.0.1",
            "::1",
            "192.168.0.1",
            "172.16.0.1",
            "fd12::1",
            "100.64.0.1",
            "::ffff:127.0.0.1",
        ] {
            assert_eq!(class(text), AddressClass::Private, "{text}");
            assert!(!one.permits(text.parse().unwrap()), "{text}");
        }
        let wide = AddressPolicy {
            private: true,
            allow: vec!["169.254.0.0/16".parse().unwrap()],
        };
        assert!(!wide.permits("169.254.169.254".parse().unwrap()));
        assert!(
            closed.permits("93.184.216.34".parse().unwrap())
                && closed.permits("2606:4700::1".parse().unwrap())
        );
    }
}
