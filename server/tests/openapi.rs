//! What the API answers, beside what its document says that it answers.

#[expect(dead_code, reason = "some of it is for other tests")]
mod client;

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf};

use serde_json::{Map, Value, json};
use server::{
    Config, Server,
    auth::{Store, UnixTime},
    config::AuthMode,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use client::{Client, within};

/// The document, and what of it has been seen.
struct Document {
    whole: Value,
    seen: BTreeSet<(String, String, String)>,
}

impl Document {
    /// What a `$ref` leads to, or the value itself.
    fn resolve<'a>(&'a self, mut value: &'a Value) -> &'a Value {
        while let Some(reference) = value.get("$ref") {
            let path = reference.as_str().and_then(|path| path.strip_prefix('#')).expect("a place in this document");
            value = self.whole.pointer(path).unwrap_or_else(|| panic!("{path} leads nowhere"));
        }
        value
    }

    /// That this is what is to be answered.
    fn check(&mut self, method: &str, path: &str, answer: &Answer) {
        let (place, methods) = self.route(path);
        let operation = &methods[method.to_ascii_lowercase()];
        let what = format!("{method} {path}: {} {}", answer.status, answer.body);
        let response = operation["responses"].get(&answer.status).unwrap_or_else(|| panic!("{what} is not documented"));
        match self.resolve(response).get("content") {
            None => assert_eq!(answer.body, "", "{what}"),
            Some(content) => {
                let kind = answer.kind.split(';').next().expect("a kind");
                let schema = &content.get(kind).unwrap_or_else(|| panic!("{what}: {kind} is not documented"))["schema"];
                let value = match kind {
                    "application/json" => serde_json::from_str(&answer.body).expect("JSON"),
                    _ => Value::from(answer.body.clone()),
                };
                if place != "/api/v1/openapi.json" {
                    self.matches(schema, &value, &what).unwrap_or_else(|wrong| panic!("{wrong} in {what}"));
                }
            }
        }
        self.seen.insert((method.to_owned(), place, answer.status.clone()));
    }

    fn route(&self, path: &str) -> (String, Value) {
        let fits = |template: &str| {
            let (parts, names) = (path.split('/'), template.split('/'));
            parts.clone().count() == names.clone().count()
                && parts.zip(names).all(|(part, name)| part == name || name.starts_with('{'))
        };
        let paths = self.whole["paths"].as_object().expect("paths");
        // What is written out goes before what is a parameter.
        let found = paths.get_key_value(path).or_else(|| paths.iter().find(|(template, _)| fits(template)));
        let (place, methods) = found.unwrap_or_else(|| panic!("{path} is not documented"));
        (place.clone(), methods.clone())
    }

    /// Stricter than JSON Schema: a field that is not documented is wrong, too.
    fn matches(&self, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
        let schema = self.resolve(schema).as_object().expect("a schema");
        let wrong = |why: String| Err(format!("{place}: {value} {why}"));
        for (keyword, wants) in schema {
            let fits = match keyword.as_str() {
                "description" | "required" | "additionalProperties" | "contentMediaType" => true,
                "type" => is_of_type(wants, value),
                "const" => value == wants,
                "enum" => wants.as_array().expect("values").contains(value),
                "minimum" => value.is_null() || value.as_f64() >= wants.as_f64(),
                "maximum" => value.as_f64() <= wants.as_f64(),
                "minItems" => value.as_array().map(Vec::len) >= wants.as_u64().map(|least| least as usize),
                "maxItems" => value.as_array().map(Vec::len) <= wants.as_u64().map(|most| most as usize),
                "oneOf" => {
                    let mut all = wants.as_array().expect("schemas").iter();
                    all.by_ref().any(|schema| self.matches(schema, value, place).is_ok())
                        && !all.any(|schema| self.matches(schema, value, place).is_ok())
                }
                "items" => {
                    for (number, item) in value.as_array().expect("a list").iter().enumerate() {
                        self.matches(wants, item, &format!("{place}/{number}"))?;
                    }
                    true
                }
                "properties" => {
                    let object = value.as_object().expect("an object");
                    self.has(wants, schema.get("required"), object, place)?;
                    true
                }
                unknown => panic!("{unknown} is not looked at"),
            };
            if !fits {
                return wrong(format!("is not as {keyword} says: {wants}"));
            }
        }
        Ok(())
    }

    fn has(
        &self,
        properties: &Value,
        required: Option<&Value>,
        object: &Map<String, Value>,
        place: &str,
    ) -> Result<(), String> {
        for name in required.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                return Err(format!("{place}: {name} is missing"));
            }
        }
        for (name, value) in object {
            let schema = properties.get(name).ok_or_else(|| format!("{place}: {name} is not documented"))?;
            self.matches(schema, value, &format!("{place}/{name}"))?;
        }
        Ok(())
    }
}

fn is_of_type(wants: &Value, value: &Value) -> bool {
    match wants.as_str() {
        None => wants.as_array().expect("types").iter().any(|wants| is_of_type(wants, value)),
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some(unknown) => panic!("{unknown} is no type"),
    }
}

struct Answer {
    status: String,
    kind: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// A server for those who have keys, its operator, and the document.
struct Api {
    address: SocketAddr,
    directory: PathBuf,
    key: String,
    document: Document,
    cancel: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Api {
    async fn start() -> Self {
        let mut name = [0; 8];
        getrandom::fill(&mut name).expect("random bytes");
        let directory = std::env::temp_dir().join(format!("panocast-openapi-{:016x}", u64::from_le_bytes(name)));
        let listen = "127.0.0.1:0".parse().expect("an address");
        let mut config = Config { listen, state_dir: directory.clone(), ..Config::default() };
        config.auth.mode = AuthMode::Keys;
        let ada = "ada".parse().expect("a name");
        let added = Store::open(&directory).expect("a store").add_operator(&ada, UnixTime::now()).expect("added");
        let server = Server::bind(config).await.expect("binds");
        let (address, cancel) = (server.local_addr(), CancellationToken::new());
        let task = tokio::spawn(server.run(cancel.clone()));
        let document = Document { whole: Value::Null, seen: BTreeSet::new() };
        let mut api = Self { address, directory, key: added.as_str().to_owned(), document, cancel, task };
        api.document.whole = api.send("GET", "/api/v1/openapi.json", "", "").await.json();
        api
    }

    async fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let mut connection = within(TcpStream::connect(self.address)).await.expect("connects");
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: {}\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            self.address,
            body.len(),
        );
        within(connection.write_all(request.as_bytes())).await.expect("sent");
        let mut answer = String::new();
        within(connection.read_to_string(&mut answer)).await.expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
        let status = head.split(' ').nth(1).expect("a status");
        Answer { status: status.to_owned(), kind: kind.to_owned(), body: body.to_owned() }
    }

    /// As the operator, or as somebody who shows nothing, and whether the answer is as documented.
    async fn ask(&mut self, shown: Option<&str>, method: &str, path: &str, body: &str) -> Answer {
        let bearer = shown.map(|key| format!("authorization: Bearer {key}\r\n")).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let answer = self.send(method, path, &format!("{bearer}{kind}"), body).await;
        self.document.check(method, path, &answer);
        answer
    }

    async fn operate(&mut self, method: &str, path: &str, body: Value) -> Answer {
        let key = self.key.clone();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask(Some(&key), method, &format!("/api/v1/{path}"), &body).await
    }
}

/// A robot with everything that there is to say of its cameras, and a viewer, who both have reported.
async fn live(api: &mut Api, key: &str, token: &str) -> (Client, Client) {
    let mut robot = Client::connect(api.address).await;
    let lens = json!({
        "rotation": { "yaw": 1, "pitch": 2, "roll": 3 }, "center": [0.5, 0.5], "focal": [0.3, 0.3],
        "bend": { "model": "kannala_brandt", "k": [0, 0, 0, 0] }, "fov": 190, "gain": 1,
    });
    let rung = json!({ "width": 320, "height": 160, "fps": 30, "bitrate": 300_000 });
    let video = |projection: Value| json!({ "projection": projection, "mount": lens["rotation"], "rungs": [rung] });
    let cells = ["right", "left", "up", "down", "front", "back"].map(|face| json!({ "face": face, "turn": 90 }));
    let cameras = json!([
        { "id": "main", "title": "Front", "video": video(json!({ "kind": "flat" })) },
        { "id": "round", "video": video(json!({ "kind": "equirectangular", "coverage": [360, 90] })) },
        { "id": "wide", "video": video(json!({ "kind": "fisheye", "lens": lens })) },
        { "id": "both", "video": video(json!({ "kind": "dual_fisheye", "lenses": [lens, lens], "blend": 5 })) },
        { "id": "cube", "video": video(json!({ "kind": "cube_map", "layout": { "columns": 6, "cells": cells } })) },
        {
            "id": "even",
            "video": video(json!({
                "kind": "equiangular",
                "layout": { "columns": 3, "padding": [0.001, 0.002], "cells": cells },
            })),
        },
    ]);
    let register = json!({ "version": 1, "robot": "r1", "key": key, "cameras": cameras });
    let reply = robot.ask(&json!(["broadcaster", register])).await;
    assert_eq!(reply["ok"], true, "{reply}");
    let hello = json!({ "version": 1, "token": token });
    let mut viewer = Client::try_connect_as(api.address, None, Some(hello)).await.expect("let in");
    let admission = viewer.ask(&json!(["watcher", { "version": 1, "robot": "r1" }])).await;
    assert_eq!(admission["ok"], true, "{admission}");
    robot.expect("watcher").await;
    let encoding = json!({ "rung": 0, "codec": "h264", "fps": 29.5, "bitrate": 800_000 });
    let camera =
        json!({ "id": "main", "running": true, "fps": 30, "left_out": 1, "encodings": [encoding], "sound": 9 });
    let sent = json!({ "packets": 1, "bytes": 1000, "resent": 1 });
    robot.say(&json!(["report", { "cameras": [camera], "sent": sent }])).await;
    let session = &admission["session"];
    let audience = json!({ "session": session, "rung": 0, "bitrate": 820_000, "loss": 0.5, "round_trip": 5 });
    robot.say(&json!(["audience", { "viewers": [audience] }])).await;
    let reception = json!({ "fps": 29, "bitrate": 800_000, "delay": 140, "freezes": 1, "relayed": true });
    viewer.say(&json!(["reception", reception, { "session": session }])).await;
    for client in [&mut robot, &mut viewer] {
        client.say(&json!(["heard?"])).await;
        assert_eq!(client.expect("notice").await[0]["code"], "malformed");
    }
    (robot, viewer)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_as_the_document_says() {
    let mut api = Api::start().await;
    for path in ["openapi.json", "server", "robots", "overview"] {
        let answer = api.ask(None, "GET", &format!("/api/v1/{path}"), "").await;
        assert_eq!(answer.status, "200", "{path}");
    }
    let robots = "operators/robots";
    let key = api.operate("POST", robots, json!({ "robot": "r1" })).await.json()["key"].clone();
    assert_eq!(api.operate("POST", robots, json!({ "robot": "r1" })).await.status, "409");
    let new = json!({ "robot": "r1", "lasts": 60, "note": "Bob", "role": "operate" });
    let link = api.operate("POST", "operators/links", new).await.json();
    let token = link["path"].as_str().and_then(|path| path.split_once("#token=")).expect("a token").1.to_owned();
    let (robot, mut viewer) = live(&mut api, key.as_str().expect("a key"), &token).await;

    let overview = api.operate("GET", "overview", Value::Null).await.json();
    let shown = &overview["robots"][0];
    assert!(shown["sent"].is_object() && shown["cameras"][0]["report"].is_object(), "{overview}");
    assert!(shown["viewers"][0]["sent"].is_object() && shown["viewers"][0]["shown"].is_object(), "{overview}");
    let live = api.ask(Some(&token), "GET", "/api/v1/robots", "").await.json();
    assert_eq!(live[0]["cameras"].as_array().expect("cameras").len(), 6);
    for path in ["/api/v1/robots/r1/snapshot.jpg", "/api/v1/robots/r1/cameras/main/snapshot.jpg"] {
        assert_eq!(api.ask(None, "GET", path, "").await.status, "403");
    }
    assert_eq!(api.ask(Some(&token), "GET", "/api/v1/robots/r1/cameras/no/snapshot.jpg", "").await.status, "404");
    assert_eq!(api.operate("GET", "robots/r%201/snapshot.jpg", Value::Null).await.status, "404");

    assert_eq!(api.ask(None, "GET", "/api/v1/visit", "").await.status, "401");
    let credentials = json!({ "key": api.key }).to_string();
    assert_eq!(api.ask(None, "POST", "/api/v1/visit", &credentials).await.status, "200");
    assert_eq!(api.ask(None, "POST", "/api/v1/visit", "{\"key\":\"ok_x\"}").await.status, "401");
    assert_eq!(api.operate("GET", "visit", Value::Null).await.status, "200");
    assert_eq!(api.ask(None, "DELETE", "/api/v1/visit", "").await.status, "204");

    let session = shown["viewers"][0]["session"].as_str().expect("a session");
    for (session, status) in [("short", "422"), ("0123456789", "404"), ("a%20b", "400"), (session, "204")] {
        let path = format!("operators/robots/r1/viewers/{session}");
        assert_eq!(api.operate("DELETE", &path, Value::Null).await.status, status);
    }
    viewer.ended().await;
    drop(robot);

    for path in ["operators/robots", "operators/links"] {
        assert_eq!(api.operate("GET", path, Value::Null).await.json().as_array().expect("a list").len(), 1);
        for (body, status) in [("{", "400"), ("{\"robot\":7}", "422"), (&*"a".repeat(20_000), "413")] {
            let key = api.key.clone();
            assert_eq!(api.ask(Some(&key), "POST", &format!("/api/v1/{path}"), body).await.status, status);
        }
        assert_eq!(api.operate("POST", path, Value::Null).await.status, "415");
        for method in ["GET", "POST"] {
            assert_eq!(api.ask(None, method, &format!("/api/v1/{path}"), "").await.status, "401");
        }
    }
    for (robot, status) in [("r1", "204"), ("r9", "404"), ("a%20b", "400")] {
        let change = json!({ "access": "public" });
        assert_eq!(api.operate("PATCH", &format!("{robots}/{robot}"), change).await.status, status);
    }
    for (robot, status) in [("r1", "200"), ("r9", "404"), ("a%20b", "400")] {
        assert_eq!(api.operate("POST", &format!("{robots}/{robot}/key"), json!({})).await.status, status);
    }
    let link = format!("operators/links/{}", link["id"].as_str().expect("an id"));
    for status in ["204", "404"] {
        assert_eq!(api.operate("DELETE", &link, Value::Null).await.status, status);
    }
    assert_eq!(api.ask(Some(&token), "GET", "/api/v1/robots", "").await.status, "401");
    for status in ["204", "404"] {
        assert_eq!(api.operate("DELETE", &format!("{robots}/r1"), Value::Null).await.status, status);
    }
    let foreign = api.send("GET", "/api/v1/server", "origin: https://evil.example\r\n", "").await;
    api.document.check("GET", "/api/v1/server", &foreign);
    assert_eq!(foreign.status, "403");

    // Everything that can be asked has been, and all but pictures, which no robot gave here, was answered well.
    for (path, methods) in api.document.whole["paths"].as_object().expect("paths") {
        let methods = methods.as_object().expect("methods").keys().filter(|method| *method != "parameters");
        for method in methods {
            let well = |(seen, place, status): &(String, String, String)| {
                seen.eq_ignore_ascii_case(method)
                    && place == path
                    && (status.starts_with('2') || path.ends_with("snapshot.jpg"))
            };
            assert!(api.document.seen.iter().any(well), "{method} {path}");
        }
    }
    api.cancel.cancel();
    within(&mut api.task).await.expect("no panic").expect("ends well");
}
