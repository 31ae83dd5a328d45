//! `Origin`: who sent a request, and by which scheme; `ProxyTrust`: whose word about it counts.

use std::net::{IpAddr, SocketAddr};

use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;

use super::forwarded::{self, Hop};
use super::settings::{ProxyFields, ProxySettings};

pub(in crate::gateway) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(in crate::gateway) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(in crate::gateway) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Where a request came from; an extension of every request.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Origin {
    /// The client; port 0 where a trusted proxy told the address alone.
    pub(in crate::gateway) client: SocketAddr,
    pub(in crate::gateway) scheme: Scheme,
    /// The host that the client asked for, where a trusted proxy told it.
    pub(in crate::gateway) host: Option<HeaderValue>,
    /// The trusted proxies between the client and us, in the order in which the request passed them.
    pub(in crate::gateway) proxies: Vec<IpAddr>,
    /// Whether the backend must not learn where the client is.
    pub(in crate::gateway) is_hidden: bool,
}

impl Origin {
    /// That of a request which nobody passed on.
    pub(in crate::gateway) fn direct(client: SocketAddr, scheme: Scheme) -> Self {
        Self { client, scheme, host: None, proxies: Vec::new(), is_hidden: false }
    }
}

/// The proxies in front of us, and the header fields that they write.
#[derive(Debug, Clone, Default)]
pub(in crate::gateway) struct ProxyTrust {
    networks: Vec<IpNet>,
    fields: ProxyFields,
}

impl ProxyTrust {
    pub(in crate::gateway) fn new(settings: &ProxySettings) -> Self {
        Self { networks: settings.trusted.clone(), fields: settings.fields }
    }

    pub(in crate::gateway) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The origin of a request on a connection from `peer`: as proxies tell it, as far as they are trusted.
    pub(in crate::gateway) fn origin(
        &self,
        peer: SocketAddr,
        scheme: &Scheme,
        headers: &HeaderMap,
    ) -> Origin {
        let mut origin = Origin::direct(peer, scheme.clone());
        if !self.trusts(peer.ip()) {
            return origin;
        }
        for hop in self.hops(headers).into_iter().rev().take(MOST_HOPS) {
            if let Some(scheme) = hop.scheme {
                origin.scheme = scheme;
            }
            if hop.host.is_some() {
                origin.host = hop.host;
            }
            // `unknown`, a made-up name, or garbage: the nearest proxy that is known stands for the client.
            let Some(client) = hop.client else { break };
            origin.proxies.insert(0, origin.client.ip().to_canonical());
            origin.client = client;
            if !self.trusts(client.ip()) {
                break;
            }
        }
        origin
    }

    /// What the proxies say, the client's side first.
    fn hops(&self, headers: &HeaderMap) -> Vec<Hop> {
        match self.fields {
            ProxyFields::Forwarded => forwarded::parse(headers),
            ProxyFields::XForwarded => hops_of_x(headers),
        }
    }
}

fn hops_of_x(headers: &HeaderMap) -> Vec<Hop> {
    let clients = list(headers, &X_FORWARDED_FOR);
    let schemes = list(headers, &X_FORWARDED_PROTO);
    let hosts = list(headers, &X_FORWARDED_HOST);
    let count = clients.len().max(usize::from(!schemes.is_empty() || !hosts.is_empty()));
    // Some proxies add to these lists and some replace them: the lists end at the same proxy, and the first entry
    // stands for all that are missing before it.
    let from_the_end = |entries: &[&str], index: usize| {
        let back = count - 1 - index;
        let at = entries.len().saturating_sub(1 + back);
        entries.get(at).map(|entry| (*entry).to_owned())
    };
    (0..count)
        .map(|index| Hop {
            client: clients.get(index).and_then(|node| forwarded::parse_node(node)),
            scheme: from_the_end(&schemes, index).and_then(|scheme| parse_scheme(&scheme)),
            host: from_the_end(&hosts, index).and_then(|host| parse_host(&host)),
        })
        .collect()
}

/// The entries of a field that is a list, however many lines it has.
fn list<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Vec<&'h str> {
    let values = headers.get_all(name).iter();
    // A line that is no text must not let those before it take its place.
    values.flat_map(|value| value.to_str().unwrap_or("").split(',')).map(str::trim).collect()
}

pub(super) fn parse_scheme(text: &str) -> Option<Scheme> {
    match text {
        _ if text.eq_ignore_ascii_case("https") => Some(Scheme::HTTPS),
        _ if text.eq_ignore_ascii_case("http") => Some(Scheme::HTTP),
        _ => None,
    }
}

/// RFC 9110 §7.2: a host, and perhaps a port.
pub(super) fn parse_host(text: &str) -> Option<HeaderValue> {
    let authority: Authority = text.parse().ok()?;
    let is_host = !authority.as_str().contains('@') && !authority.host().is_empty();
    is_host.then(|| HeaderValue::from_str(text).ok()).flatten()
}

/// The host that a request is for: HTTP/2 has it in its `:authority`, HTTP/1.1 in `Host`.
pub(in crate::gateway) fn requested_host(headers: &HeaderMap, uri: &http::Uri) -> Option<HeaderValue> {
    // RFC 9112 §3.2.2: a host in the request's target wins.
    let of_target = uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    of_target.or_else(|| headers.get(header::HOST).cloned())
}

/// Nobody has so many proxies; a list without end would be a waste to read.
const MOST_HOPS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn believes_nobody_who_is_not_trusted() {
        let origin = origin_of("198.51.100.7", ProxyFields::XForwarded, &[("x-forwarded-for", "10.0.0.1")]);

        assert_eq!(origin.client.to_string(), "198.51.100.7:5000");
        assert!(origin.proxies.is_empty());
    }

    #[test]
    fn takes_the_last_address_that_is_not_a_trusted_proxys() {
        let fields = [
            ("x-forwarded-for", "1.1.1.1, 203.0.113.9:4711"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "turn.example"),
        ];
        let origin = origin_of("10.0.0.3", ProxyFields::XForwarded, &fields);

        assert_eq!(origin.client.to_string(), "203.0.113.9:4711");
        assert_eq!(origin.proxies, ["10.0.0.2", "10.0.0.3"].map(|ip| ip.parse::<IpAddr>().unwrap()));
        assert_eq!(origin.scheme, Scheme::HTTPS);
        assert_eq!(origin.host.unwrap(), "turn.example");
    }

    #[test]
    fn stops_at_what_is_no_address() {
        for garbage in ["unknown", "", "10.0.0.256", "_hidden", "\u{e9}"] {
            let mut headers = HeaderMap::new();
            let line = HeaderValue::from_bytes(format!("203.0.113.9, {garbage}").as_bytes()).unwrap();
            headers.append(X_FORWARDED_FOR, line);
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static("10.0.0.2"));
            let origin = trust(ProxyFields::XForwarded).origin(peer("10.0.0.3"), &Scheme::HTTP, &headers);
            assert_eq!(origin.client.ip().to_string(), "10.0.0.2", "{garbage:?}");
        }
    }

    #[test]
    fn takes_the_entry_of_the_proxy_that_saw_the_client() {
        for (schemes, expected) in
            [("https, http", Scheme::HTTPS), ("https", Scheme::HTTPS), ("ftp, http", Scheme::HTTP)]
        {
            let fields = [("x-forwarded-for", "203.0.113.9, 10.0.0.2"), ("x-forwarded-proto", schemes)];
            assert_eq!(origin_of("10.0.0.3", ProxyFields::XForwarded, &fields).scheme, expected, "{schemes}");
        }
        let alone = [("x-forwarded-proto", "https")];
        assert_eq!(origin_of("10.0.0.3", ProxyFields::XForwarded, &alone).scheme, Scheme::HTTPS);
    }

    #[test]
    fn reads_only_the_fields_that_the_proxies_write() {
        let fields = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=\"[2001:db8::7]:80\";proto=https")];

        let x = origin_of("10.0.0.3", ProxyFields::XForwarded, &fields);
        let standard = origin_of("::ffff:10.0.0.3", ProxyFields::Forwarded, &fields);

        assert_eq!((x.client.to_string(), x.scheme), ("1.1.1.1:0".to_owned(), Scheme::HTTP));
        assert_eq!(
            (standard.client.to_string(), standard.scheme),
            ("[2001:db8::7]:80".to_owned(), Scheme::HTTPS)
        );
    }

    #[test]
    fn an_endless_list_has_an_end() {
        let all = vec!["10.0.0.9"; 1000].join(", ");
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_str(&all).unwrap());

        let origin = trust(ProxyFields::XForwarded).origin(peer("10.0.0.3"), &Scheme::HTTP, &headers);

        assert_eq!(origin.proxies.len(), MOST_HOPS);
    }

    #[test]
    fn a_host_is_a_host() {
        assert!(parse_host("turn.example:443").is_some() && parse_host("[::1]:80").is_some());
        for text in ["", "a b", "user@host", "a,b\"c", ":80"] {
            assert_eq!(parse_host(text), None, "{text:?}");
        }
    }

    fn origin_of(from: &str, fields: ProxyFields, lines: &[(&'static str, &'static str)]) -> Origin {
        let mut headers = HeaderMap::new();
        for &(name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        trust(fields).origin(peer(from), &Scheme::HTTP, &headers)
    }

    fn trust(fields: ProxyFields) -> ProxyTrust {
        ProxyTrust::new(&ProxySettings { trusted: vec!["10.0.0.0/8".parse().unwrap()], fields })
    }

    fn peer(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), 5000)
    }
}
