//! A real browser on a machine of its own, and the page in it.

mod pipe;

use std::{fs::File, path::Path, process::Stdio, sync::Arc, time::Duration};

use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tests::Folder;

use crate::{ground::Place, sight::Sight};
use pipe::Pipe;

const EYE: &str = include_str!("eye.js");
const PROGRAM: &str = "chromium";

/// Draws in software, keeps to itself, and shows what it is told to show without a tap.
const ARGUMENTS: [&str; 16] = [
    "--headless",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // The addresses of these networks are private ones, and nobody is there to be asked.
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
    // Authorities of our own are in nobody's list.
    "--ignore-certificate-errors",
    "--autoplay-policy=no-user-gesture-required",
    "--window-size=640,400",
    "--remote-debugging-pipe",
    "about:blank",
];

/// A page that does not answer for so long hangs.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);
const LOOKS_EVERY: Duration = Duration::from_millis(100);

/// A browser with one page. Dropping it ends it.
pub struct Chromium {
    pipe: Arc<Pipe>,
    session: String,
    _profile: Folder,
}

impl Chromium {
    /// On that machine. The certificates that it meets are taken as they are.
    pub async fn start(place: &Place, log: File) -> anyhow::Result<Self> {
        let profile = Folder::new()?;
        let mut arguments: Vec<String> = ARGUMENTS.map(str::to_owned).into();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let start = async move { Pipe::start(PROGRAM, &arguments, Stdio::from(log)) };
        let pipe = place.run(start).await??;
        let target = pipe.call("Target.createTarget", json!({ "url": "about:blank" }), None).await?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = pipe.call("Target.attachToTarget", attach, None).await?;
        let session = attached["sessionId"].as_str().context("an attached page has a session")?.to_owned();
        let page = Self { pipe: Arc::new(pipe), session, _profile: profile };
        page.call("Page.enable", json!({})).await?;
        page.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": EYE })).await?;
        Ok(page)
    }

    pub async fn open(&self, url: &str) -> anyhow::Result<()> {
        let answer = self.call("Page.navigate", json!({ "url": url })).await?;
        match answer["errorText"].as_str() {
            Some(error) => anyhow::bail!("{url}: {error}"),
            None => Ok(()),
        }
    }

    /// What an expression, or the promise that it gives, comes to.
    pub async fn evaluate(&self, expression: &str) -> anyhow::Result<Value> {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.call("Runtime.evaluate", parameters).await?;
        match answer.get("exceptionDetails") {
            Some(details) => anyhow::bail!("{expression}: {details}"),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    /// Waits until an expression is true.
    pub async fn until(&self, expression: &str, within: Duration) -> anyhow::Result<()> {
        let wait = async {
            while self.evaluate(expression).await? != Value::Bool(true) {
                tokio::time::sleep(LOOKS_EVERY).await;
            }
            Ok(())
        };
        tokio::time::timeout(within, wait).await.with_context(|| format!("not within {within:?}: {expression}"))?
    }

    /// All that its eye has seen so far.
    pub async fn sight(&self) -> anyhow::Result<Sight> {
        serde_json::from_value(self.evaluate("window.eye").await?).context("what the eye has seen")
    }

    /// What it shows, as a PNG.
    pub async fn screenshot(&self, file: &Path) -> anyhow::Result<()> {
        let answer = self.call("Page.captureScreenshot", json!({ "format": "png" })).await?;
        let data = answer["data"].as_str().context("a screenshot has data")?;
        Ok(std::fs::write(file, BASE64_STANDARD.decode(data)?)?)
    }

    async fn call(&self, method: &'static str, parameters: Value) -> anyhow::Result<Value> {
        let answer = self.pipe.call(method, parameters, Some(&self.session));
        tokio::time::timeout(ANSWERS_WITHIN, answer).await.with_context(|| format!("{method}: no answer"))?
    }
}
