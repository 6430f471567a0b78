//! Whose address a request counts against.

use axum::http::HeaderMap;
use std::net::{IpAddr, Ipv6Addr};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The peer, or, when the peer is a trusted proxy, the last hop before the trusted ones.
///
/// The header grows to the right, so only what a trusted proxy appended is evidence; a caller can
/// write anything further left.
pub(crate) fn caller(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let mut caller = peer.to_canonical();
    let hops: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in hops.iter().rev() {
        if !trusted.contains(&caller) {
            break;
        }
        let Ok(address) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        caller = address.to_canonical();
    }
    caller
}

/// What one subscriber typically holds: an IPv4 address, or an IPv6 /64.
pub(crate) fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let prefix = v6.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn from(peer: &str, header: Option<&'static str>, trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert(FORWARDED_FOR, HeaderValue::from_static(value));
        }
        let trusted: Vec<IpAddr> = trusted.iter().map(|t| t.parse().expect("ip")).collect();
        caller(peer.parse().expect("ip"), &headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_cannot_choose_an_address_by_a_header() {
        assert_eq!(from("203.0.113.9", Some("198.51.100.1"), &[]), "203.0.113.9");
        assert_eq!(from("203.0.113.9", Some("198.51.100.1"), &["127.0.0.1"]), "203.0.113.9");
    }

    #[test]
    fn behind_proxies_the_last_untrusted_hop_counts() {
        let trusted = ["127.0.0.1", "10.0.0.1"];
        let header = Some("1.2.3.4, 198.51.100.1, 10.0.0.1");
        assert_eq!(from("127.0.0.1", header, &trusted), "198.51.100.1");
        assert_eq!(from("127.0.0.1", Some("nonsense"), &trusted), "127.0.0.1");
        assert_eq!(from("::ffff:127.0.0.1", None, &trusted), "127.0.0.1");
    }

    #[test]
    fn ipv6_counts_by_subscriber() {
        let one: IpAddr = "2001:db8:1:2::1".parse().expect("ip");
        let two: IpAddr = "2001:db8:1:2:ffff::9".parse().expect("ip");
        let other: IpAddr = "2001:db8:1:3::1".parse().expect("ip");
        assert_eq!(subscriber(one), subscriber(two));
        assert_ne!(subscriber(one), subscriber(other));
    }
}
