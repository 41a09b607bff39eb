//! Opens listening addresses.

use std::{io, net::SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait for their turn. With the usual 128, many who come at once are not heard, and knock again after a second.
/// The system may allow less (`net.core.somaxconn`).
const WAITING: u32 = 4096;

pub(crate) fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Whoever starts it again need not wait until all connections of the one before are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{net::TcpStream, time::timeout};

    use super::*;

    /// Much longer than it takes, and less than until somebody who was not heard would knock so often as to be lucky.
    const AT_ONCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn hundreds_may_come_before_the_first_of_them_is_let_in() {
        let listener = open("127.0.0.1:0".parse().expect("an address")).expect("opened");
        let address = listener.local_addr().expect("an address");
        let mut waiting = Vec::new();
        for _ in 0..500 {
            let heard = timeout(AT_ONCE, TcpStream::connect(address)).await.expect("heard");
            waiting.push(heard.expect("connected"));
        }
        drop(listener);
    }
}
