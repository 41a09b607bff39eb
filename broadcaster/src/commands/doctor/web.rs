//! A question to the server over HTTP, one to a connection.

use std::{
    io,
    time::{Duration, SystemTime},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    config::Config,
    tls::{self, TlsError},
};

const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A list of all robots is shorter.
const LONGEST: u64 = 1024 * 1024;

const HEADERS: usize = 64;

#[derive(Debug, thiserror::Error)]
pub(super) enum WebError {
    #[error("no answer")]
    Line(#[from] io::Error),
    #[error("no encrypted connection")]
    Tls(#[from] TlsError),
    #[error("what answers does not speak HTTP")]
    NotHttp,
}

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) date: Option<SystemTime>,
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
}

pub(super) async fn get(config: &Config, path: &str) -> Result<Reply, WebError> {
    let late = |_| WebError::Line(io::ErrorKind::TimedOut.into());
    tokio::time::timeout(ANSWER_WITHIN, ask(config, path)).await.map_err(late)?
}

async fn ask(Config { server, fingerprint, .. }: &Config, path: &str) -> Result<Reply, WebError> {
    let stream = TcpStream::connect((server.host(), server.port())).await?;
    // Of HTTP's first version, so that the answer comes in one piece and the connection's end is its own.
    let request = format!(
        "GET {} HTTP/1.0\r\nHost: {}\r\nUser-Agent: panocast/{}\r\nAccept: application/json\r\n\r\n",
        server.path(path),
        server.authority(),
        env!("CARGO_PKG_VERSION")
    );
    let answer = if server.is_encrypted() {
        exchange(tls::connect(stream, server.host(), *fingerprint).await?, &request).await?
    } else {
        exchange(stream, &request).await?
    };
    parse(&answer).ok_or(WebError::NotHttp)
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    match stream.take(LONGEST).read_to_end(&mut answer).await {
        // Some close an encrypted connection without a word.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        ended => drop(ended?),
    }
    Ok(answer)
}

fn parse(answer: &[u8]) -> Option<Reply> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(answer).ok()? else { return None };
    let header = |name: &str| {
        let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    };
    let date = header("date").and_then(|date| httpdate::parse_http_date(date).ok());
    let location = header("location").map(str::to_owned);
    Some(Reply { status: response.code?, date, location, body: answer[head..].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_a_date_and_a_body() {
        let answer = b"HTTP/1.0 200 OK\r\ndate: Thu, 01 Jan 1970 00:01:00 GMT\r\n\r\n[]";
        let reply = parse(answer).expect("HTTP");
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
        assert_eq!((reply.status, reply.date, reply.body), (200, Some(date), b"[]".to_vec()));
        assert!(parse(b"SSH-2.0-OpenSSH_9.2p1\r\n").is_none());
        assert!(parse(b"HTTP/1.0 200 OK\r\nDate: x").is_none(), "cut short");
        assert!(parse(b"").is_none());
    }
}
