//! The machine's addresses, as of now: networks come and go.

use std::{io, net::IpAddr};

/// Those of networks that are there. One that is gone may leave its address behind.
pub(crate) fn addresses() -> io::Result<Vec<IpAddr>> {
    let interfaces = if_addrs::get_if_addrs()?;
    Ok(interfaces.iter().filter(|interface| interface.is_oper_up()).map(|interface| interface.ip()).collect())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_loopback_is_always_there() {
        assert!(addresses().expect("the kernel tells").contains(&Ipv4Addr::LOCALHOST.into()));
    }
}
