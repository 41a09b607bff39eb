//! How the relay is named to robots and viewers.

use crate::config::Origin;

/// Where it listens itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Urls {
    pub(crate) stun: String,
    pub(crate) turn: Vec<String>,
}

impl Urls {
    pub(super) fn new(host: &str, port: u16) -> Self {
        let server = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let turn = ["udp", "tcp"].map(|transport| format!("turn:{server}?transport={transport}"));
        Self { stun: format!("stun:{server}"), turn: turn.to_vec() }
    }
}

/// Where it is reached through the port that serves pages, encrypted, by the name that the certificate is for. `None` if people
/// come there unencrypted: then something else is at that address.
pub(crate) fn over_tls(public: &Origin) -> Option<String> {
    // Said in any case: without it, clients take TURN's own.
    let (host, port) = (public.host(), public.port());
    public.is_secure().then(|| format!("turns:{host}:{port}?transport=tcp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_through_the_servers_port_is_called_as_people_call_the_server() {
        let over_tls = |origin: &str| over_tls(&origin.parse().expect(origin));
        for (origin, url) in [
            ("https://video.example.org", "turns:video.example.org:443?transport=tcp"),
            ("https://video.example.org:8443/", "turns:video.example.org:8443?transport=tcp"),
            ("https://[2001:db8::1]", "turns:[2001:db8::1]:443?transport=tcp"),
        ] {
            assert_eq!(over_tls(origin).as_deref(), Some(url));
        }
        assert_eq!(over_tls("http://video.example.org"), None);
    }
}
