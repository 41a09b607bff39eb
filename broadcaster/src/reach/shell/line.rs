//! One stream to one relay, over TCP or TLS: connected, and connected again.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use rtc_shared::turn_framing::TurnStreamDecoder;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

use super::ReachInput;
use crate::{
    reach::server::{ServerId, Transport},
    signalling::backoff::Backoff,
    tls::{self, TlsError},
};

const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A server that takes nothing for that long has gone, whatever the kernel thinks.
const STALLED_AFTER: Duration = Duration::from_secs(10);

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What waits in the kernel is late already: a quarter of a second at 8 Mbit/s.
const KERNEL_BUFFER: usize = 256 * 1024;

/// Messages that leave together.
const BATCH: usize = 64;

const READ: usize = 16 * 1024;

/// A stream that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) id: ServerId,
    /// As the server's certificate should name it.
    pub(super) host: String,
}

/// Why there is no stream, or no longer.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("no connection within {CONNECT_WITHIN:?}")]
    Slow,
    #[error("the connection failed")]
    Line(#[from] io::Error),
    #[error("there is no encrypted connection")]
    Tls(#[from] TlsError),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server takes nothing")]
    Stalled,
    #[error("the server does not speak TURN")]
    NotTurn,
    #[error("the fan-out has gone")]
    Orphaned,
}

impl Line {
    /// Keeps the stream up until its queue is dropped.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Bytes>, inputs: mpsc::Sender<ReachInput>) {
        let mut backoff = Backoff::between(FIRST_WAIT, LONGEST_WAIT);
        loop {
            match self.connection(&mut queue, &inputs, &mut backoff).await {
                Ok(never) => match never {},
                Err(LineError::Orphaned) => return,
                Err(error) => self.complain(&error, &backoff),
            }
            tokio::time::sleep(backoff.next(rand::random())).await;
        }
    }

    fn complain(&self, error: &LineError, backoff: &Backoff) {
        let error = error as &dyn std::error::Error;
        if backoff.is_fresh() {
            tracing::warn!(server = %self.id, error, "no line to the relay; trying on");
        } else {
            tracing::debug!(server = %self.id, error, "still no line to the relay");
        }
    }

    async fn connection(
        &self,
        queue: &mut mpsc::Receiver<Bytes>,
        inputs: &mpsc::Sender<ReachInput>,
        backoff: &mut Backoff,
    ) -> Result<std::convert::Infallible, LineError> {
        let stream = tokio::time::timeout(CONNECT_WITHIN, self.connect()).await.map_err(|_| LineError::Slow)??;
        // What was meant for the former stream means nothing on this one.
        while queue.try_recv().is_ok() {}
        tell(inputs, ReachInput::StreamUp(self.id)).await?;
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut heard = false;
        let error = tokio::select! {
            error = receive(&mut reader, self.id, inputs, &mut heard) => error,
            error = send(&mut writer, queue) => error,
        };
        // A server that hangs up before it has said anything will do so again.
        if heard {
            backoff.reset();
        }
        tell(inputs, ReachInput::StreamDown(self.id)).await?;
        error
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, LineError> {
        let stream = TcpStream::connect(self.id.address).await?;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        socket.set_send_buffer_size(KERNEL_BUFFER)?;
        socket.set_tcp_user_timeout(Some(STALLED_AFTER))?;
        match self.id.transport {
            Transport::Udp | Transport::Tcp => Ok(Box::new(stream)),
            Transport::Tls => Ok(Box::new(tls::connect(stream, &self.host, None).await?)),
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn receive(
    reader: &mut (impl AsyncRead + Unpin),
    server: ServerId,
    inputs: &mpsc::Sender<ReachInput>,
    heard: &mut bool,
) -> Result<std::convert::Infallible, LineError> {
    let mut decoder = TurnStreamDecoder::new();
    let mut buffer = vec![0; READ];
    loop {
        let length = reader.read(&mut buffer).await?;
        if length == 0 {
            return Err(LineError::Closed);
        }
        decoder.extend_from_slice(&buffer[..length]);
        while let Some(message) = decoder.next_message().map_err(|_| LineError::NotTurn)? {
            *heard = true;
            tell(inputs, ReachInput::Stream(server, BytesMut::from(&message[..]))).await?;
        }
    }
}

async fn send(
    writer: &mut (impl AsyncWrite + Unpin),
    queue: &mut mpsc::Receiver<Bytes>,
) -> Result<std::convert::Infallible, LineError> {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        if queue.recv_many(&mut batch, BATCH).await == 0 {
            return Err(LineError::Orphaned);
        }
        let bytes = batch.concat();
        batch.clear();
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        tokio::time::timeout(STALLED_AFTER, written).await.map_err(|_| LineError::Stalled)??;
    }
}

async fn tell(inputs: &mpsc::Sender<ReachInput>, input: ReachInput) -> Result<(), LineError> {
    inputs.send(input).await.map_err(|_| LineError::Orphaned)
}
