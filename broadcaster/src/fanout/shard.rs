//! A further thread that serves viewers, where one is not enough.

use std::io;

use tokio::sync::mpsc;

use super::{
    audience::{Audience, Input, Output},
    now, sleep_until,
    socket::{MediaSocket, Port},
    switchboard::Shard,
};
use crate::{delivery::Burst, transport::Datagram};

/// Pictures and messages that may wait for a shard: those of several seconds. One that is so far behind has stopped.
const INPUTS: usize = 1024;

/// Datagrams that may wait. They may come from anybody, so that they must not crowd out the rest; what does not fit is lost,
/// as on any network.
const DATAGRAMS: usize = 1024;

/// What all shards together may have to say between two turns of the fan-out.
pub(super) const OUTPUTS: usize = 4096;

pub(super) struct Worker {
    shard: Shard,
    audience: Audience,
    inputs: mpsc::Receiver<Input>,
    datagrams: mpsc::Receiver<Datagram>,
    outputs: mpsc::Sender<(Shard, Output)>,
}

/// The fan-out's end of a worker.
pub(super) struct Line {
    inputs: mpsc::Sender<Input>,
    datagrams: mpsc::Sender<Datagram>,
}

impl Line {
    /// Its worker has taken nothing for long.
    pub(super) fn is_stalled(&self) -> bool {
        self.inputs.capacity() == 0
    }

    pub(super) fn hand(&self, input: Input) {
        match input {
            Input::Datagram(datagram) => {
                // A full queue loses it.
                let _ = self.datagrams.try_send(datagram);
            }
            Input::Viewer { .. }
            | Input::Message(_)
            | Input::Frame(..)
            | Input::Camera { .. }
            | Input::Runs(..)
            | Input::Attitude(_)
            | Input::Relocate(_)
            | Input::Name(..)
            | Input::Allow(..)
            | Input::NoRoom(_)
            | Input::Report
            | Input::Count
            | Input::ShutDown => {
                if self.inputs.try_send(input).is_err() {
                    tracing::error!("a thread that serves viewers has stopped");
                }
            }
        }
    }
}

impl Worker {
    pub(super) fn new(shard: Shard, audience: Audience, outputs: mpsc::Sender<(Shard, Output)>) -> (Self, Line) {
        let (inputs, pictures) = mpsc::channel(INPUTS);
        let (datagrams, received) = mpsc::channel(DATAGRAMS);
        (Self { shard, audience, inputs: pictures, datagrams: received, outputs }, Line { inputs, datagrams })
    }

    /// Serves its viewers until it is told that it is over. Takes up the thread that it is called on.
    pub(super) fn run(self, port: &Port) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        runtime.block_on(self.serve(port))
    }

    async fn serve(mut self, port: &Port) -> io::Result<()> {
        let socket = port.open()?;
        let mut burst = Burst::new(socket.max_segments());
        let mut over = false;
        while !over {
            let deadline = self.audience.poll_timeout().map(tokio::time::Instant::from_std);
            tokio::select! {
                input = self.inputs.recv() => {
                    let input = input.unwrap_or(Input::ShutDown);
                    over = matches!(input, Input::ShutDown);
                    self.audience.handle(input, now());
                }
                Some(datagram) = self.datagrams.recv() => self.audience.handle(Input::Datagram(datagram), now()),
                () = sleep_until(deadline) => self.audience.handle_timeout(now()),
            }
            self.flush(&socket, &mut burst).await;
        }
        Ok(())
    }

    async fn flush(&mut self, socket: &MediaSocket, burst: &mut Burst) {
        // What ends a handshake goes before the pictures that it is for.
        self.carry_out(socket).await;
        while let Some(path) = self.audience.poll_media(now(), burst) {
            if self.audience.is_relay(path.local) {
                for packet in burst.packets() {
                    let datagram = Datagram { data: packet.into(), from: path.local, to: path.remote };
                    self.pass_on(Output::Transmit(datagram)).await;
                }
            } else {
                socket.send_burst(path, burst).await;
            }
        }
        self.carry_out(socket).await;
    }

    async fn carry_out(&mut self, socket: &MediaSocket) {
        while let Some(output) = self.audience.poll_output() {
            if let Output::Transmit(datagram) = &output
                && !self.audience.is_relay(datagram.from)
            {
                socket.send(datagram).await;
            } else {
                self.pass_on(output).await;
            }
        }
    }

    /// To the fan-out, which alone knows relays, cameras and the server.
    async fn pass_on(&self, output: Output) {
        // A fan-out that is gone wants to know nothing any more.
        let _ = self.outputs.send((self.shard, output)).await;
    }
}
