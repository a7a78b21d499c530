//! Clients: list, create, change, a new secret, delete.

use axum::{Router, extract::FromRequestParts, routing::get};
use denizen_model::{
    ClientRowId,
    clients::{Client, ClientType, GrantType},
    pages::Cursor,
    permissions::markers::ClientsWrite,
};
use denizen_ops::{
    clients::{self, ClientInput},
    crypto::Secret,
};
use http::request::Parts;
use serde::Serialize;

use super::{
    Answer, PageError,
    forms::{Asked, Errors, Fields, Posted, mendable_in},
    frame::{At, ConsoleCx, Section},
    users::{Confirm, Pager, ShownSecret, path_id},
    words::{Label, count, query},
};
use crate::{Web, render::TimeView};

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/admin/{realm}/clients", get(list).post(create))
        .route("/admin/{realm}/clients/new", get(new))
        .route("/admin/{realm}/clients/{client}", get(show).post(save))
        .route("/admin/{realm}/clients/{client}/secret", get(confirm_secret).post(renew_secret))
        .route("/admin/{realm}/clients/{client}/delete", get(confirm_delete).post(delete))
}

const PAGE: u32 = 100;
/// The fields that the forms have a place for a message at.
const SHOWN: [&str; 9] = [
    "name",
    "client_id",
    "type",
    "redirect_uris",
    "post_logout_redirect_uris",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
    "grant_types",
    "scopes",
];

#[derive(Serialize)]
struct ListPage {
    clients: Vec<Row>,
    page: Pager,
}

#[derive(Serialize)]
struct Row {
    href: String,
    name: String,
    client_id: String,
    enabled: bool,
    labels: Vec<Label>,
    grants: String,
    redirects: Option<String>,
    created_at: TimeView,
}

#[derive(Serialize)]
struct FormPage {
    values: Values,
    errors: Errors,
}

#[derive(Serialize)]
struct ShowPage {
    version: String,
    client: ClientView,
    secret: Option<ShownSecret>,
    values: Values,
    errors: Errors,
}

#[derive(Serialize)]
struct ClientView {
    href: String,
    name: String,
    client_id: String,
    issuer: String,
    discovery: String,
    confidential: bool,
    created_at: TimeView,
    editable: bool,
    deletable: bool,
    labels: Vec<Label>,
}

#[derive(Serialize)]
struct Values {
    name: String,
    client_id: String,
    #[serde(rename = "type")]
    kind: String,
    enabled: bool,
    redirect_uris: String,
    post_logout_redirect_uris: String,
    backchannel_logout_uri: String,
    backchannel_logout_session_required: bool,
    grant_types: Vec<String>,
    scopes: String,
}

impl Values {
    fn new() -> Self {
        Self {
            name: String::new(),
            client_id: String::new(),
            kind: ClientType::Confidential.to_string(),
            enabled: true,
            redirect_uris: String::new(),
            post_logout_redirect_uris: String::new(),
            backchannel_logout_uri: String::new(),
            backchannel_logout_session_required: false,
            grant_types: vec![GrantType::AuthorizationCode.to_string(), GrantType::RefreshToken.to_string()],
            scopes: "openid profile email".to_owned(),
        }
    }

    fn of(client: &Client) -> Self {
        Self {
            name: client.name.clone(),
            client_id: client.client_id.clone(),
            kind: client.kind.to_string(),
            enabled: client.enabled,
            redirect_uris: client.redirect_uris.join("\n"),
            post_logout_redirect_uris: client.post_logout_redirect_uris.join("\n"),
            backchannel_logout_uri: client.backchannel_logout_uri.clone().unwrap_or_default(),
            backchannel_logout_session_required: client.backchannel_logout_session_required,
            grant_types: client.grant_types.iter().map(ToString::to_string).collect(),
            scopes: client.scopes.join(" "),
        }
    }

    fn typed(typed: &Fields) -> Self {
        let text = |name| typed.text(name).replace("\r\n", "\n");
        Self {
            name: text("name"),
            client_id: text("client_id"),
            kind: text("type"),
            enabled: typed.ticked("enabled"),
            redirect_uris: text("redirect_uris"),
            post_logout_redirect_uris: text("post_logout_redirect_uris"),
            backchannel_logout_uri: text("backchannel_logout_uri"),
            backchannel_logout_session_required: typed.ticked("backchannel_logout_session_required"),
            grant_types: typed.all("grant_types").into_iter().map(str::to_owned).collect(),
            scopes: text("scopes"),
        }
    }
}

/// The input that both forms have in common.
fn input(typed: &Fields) -> ClientInput {
    ClientInput {
        name: Some(typed.text("name").to_owned()),
        redirect_uris: Some(typed.lines("redirect_uris")),
        post_logout_redirect_uris: Some(typed.lines("post_logout_redirect_uris")),
        backchannel_logout_uri: Some(typed.given("backchannel_logout_uri")),
        backchannel_logout_session_required: Some(typed.ticked("backchannel_logout_session_required")),
        grant_types: Some(typed.all("grant_types").into_iter().filter_map(GrantType::from_name).collect()),
        scopes: Some(typed.text("scopes").split_whitespace().map(str::to_owned).collect()),
        ..ClientInput::default()
    }
}

/// The `{client}` of the path.
struct Which(ClientRowId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "client").await?))
    }
}

fn href(page: &ConsoleCx, id: ClientRowId) -> String {
    page.href(&format!("clients/{id}"))
}

fn at(page: &ConsoleCx, title: &str) -> At {
    At::under(Section::Clients, &[("Clients", page.href("clients"))], title)
}

fn labels(client: &Client, full: bool) -> Vec<Label> {
    let enabled = match (client.enabled, full) {
        (false, _) => Some(Label::new("Disabled", "neutral")),
        (true, true) => Some(Label::new("Enabled", "success")),
        (true, false) => None,
    };
    let kind = match client.kind {
        ClientType::Confidential => Label::new("Confidential", "neutral"),
        ClientType::Public => Label::new("Public", "info"),
    };
    let own = client.is_builtin().then(|| Label::new("Built in", "accent"));
    enabled.into_iter().chain([kind]).chain(own).collect()
}

/// How a client gets its tokens, in a few words.
fn grants(client: &Client) -> String {
    let browser = match (client.allows(GrantType::AuthorizationCode), client.allows(GrantType::RefreshToken)) {
        (true, true) => Some("Browser, stays signed in"),
        (true, false) => Some("Browser"),
        (false, _) => None,
    };
    let itself = client.allows(GrantType::ClientCredentials).then_some("As itself");
    let parts: Vec<&str> = browser.into_iter().chain(itself).collect();
    parts.join("; ")
}

/// Where a client's users return to: the first host, and how many addresses more.
fn redirects(client: &Client) -> Option<String> {
    let first = client.redirect_uris.first()?;
    let host =
        first.split_once("://").map_or(first.as_str(), |(_, rest)| rest.split(['/', '?']).next().unwrap_or(rest));
    let more = client.redirect_uris.len() - 1;
    Some(if more == 0 { host.to_owned() } else { format!("{host} and {more} more") })
}

async fn list(page: ConsoleCx, Asked(asked): Asked) -> Answer {
    let after = Cursor::decode(asked.text("cursor")).ok();
    let found = clients::list(page.app(), page.cx(), page.may()?, after, PAGE).await?;
    let row = |client: &Client| Row {
        href: href(&page, client.id),
        name: client.name.clone(),
        client_id: client.client_id.clone(),
        enabled: client.enabled,
        labels: labels(client, false),
        grants: grants(client),
        redirects: redirects(client),
        created_at: page.time(client.created_at),
    };
    let next = found.next.map(|cursor| format!("{}{}", page.href("clients"), query(&[("cursor", &cursor.encode())])));
    let content = ListPage {
        clients: found.items.iter().map(row).collect(),
        page: Pager { summary: count(found.total.count, "client", "clients"), prev_href: None, next_href: next },
    };
    page.page("console/clients/list.html", At::top(Section::Clients, "Clients"), &content)
}

async fn new(page: ConsoleCx) -> Answer {
    page.may::<ClientsWrite>()?;
    form(&page, Values::new(), Errors::new())
}

fn form(page: &ConsoleCx, values: Values, errors: Errors) -> Answer {
    let content = FormPage { values, errors };
    let (template, at) = ("console/clients/new.html", at(page, "Create client"));
    if content.errors.is_empty() { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

async fn create(page: ConsoleCx, Posted(typed): Posted) -> Answer {
    let proof = page.may()?;
    let Some(kind) = ClientType::from_name(typed.text("type")) else {
        return form(&page, Values::typed(&typed), Errors::from([("type".to_owned(), "Choose one.".to_owned())]));
    };
    let input = ClientInput { client_id: typed.given("client_id"), kind: Some(kind), ..input(&typed) };
    match clients::create(page.app(), page.cx(), proof, input).await {
        Ok((client, Some(secret))) => {
            show_page(&page, &client, client.version, Values::of(&client), Errors::new(), Some(&secret))
        }
        Ok((client, None)) => page.done(&href(&page, client.id), format!("{} is created.", client.name)),
        Err(error) => form(&page, Values::typed(&typed), mendable_in(error, &SHOWN)?),
    }
}

fn show_page(
    page: &ConsoleCx,
    client: &Client,
    version: i64,
    values: Values,
    errors: Errors,
    secret: Option<&Secret>,
) -> Answer {
    let issuer = page.realm().issuer.clone();
    let own = client.is_builtin();
    let fine = errors.is_empty();
    let content = ShowPage {
        version: version.to_string(),
        client: ClientView {
            href: href(page, client.id),
            name: client.name.clone(),
            client_id: client.client_id.clone(),
            discovery: format!("{issuer}/.well-known/openid-configuration"),
            issuer,
            confidential: client.kind == ClientType::Confidential,
            created_at: page.time(client.created_at),
            editable: page.can().clients_write && !own,
            deletable: !own,
            labels: labels(client, true),
        },
        secret: secret.map(|secret| ShownSecret {
            label: "Client secret",
            value: secret.expose().to_owned(),
            warning: "It is shown this once. Store it in the application's configuration now.",
        }),
        values,
        errors,
    };
    let (template, at) = ("console/clients/show.html", at(page, &client.name));
    if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

async fn show(page: ConsoleCx, Which(id): Which) -> Answer {
    let client = clients::get(page.app(), page.cx(), page.may()?, id).await?;
    show_page(&page, &client, client.version, Values::of(&client), Errors::new(), None)
}

async fn save(page: ConsoleCx, Which(id): Which, Posted(typed): Posted) -> Answer {
    let (app, cx) = (page.app(), page.cx());
    let input = ClientInput { enabled: Some(typed.ticked("enabled")), ..input(&typed) };
    match clients::update(app, cx, page.may()?, id, input, typed.version()).await {
        Ok(client) => page.done(&href(&page, id), format!("{} is saved.", client.name)),
        Err(error) => {
            let errors = mendable_in(error, &SHOWN)?;
            let client = clients::get(app, cx, page.may()?, id).await?;
            let mut values = Values::typed(&typed);
            (values.client_id, values.kind) = (client.client_id.clone(), client.kind.to_string());
            // The version typed over stays, or a conflict would go unnoticed at the next try.
            show_page(&page, &client, typed.version().unwrap_or(client.version), values, errors, None)
        }
    }
}

fn below(page: &ConsoleCx, client: &Client, title: &str) -> At {
    let above = [("Clients", page.href("clients")), (client.name.as_str(), href(page, client.id))];
    At::under(Section::Clients, &above, title)
}

async fn confirm_secret(page: ConsoleCx, Which(id): Which) -> Answer {
    page.may::<ClientsWrite>()?;
    ask_secret(&page, id, Errors::new()).await
}

async fn ask_secret(page: &ConsoleCx, id: ClientRowId, errors: Errors) -> Answer {
    let client = clients::get(page.app(), page.cx(), page.may()?, id).await?;
    let confirm = Confirm {
        title: format!("Make a new secret for {}?", client.name),
        lead: "The present secret stops working at once.".to_owned(),
        facts: vec![format!("{} cannot sign anybody in until it has the new one.", client.name)],
        action: format!("{}/secret", href(page, id)),
        submit: "Make a new secret",
        danger: true,
        cancel_href: href(page, id),
        fields: Vec::new(),
    };
    confirm.ask(page, below(page, &client, "New secret"), errors)
}

async fn renew_secret(page: ConsoleCx, Which(id): Which) -> Answer {
    match clients::regenerate_secret(page.app(), page.cx(), page.may()?, id).await {
        Ok((client, secret)) => {
            show_page(&page, &client, client.version, Values::of(&client), Errors::new(), Some(&secret))
        }
        Err(error) => ask_secret(&page, id, mendable_in(error, &[])?).await,
    }
}

async fn confirm_delete(page: ConsoleCx, Which(id): Which) -> Answer {
    page.may::<ClientsWrite>()?;
    ask_delete(&page, id, Errors::new()).await
}

async fn ask_delete(page: &ConsoleCx, id: ClientRowId, errors: Errors) -> Answer {
    let client = clients::get(page.app(), page.cx(), page.may()?, id).await?;
    let confirm = Confirm {
        title: format!("Delete {}?", client.name),
        lead: "Nobody can sign in to it any more. This is final.".to_owned(),
        facts: vec!["Its refresh tokens stop working.".to_owned()],
        action: format!("{}/delete", href(page, id)),
        submit: "Delete client",
        danger: true,
        cancel_href: href(page, id),
        fields: Vec::new(),
    };
    confirm.ask(page, below(page, &client, "Delete"), errors)
}

async fn delete(page: ConsoleCx, Which(id): Which) -> Answer {
    match clients::delete(page.app(), page.cx(), page.may()?, id, None).await {
        Ok(()) => page.done(&page.href("clients"), "The client is deleted."),
        Err(error) => ask_delete(&page, id, mendable_in(error, &[])?).await,
    }
}
