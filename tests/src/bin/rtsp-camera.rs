//! A network camera: serves a small moving picture as H.264 over RTSP, on the loopback.

use clap::Parser;
use gstreamer_rtsp_server::{RTSPMediaFactory, RTSPServer, gst, gst::glib, prelude::*};

/// A keyframe each second, as such cameras give.
const PICTURE: &str = "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=160,framerate=30/1 \
                       ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=300 key-int-max=30 \
                       ! rtph264pay name=pay0 pt=96 )";

/// A network camera for tests.
#[derive(Parser)]
struct Cli {
    #[arg(long)]
    port: u16,
}

fn main() -> anyhow::Result<()> {
    let Cli { port } = Cli::parse();
    gst::init()?;
    let server = RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service(&port.to_string());
    let factory = RTSPMediaFactory::new();
    factory.set_launch(PICTURE);
    factory.set_shared(true);
    let mounts = server.mount_points().ok_or_else(|| anyhow::anyhow!("a server has mount points"))?;
    mounts.add_factory("/camera", factory);
    let _attached = server.attach(None)?;
    glib::MainLoop::new(None, false).run();
    Ok(())
}
