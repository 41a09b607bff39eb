//! A machine's networks and mounts that are nobody else's: a thread in namespaces of its own, which are gone when it is.

use std::{
    future::Future,
    path::Path,
    process::{Command, Stdio},
    thread::JoinHandle,
};

use anyhow::Context;
use nix::{
    sched::{CloneFlags, unshare},
    unistd::gettid,
};
use tokio::{io::AsyncWriteExt, runtime::Handle, sync::oneshot};

/// Whatever is started there, tasks, sockets and processes, has those networks and no others.
pub struct Place {
    name: String,
    /// By which the kernel finds its namespace.
    thread_id: i32,
    runtime: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Place {
    /// Only root can make one.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let (end, ended) = oneshot::channel();
        let (begun, begins) = std::sync::mpsc::channel();
        let body = move || {
            let made = || -> anyhow::Result<_> {
                let own = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS;
                unshare(own).context("make a namespace, which only root can")?;
                // What is mounted there is there only.
                mount(&["--make-rprivate", "/"])?;
                Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
            };
            match made() {
                Ok(runtime) => {
                    let _ = begun.send(Ok((runtime.handle().clone(), gettid().as_raw())));
                    // Ended, or forgotten.
                    let _ = runtime.block_on(ended);
                }
                Err(error) => drop(begun.send(Err(error))),
            }
        };
        // The kernel keeps fifteen letters.
        let thread = std::thread::Builder::new().name(name.chars().take(15).collect()).spawn(body)?;
        let (runtime, thread_id) = begins.recv().context("the thread begins")??;
        Ok(Self { name: name.to_owned(), thread_id, runtime, end: Some(end), thread: Some(thread) })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `ip` takes for the namespace of a process.
    pub(super) fn thread_id(&self) -> i32 {
        self.thread_id
    }

    /// Runs this there, and waits for it.
    pub async fn run<F>(&self, future: F) -> anyhow::Result<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        self.runtime.spawn(future).await.with_context(|| format!("something panicked at {}", self.name))
    }

    /// Runs iproute2's command there.
    pub async fn ip(&self, arguments: &str) -> anyhow::Result<()> {
        self.command("ip", arguments.split_whitespace().map(str::to_owned).collect(), String::new()).await
    }

    /// Loads rules of nftables there.
    pub async fn nft(&self, rules: &str) -> anyhow::Result<()> {
        self.command("nft", vec!["--file".to_owned(), "-".to_owned()], rules.to_owned()).await
    }

    /// Sets something of the kernel's that each namespace has for itself.
    pub async fn set(&self, key: &str, value: &'static str) -> anyhow::Result<()> {
        let path = format!("/proc/sys/net/{key}");
        self.run(async move { std::fs::write(&path, value).with_context(|| format!("write {path}")) }).await?
    }

    /// Puts an empty disk of so many bytes there, in the place of this folder.
    pub async fn mount_disk(&self, folder: &Path, bytes: u64) -> anyhow::Result<()> {
        let folder = folder.display().to_string();
        self.run(async move { mount(&["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs", &folder]) }).await?
    }

    async fn command(&self, program: &'static str, arguments: Vec<String>, input: String) -> anyhow::Result<()> {
        let name = self.name.clone();
        let run = async move {
            let line = format!("{program} {} at {name}", arguments.join(" "));
            // What else is done here goes on meanwhile: lines, for one.
            let mut command = tokio::process::Command::new(program);
            command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().with_context(|| format!("start {line}"))?;
            let mut pipe = child.stdin.take().context("its input is piped")?;
            pipe.write_all(input.as_bytes()).await?;
            drop(pipe);
            let output = child.wait_with_output().await?;
            anyhow::ensure!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr).trim());
            Ok(())
        };
        self.run(run).await?
    }
}

fn mount(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("mount").args(arguments).status().context("start mount")?;
    anyhow::ensure!(status.success(), "mount {}", arguments.join(" "));
    Ok(())
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing to say: what panics there does so in a task.
            let _ = thread.join();
        }
    }
}
