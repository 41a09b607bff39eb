//! A camera's current picture, as a file.

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use protocol::{CameraId, Code, Notice, RobotId};

use super::Shared;

/// As long as the server itself takes a picture for current.
const CACHING: &str = "max-age=1";

pub(super) async fn of_robot(State(shared): State<Shared>, robot: Result<Path<RobotId>, PathRejection>) -> Response {
    match robot {
        Ok(Path(robot)) => answer(&shared, robot, None).await,
        Err(_) => not_found(),
    }
}

pub(super) async fn of_camera(
    State(shared): State<Shared>,
    names: Result<Path<(RobotId, CameraId)>, PathRejection>,
) -> Response {
    match names {
        Ok(Path((robot, camera))) => answer(&shared, robot, Some(camera)).await,
        Err(_) => not_found(),
    }
}

async fn answer(shared: &Shared, robot: RobotId, camera: Option<CameraId>) -> Response {
    match shared.rooms.snapshot(robot, camera).await {
        Some(Ok(jpeg)) => {
            ([(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, CACHING)], jpeg).into_response()
        }
        Some(Err(notice)) => refuse(&notice),
        None => (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response(),
    }
}

fn refuse(Notice { code, message }: &Notice) -> Response {
    let text = ([(header::CACHE_CONTROL, "no-store")], format!("{message}\n"));
    if let Code::UnknownRobot | Code::UnknownCamera = code {
        return (StatusCode::NOT_FOUND, text).into_response();
    }
    // Whatever it is, it may be over in a moment.
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], text).into_response()
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "There is nothing here.\n").into_response()
}
