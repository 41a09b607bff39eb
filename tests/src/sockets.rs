//! What the kernel says of this process's sockets.

use std::{collections::BTreeSet, fs};

use anyhow::Context;

/// Columns of the kernel's table of UDP sockets: which one it is, and for how many datagrams it had no room.
const INODE: usize = 9;
const DROPS: usize = 12;

/// Datagrams that have come for this process's open sockets, and that it was too slow to read.
pub fn unread() -> anyhow::Result<u64> {
    let links = fs::read_dir("/proc/self/fd")?.flatten().filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
    let ours: BTreeSet<String> =
        links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect();
    let mut sum = 0;
    for table in ["/proc/net/udp", "/proc/net/udp6"] {
        // Not every machine speaks IPv6.
        let Ok(table) = fs::read_to_string(table) else { continue };
        for line in table.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            if columns.get(INODE).is_some_and(|inode| ours.contains(*inode)) {
                sum += columns.get(DROPS).context("the last column")?.parse::<u64>()?;
            }
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn what_nobody_reads_is_counted() {
        let (here, there) = (UdpSocket::bind("127.0.0.1:0"), UdpSocket::bind("127.0.0.1:0"));
        let (here, there) = (here.expect("a socket"), there.expect("a socket"));
        let to = there.local_addr().expect("its address");
        let before = unread().expect("tables");
        // More than any socket has room for.
        for _ in 0..10_000 {
            here.send_to(&[0; 1200], to).expect("loopback takes it");
        }
        assert!(unread().expect("tables") > before);
    }
}
