//! `/admin`: what an operator and editors see of an installation, and do about it, signed in with a password. It is not there while
//! nobody may sign in.

mod access;
mod add;
mod deliveries;
mod judge;
mod login;
mod proposals;
mod source;
mod sources;

use std::sync::Arc;

use axum::Router;
use axum::middleware::map_response;
use axum::routing::{get, post};

use super::state::{AppState, unlisted};

/// The routes, all of them below `/admin`.
pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/admin", get(sources::show))
        .route("/admin/login", get(login::show).post(login::log_in))
        .route("/admin/logout", post(login::log_out))
        .route("/admin/source", get(source::show).post(source::act))
        .route("/admin/add", get(add::show).post(add::act))
        .route("/admin/judge", get(judge::show).post(judge::act))
        .route("/admin/desk", post(judge::open_desk))
        .route("/admin/mail", get(deliveries::show))
        .route("/admin/proposals", get(proposals::show).post(proposals::act))
        .layer(map_response(unlisted))
}
