//! The desk by itself, without anybody connected.

use std::sync::Arc;

use axum::routing::any_service;
use protocol::ToServer;

use super::*;
use crate::{
    Config,
    listen::{Hall, Proxies},
};

#[tokio::test]
async fn who_has_gone_waits_in_nobodys_place() {
    let settings = Settings {
        default_robot: "demo".parse().expect("an id"),
        max_robots: 1,
        max_viewers: 1,
        session_grace: Duration::ZERO,
        renew_ice_after: None,
        report_every: None,
    };
    let mint = Box::new(|| "s1".parse().expect("an id"));
    let (service, io) = SocketIo::new_svc();
    let proxies = Arc::new(Proxies::new(&Config::default()));
    let calls = Calls::new(Hall::new("sessions", || (1, 1), proxies), any_service(service));
    let door = watch::channel(Door::Open).1;
    let rooms = Rooms::new(settings, Door::Open, mint, Box::new(|_, _| Vec::new()), moment());
    let config = watch::channel(std::sync::Arc::new(crate::Config::default())).1;
    let mut desk = Desk::new(rooms, door, Directory::new(&config, None), io, calls, None);
    let register = r#"["broadcaster",{"version":1,"cameras":[{"id":"front"}]}]"#;
    let message = ToServer::decode(register).expect("a message");
    let robot: PeerId = "r".parse().expect("an id");
    desk.handle(Input::Connected { peer: robot.clone(), pass: None, is_local: false, guest_of: None });
    desk.handle(Input::Said { from: robot, message, wants_reply: false });
    for _ in 0..1000 {
        let (answer, mut answered) = oneshot::channel();
        desk.snapshot("demo".parse().expect("an id"), None, answer);
        assert_eq!(answered.try_recv(), Err(oneshot::error::TryRecvError::Empty), "it waits");
    }
    assert_eq!(desk.askers.len(), 1);
}
