//! Decides which addresses may be connected to. Feed addresses come from strangers, through redirects and pages, and could
//! otherwise make us send requests to machines in our network (SSRF). Public addresses are allowed, all others only by `[fetch]
//! allow`. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use ipnet::IpNet;
use url::{Host, Url};

/// One entry of `[fetch] allow`: `10.0.0.0/8`, `127.0.0.1:8080`, `127.0.0.1:18110-18400`, `[::1]:8080`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    network: IpNet,
    /// All ports if `None`.
    ports: Option<RangeInclusive<u16>>,
}

impl Allowed {
    /// Parses an entry; the error says what is wrong.
    pub fn parse(text: &str) -> Result<Allowed, String> {
        let wrong = || {
            format!(
                "\"{text}\" is not an address or a network: write \"10.0.0.0/8\", \"127.0.0.1:8080\" or \"[::1]:8000-8999\""
            )
        };
        let text = text.trim();
        let (address, ports) = match (text.strip_prefix('['), text.rsplit_once(':')) {
            (Some(bracketed), _) => {
                let (address, rest) = bracketed.split_once(']').ok_or_else(wrong)?;
                (address, rest.strip_prefix(':'))
            }
            (None, Some((address, ports))) if !address.contains(':') => (address, Some(ports)),
            _ => (text, None),
        };
        let network = address
            .parse::<IpNet>()
            .or_else(|_| address.parse::<IpAddr>().map(IpNet::from))
            .map_err(|_| wrong())?;
        let ports = match ports.map(|ports| ports.split_once('-').unwrap_or((ports, ports))) {
            Some((first, last)) => {
                Some(first.parse().map_err(|_| wrong())?..=last.parse().map_err(|_| wrong())?)
            }
            None => None,
        };
        Ok(Allowed { network, ports })
    }

    fn holds_for(&self, port: u16) -> bool {
        self.ports.as_ref().is_none_or(|ports| ports.contains(&port))
    }

    /// The exact address and port of a URL whose host is an IP literal or `localhost`.
    pub fn host_of(url: &Url) -> Vec<Allowed> {
        let port = url.port_or_known_default().unwrap_or_default();
        let addresses: Vec<IpAddr> = match url.host() {
            Some(Host::Ipv4(ip)) => vec![ip.into()],
            Some(Host::Ipv6(ip)) => vec![ip.into()],
            Some(Host::Domain("localhost")) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            _ => Vec::new(),
        };
        addresses
            .into_iter()
            .map(|address| Allowed { network: address.into(), ports: Some(port..=port) })
            .collect()
    }
}

/// The rules for all connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guard {
    pub allowed: Vec<Allowed>,
    /// Host names of the configured proxies, which are permitted wherever they are.
    pub proxy_hosts: Vec<String>,
}

impl Guard {
    /// Whether a connection to this address and port is permitted.
    pub fn permits(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        is_public(ip)
            || self.allowed.iter().any(|rule| rule.network.contains(&ip) && rule.holds_for(address.port()))
    }

    /// Which of the rules hold for a port. Two ports of which it is the same are permitted at the same addresses.
    pub fn rules_for_port(&self, port: u16) -> Vec<bool> {
        self.allowed.iter().filter(|rule| rule.ports.is_some()).map(|rule| rule.holds_for(port)).collect()
    }
}

/// Whether an address is public, according to the special-purpose registries of RFC 6890 and its successors.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(matches!(a, 0 | 10 | 127 | 224..=255)
        || (a == 100 && (64..128).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 168)
        || (a == 192 && b == 0 && matches!(c, 0 | 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && matches!(b, 18 | 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113))
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let embedded =
        |high: u16, low: u16| is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match ip.segments() {
        // NAT64 and 6to4 addresses lead to the IPv4 address that they embed.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo, documentation, benchmarking and the rest of the protocol block.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        // Global unicast is 2000::/3; everything else is local, multicast or reserved.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

/// The network that one party has: an IPv4 address, or the IPv6 /64 of one customer (RFC 6177).
pub fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let s = address.segments();
            format!("{:x}:{:x}:{:x}:{:x}::/64", s[0], s[1], s[2], s[3])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(rules: &[&str]) -> Guard {
        Guard {
            allowed: rules.iter().map(|rule| Allowed::parse(rule).unwrap()).collect(),
            proxy_hosts: Vec::new(),
        }
    }

    #[test]
    fn only_public_addresses_are_permitted_by_default() {
        for private in [
            "127.0.0.1:80",
            "10.1.2.3:80",
            "172.31.0.1:80",
            "192.168.1.1:443",
            "169.254.169.254:80",
            "100.64.0.1:80",
            "0.0.0.0:80",
            "224.0.0.1:80",
            "255.255.255.255:80",
            "198.18.0.1:80",
            "[::1]:80",
            "[::]:80",
            "[fe80::1]:80",
            "[fd00::1]:80",
            "[ff02::1]:80",
            "[::ffff:127.0.0.1]:80",
            "[64:ff9b::7f00:1]:80",
            "[2002:7f00:1::]:80",
            "[2001:db8::1]:80",
            "[2001::1]:80",
        ] {
            assert!(!guard(&[]).permits(private.parse().unwrap()), "{private}");
        }
        for public in ["93.184.216.34:80", "172.32.0.1:80", "[2606:4700::1111]:443", "[2002:5db8:d822::]:80"]
        {
            assert!(guard(&[]).permits(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn one_party_has_one_network() {
        assert_eq!(network("2001:db8:1:2:3::4".parse().unwrap()), "2001:db8:1:2::/64");
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1");
    }

    #[test]
    fn rules_open_networks_and_ports() {
        let guard = guard(&["127.0.0.1:18110-18400", "10.0.0.0/8", "[::1]:8080", "fd00::/8"]);
        for yes in [
            "127.0.0.1:18110",
            "127.0.0.1:18400",
            "10.9.9.9:1",
            "[::1]:8080",
            "[fd12::1]:443",
            "[::ffff:10.0.0.1]:80",
        ] {
            assert!(guard.permits(yes.parse().unwrap()), "{yes}");
        }
        for no in ["127.0.0.1:18109", "127.0.0.2:18110", "[::1]:8081", "192.168.0.1:80"] {
            assert!(!guard.permits(no.parse().unwrap()), "{no}");
        }
        for wrong in ["", "localhost", "10.0.0.0/40", "127.0.0.1:x", "127.0.0.1:9-", "[::1", "999.0.0.1"] {
            assert!(Allowed::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ports_are_told_apart_by_the_rules_that_hold_for_them() {
        let guard = guard(&["10.0.0.0/8", "127.0.0.1:80", "127.0.0.1:8000-8999"]);
        assert_eq!(guard.rules_for_port(81), guard.rules_for_port(9000));
        assert_eq!(guard.rules_for_port(8000), guard.rules_for_port(8999));
        assert_ne!(guard.rules_for_port(80), guard.rules_for_port(81));
    }
}
