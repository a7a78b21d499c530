//! Saved views above the list, and the dialogs that save, rename and delete them.

use axum::{
    Router,
    extract::FromRequestParts,
    routing::{get, post},
};
use denizen_model::{SavedViewId, permissions::markers::UsersRead, saved_views::SavedView};
use denizen_ops::saved_views::{self, ViewPatch};
use http::request::Parts;
use serde::Serialize;

use super::state::{Place, Read, State};
use crate::{
    Web,
    console::{
        Answer, PageError,
        forms::{Asked, Errors, Fields, Posted, mendable_in},
        frame::{At, ConsoleCx, Section},
        users::{
            confirm::{Confirm, Field},
            path_id,
        },
    },
};

pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/admin/{realm}/users/views", post(create))
        .route("/admin/{realm}/users/views/new", get(new))
        .route("/admin/{realm}/users/views/{view}", get(edit).post(save))
        .route("/admin/{realm}/users/views/{view}/query", post(replace))
        .route("/admin/{realm}/users/views/{view}/delete", get(confirm_delete).post(delete))
}

/// Views that everybody has.
const BUILT_IN: &[(&str, &str)] = &[
    ("All users", ""),
    ("Disabled", "status=disabled"),
    ("Never signed in", "last_sign_in=never"),
    ("Administrators", "admin=true&sort=-role"),
];

/// What stands above the list.
#[derive(Serialize)]
pub(super) struct Views {
    tabs: Vec<Tab>,
    /// Where what is shown now is saved under a new name.
    save_href: Option<String>,
    active: Option<Active>,
}

#[derive(Serialize)]
struct Tab {
    label: String,
    href: String,
    current: bool,
    /// Who shares it, when it is somebody else's.
    by: Option<String>,
    shared: bool,
}

/// The saved view that is open.
#[derive(Serialize)]
struct Active {
    name: String,
    /// What is shown now is not what was saved.
    changed: bool,
    /// Whether it is the actor's to change.
    mine: bool,
    href: String,
    update_href: String,
    edit_href: String,
    delete_href: String,
}

fn view_href(page: &ConsoleCx, id: SavedViewId) -> String {
    page.href(&format!("users/views/{id}"))
}

/// The list as a view shows it.
fn state_of(view: &SavedView) -> State {
    State { view: Some(view.id), ..State::of_query(&view.query) }
}

fn list_href(page: &ConsoleCx, view: &SavedView) -> String {
    state_of(view).href(page)
}

fn with_query(href: &str, query: &str) -> String {
    if query.is_empty() { href.to_owned() } else { format!("{href}?{query}") }
}

impl Views {
    pub(super) fn of(page: &ConsoleCx, state: &State, saved: Vec<SavedView>) -> Self {
        let me = page.user().id;
        let chosen = saved.iter().find(|view| Some(view.id) == state.view);
        let built_in =
            BUILT_IN.iter().position(|(_, query)| chosen.is_none() && state.shows_as(&State::of_query(query)));
        let alike = || saved.iter().find(|view| built_in.is_none() && state.shows_as(&state_of(view)));
        let open = chosen.or_else(alike);
        let fixed = BUILT_IN.iter().enumerate().map(|(at, (label, query))| Tab {
            label: (*label).to_owned(),
            href: State::of_query(query).href(page),
            current: built_in == Some(at),
            by: None,
            shared: false,
        });
        let tab = |view: &SavedView| Tab {
            label: view.name.clone(),
            href: list_href(page, view),
            current: open.is_some_and(|open| open.id == view.id),
            by: (view.owner_id != me).then(|| view.owner_name.clone()),
            shared: view.shared,
        };
        let query = state.view_query();
        let changed = open.is_some_and(|view| !state.shows_as(&state_of(view)));
        let active = open.map(|view| Active {
            name: view.name.clone(),
            changed,
            mine: saved_views::may_change(page.cx(), view),
            href: list_href(page, view),
            update_href: with_query(&format!("{}/query", view_href(page, view.id)), &query),
            edit_href: view_href(page, view.id),
            delete_href: format!("{}/delete", view_href(page, view.id)),
        });
        let new = built_in.is_none() && (open.is_none() || changed);
        Self {
            tabs: fixed.chain(saved.iter().map(tab)).collect(),
            save_href: new.then(|| with_query(&page.href("users/views/new"), &query)),
            active,
        }
    }
}

/// The `{view}` of the path.
struct Which(SavedViewId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "view").await?))
    }
}

fn at(page: &ConsoleCx, title: &str) -> At {
    At::under(Section::Users, &[("Users", page.href("users"))], title)
}

/// What the address of the list shows, wherever it was.
fn asked_state(asked: &Fields) -> State {
    State { place: Place::First, view: None, ..Read::of(asked).state }
}

const SHARE: &str = "Every administrator of this realm sees it.";

fn fields(name: &str, shared: bool) -> Vec<Field> {
    vec![
        Field::text("name", "Name", name, "", false),
        Field::tick("shared", "Share it in the realm", SHARE.to_owned(), shared),
    ]
}

async fn new(page: ConsoleCx, Asked(asked): Asked) -> Answer {
    page.may::<UsersRead>()?;
    ask_new(&page, &asked_state(&asked), &Fields::default(), Errors::new())
}

fn ask_new(page: &ConsoleCx, state: &State, typed: &Fields, errors: Errors) -> Answer {
    let confirm = Confirm {
        title: "Save view".to_owned(),
        lead: "It keeps the search, the filters, the order and the columns, not the users who match today.".to_owned(),
        facts: Vec::new(),
        action: with_query(&page.href("users/views"), &state.view_query()),
        submit: "Save view",
        danger: false,
        cancel_href: state.href(page),
        fields: fields(typed.text("name"), typed.ticked("shared")),
    };
    confirm.ask(page, at(page, "Save view"), errors)
}

async fn create(page: ConsoleCx, Asked(asked): Asked, Posted(typed): Posted) -> Answer {
    let state = asked_state(&asked);
    let (name, shared) = (typed.text("name"), typed.ticked("shared"));
    match saved_views::create(page.app(), page.cx(), page.may()?, name, &state.view_query(), shared).await {
        Ok(view) => page.done(&list_href(&page, &view), format!("The view {} is saved.", view.name)),
        Err(error) => ask_new(&page, &state, &typed, mendable_in(error, &["name"])?),
    }
}

fn ask_edit(page: &ConsoleCx, view: &SavedView, name: &str, shared: bool, version: i64, errors: Errors) -> Answer {
    let mut fields = fields(name, shared);
    fields.push(Field::hidden("version", &version.to_string()));
    let whose = (view.owner_id != page.user().id).then(|| format!("{} saved it.", view.owner_name));
    let confirm = Confirm {
        title: format!("Change the view {}", view.name),
        lead: "Everything else about it stays as it is.".to_owned(),
        facts: whose.into_iter().collect(),
        action: view_href(page, view.id),
        submit: "Save changes",
        danger: false,
        cancel_href: list_href(page, view),
        fields,
    };
    confirm.ask(page, at(page, "Change view"), errors)
}

async fn edit(page: ConsoleCx, Which(id): Which) -> Answer {
    let view = saved_views::get(page.app(), page.cx(), page.may()?, id).await?;
    ask_edit(&page, &view, &view.name, view.shared, view.version, Errors::new())
}

async fn save(page: ConsoleCx, Which(id): Which, Posted(typed): Posted) -> Answer {
    let (name, shared) = (typed.text("name"), typed.ticked("shared"));
    let patch = ViewPatch { name: Some(name.to_owned()), shared: Some(shared), query: None };
    match saved_views::update(page.app(), page.cx(), page.may()?, id, patch, typed.version()).await {
        Ok(view) => page.done(&list_href(&page, &view), format!("The view {} is saved.", view.name)),
        Err(error) => {
            let errors = mendable_in(error, &["name"])?;
            let view = saved_views::get(page.app(), page.cx(), page.may()?, id).await?;
            ask_edit(&page, &view, name, shared, typed.version().unwrap_or(view.version), errors)
        }
    }
}

/// Has a view show what the list shows now.
async fn replace(page: ConsoleCx, Which(id): Which, Asked(asked): Asked) -> Answer {
    let state = asked_state(&asked);
    let patch = ViewPatch { query: Some(state.view_query()), ..ViewPatch::default() };
    let result = saved_views::update(page.app(), page.cx(), page.may()?, id, patch, None).await;
    let text = result.as_ref().map_or(String::new(), |view| format!("The view {} is updated.", view.name));
    page.outcome(result, &State { view: Some(id), ..state }.href(&page), text)
}

async fn confirm_delete(page: ConsoleCx, Which(id): Which) -> Answer {
    ask_delete(&page, id, Errors::new()).await
}

async fn ask_delete(page: &ConsoleCx, id: SavedViewId, errors: Errors) -> Answer {
    let view = saved_views::get(page.app(), page.cx(), page.may()?, id).await?;
    let shared = view.shared.then(|| "It is gone for every administrator of this realm.".to_owned());
    let confirm = Confirm {
        title: format!("Delete the view {}?", view.name),
        lead: "The users that it lists stay as they are.".to_owned(),
        facts: shared.into_iter().collect(),
        action: format!("{}/delete", view_href(page, id)),
        submit: "Delete view",
        danger: true,
        cancel_href: list_href(page, &view),
        fields: Vec::new(),
    };
    confirm.ask(page, at(page, "Delete view"), errors)
}

async fn delete(page: ConsoleCx, Which(id): Which) -> Answer {
    match saved_views::delete(page.app(), page.cx(), page.may()?, id, None).await {
        Ok(()) => page.done(&page.href("users"), "The view is deleted."),
        Err(error) => ask_delete(&page, id, mendable_in(error, &[])?).await,
    }
}
