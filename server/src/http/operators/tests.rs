//! Operators' requests to the whole app, with a store of its own.

use std::path::PathBuf;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    Config,
    auth::{Store, UnixTime},
    config::AuthMode,
};

struct App {
    router: Router,
    directory: PathBuf,
    config: Config,
    key: String,
    _tasks: JoinSet<()>,
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl App {
    fn new() -> Self {
        Self::at(None)
    }

    /// Reached by browsers there.
    fn at(public_url: Option<&str>) -> Self {
        let mut name = [0; 8];
        getrandom::fill(&mut name).expect("random bytes");
        let directory = std::env::temp_dir().join(format!("panocast-api-{:016x}", u64::from_le_bytes(name)));
        let public_url = public_url.map(|url| url.parse().expect("an origin"));
        let mut config = Config { state_dir: directory.clone(), public_url, ..Config::default() };
        config.auth.mode = AuthMode::Keys;
        let ada = "ada".parse().expect("a name");
        let added = Store::open(&directory).expect("a store").add_operator(&ada, UnixTime::now()).expect("added");
        let key = added.as_str().to_owned();
        let mut tasks = JoinSet::new();
        let router = crate::app(&config, &mut tasks, CancellationToken::new()).expect("an app");
        Self { router, directory, config, key, _tasks: tasks }
    }

    async fn send(&self, method: Method, path: &str, shown: &[(header::HeaderName, &str)], body: Value) -> Response {
        let mut request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in shown {
            request = request.header(name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.router.clone().oneshot(request.body(body).expect("a request")).await.expect("routers do not fail")
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let bearer = format!("Bearer {}", self.key);
        let response = self.send(method, path, &[(header::AUTHORIZATION, &bearer)], body).await;
        (response.status(), json_of(response).await)
    }
}

/// The cookie of a new visit, as browsers send it back.
async fn visit(app: &App) -> String {
    let begun = app.send(Method::POST, "/api/v1/visit", &[], json!({ "key": app.key })).await;
    assert_eq!(begun.status(), StatusCode::OK);
    let cookie = begun.headers()[header::SET_COOKIE].to_str().expect("ASCII");
    cookie.split(';').next().expect("a cookie").to_owned()
}

async fn json_of(response: Response) -> Value {
    let body = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    serde_json::from_slice(&body).unwrap_or(Value::Null)
}

#[tokio::test]
async fn robots_and_links_are_made_listed_changed_and_removed() {
    let app = App::new();
    let robots = "/api/v1/operators/robots";
    assert_eq!(app.ask(Method::GET, robots, Value::Null).await, (StatusCode::OK, json!([])));
    let (status, made) = app.ask(Method::POST, robots, json!({ "robot": "r1" })).await;
    assert_eq!((status, made["key"].as_str().expect("a key").len()), (StatusCode::CREATED, 46));
    let (status, again) = app.ask(Method::POST, robots, json!({ "robot": "r1" })).await;
    assert_eq!(status, StatusCode::CONFLICT, "{again}");
    let path = format!("{robots}/r1");
    assert_eq!(app.ask(Method::PATCH, &path, json!({ "access": "public" })).await.0, StatusCode::NO_CONTENT);
    let (_, listed) = app.ask(Method::GET, robots, Value::Null).await;
    assert_eq!((&listed[0]["access"], &listed[0]["keys"]), (&json!("public"), &json!(1)));
    let (status, rotated) = app.ask(Method::POST, &format!("{path}/key"), json!({ "at_once": true })).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(rotated["key"], made["key"]);

    let links = "/api/v1/operators/links";
    let (status, link) = app.ask(Method::POST, links, json!({ "robot": "r1", "lasts": 60, "note": "Ada" })).await;
    assert_eq!(status, StatusCode::CREATED, "{link}");
    assert!(link["path"].as_str().expect("a path").starts_with("/watch/r1#token=ey"), "{link}");
    let path_of_link = format!("{links}/{}", link["id"].as_str().expect("an id"));
    assert_eq!(app.ask(Method::DELETE, &path_of_link, Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(app.ask(Method::DELETE, &path_of_link, Value::Null).await.0, StatusCode::NOT_FOUND);
    let (_, listed) = app.ask(Method::GET, links, Value::Null).await;
    assert_eq!((&listed[0]["note"], &listed[0]["revoked"]), (&json!("Ada"), &json!(true)));
    assert_eq!(listed[0].get("path"), None, "a list opens nothing");

    assert_eq!(app.ask(Method::DELETE, &path, Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(app.ask(Method::DELETE, &path, Value::Null).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let app = App::new();
    let links = "/api/v1/operators/links";
    for (path, body, says) in [
        ("/api/v1/operators/robots", json!({ "robot": "../r1" }), "robot"),
        ("/api/v1/operators/robots", json!({ "robot": "r1", "acess": "link" }), "acess"),
        ("/api/v1/operators/robots", json!({ "robot": "r1", "access": "secret" }), "secret"),
        (links, json!({ "robot": "r1", "lasts": 0 }), "lasts"),
        (links, json!({ "robot": "r1", "lasts": u64::MAX }), "lasts"),
        (links, json!({ "robot": "r1", "lasts": 60, "note": "a\nb" }), "note"),
        (links, json!({ "robot": "r9", "lasts": 60 }), "r9"),
        (links, json!({ "robot": "r1", "lasts": 60, "max_viewers": 0 }), "max_viewers"),
    ] {
        let (status, told) = app.ask(Method::POST, path, body.clone()).await;
        assert!(status.is_client_error(), "{body}: {status}");
        assert!(told["message"].as_str().expect("a message").contains(says), "{body}: {told}");
    }
}

#[tokio::test]
async fn only_operators_get_anywhere_and_a_visit_is_as_good_as_the_key() {
    let app = App::new();
    let robots = "/api/v1/operators/robots";
    for shown in [
        vec![],
        vec![(header::AUTHORIZATION, "Bearer ok_")],
        vec![(header::AUTHORIZATION, "Basic YTpi")],
        vec![(header::COOKIE, "panocast_operator=x")],
    ] {
        for (method, path) in [
            (Method::GET, robots),
            (Method::POST, robots),
            (Method::PATCH, "/api/v1/operators/robots/r1"),
            (Method::DELETE, "/api/v1/operators/robots/r1"),
            (Method::POST, "/api/v1/operators/robots/r1/key"),
            (Method::GET, "/api/v1/operators/links"),
            (Method::POST, "/api/v1/operators/links"),
            (Method::DELETE, "/api/v1/operators/links/x"),
            (Method::GET, "/api/v1/visit"),
        ] {
            let response = app.send(method.clone(), path, &shown, json!({ "robot": "r1" })).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        }
    }
    let refused = app.send(Method::POST, "/api/v1/visit", &[], json!({ "key": "ok_guess" })).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let begun = app.send(Method::POST, "/api/v1/visit", &[], json!({ "key": app.key })).await;
    assert_eq!(begun.status(), StatusCode::OK);
    let cookie = begun.headers()[header::SET_COOKIE].to_str().expect("ASCII").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let shown = [(header::COOKIE, cookie.split(';').next().expect("a cookie"))];
    let visit = app.send(Method::GET, "/api/v1/visit", &shown, Value::Null).await;
    assert_eq!(json_of(visit).await["operator"], "ada");
    assert_eq!(app.send(Method::GET, robots, &shown, Value::Null).await.status(), StatusCode::OK);
    // A page of another site has the browser send no such cookie; one that could is refused.
    let foreign = [shown[0].clone(), (header::HOST, "cam.example"), (header::ORIGIN, "https://evil.example")];
    let response = app.send(Method::POST, robots, &foreign, json!({ "robot": "r1" })).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn who_leaves_takes_the_cookie_along_and_a_new_key_ends_every_visit() {
    let app = App::new();
    let shown = async |cookie: &str, method| {
        app.send(method, "/api/v1/visit", &[(header::COOKIE, cookie)], Value::Null).await.status()
    };
    let (first, second) = (visit(&app).await, visit(&app).await);
    assert_eq!(shown(&first, Method::DELETE).await, StatusCode::NO_CONTENT);
    assert_eq!(shown(&first, Method::GET).await, StatusCode::UNAUTHORIZED, "whoever has copied it");
    assert_eq!(shown(&first, Method::DELETE).await, StatusCode::NO_CONTENT, "once is enough");
    assert_eq!(shown(&second, Method::GET).await, StatusCode::OK, "another one goes on");
    // The server after this one finds it so.
    let after = async |cookie: &str| {
        let mut tasks = JoinSet::new();
        let router = crate::app(&app.config, &mut tasks, CancellationToken::new()).expect("an app");
        let request = Request::get("/api/v1/visit").header(header::COOKIE, cookie).body(Body::empty());
        router.oneshot(request.expect("a request")).await.expect("routers do not fail").status()
    };
    assert_eq!((after(&first).await, after(&second).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
    let ada = "ada".parse().expect("a name");
    Store::open(&app.directory).expect("a store").add_operator(&ada, UnixTime::now()).expect("a new key");
    assert_eq!(after(&second).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn where_it_is_encrypted_only_this_host_can_set_the_cookie() {
    let app = App::at(Some("https://video.example"));
    let cookie = visit(&app).await;
    let token = cookie.strip_prefix("__Host-panocast_operator=").expect("its name");
    let asked = async |cookie: &str| {
        app.send(Method::GET, "/api/v1/visit", &[(header::COOKIE, cookie)], Value::Null).await.status()
    };
    assert_eq!(asked(&format!("theme=dark; {cookie}")).await, StatusCode::OK);
    assert_eq!(asked(&format!("panocast_operator={token}")).await, StatusCode::UNAUTHORIZED, "anybody may have set it");
    let begun = app.send(Method::POST, "/api/v1/visit", &[], json!({ "key": app.key })).await;
    let cookie = begun.headers()[header::SET_COOKIE].to_str().expect("ASCII");
    assert!(cookie.ends_with("; Secure") && cookie.contains("; Path=/;") && !cookie.contains("Domain"), "{cookie}");
}

#[tokio::test]
async fn an_open_server_has_no_operators() {
    let mut tasks = JoinSet::new();
    let router = crate::app(&Config::default(), &mut tasks, CancellationToken::new()).expect("an app");
    let request = Request::get("/api/v1/operators/robots").body(Body::empty()).expect("a request");
    let response = router.oneshot(request).await.expect("routers do not fail");
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(json_of(response).await["message"].as_str().expect("a message").contains("auth.mode"));
}

#[tokio::test]
async fn what_operators_do_is_logged_with_who_did_it_and_no_secret() {
    let app = App::new();
    let log = crate::audit::capture::Captured::start();
    let robots = "/api/v1/operators/robots";
    let (_, made) = app.ask(Method::POST, robots, json!({ "robot": "r1" })).await;
    let path = format!("{robots}/r1");
    app.ask(Method::PATCH, &path, json!({ "access": "public" })).await;
    let (_, rotated) = app.ask(Method::POST, &format!("{path}/key"), json!({ "at_once": true })).await;
    let links = "/api/v1/operators/links";
    let (_, link) = app.ask(Method::POST, links, json!({ "robot": "r1", "lasts": 60 })).await;
    let id = link["id"].as_str().expect("an id");
    app.ask(Method::DELETE, &format!("{links}/{id}"), Value::Null).await;
    app.ask(Method::DELETE, &path, Value::Null).await;
    app.send(Method::POST, "/api/v1/visit", &[], json!({ "key": "ok_guess" })).await;
    app.send(Method::POST, "/api/v1/visit", &[], json!({ "key": app.key })).await;
    let all = log.take();
    let said: Vec<String> = all
        .iter()
        .filter(|line| line["message"] != "change holds")
        .map(|line| {
            let field = |name: &str| line[name].as_str().map(|value| format!(" {name}={value}")).unwrap_or_default();
            let fields = ["operator", "robot", "link", "role"].map(field).concat();
            format!("{}:{fields}", line["message"].as_str().expect("a message"))
        })
        .collect();
    assert_eq!(
        said,
        [
            "robot added: operator=ada robot=r1".to_owned(),
            "robot's access changed: operator=ada robot=r1".to_owned(),
            "robot's key rotated: operator=ada robot=r1".to_owned(),
            format!("link made: operator=ada robot=r1 link={id} role=watch"),
            format!("link taken back: operator=ada link={id}"),
            "robot removed: operator=ada robot=r1".to_owned(),
            "operator refused:".to_owned(),
            "operator visits: operator=ada".to_owned(),
        ]
    );
    let path = link["path"].as_str().expect("a path");
    let (_, token) = path.split_once("token=").expect("a token");
    for secret in [made["key"].as_str(), rotated["key"].as_str(), Some(token), Some(app.key.as_str()), Some("ok_guess")]
    {
        assert!(!format!("{all:?}").contains(secret.expect("a secret")), "{all:?}");
    }
}

/// The paused clock moves on as soon as nothing else does.
#[tokio::test(start_paused = true)]
async fn whoever_sends_too_much_or_does_not_come_to_an_end_is_told_so() {
    let app = App::new();
    for path in ["/api/v1/visit", "/api/v1/operators/robots", "/api/v1/operators/links"] {
        let (status, told) = app.ask(Method::POST, path, json!({ "note": "a".repeat(20_000) })).await;
        assert_eq!((status, &told["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("too_large")), "{path}");
        let endless = Body::from_stream(futures_util::stream::pending::<std::io::Result<Vec<u8>>>());
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json").body(endless);
        let answer = app.router.clone().oneshot(request.expect("a request")).await.expect("routers do not fail");
        assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT, "{path}");
        assert!(json_of(answer).await["message"].as_str().is_some_and(|said| said.contains("in time")), "{path}");
    }
}
