//! Invitations: list, create one or many, read, send again, withdraw.

use axum::Json;
use denizen_model::{
    GroupId, InvitationId, OrganizationId, RoleId, Timestamp, UserId,
    invitations::{Invitation, InvitationState, NewInvitation},
    pages::Cursor,
    permissions::markers::{UsersRead, UsersWrite},
};
use denizen_ops::invitations::{self, InvitationQuery};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, List, Record},
    ask::{Ask, Id},
    body::{Body, MaybeBody, Nothing},
    query::{cursor, default_limit, limit},
};
use crate::Web;

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(create_many))
        .routes(routes!(read))
        .routes(routes!(resend))
        .routes(routes!(revoke))
}

/// Somebody who is asked to make an account.
#[derive(Serialize, ToSchema)]
#[schema(as = Invitation)]
struct InvitationView {
    /// Stable id.
    id: InvitationId,
    /// Whom it was sent to.
    email: String,
    /// Their given name.
    given_name: Option<String>,
    /// Their family name.
    family_name: Option<String>,
    /// Their language.
    locale: Option<String>,
    /// The realm roles they will have.
    role_ids: Vec<RoleId>,
    /// The groups they will be in.
    group_ids: Vec<GroupId>,
    /// The organizations they will be members of.
    organization_ids: Vec<OrganizationId>,
    /// Where it stands.
    state: InvitationState,
    /// Who invites, by name.
    invited_by: Option<String>,
    /// When it was made.
    created_at: Timestamp,
    /// When it was last sent.
    sent_at: Timestamp,
    /// How often it was sent.
    sent_count: u32,
    /// When its link stops working.
    expires_at: Timestamp,
    /// When it was accepted.
    accepted_at: Option<Timestamp>,
    /// The user that came of it.
    accepted_user_id: Option<UserId>,
    /// When it was withdrawn.
    revoked_at: Option<Timestamp>,
}

impl InvitationView {
    fn new(invitation: Invitation, now: Timestamp) -> Self {
        Self {
            state: invitation.state(now),
            id: invitation.id,
            email: invitation.email,
            given_name: invitation.given_name,
            family_name: invitation.family_name,
            locale: invitation.locale,
            role_ids: invitation.role_ids,
            group_ids: invitation.group_ids,
            organization_ids: invitation.organization_ids,
            invited_by: invitation.invited_by,
            created_at: invitation.created_at,
            sent_at: invitation.sent_at,
            sent_count: invitation.sent_count,
            expires_at: invitation.expires_at,
            accepted_at: invitation.accepted_at,
            accepted_user_id: invitation.accepted_user_id,
            revoked_at: invitation.revoked_at,
        }
    }
}

fn record(invitation: Invitation, now: Timestamp) -> Record<InvitationView> {
    Record::new(invitation.version, InvitationView::new(invitation, now))
}

/// Whom to invite, and what they will have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateInvitation {
    /// Whom to invite.
    email: String,
    /// Their given name, which they may change.
    given_name: Option<String>,
    /// Their family name, which they may change.
    family_name: Option<String>,
    /// Their language, as a BCP 47 tag.
    locale: Option<String>,
    /// The realm roles they will have; needs roles:assign.
    #[serde(default)]
    role_ids: Vec<RoleId>,
    /// The groups they will be in; needs groups:write.
    #[serde(default)]
    group_ids: Vec<GroupId>,
    /// The organizations they will be members of; needs organizations:write.
    #[serde(default)]
    organization_ids: Vec<OrganizationId>,
    /// How many days the link works, 1 to 90; 7 when absent.
    #[schema(minimum = 1, maximum = 90)]
    expires_in_days: Option<u32>,
}

impl From<CreateInvitation> for NewInvitation {
    fn from(body: CreateInvitation) -> Self {
        Self {
            email: body.email,
            given_name: body.given_name,
            family_name: body.family_name,
            locale: body.locale,
            role_ids: body.role_ids,
            group_ids: body.group_ids,
            organization_ids: body.organization_ids,
            expires_in_days: body.expires_in_days,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListInvitations {
    /// Only those in this state.
    #[param(inline)]
    state: Option<InvitationState>,
    /// Where the page starts: `next_cursor` of the page before.
    #[serde(default, deserialize_with = "cursor")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// How many at the most; 50 when absent.
    #[serde(default = "default_limit", deserialize_with = "limit")]
    #[param(minimum = 1, maximum = 500, required = false)]
    limit: u32,
}

/// List invitations
///
/// Newest first.
#[utoipa::path(get, path = "/realms/{realm}/invitations", operation_id = "list_invitations", tag = "Invitations",
    params(ListInvitations),
    responses((status = 200, description = "One page of invitations.", body = List<InvitationView>)),
    extensions(("x-permission" = json!("users:read"))))]
async fn list(ask: Ask<UsersRead, ListInvitations>) -> Answer<Json<List<InvitationView>>> {
    let query = InvitationQuery { state: ask.query.state, after: ask.query.cursor, limit: ask.query.limit };
    let page = invitations::list(&ask.app, &ask.cx, ask.may, query).await?;
    Ok(List::page(page, |invitation| InvitationView::new(invitation, ask.cx.now)))
}

/// Invite somebody
///
/// A mail with a link goes to them. Whoever opens it makes an account with what the invitation carries.
#[utoipa::path(post, path = "/realms/{realm}/invitations", operation_id = "create_invitation", tag = "Invitations",
    request_body = CreateInvitation,
    responses((status = 201, description = "The invitation.", body = InvitationView)),
    extensions(("x-permission" = json!("users:write"))))]
async fn create(ask: Ask<UsersWrite>, Body(body): Body<CreateInvitation>) -> Answer<Record<InvitationView>> {
    let made = invitations::create(&ask.app, &ask.cx, ask.may, body.into()).await?;
    let place = format!("/api/v1/realms/{}/invitations/{}", ask.realm.realm.slug, made.id);
    Ok(Record::created(made.version, place, InvitationView::new(made, ask.cx.now)))
}

/// Whom to invite at once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateInvitations {
    /// One to 500 invitations.
    invitations: Vec<CreateInvitation>,
}

/// What became of one of several invitations.
#[derive(Serialize, ToSchema)]
struct InvitationOutcome {
    /// The invitation, when it was sent.
    invitation: Option<InvitationView>,
    /// What is wrong with it, when it was not.
    errors: Vec<WrongField>,
}

/// A field that is wrong.
#[derive(Serialize, ToSchema)]
struct WrongField {
    /// Its name.
    field: String,
    /// What is wrong.
    message: String,
}

/// What became of several invitations.
#[derive(Serialize, ToSchema)]
struct InvitationOutcomes {
    /// An outcome for each, in the order given.
    items: Vec<InvitationOutcome>,
    /// How many were sent.
    invited: usize,
    /// How many were not.
    refused: usize,
}

/// Invite several people
///
/// Each has an outcome of their own; those who can be invited are, whatever is wrong with others.
#[utoipa::path(post, path = "/realms/{realm}/invitations/bulk", operation_id = "create_invitations",
    tag = "Invitations", request_body = CreateInvitations,
    responses((status = 200, description = "What became of each.", body = InvitationOutcomes)),
    extensions(("x-permission" = json!("users:write"))))]
async fn create_many(ask: Ask<UsersWrite>, Body(body): Body<CreateInvitations>) -> Answer<Json<InvitationOutcomes>> {
    let list = body.invitations.into_iter().map(NewInvitation::from).collect();
    let outcomes = invitations::create_many(&ask.app, &ask.cx, ask.may, list).await?;
    let invited = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let refused = outcomes.len() - invited;
    let items = outcomes.into_iter().map(|outcome| match outcome {
        Ok(made) => InvitationOutcome { invitation: Some(InvitationView::new(made, ask.cx.now)), errors: Vec::new() },
        Err(errors) => InvitationOutcome {
            invitation: None,
            errors: errors
                .iter()
                .map(|(field, message)| WrongField { field: field.to_owned(), message: message.to_owned() })
                .collect(),
        },
    });
    Ok(Json(InvitationOutcomes { items: items.collect(), invited, refused }))
}

/// Read an invitation
#[utoipa::path(get, path = "/realms/{realm}/invitations/{id}", operation_id = "read_invitation", tag = "Invitations",
    responses((status = 200, description = "The invitation.", body = InvitationView)),
    extensions(("x-permission" = json!("users:read"))))]
async fn read(ask: Ask<UsersRead>, Id(id): Id<InvitationId>) -> Answer<Record<InvitationView>> {
    Ok(record(invitations::get(&ask.app, &ask.cx, ask.may, id).await?, ask.cx.now))
}

/// How an invitation is sent again.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResendInvitation {
    /// How many days the new link works, 1 to 90; 7 when absent.
    #[schema(minimum = 1, maximum = 90)]
    expires_in_days: Option<u32>,
}

/// Send an invitation again
///
/// With a new link and new time; the old link stops working.
#[utoipa::path(post, path = "/realms/{realm}/invitations/{id}/resend", operation_id = "resend_invitation",
    tag = "Invitations", request_body = Option<ResendInvitation>,
    responses((status = 200, description = "The invitation.", body = InvitationView)),
    extensions(("x-permission" = json!("users:write"))))]
async fn resend(
    ask: Ask<UsersWrite>,
    Id(id): Id<InvitationId>,
    MaybeBody(body): MaybeBody<ResendInvitation>,
) -> Answer<Record<InvitationView>> {
    Ok(record(invitations::resend(&ask.app, &ask.cx, ask.may, id, body.expires_in_days).await?, ask.cx.now))
}

/// Withdraw an invitation
///
/// Its link stops working.
#[utoipa::path(post, path = "/realms/{realm}/invitations/{id}/revoke", operation_id = "revoke_invitation",
    tag = "Invitations",
    responses((status = 200, description = "The invitation.", body = InvitationView)),
    extensions(("x-permission" = json!("users:write"))))]
async fn revoke(
    ask: Ask<UsersWrite>,
    Id(id): Id<InvitationId>,
    MaybeBody(Nothing {}): MaybeBody<Nothing>,
) -> Answer<Record<InvitationView>> {
    Ok(record(invitations::revoke(&ask.app, &ask.cx, ask.may, id).await?, ask.cx.now))
}
