//! A line between a robot and its server that can be cut, and mended again.

use std::net::SocketAddr;

use anyhow::Context;
use broadcaster::signalling::ServerUrl;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// Ends, with all that goes through it, when it is dropped.
pub struct Line {
    address: SocketAddr,
    whole: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Line {
    /// Leads to that server.
    pub async fn to(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("open a line")?;
        let address = listener.local_addr()?;
        let (whole, seen) = watch::channel(true);
        Ok(Self { address, whole, task: tokio::spawn(pass(listener, server, seen)) })
    }

    /// For whoever is to go through it.
    pub fn url(&self) -> ServerUrl {
        format!("http://{}", self.address).parse().expect("an address")
    }

    /// Whoever goes through it is cut off, and so is who comes.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(listener: TcpListener, server: SocketAddr, whole: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(carry(stream, server, whole.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(mut stream: TcpStream, server: SocketAddr, mut whole: watch::Receiver<bool>) {
    let through = async {
        let mut there = TcpStream::connect(server).await?;
        tokio::io::copy_bidirectional(&mut stream, &mut there).await
    };
    tokio::select! {
        // Whoever is at either end notices by itself.
        _ = through => {}
        _ = whole.wait_for(|whole| !whole) => {}
    }
}
