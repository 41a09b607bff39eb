//! `broadcaster devices`: what is plugged in, and the config that would use it.

mod advice;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{Answer, Form};
use crate::capture::{self, Device, Devices};
use advice::{Node, advise, camera_section, microphone_lines, modes_lines};

/// Names that stay with a camera, wherever it is plugged in and whatever else is.
const STABLE_NAMES: [&str; 2] = ["/dev/v4l/by-id", "/dev/v4l/by-path"];

/// Looks, and says what there is.
pub async fn run(form: Form) -> Answer {
    let found = match tokio::task::spawn_blocking(capture::devices).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return fail(&anyhow::Error::from(error)),
        Err(error) => return fail(&anyhow::Error::from(error)),
    };
    let cameras = with_stable_names(found.devices.iter(), &stable_names());
    match form {
        Form::Json => Answer { text: in_json(&cameras, &found.missing), complaints: Vec::new() },
        Form::Text => Answer { text: in_words(&cameras, &found), complaints: Vec::new() },
    }
}

fn fail(error: &anyhow::Error) -> Answer {
    Answer { text: String::new(), complaints: vec![format!("{error:#}")] }
}

/// Each device with the name that the config should have for it.
fn with_stable_names<'a>(
    devices: impl Iterator<Item = &'a Device>,
    names: &BTreeMap<PathBuf, PathBuf>,
) -> Vec<(&'a Device, Option<String>)> {
    let address = |device: &Device| {
        let address = device.address.clone()?;
        let stable = names.get(Path::new(&address)).map(|name| name.display().to_string());
        Some(stable.unwrap_or(address))
    };
    devices.map(|device| (device, address(device))).collect()
}

fn in_json(devices: &[(&Device, Option<String>)], missing: &[&str]) -> String {
    let mut cameras = 0;
    let describe = |(device, address): &(&Device, Option<String>)| {
        let section = camera_section(device, address.as_deref(), cameras);
        cameras += usize::from(section.is_some());
        json!({ "device": device, "stable_address": address, "config": section.or_else(|| microphone_lines(device)) })
    };
    let devices: Vec<_> = devices.iter().map(describe).collect();
    let answer = json!({ "devices": devices, "missing_packages": missing });
    format!("{answer:#}\n")
}

fn in_words(devices: &[(&Device, Option<String>)], found: &Devices) -> String {
    let mut out = String::new();
    let mut cameras = 0;
    for (device, address) in devices {
        out.push_str(&format!("{}\n{}", device.name, modes_lines(device)));
        if let Some(section) = camera_section(device, address.as_deref(), cameras) {
            cameras += 1;
            out.push_str(&format!("\n{section}\n"));
        } else if let Some(lines) = microphone_lines(device) {
            out.push_str(&format!(
                "  a microphone: these lines, in the section of the camera whose sound it is, use it\n\n{lines}\n"
            ));
        }
    }
    if cameras == 0 {
        out.push_str("No camera was found that can be used.\n");
    }
    for sentence in advise(cameras, &nodes(), &found.missing) {
        out.push_str(&format!("{sentence}\n"));
    }
    out
}

/// From devices to their names.
fn stable_names() -> BTreeMap<PathBuf, PathBuf> {
    let mut names = BTreeMap::new();
    for folder in STABLE_NAMES {
        let mut links: Vec<PathBuf> =
            fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        links.sort();
        for link in links {
            if let Ok(device) = link.canonicalize() {
                names.entry(device).or_insert(link);
            }
        }
    }
    names
}

/// The files of cameras, and whether they may be opened.
fn nodes() -> Vec<Node> {
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten().map(|entry| entry.path());
    let is_camera = |path: &PathBuf| path.to_str().is_some_and(|path| path.starts_with("/dev/video"));
    let mut nodes: Vec<PathBuf> = entries.filter(is_camera).collect();
    nodes.sort();
    let node = |path: PathBuf| Node {
        is_forbidden: fs::File::open(&path).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied),
        path: path.display().to_string(),
    };
    nodes.into_iter().map(node).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Api, DeviceKind};

    #[test]
    fn a_name_that_stays_is_used_where_there_is_one() {
        let device = |address: &str| Device {
            kind: DeviceKind::Camera,
            name: "a camera".to_owned(),
            api: Api::V4l2,
            address: Some(address.to_owned()),
            modes: Vec::new(),
        };
        let devices = [device("/dev/video0"), device("/dev/video2")];
        let names = [(PathBuf::from("/dev/video0"), PathBuf::from("/dev/v4l/by-id/usb-x"))].into();
        let named = with_stable_names(devices.iter(), &names);
        let names: Vec<_> = named.iter().map(|(_, name)| name.as_deref()).collect();
        assert_eq!(names, [Some("/dev/v4l/by-id/usb-x"), Some("/dev/video2")]);
    }
}
