//! A network camera: serves a small moving picture, or a film, as H.264 over RTSP, on the loopback.

use std::path::PathBuf;

use clap::Parser;
use gstreamer_rtsp_server::{RTSPMediaFactory, RTSPServer, gst, gst::glib, prelude::*};

const PICTURE: &str = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=160,framerate=30/1 \
                       ! x264enc bitrate=300";
/// A keyframe each second, as such cameras give.
const SENT: &str = "tune=zerolatency speed-preset=ultrafast key-int-max=30 ! rtph264pay name=pay0 pt=96";

/// A network camera for tests.
#[derive(Parser)]
struct Cli {
    #[arg(long)]
    port: u16,
    /// A film to show instead of the usual picture. At its end the stream ends.
    #[arg(long)]
    film: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let Cli { port, film } = Cli::parse();
    gst::init()?;
    let server = RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service(&port.to_string());
    let factory = RTSPMediaFactory::new();
    // Everybody sees a film from its beginning.
    factory.set_shared(film.is_none());
    let picture = film.map(|film| {
        format!("filesrc location=\"{}\" ! decodebin ! videoconvert ! x264enc bitrate=2000", film.display())
    });
    factory.set_launch(&format!("( {} {SENT} )", picture.as_deref().unwrap_or(PICTURE)));
    let mounts = server.mount_points().ok_or_else(|| anyhow::anyhow!("a server has mount points"))?;
    mounts.add_factory("/camera", factory);
    let _attached = server.attach(None)?;
    glib::MainLoop::new(None, false).run();
    Ok(())
}
