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

/// What may wait for a shard: the pictures of several seconds. One that is so far behind has stopped.
pub(super) const INPUTS: usize = 1024;

/// What all shards together may have to say between two turns of the fan-out.
pub(super) const OUTPUTS: usize = 4096;

pub(super) struct Worker {
    pub(super) shard: Shard,
    pub(super) audience: Audience,
    pub(super) inputs: mpsc::Receiver<Input>,
    pub(super) outputs: mpsc::Sender<(Shard, Output)>,
}

impl Worker {
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
