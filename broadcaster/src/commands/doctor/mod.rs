//! `broadcaster doctor`: tries everything that a stream needs, and says what to do about what does not work.
//!
//! Nothing is registered and nothing taken away, so that a broadcaster which runs meanwhile goes on.

mod camera;
mod finding;
mod network;
mod server;
mod web;

use std::time::{Duration, SystemTime};

use super::{Answer, Form};
use crate::{
    capture::{self, CaptureError},
    config::{Camera, Config},
    networks,
    reach::{self, Nat},
    signalling::Connection,
};
use finding::{Finding, Level};
use server::About;

/// Examines what the config names, and the STUN servers of these urls. As text, findings are printed as they come.
pub async fn run(config: Config, stun: Vec<String>, form: Form) -> Answer {
    let mut report = Report { form, findings: Vec::new() };
    let urls = examine_server(&config, &mut report).await;
    examine_network(&config, [stun, urls].concat(), &mut report).await;
    for camera in &config.cameras {
        report.add(examine_camera(camera, &config).await);
    }
    report.add(network::uplink(&config));
    report.answer()
}

struct Report {
    form: Form,
    findings: Vec<Finding>,
}

impl Report {
    fn add(&mut self, finding: Finding) {
        if self.form == Form::Text {
            print!("{finding}");
        }
        self.findings.push(finding);
    }

    fn answer(self) -> Answer {
        let failed: Vec<&str> = self
            .findings
            .iter()
            .filter(|finding| finding.level == Level::Fail)
            .map(|finding| &*finding.subject)
            .collect();
        let complaints = if failed.is_empty() { Vec::new() } else { vec![format!("not well: {}", failed.join(", "))] };
        let text = match self.form {
            Form::Text => String::new(),
            Form::Json => {
                format!("{:#}\n", serde_json::json!({ "ok": complaints.is_empty(), "findings": self.findings }))
            }
        };
        Answer { text, complaints }
    }
}

/// Returns the urls of the STUN and TURN servers that it tells robots of.
async fn examine_server(config: &Config, report: &mut Report) -> Vec<String> {
    let asked = SystemTime::now();
    let reply = web::get(config, "/api/v1/server").await;
    let answered = SystemTime::now();
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => {
            report.add(server::unreachable(&config.server, &error));
            return Vec::new();
        }
    };
    let took = answered.duration_since(asked).unwrap_or(Duration::ZERO);
    let about = About::read(reply.status, &reply.body);
    report.add(server::greeted(&config.server, &reply, about.as_ref(), took));
    report.add(server::clock(reply.date, asked, answered));
    report.add(match Connection::open(&config.server, config.fingerprint).await {
        Ok(_) => server::signalling_works(),
        Err(error) => server::no_signalling(&error),
    });
    if let Some(finding) = examine_robot(config).await {
        report.add(finding);
    }
    about.map(|about| about.ice).unwrap_or_default()
}

/// Whether somebody is this robot already.
async fn examine_robot(config: &Config) -> Option<Finding> {
    let reply = web::get(config, "/api/v1/robots").await.ok()?;
    let live: Vec<protocol::LiveRobot> = serde_json::from_slice(&reply.body).ok()?;
    Some(server::robot(&config.robot, live.iter().any(|robot| robot.robot == config.robot)))
}

async fn examine_network(config: &Config, urls: Vec<String>, report: &mut Report) {
    let port = crate::check_media(config);
    report.add(network::port(config.media.listen, port.as_ref().err()));
    if urls.is_empty() {
        report.add(network::no_servers());
        return;
    }
    let (sightings, useless) = match reach::look_from_outside(&urls, config.media.listen.port()).await {
        Ok(seen) => seen,
        Err(error) => return report.add(network::no_socket(&error)),
    };
    for useless in &useless {
        report.add(network::useless(useless));
    }
    let own = networks::addresses().unwrap_or_default();
    report.add(network::stun(&sightings, !useless.is_empty()));
    if !sightings.is_empty() {
        let relays = urls.iter().any(|url| url.starts_with("turn"));
        report.add(network::nat(Nat::behind(&own, &sightings), relays));
    }
}

async fn examine_camera(camera: &Camera, config: &Config) -> Finding {
    // Encoders are tried, and drivers opened, in their own time.
    let (examined, rungs) = (camera.clone(), config.rungs.clone());
    let checked = tokio::task::spawn_blocking(move || capture::check(&examined, &rungs)).await;
    let trial = match checked.expect("checking does not panic") {
        Ok(encoder) => capture::try_out(camera.clone(), &config.rungs, encoder.as_ref()).await,
        Err(error) => Err(error),
    };
    match trial {
        Ok(trial) => camera::measured(camera, &config.rungs, trial),
        Err(CaptureError::Busy) => camera::busy(camera),
        Err(error) => camera::failed(camera, &error.into()),
    }
}
