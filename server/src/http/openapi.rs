//! What there is below `/api/v1`, as a document for programs and for those who write them. Written by hand; tests hold it against
//! the routes, and against what is answered.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

const DOCUMENT: &str = include_str!("openapi.json");

pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::{
        Router,
        body::Body,
        http::{Method, Request, StatusCode},
    };
    use serde_json::Value;
    use tokio::task::JoinSet;
    use tokio_util::sync::CancellationToken;
    use tower::ServiceExt;

    use super::*;
    use crate::{Config, listen::ClientAddress};

    async fn status(router: &Router, method: Method, path: &str) -> StatusCode {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "127.0.0.1");
        let own = ClientAddress("127.0.0.1".parse().expect("an address"));
        request.extensions_mut().expect("well so far").insert(own);
        let request = request.body(Body::empty()).expect("a request");
        router.clone().oneshot(request).await.expect("routers do not fail").status()
    }

    #[tokio::test]
    async fn the_document_has_the_routes_that_there_are_and_no_others() {
        let document: Value = serde_json::from_str(DOCUMENT).expect("JSON");
        let documented = document["paths"].as_object().expect("paths");
        let mut tasks = JoinSet::new();
        let router = crate::app(&Config::default(), &mut tasks, CancellationToken::new()).expect("an app");
        // A router tells nobody what it routes, but when it is printed.
        let printed = format!("{router:?}");
        let routes: BTreeSet<&str> = printed.split('"').filter(|text| text.starts_with("/api/")).collect();
        assert_eq!(routes, documented.keys().map(String::as_str).collect());
        for (path, methods) in documented {
            let methods = methods.as_object().expect("methods");
            let mut asked = path.replace("{session}", "0123456789abcdef");
            for parameter in ["{robot}", "{camera}", "{link}"] {
                asked = asked.replace(parameter, "demo");
            }
            assert!(!asked.contains('{'), "{asked}");
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let is_documented = methods.contains_key(&method.as_str().to_ascii_lowercase());
                let is_there = status(&router, method.clone(), &asked).await != StatusCode::METHOD_NOT_ALLOWED;
                assert_eq!(is_there, is_documented, "{method} {path}");
            }
        }
    }
}
