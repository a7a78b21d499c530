//! What stands around every console page, and the way in: who asks, in which realm, with which permissions.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    extract::{FromRequestParts, Path, Request, State},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use denizen_model::{
    RealmId, Timestamp,
    permissions::{Permission, PermissionMarker, PermissionSet},
    realms::{MAIN_REALM, Realm, RealmSettings},
    sessions::Session,
    users::User,
};
use denizen_ops::{Actor, App, Cx, Error, ErrorKind, May, RealmState, sessions};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use serde::Serialize;

use super::{
    Answer, PageError, cookies, errors,
    flash::{self, Flash},
    sign_in,
    words::role_label,
};
use crate::{
    Web,
    card::{self, see_other, with_cookie},
    cx::Anonymous,
    render::{TimeView, VERSION, initials},
};

/// Everything a console handler works with. Cheap to clone.
#[derive(Clone)]
pub(super) struct ConsoleCx {
    inner: Arc<Inner>,
}

struct Inner {
    web: Web,
    cx: Cx,
    realm: Arc<RealmState>,
    realms: Vec<Realm>,
    user: User,
    session: Session,
    base: String,
    flash: Option<Flash>,
    flash_shown: AtomicBool,
}

/// The parts of the console that the navigation names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Users,
    Organizations,
    Groups,
    Roles,
    Clients,
    Messages,
    Audit,
    Settings,
    /// Realms are reached by the realm switcher.
    Realms,
    /// Pages that belong nowhere.
    Nowhere,
}

impl Section {
    /// What the navigation lists: section, path and icon, name, and what one must hold to see it.
    const LISTED: [(Self, &'static str, &'static str, Permission); 8] = [
        (Self::Users, "users", "Users", Permission::UsersRead),
        (Self::Organizations, "organizations", "Organizations", Permission::OrganizationsRead),
        (Self::Groups, "groups", "Groups", Permission::GroupsRead),
        (Self::Roles, "roles", "Roles", Permission::RolesRead),
        (Self::Clients, "clients", "Clients", Permission::ClientsRead),
        (Self::Messages, "messages", "Messages", Permission::SettingsRead),
        (Self::Audit, "audit", "Audit", Permission::AuditRead),
        (Self::Settings, "settings", "Settings", Permission::SettingsRead),
    ];

    /// The pages of the navigation that the actor may see: path (and icon) with its name.
    pub(super) fn seen_by(held: PermissionSet) -> impl Iterator<Item = (Self, &'static str, &'static str)> {
        let seen = Self::LISTED.into_iter().filter(move |(.., permission)| held.contains(*permission));
        seen.map(|(section, path, label, _)| (section, path, label))
    }
}

/// Where a page is.
pub(super) struct At {
    section: Section,
    title: String,
    crumbs: Vec<Crumb>,
}

impl At {
    /// The page that a section begins with.
    pub(super) fn top(section: Section, title: &str) -> Self {
        Self { section, title: title.to_owned(), crumbs: vec![Crumb { label: title.to_owned(), href: None }] }
    }

    /// A page under it: the names and addresses of the pages above, then its own title.
    pub(super) fn under(section: Section, above: &[(&str, String)], title: impl Into<String>) -> Self {
        let title = title.into();
        let above = above.iter().map(|(label, href)| Crumb { label: (*label).to_owned(), href: Some(href.clone()) });
        let crumbs = above.chain([Crumb { label: title.clone(), href: None }]).collect();
        Self { section, title, crumbs }
    }
}

/// Serializes to the `frame` of every console template.
#[derive(Debug, Serialize)]
pub(super) struct Frame {
    title: String,
    realm: RealmName,
    realms: Vec<RealmChoice>,
    admin: AdminView,
    account_href: String,
    sign_out_href: String,
    nav: Vec<NavItem>,
    crumbs: Vec<Crumb>,
    demo: Option<String>,
    flash: Option<Flash>,
    can: Can,
    version: &'static str,
}

#[derive(Debug, Serialize)]
struct RealmName {
    slug: String,
    name: String,
}

#[derive(Debug, Serialize)]
struct RealmChoice {
    slug: String,
    name: String,
    current: bool,
}

#[derive(Debug, Serialize)]
struct AdminView {
    name: String,
    email: String,
    initials: String,
    role: &'static str,
}

#[derive(Debug, Serialize)]
struct NavItem {
    id: &'static str,
    label: &'static str,
    icon: &'static str,
    href: String,
    current: bool,
}

#[derive(Debug, Serialize)]
struct Crumb {
    label: String,
    href: Option<String>,
}

/// What the signed-in administrator may do here, for showing or hiding what leads to it.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Can {
    pub(super) users_write: bool,
    pub(super) users_delete: bool,
    pub(super) credentials_reset: bool,
    pub(super) credentials_set: bool,
    pub(super) credentials_reveal: bool,
    pub(super) sessions_revoke: bool,
    pub(super) roles_write: bool,
    pub(super) roles_assign: bool,
    pub(super) groups_write: bool,
    pub(super) organizations_write: bool,
    pub(super) clients_write: bool,
    pub(super) audit_read: bool,
    pub(super) settings_write: bool,
    pub(super) admins_manage: bool,
    pub(super) realms_manage: bool,
}

#[derive(Serialize)]
struct Page<'a, T> {
    frame: Frame,
    base: &'a str,
    #[serde(flatten)]
    content: &'a T,
}

impl ConsoleCx {
    pub(super) fn app(&self) -> &App {
        &self.inner.web.app
    }

    pub(super) fn web(&self) -> &Web {
        &self.inner.web
    }

    pub(super) fn cx(&self) -> &Cx {
        &self.inner.cx
    }

    pub(super) fn now(&self) -> Timestamp {
        self.inner.cx.now
    }

    pub(super) fn realm(&self) -> &RealmState {
        &self.inner.realm
    }

    pub(super) fn settings(&self) -> &RealmSettings {
        &self.inner.realm.realm.settings
    }

    pub(super) fn realm_id(&self) -> RealmId {
        self.inner.realm.realm.id
    }

    /// The realms the actor administers.
    pub(super) fn realms(&self) -> &[Realm] {
        &self.inner.realms
    }

    /// The administrator's own record and session.
    pub(super) fn user(&self) -> &User {
        &self.inner.user
    }

    pub(super) fn session(&self) -> &Session {
        &self.inner.session
    }

    /// An address under `/admin/{realm}/`.
    pub(super) fn href(&self, path: &str) -> String {
        format!("{}/{path}", self.inner.base)
    }

    /// The proof that an operation asks for, in this realm.
    pub(super) fn may<P: PermissionMarker>(&self) -> Result<May<P>, Error> {
        self.inner.cx.may(self.realm_id())
    }

    /// What the actor holds in this realm.
    pub(super) fn holds(&self) -> PermissionSet {
        self.inner.cx.holds(self.realm_id())
    }

    /// The main realm, when the actor administers it.
    pub(super) fn main_realm(&self) -> Option<RealmId> {
        self.inner.realms.iter().find(|realm| realm.slug == MAIN_REALM).map(|realm| realm.id)
    }

    pub(super) fn can(&self) -> Can {
        let held = self.holds();
        let main = self.main_realm().map_or(PermissionSet::NONE, |main| self.inner.cx.holds(main));
        Can {
            users_write: held.contains(Permission::UsersWrite),
            users_delete: held.contains(Permission::UsersDelete),
            credentials_reset: held.contains(Permission::CredentialsReset),
            credentials_set: held.contains(Permission::CredentialsSet),
            credentials_reveal: held.contains(Permission::CredentialsReveal),
            sessions_revoke: held.contains(Permission::SessionsRevoke),
            roles_write: held.contains(Permission::RolesWrite),
            roles_assign: held.contains(Permission::RolesAssign),
            groups_write: held.contains(Permission::GroupsWrite),
            organizations_write: held.contains(Permission::OrganizationsWrite),
            clients_write: held.contains(Permission::ClientsWrite),
            audit_read: held.contains(Permission::AuditRead),
            settings_write: held.contains(Permission::SettingsWrite),
            admins_manage: held.contains(Permission::AdminsManage),
            realms_manage: main.contains(Permission::RealmsManage),
        }
    }

    /// A time as this request sees it.
    pub(super) fn time(&self, at: Timestamp) -> TimeView {
        TimeView::new(at, self.now())
    }

    /// A time that may not have come.
    pub(super) fn time_opt(&self, at: Option<Timestamp>) -> Option<TimeView> {
        at.map(|at| self.time(at))
    }

    /// The slug of the realm that the administrator's own account is in.
    fn home_slug(&self) -> &str {
        let home = self.inner.realms.iter().find(|realm| realm.id == self.inner.user.realm_id);
        home.map_or(self.inner.realm.realm.slug.as_str(), |realm| &realm.slug)
    }

    /// Where a session ends: its realm's page that says so.
    pub(super) fn signed_out_href(&self) -> String {
        format!("/realms/{}/signed-out", self.home_slug())
    }

    fn frame(&self, at: At, flash: Option<Flash>) -> Frame {
        let current = &self.inner.realm.realm;
        let realms = self.inner.realms.iter().map(|realm| RealmChoice {
            slug: realm.slug.clone(),
            name: realm.display_name.clone(),
            current: realm.id == current.id,
        });
        let nav = Section::seen_by(self.holds()).map(|(section, path, label)| NavItem {
            id: path,
            label,
            icon: path,
            href: self.href(path),
            current: section == at.section,
        });
        let user = &self.inner.user;
        let role = self.inner.cx.administrator().ok().and_then(|admin| {
            let here = admin.grants.iter().filter(|grant| grant.realm_id.is_none_or(|scope| scope == current.id));
            here.map(|grant| grant.role).min()
        });
        Frame {
            realm: RealmName { slug: current.slug.clone(), name: current.display_name.clone() },
            realms: realms.collect(),
            admin: AdminView {
                name: user.display_name().to_owned(),
                email: user.email.clone().unwrap_or_else(|| user.username.clone()),
                initials: initials(user.display_name()),
                role: role.map_or("Administrator", role_label),
            },
            account_href: format!("/realms/{}/account", self.home_slug()),
            sign_out_href: self.href("sign-out"),
            nav: nav.collect(),
            title: at.title,
            crumbs: at.crumbs,
            demo: self.inner.web.demo.as_ref().map(|banner| banner.text.clone()),
            flash,
            can: self.can(),
            version: VERSION,
        }
    }

    fn render(&self, status: StatusCode, template: &str, frame: Frame, content: &impl Serialize) -> Answer {
        let page = Page { frame, base: &self.inner.base, content };
        let html = self.inner.web.templates.render(template, &page)?;
        Ok((status, Html(html)).into_response())
    }

    /// A page, with the message that waits for the next page.
    pub(super) fn page(&self, template: &str, at: At, content: &impl Serialize) -> Answer {
        self.page_with(StatusCode::OK, template, at, content)
    }

    /// A page with another status.
    pub(super) fn page_with(&self, status: StatusCode, template: &str, at: At, content: &impl Serialize) -> Answer {
        self.inner.flash_shown.store(true, Ordering::Relaxed);
        let frame = self.frame(at, self.inner.flash.clone());
        self.render(status, template, frame, content)
    }

    /// A form that could not be taken as it is.
    pub(super) fn refused(&self, template: &str, at: At, content: &impl Serialize) -> Answer {
        self.page_with(StatusCode::UNPROCESSABLE_ENTITY, template, at, content)
    }

    /// Part of a page; a message that waits goes on waiting.
    pub(super) fn part(&self, template: &str, at: At, content: &impl Serialize) -> Answer {
        let frame = self.frame(at, None);
        self.render(StatusCode::OK, template, frame, content)
    }

    /// On to another page, where `text` says what was done.
    pub(super) fn done(&self, href: &str, text: impl Into<String>) -> Answer {
        Ok(flash::leave(self.app(), see_other(href), &Flash::success(text)))
    }

    /// The outcome of a button that has no form of its own: what was done, or why it was not, on the next page.
    pub(super) fn outcome<T>(&self, result: Result<T, Error>, href: &str, text: impl Into<String>) -> Answer {
        match result {
            Ok(_) => self.done(href, text),
            Err(error) => match &*error.kind {
                ErrorKind::Conflict(_) | ErrorKind::Changed | ErrorKind::Forbidden(None) => {
                    Ok(flash::leave(self.app(), see_other(href), &Flash::danger(error.message)))
                }
                _ => Err(PageError::from(error).back_to(href)),
            },
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ConsoleCx {
    type Rejection = StatusCode;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        parts.extensions.get::<Self>().cloned().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The way in to everything under `/admin/{realm}`.
pub(super) async fn enter(
    State(web): State<Web>,
    Anonymous(cx): Anonymous,
    Path(parameters): Path<std::collections::HashMap<String, String>>,
    mut request: Request,
    next: Next,
) -> Response {
    let slug = parameters.get("realm").map_or("", String::as_str);
    let asked = Asked::of(&request);
    let page = match find(&web, &cx, slug, &asked, request.headers()).await {
        Ok(page) => page,
        Err(response) => return sealed_off(response),
    };
    let remembered = cookies::find(page.app(), request.headers(), cookies::REALM) == Some(slug);
    request.extensions_mut().insert(page.clone());
    let mut response = next.run(request).await;
    if let Some(failure) = response.extensions_mut().remove::<PageError>() {
        response = errors::page(&page, failure, &asked);
    }
    if page.inner.flash.is_some() && page.inner.flash_shown.load(Ordering::Relaxed) {
        response = with_cookie(response, cookies::forget(page.app(), cookies::FLASH));
    }
    if !remembered {
        response = with_cookie(response, cookies::set(page.app(), cookies::REALM, slug, Some(cookies::A_YEAR)));
    }
    sealed_off(response)
}

/// No console page is kept by a cache.
fn sealed_off(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What was asked for, as far as a way back to it matters.
pub(super) struct Asked {
    /// The page to come back to after a sign-in.
    pub(super) path: String,
    /// It was read, not posted to.
    page: bool,
    /// Asked for by a script, which cannot follow a redirect to sign in.
    background: bool,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let uri = request.uri();
        let page = request.method() == Method::GET;
        let path = match uri.path_and_query() {
            Some(whole) if page => whole.as_str(),
            _ => uri.path(),
        };
        let background = request.headers().contains_key("x-partial") || uri.path().ends_with("/palette");
        Self { path: path.to_owned(), page, background }
    }
}

async fn find(web: &Web, cx: &Cx, slug: &str, asked: &Asked, headers: &HeaderMap) -> Result<ConsoleCx, Response> {
    let failed = |error: &Error| card::error_page(web, error, cx.request_id, None);
    let realm = web.app.realm(slug).await.map_err(|error| failed(&error))?;
    let known = match cookies::find(&web.app, headers, cookies::SESSION) {
        Some(cookie) => sessions::find_console(&web.app, cookie, cx.now).await.map_err(|error| failed(&error))?,
        None => None,
    };
    let Some((admin, session, user)) = known else {
        if asked.background {
            return Err(StatusCode::UNAUTHORIZED.into_response());
        }
        // What was posted is lost; its address may have no page to come back to.
        let back = if asked.page { asked.path.clone() } else { format!("/admin/{slug}") };
        return Err(sign_in::start(web, cx, &realm, &back, sign_in::How::Plain));
    };
    if admin.permissions(realm.realm.id) == PermissionSet::NONE {
        return Err(errors::no_access(web, &realm));
    }
    let cx = cx.acting_as(Actor::Administrator(Box::new(admin)));
    let realms = denizen_ops::realms::list(&web.app, &cx).await.map_err(|error| failed(&error))?;
    let inner = Inner {
        base: format!("/admin/{}", realm.realm.slug),
        flash: flash::find(&web.app, headers),
        flash_shown: AtomicBool::new(false),
        web: web.clone(),
        cx,
        realm,
        realms,
        user,
        session,
    };
    Ok(ConsoleCx { inner: Arc::new(inner) })
}

/// `/admin/{realm}`: the users, or the first page the administrator may see.
pub(super) async fn home(page: ConsoleCx) -> Response {
    let first = Section::seen_by(page.holds()).map(|(_, path, _)| path).next();
    see_other(&page.href(first.unwrap_or("users")))
}

/// An address under `/admin/{realm}` where there is no page.
pub(super) async fn nothing_here() -> PageError {
    Error::not_found("page").into()
}
