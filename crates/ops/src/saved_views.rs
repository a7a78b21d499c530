//! Saved views of the list of users: an administrator's own, and those shared in the realm (PRODUCT §4).
//!
//! A view changes nothing about anybody, so whoever may see users may save one. A shared one is changed by its
//! owner, or by whoever may change the realm's settings; one that is not shared exists for its owner alone.

use denizen_model::{
    RealmId, SavedViewId, Timestamp, UserId,
    events::{EventType, SubjectKind, SubjectRef},
    permissions::{Permission, markers::UsersRead},
    saved_views::{MAX_SHARED_VIEWS, MAX_VIEWS, SavedView, check_view},
    users::{COLUMNS_PARAMETER, UserColumn},
    validation::FieldErrors,
};
use denizen_store::{self as store, Events, ReadTx};
use serde_json::json;

use crate::{
    App, Cx, Error, May, Result,
    cx::Detail,
    users::{Asked, understand},
};

/// What to change about a view: `None` leaves a field.
#[derive(Debug, Clone, Default)]
pub struct ViewPatch {
    /// Its name.
    pub name: Option<String>,
    /// The list's query string.
    pub query: Option<String>,
    /// Whether every administrator of the realm sees it.
    pub shared: Option<bool>,
}

fn subject(view: &SavedView) -> SubjectRef {
    SubjectRef { kind: SubjectKind::SavedView, id: view.id.to_string(), name: view.name.clone() }
}

fn get_in(tx: &mut ReadTx<'_>, realm: RealmId, id: SavedViewId, who: UserId) -> Result<SavedView> {
    store::saved_views::find(tx, realm, id, who)?.ok_or_else(|| Error::not_found("view"))
}

/// Whether the actor may change a view that they see.
#[must_use]
pub fn may_change(cx: &Cx, view: &SavedView) -> bool {
    cx.administrator().is_ok_and(|admin| admin.id == view.owner_id)
        || cx.holds(view.realm_id).contains(Permission::SettingsWrite)
}

fn check_may_change(cx: &Cx, view: &SavedView) -> Result<()> {
    match may_change(cx, view) {
        true => Ok(()),
        false => Err(Error::refused(
            "Only whoever saved this view, or an administrator who may change the realm's settings, can change it.",
        )),
    }
}

/// Reads a view's query string: the list's parameters and its columns.
///
/// # Errors
/// What is wrong with each parameter.
pub fn read_query(query: &str) -> std::result::Result<(Asked, Option<Vec<UserColumn>>), FieldErrors> {
    let pairs: Vec<(String, String)> = url_pairs(query);
    let mut errors = FieldErrors::new();
    let mut columns = None;
    let mut rest = Vec::new();
    for (name, value) in &pairs {
        match name.as_str() {
            COLUMNS_PARAMETER => match UserColumn::read_all(value) {
                Ok(read) => columns = Some(read),
                Err(message) => errors.add(COLUMNS_PARAMETER, message),
            },
            "cursor" | "limit" => errors.add(name, "A view has no place."),
            _ => rest.push((name.as_str(), value.as_str())),
        }
    }
    match Asked::read(rest) {
        Ok(asked) if errors.is_empty() => Ok((asked.untyped(), columns)),
        Ok(_) => Err(errors),
        Err(more) => {
            more.iter().for_each(|(field, message)| errors.add(field, message));
            Err(errors)
        }
    }
}

/// A view's query string.
#[must_use]
pub fn write_query(asked: &Asked, columns: Option<&[UserColumn]>) -> String {
    let mut out = form_urlencoded::Serializer::new(String::new());
    out.extend_pairs(asked.view());
    if let Some(columns) = columns {
        out.append_pair(COLUMNS_PARAMETER, &UserColumn::write_all(columns));
    }
    out.finish()
}

fn url_pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// The query as it is kept; or an error that names the parameter.
fn check_query(tx: &mut ReadTx<'_>, realm: RealmId, now: Timestamp, query: &str) -> Result<String> {
    let named = |errors: &FieldErrors| {
        let all: Vec<String> = errors.iter().map(|(field, message)| format!("{field}: {message}")).collect();
        Error::field("query", all.join(" "))
    };
    if query.contains(['\0', '\u{fffd}']) {
        return Err(Error::field("query", "Must be valid text."));
    }
    let (asked, columns) = read_query(query).map_err(|errors| named(&errors))?;
    understand(tx, realm, now, &asked).map_err(|error| match &*error.kind {
        crate::ErrorKind::Invalid(errors) => named(errors),
        _ => error,
    })?;
    Ok(write_query(&asked, columns.as_deref()))
}

fn check(view: &SavedView) -> Result<()> {
    let mut errors = FieldErrors::new();
    check_view(&view.name, &view.query, &mut errors);
    Ok(errors.into_result()?)
}

fn check_shared_limit(tx: &mut ReadTx<'_>, realm: RealmId) -> Result<()> {
    match store::saved_views::count_shared(tx, realm)? {
        count if count >= MAX_SHARED_VIEWS => Err(Error::field(
            "shared",
            format!("{MAX_SHARED_VIEWS} views are shared in this realm, which is the most."),
        )),
        _ => Ok(()),
    }
}

/// The views that the actor sees: their own, then those that others share, each by name.
///
/// # Errors
/// When the database fails.
pub async fn list(app: &App, cx: &Cx, may: May<UsersRead>) -> Result<Vec<SavedView>> {
    let (realm, who) = (may.realm(), cx.administrator()?.id);
    app.db().peek(move |tx| Ok(store::saved_views::list(tx, realm, who)?)).await
}

/// One view.
///
/// # Errors
/// When there is none of this id that the actor sees.
pub async fn get(app: &App, cx: &Cx, may: May<UsersRead>, id: SavedViewId) -> Result<SavedView> {
    let (realm, who) = (may.realm(), cx.administrator()?.id);
    app.db().peek(move |tx| get_in(tx, realm, id, who)).await
}

/// Saves a view.
///
/// # Errors
/// When the name or the query is not acceptable, the name is taken, or there are too many.
pub async fn create(
    app: &App,
    cx: &Cx,
    may: May<UsersRead>,
    name: &str,
    query: &str,
    shared: bool,
) -> Result<SavedView> {
    let admin = cx.administrator()?;
    let view = SavedView {
        id: SavedViewId::new(cx.now, app.id_bytes()),
        realm_id: may.realm(),
        owner_id: admin.id,
        owner_name: admin.name.clone(),
        name: name.trim().to_owned(),
        query: query.to_owned(),
        shared,
        created_at: cx.now,
        updated_at: cx.now,
        version: 1,
    };
    check(&view)?;
    let (app2, cx2) = (app.clone(), cx.clone());
    app.write(cx, move |mut tx| {
        let mut view = view.clone();
        view.query = check_query(&mut tx, view.realm_id, cx2.now, &view.query)?;
        if store::saved_views::count_own(&mut tx, view.realm_id, view.owner_id)? >= MAX_VIEWS {
            return Err(Error::field(
                "name",
                format!("You have {MAX_VIEWS} views, which is the most. Delete one first."),
            ));
        }
        if view.shared {
            check_shared_limit(&mut tx, view.realm_id)?;
        }
        store::saved_views::insert(&mut tx, &view)?;
        let event =
            cx2.event(&app2, view.realm_id, EventType::SavedViewCreated, subject(&view)).detail("shared", view.shared);
        Ok(tx.commit(Events::from(event), view)?)
    })
    .await
}

/// Renames a view, shares it, or has it show something else.
///
/// # Errors
/// When there is none of this id that the actor sees, it is not theirs to change, what is given is not acceptable, or
/// it was changed in the meantime.
pub async fn update(
    app: &App,
    cx: &Cx,
    may: May<UsersRead>,
    id: SavedViewId,
    patch: ViewPatch,
    if_version: Option<i64>,
) -> Result<SavedView> {
    let (app2, cx2, realm, who) = (app.clone(), cx.clone(), may.realm(), cx.administrator()?.id);
    app.write(cx, move |mut tx| {
        let before = get_in(&mut tx, realm, id, who)?;
        check_may_change(&cx2, &before)?;
        if if_version.is_some_and(|version| version != before.version) {
            return Err(Error::changed());
        }
        let mut view = before.clone();
        view.name = patch.name.as_deref().map_or(view.name, |name| name.trim().to_owned());
        view.shared = patch.shared.unwrap_or(view.shared);
        view.query = patch.query.clone().unwrap_or(view.query);
        check(&view)?;
        if patch.query.is_some() {
            view.query = check_query(&mut tx, realm, cx2.now, &view.query)?;
        }
        if view == before {
            return Ok(tx.unaudited("nothing was changed", view)?);
        }
        if view.shared && !before.shared {
            check_shared_limit(&mut tx, realm)?;
        }
        if !store::saved_views::update(&mut tx, &view, cx2.now)? {
            return Err(Error::changed());
        }
        (view.version, view.updated_at) = (before.version + 1, cx2.now);
        // What was searched for may be somebody's address: the log says only that it was changed.
        let facts = |view: &SavedView| json!({"name": view.name, "shared": view.shared});
        let event = cx2
            .event(&app2, realm, EventType::SavedViewUpdated, subject(&view))
            .detail("before", facts(&before))
            .detail("after", facts(&view))
            .detail("query_changed", view.query != before.query);
        Ok(tx.commit(Events::from(event), view)?)
    })
    .await
}

/// Deletes a view.
///
/// # Errors
/// When there is none of this id that the actor sees, it is not theirs to change, or it was changed in the meantime.
pub async fn delete(app: &App, cx: &Cx, may: May<UsersRead>, id: SavedViewId, if_version: Option<i64>) -> Result<()> {
    let (app2, cx2, realm, who) = (app.clone(), cx.clone(), may.realm(), cx.administrator()?.id);
    app.write(cx, move |mut tx| {
        let view = get_in(&mut tx, realm, id, who)?;
        check_may_change(&cx2, &view)?;
        if if_version.is_some_and(|version| version != view.version) {
            return Err(Error::changed());
        }
        store::saved_views::delete(&mut tx, realm, id)?;
        let event = cx2.event(&app2, realm, EventType::SavedViewDeleted, subject(&view)).detail("shared", view.shared);
        Ok(tx.commit(Events::from(event), ())?)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_views_query_survives_and_has_no_place() {
        let text = "q=ana&group=Beta+testers&group=A%26B&sort=-name&columns=email%2Ccreated_at";
        let (asked, columns) = read_query(text).unwrap();
        assert_eq!(write_query(&asked, columns.as_deref()), text);
        let (typed, _) = read_query("q=status%3Adisabled+ana").unwrap();
        assert_eq!(write_query(&typed, None), "q=ana&status=disabled");
        for (wrong, field) in
            [("cursor=6e", "cursor"), ("limit=5", "limit"), ("columns=x", "columns"), ("statsu=a", "statsu")]
        {
            let errors = read_query(wrong).unwrap_err();
            assert_eq!(errors.iter().map(|(field, _)| field).collect::<Vec<_>>(), [field]);
        }
    }
}
