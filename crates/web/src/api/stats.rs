//! Counts.

use axum::Json;
use denizen_model::{pages::Total, permissions::markers::UsersRead, users::UserKind};
use denizen_ops::users;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{answer::Answer, ask::Ask};
use crate::{Web, problem::Problem};

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(read))
}

/// Counts of a realm.
#[derive(Serialize, ToSchema)]
struct Stats {
    /// Of its users.
    users: UserCounts,
}

/// How many users there are.
#[derive(Serialize, ToSchema)]
struct UserCounts {
    /// In all.
    all: Total,
    /// People.
    human: Total,
    /// API and bot accounts.
    machine: Total,
    /// Enabled ones.
    active: Total,
    /// Disabled ones.
    disabled: Total,
}

/// Read the counts
#[utoipa::path(get, path = "/realms/{realm}/stats", operation_id = "read_stats", tag = "Statistics",
    responses((status = 200, description = "The counts.", body = Stats)),
    extensions(("x-permission" = json!("users:read"))))]
async fn read(ask: Ask<UsersRead>) -> Answer<Json<Stats>> {
    let users = UserCounts {
        all: count(&ask, None, None).await?,
        human: count(&ask, Some(UserKind::Human), None).await?,
        machine: count(&ask, Some(UserKind::Machine), None).await?,
        active: count(&ask, None, Some(true)).await?,
        disabled: count(&ask, None, Some(false)).await?,
    };
    Ok(Json(Stats { users }))
}

async fn count(ask: &Ask<UsersRead>, kind: Option<UserKind>, enabled: Option<bool>) -> Result<Total, Problem> {
    Ok(users::count(&ask.app, &ask.cx, ask.prove()?, kind, enabled).await?)
}
