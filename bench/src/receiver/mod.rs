//! The other process: all viewers, on the other core. Their ICE and DTLS are real; what comes then is only counted, but for a
//! few viewers that decrypt it.

mod feedback;
mod tally;
mod viewer;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    io::Write,
    rc::Rc,
    thread,
};

use anyhow::Context;
use tokio::{
    sync::mpsc,
    task::{JoinSet, LocalSet},
};

use crate::{
    machine,
    wire::{Count, Order, Reply},
};
use tally::Tally;
use viewer::Viewer;

/// The largest run of datagrams that the kernel hands over at once.
const BUFFER: usize = 64 * 1024;

/// One viewer in so many decrypts what it gets.
const OPENS: usize = 100;

const ORDERS: usize = 64;

/// What the viewers have in common.
pub(crate) struct Shared {
    /// One for all, as only one at a time reads.
    buffer: RefCell<Box<[u8]>>,
    feedback: Cell<bool>,
}

pub(crate) fn run(core: usize) -> anyhow::Result<()> {
    machine::pin(core)?;
    machine::lift_limits()?;
    let (given, orders) = mpsc::channel(ORDERS);
    thread::Builder::new()
        .name("orders".to_owned())
        .spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| given.blocking_send(line)))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(orders))
}

/// Ends with the sender.
async fn serve(mut orders: mpsc::Receiver<String>) -> anyhow::Result<()> {
    let shared = Rc::new(Shared { buffer: RefCell::new(vec![0; BUFFER].into()), feedback: Cell::new(false) });
    let mut viewers = JoinSet::new();
    let mut tallies: Vec<Rc<Tally>> = Vec::new();
    let mut ports = BTreeSet::new();
    while let Some(line) = orders.recv().await {
        match serde_json::from_str(&line).with_context(|| format!("not understood: {line}"))? {
            Order::Offer { viewer: number, sdp } => {
                let tally = Rc::new(Tally::default());
                let (viewer, sdp, address) =
                    Viewer::answer(&sdp, number % OPENS == 0, tally.clone(), shared.clone()).context("answer")?;
                ports.insert(address.port());
                tallies.push(tally);
                viewers.spawn_local(viewer.run());
                say(&Reply::Answer { viewer: number, sdp, address })?;
            }
            Order::Feedback(on) => shared.feedback.set(on),
            Order::Count => {
                while let Some(ended) = viewers.try_join_next() {
                    // It misses everything from now on, which shows.
                    if let Err(error) = ended? {
                        eprintln!("bench: a viewer's connection failed: {error:#}");
                    }
                }
                let mut count = tallies.iter().fold(Count::default(), |sum, tally| tally.add_to(sum));
                count.overflowed = machine::overflowed(|port| ports.contains(&port))?;
                count.cpu_micros = machine::process_cpu()?.as_micros() as u64;
                say(&Reply::Count(count))?;
            }
            Order::Leave => {
                viewers.shutdown().await;
                tallies.clear();
                ports.clear();
            }
        }
    }
    Ok(())
}

fn say(reply: &Reply) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, reply)?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}
