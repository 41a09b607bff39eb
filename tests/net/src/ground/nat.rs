//! How routers translate addresses.

use std::net::Ipv4Addr;

/// What a router does with what passes it; its line is `uplink`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// One address and port outside for one inside, open to everybody: a full cone.
    FullCone,
    /// Another port for each who is spoken to, and only they may answer.
    Symmetric,
    /// The same, and no UDP leaves.
    WithoutUdp,
    /// The same, and nothing leaves but TCP to this port.
    OnlyTo(u16),
}

impl Nat {
    pub(super) fn rules(self, inside: Ipv4Addr) -> String {
        let translated = match self {
            // Linux keeps the port where it can: what is let in again makes the cone full.
            Self::FullCone => "masquerade",
            Self::Symmetric | Self::WithoutUdp | Self::OnlyTo(_) => "masquerade fully-random",
        };
        let let_in = match self {
            Self::FullCone => format!("iifname uplink udp dport 1024-65535 dnat to {inside}"),
            Self::Symmetric | Self::WithoutUdp | Self::OnlyTo(_) => String::new(),
        };
        let forbidden = match self {
            Self::FullCone | Self::Symmetric => String::new(),
            Self::WithoutUdp => "meta l4proto udp drop".to_owned(),
            Self::OnlyTo(port) => format!(
                "oifname uplink meta l4proto != tcp drop
                    oifname uplink tcp dport != {port} drop"
            ),
        };
        format!(
            "table ip nat {{
                chain leaving {{
                    type nat hook postrouting priority srcnat
                    oifname uplink {translated}
                }}
                chain coming {{
                    type nat hook prerouting priority dstnat
                    {let_in}
                }}
            }}
            table ip firewall {{
                chain through {{
                    type filter hook forward priority filter
                    {forbidden}
                    iifname uplink ct state new ct status != dnat drop
                }}
            }}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cone_lets_strangers_in() {
        let rules = |nat: Nat| nat.rules(Ipv4Addr::new(192, 168, 1, 2));
        assert!(rules(Nat::FullCone).contains("dnat to 192.168.1.2"));
        assert!(!rules(Nat::Symmetric).contains("dnat to") && rules(Nat::Symmetric).contains("fully-random"));
        assert!(rules(Nat::WithoutUdp).contains("udp drop") && rules(Nat::OnlyTo(443)).contains("dport != 443 drop"));
    }
}
