//! The DevTools protocol over a browser's own pipe: JSON, each message ended by a zero. No port that others could find.

use std::{collections::BTreeMap, process::Stdio};

use anyhow::Context;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{mpsc, oneshot},
};

/// The browser reads from descriptor 3 and writes to 4; whoever starts it has 0 and 1.
const MOVE_DESCRIPTORS: &str = r#"exec 3<&0 4>&1 </dev/null >/dev/null; exec "$@""#;

/// A browser that runs, and a way to ask it for things.
pub(super) struct Pipe {
    calls: mpsc::UnboundedSender<Call>,
    /// Killed when it is dropped.
    _browser: Child,
}

struct Call {
    method: &'static str,
    parameters: Value,
    session: Option<String>,
    answer: oneshot::Sender<anyhow::Result<Value>>,
}

impl Pipe {
    /// Starts a browser where this runs.
    pub(super) fn start(program: &str, arguments: &[String], log: Stdio) -> anyhow::Result<Self> {
        let mut browser = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "sh", "-c", MOVE_DESCRIPTORS, "sh", program])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {program}"))?;
        let to = browser.stdin.take().context("its input is piped")?;
        let from = browser.stdout.take().context("its output is piped")?;
        let (calls, called) = mpsc::unbounded_channel();
        tokio::spawn(attend(to, BufReader::new(from), called));
        Ok(Self { calls, _browser: browser })
    }

    /// What the browser answers.
    pub(super) async fn call(
        &self,
        method: &'static str,
        parameters: Value,
        session: Option<&str>,
    ) -> anyhow::Result<Value> {
        let (answer, answered) = oneshot::channel();
        let call = Call { method, parameters, session: session.map(str::to_owned), answer };
        self.calls.send(call).ok().context("the browser has ended")?;
        answered.await.context("the browser has ended")?.with_context(|| format!("ask the browser for {method}"))
    }
}

/// Ends when the browser does, or when nobody asks it any more.
async fn attend(
    mut to: ChildStdin,
    mut from: BufReader<ChildStdout>,
    mut calls: mpsc::UnboundedReceiver<Call>,
) -> std::io::Result<()> {
    let mut open = BTreeMap::new();
    let mut number = 0_u64;
    let mut message = Vec::new();
    loop {
        tokio::select! {
            call = calls.recv() => {
                let Some(Call { method, parameters, session, answer }) = call else { return Ok(()) };
                number += 1;
                let mut request = json!({ "id": number, "method": method, "params": parameters });
                if let Some(session) = session {
                    request["sessionId"] = session.into();
                }
                let mut bytes = request.to_string().into_bytes();
                bytes.push(0);
                to.write_all(&bytes).await?;
                open.insert(number, answer);
            }
            // What has been read when something else comes first stays in `message`.
            read = from.read_until(0, &mut message) => {
                if read? == 0 {
                    return Ok(());
                }
                let text = std::mem::take(&mut message);
                let Ok(mut value) = serde_json::from_slice::<Value>(text.strip_suffix(&[0]).unwrap_or(&text)) else { continue };
                let asked = value["id"].as_u64().and_then(|id| open.remove(&id));
                let Some(answer) = asked else { continue };
                // Whoever asked may have given up.
                let _ = answer.send(match value["error"]["message"].as_str() {
                    Some(error) => Err(anyhow::anyhow!("{error}")),
                    None => Ok(value["result"].take()),
                });
            }
        }
    }
}
