//! What becomes of the rows of a piece, in its transaction.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    str::FromStr,
};

use denizen_model::{
    AuthenticatorId, UserId,
    authenticators::AuthenticatorType,
    events::{EventType, NewEvent},
    imports::{ImportMode, ImportOutcome, ImportUser},
    jobs::{ImportUsers, ItemOutcome, Job, JobItem},
    text::fold,
    users::{Facet, User, UserKind, check_user},
    validation::FieldErrors,
};
use denizen_store::{self as store, WriteTx, authenticators::StoredPassword, users::Tie};

use super::{
    NEEDED,
    prepare::{Prepared, Wanted, check_allowed, check_machine, of_import, patch},
};
use crate::{App, Cx, Error, RealmState, Result, admins, cx::Detail, users};

/// The longest reason in the report, in characters.
const MAX_REASON: usize = 1000;

/// What became of a piece.
#[derive(Default)]
pub(crate) struct Applied {
    /// How many rows had which outcome.
    pub(crate) counts: BTreeMap<&'static str, u32>,
    /// The events of what was changed.
    pub(crate) events: Vec<NewEvent>,
    /// Rows worth a line of the report.
    pub(crate) items: Vec<JobItem>,
}

impl Applied {
    /// How many rows had an outcome.
    pub(crate) fn count(&self, outcome: ImportOutcome) -> u32 {
        self.counts.get(outcome.as_str()).copied().unwrap_or(0)
    }
}

/// Applies the rows of a piece.
///
/// # Errors
/// When the database fails. What is wrong with a row is in the report.
pub(crate) fn apply(
    tx: &mut WriteTx<'_>,
    app: &App,
    cx: &Cx,
    job: &Job,
    import: &ImportUsers,
    realm: &RealmState,
    rows: &[Prepared],
) -> Result<Applied> {
    let allowed: Vec<&str> = NEEDED
        .iter()
        .filter(|permission| cx.check(realm.realm.id, **permission).is_ok())
        .map(|permission| permission.as_str())
        .filter(|name| import.allowed.iter().any(|allowed| allowed == name))
        .collect();
    let mut piece = Piece {
        app,
        cx,
        job,
        import,
        realm,
        allowed,
        names: BTreeMap::new(),
        existing: HashMap::new(),
        having_password: HashSet::new(),
        applied: Applied::default(),
    };
    let mut waiting = Vec::with_capacity(rows.len());
    for row in rows {
        match &row.wanted {
            Ok(wanted) => waiting.push((row, wanted)),
            Err(errors) => piece.reject(row, errors),
        }
    }
    piece.load(tx, &waiting)?;
    // Rows about the same user come one after the other, as in a file of two pieces.
    while !waiting.is_empty() {
        let mut seen = HashSet::new();
        let (now, later): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(_, wanted)| seen.insert(wanted.key.as_str()));
        piece.round(tx, &now)?;
        waiting = later;
    }
    piece.applied.items.sort_by_key(|item| item.position);
    Ok(piece.applied)
}

struct Piece<'p> {
    app: &'p App,
    cx: &'p Cx,
    job: &'p Job,
    import: &'p ImportUsers,
    realm: &'p RealmState,
    allowed: Vec<&'p str>,
    /// Roles, groups and organizations by folded name: id and name.
    names: BTreeMap<(Tie, String), (String, String)>,
    existing: HashMap<String, User>,
    having_password: HashSet<UserId>,
    applied: Applied,
}

/// Users by what they are to be tied to.
type Ties = BTreeMap<(Tie, String, String), Vec<UserId>>;

fn named(says: &ImportUser) -> impl Iterator<Item = (Tie, &'static str, &String)> {
    let roles = says.roles.iter().map(|name| (Tie::Role, "roles", name));
    let groups = says.groups.iter().map(|name| (Tie::Group, "groups", name));
    let organizations = says.organizations.iter().map(|name| (Tie::Organization, "organizations", name));
    roles.chain(groups).chain(organizations)
}

impl Piece<'_> {
    fn load(&mut self, tx: &mut WriteTx<'_>, rows: &[(&Prepared, &Wanted)]) -> Result<()> {
        let mut names: BTreeMap<Tie, Vec<&str>> = BTreeMap::new();
        for (tie, _, name) in rows.iter().flat_map(|(_, wanted)| named(&wanted.says)) {
            let names = names.entry(tie).or_default();
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        for (tie, names) in names {
            for (key, id, name) in store::users::list_named(tx, self.realm.realm.id, tie, &names)? {
                self.names.insert((tie, key), (id, name));
            }
        }
        let updates = self.import.mode == ImportMode::Upsert;
        if updates && rows.iter().any(|(_, wanted)| wanted.says.enabled.is_some()) {
            // Disabling looks at who else is an owner.
            store::realms::lock(tx, self.realm.realm.id)?;
        }
        let keys: Vec<&str> = rows.iter().map(|(_, wanted)| wanted.key.as_str()).collect();
        for user in store::users::list_by_usernames(tx, self.realm.realm.id, &keys)? {
            self.existing.insert(fold(&user.username), user);
        }
        if updates && rows.iter().any(|(_, wanted)| wanted.says.password_hash.is_some()) {
            let ids: Vec<UserId> = self.existing.values().map(|user| user.id).collect();
            self.having_password.extend(store::users::list_having_password(tx, &ids)?);
        }
        Ok(())
    }

    fn round(&mut self, tx: &mut WriteTx<'_>, rows: &[(&Prepared, &Wanted)]) -> Result<()> {
        let mut new = New::default();
        for (row, wanted) in rows {
            let mut errors = FieldErrors::new();
            check_allowed(&wanted.says, &|name| self.allowed.contains(&name), &mut errors);
            let ties = self.ties(&wanted.says, &mut errors);
            let existing = self.existing.get(&wanted.key).cloned();
            match existing {
                Some(user) if self.import.mode == ImportMode::Create => self.exists(row, &user),
                _ if !errors.is_empty() => self.reject(row, &errors),
                Some(user) => self.change(tx, row, wanted, user, &ties)?,
                None => match &wanted.new {
                    Err(errors) => self.reject(row, errors),
                    Ok(user) => self.create(row, wanted, user, ties, &mut new),
                },
            }
        }
        self.insert(tx, new)
    }

    /// The ids of what a row names.
    fn ties(&self, says: &ImportUser, errors: &mut FieldErrors) -> Vec<(Tie, String, String)> {
        let mut ties = Vec::new();
        for (tie, field, name) in named(says) {
            match self.names.get(&(tie, fold(name))) {
                Some((id, name)) => ties.push((tie, id.clone(), name.clone())),
                None => errors.add(field, format!("There is no {} {name:?}.", what(tie))),
            }
        }
        ties
    }

    fn create(
        &mut self,
        row: &Prepared,
        wanted: &Wanted,
        user: &User,
        ties: Vec<(Tie, String, String)>,
        new: &mut New,
    ) {
        let mut event = self
            .cx
            .user_event(self.app, EventType::UserCreated, user)
            .detail("username", user.username.as_str())
            .detail("kind", user.kind.as_str());
        if let Some(hash) = &wanted.says.password_hash {
            let id = AuthenticatorId::new(self.cx.now, self.app.id_bytes());
            new.passwords.push((user.id, StoredPassword { id, phc: hash.clone(), temporary: false }));
            self.having_password.insert(user.id);
            event = event.detail("password", "imported");
        }
        for tie in [Tie::Role, Tie::Group, Tie::Organization] {
            let names: Vec<&str> =
                ties.iter().filter(|(kind, _, _)| *kind == tie).map(|(_, _, name)| name.as_str()).collect();
            if !names.is_empty() {
                event = event.detail(many(tie), names);
            }
        }
        let mut held: Vec<Facet> = ties.iter().filter_map(|(tie, id, _)| facet(*tie, id)).collect();
        if wanted.says.password_hash.is_some() {
            held.push(Facet::Authenticator(AuthenticatorType::Password));
        }
        for tie in ties {
            new.ties.entry(tie).or_default().push(user.id);
        }
        new.users.push(user.clone());
        new.held.push(held);
        self.existing.insert(wanted.key.clone(), user.clone());
        self.applied.events.push(of_import(event, self.job.id, row.line));
        self.note(ImportOutcome::Created);
    }

    fn insert(&mut self, tx: &mut WriteTx<'_>, new: New) -> Result<()> {
        if new.users.is_empty() {
            return Ok(());
        }
        let (realm, now) = (self.realm.realm.id, self.cx.now);
        store::users::insert_many(tx, realm, &new.users)?;
        if !new.passwords.is_empty() {
            store::authenticators::insert_many(tx, realm, &new.passwords, now)?;
        }
        self.tie_many(tx, &new.ties)?;
        let held: Vec<(&User, &[Facet])> =
            new.users.iter().zip(&new.held).map(|(user, held)| (user, held.as_slice())).collect();
        Ok(store::users::index_many(tx, realm, &held)?)
    }

    /// Ties new users to what their rows name, with a statement for all groups and one for all organizations.
    fn tie_many(&self, tx: &mut WriteTx<'_>, ties: &Ties) -> Result<()> {
        let (realm, now) = (self.realm.realm.id, self.cx.now);
        let (mut groups, mut organizations) = (Vec::new(), Vec::new());
        for ((tie, id, _), users) in ties {
            match tie {
                Tie::Role => store::users::assign_role(tx, realm, parsed(id)?, users, now).map(drop)?,
                Tie::Group => {
                    let id = parsed(id)?;
                    groups.extend(users.iter().map(|user| (id, *user)));
                }
                Tie::Organization => {
                    let id = parsed(id)?;
                    organizations.extend(users.iter().map(|user| (id, *user)));
                }
            }
        }
        store::groups::MEMBERS.add_many(tx, realm, groups, now)?;
        store::organizations::MEMBERS.add_many(tx, realm, organizations, now)?;
        Ok(())
    }

    /// Ties a user to a role, a group or an organization; answers whether they were not tied to it yet.
    fn tie(&self, tx: &mut WriteTx<'_>, tie: Tie, id: &str, user: UserId) -> Result<bool> {
        let (realm, now) = (self.realm.realm.id, self.cx.now);
        let tied = match tie {
            Tie::Role => store::users::assign_role(tx, realm, parsed(id)?, &[user], now)?,
            Tie::Group => store::groups::MEMBERS.add(tx, realm, parsed(id)?, &[user], now)?,
            Tie::Organization => store::organizations::MEMBERS.add(tx, realm, parsed(id)?, &[user], now)?,
        };
        Ok(!tied.is_empty())
    }

    /// Changes a user who exists, where the row says something else.
    fn change(
        &mut self,
        tx: &mut WriteTx<'_>,
        row: &Prepared,
        wanted: &Wanted,
        before: User,
        ties: &[(Tie, String, String)],
    ) -> Result<()> {
        let says = &wanted.says;
        let mut errors = FieldErrors::new();
        if says.kind.is_some_and(|kind| kind != before.kind) {
            errors.add("kind", "A person cannot become a machine, nor a machine a person.");
        }
        if before.kind == UserKind::Machine {
            check_machine(says, &mut errors);
        }
        let mut user = before.clone();
        users::apply(&mut user, patch(says, &before), false, &mut errors);
        check_user(&user, &mut errors);
        let undeclared_allowed = self.realm.realm.settings.undeclared_attributes_allowed;
        self.realm.attributes.check(undeclared_allowed, Some(&before.attributes), &user.attributes, &mut errors);
        let switches = says.enabled.is_some_and(|enabled| enabled != before.enabled);
        if !errors.is_empty() {
            self.reject(row, &errors);
            return Ok(());
        }
        // Somebody with more power is left as they are.
        let mut refused = admins::check_power_over(tx, self.cx, &before).err();
        if refused.is_none() && switches && before.enabled {
            refused = admins::check_not_last_owner(tx, &before).err();
        }
        let sets_password = says.password_hash.is_some() && !self.having_password.contains(&before.id);
        let differs = user != before || switches || sets_password;
        if let Some(error) = refused {
            // Being as the row says is no change, and takes no power. Ties are looked at only where there is power.
            if differs || !ties.is_empty() {
                self.reject(row, &FieldErrors::one("row", error.message));
            } else {
                self.note(ImportOutcome::Unchanged);
            }
            return Ok(());
        }
        let mut events = Vec::new();
        if user != before {
            let event = self.cx.user_event(self.app, EventType::UserUpdated, &user);
            events.push(event.detail("changes", users::differences(&before, &user)));
            user = users::store_in(tx, self.cx, &before, user)?;
        }
        if switches {
            let (switched, event) = if user.enabled {
                users::disable_in(tx, self.app, self.cx, user, None)?
            } else {
                users::enable_in(tx, self.app, self.cx, user)?
            };
            user = switched;
            events.push(event);
        }
        if let Some(hash) = says.password_hash.as_ref().filter(|_| sets_password) {
            let id = AuthenticatorId::new(self.cx.now, self.app.id_bytes());
            let password = StoredPassword { id, phc: hash.clone(), temporary: false };
            store::authenticators::put_password(tx, user.realm_id, user.id, &password, self.cx.now)?;
            self.having_password.insert(user.id);
            events.push(
                self.cx.user_event(self.app, EventType::UserPasswordChanged, &user).detail("password", "imported"),
            );
        }
        for (tie, id, name) in ties {
            if !self.tie(tx, *tie, id, user.id)? {
                continue;
            }
            events.push(match tie {
                Tie::Role => {
                    self.cx.user_event(self.app, EventType::UserRoleChanged, &user).detail("assigned", name.as_str())
                }
                Tie::Group => self
                    .cx
                    .user_event(self.app, EventType::UserGroupChanged, &user)
                    .detail("added", name.as_str())
                    .detail("group_id", id.as_str()),
                Tie::Organization => self
                    .cx
                    .user_event(self.app, EventType::UserMembershipChanged, &user)
                    .detail("added", name.as_str())
                    .detail("organization_id", id.as_str()),
            });
        }
        if events.is_empty() {
            self.note(ImportOutcome::Unchanged);
            return Ok(());
        }
        store::users::reindex(tx, user.realm_id, user.id)?;
        let (job, line) = (self.job.id, row.line);
        self.applied.events.extend(events.into_iter().map(|event| of_import(event, job, line)));
        self.existing.insert(wanted.key.clone(), user);
        self.note(ImportOutcome::Updated);
        Ok(())
    }

    fn exists(&mut self, row: &Prepared, user: &User) {
        self.item(row, ItemOutcome::Skipped, user.id.to_string(), "There is a user of this name already.".to_owned());
        self.note(ImportOutcome::Exists);
    }

    fn reject(&mut self, row: &Prepared, errors: &FieldErrors) {
        let reasons: Vec<String> = errors
            .iter()
            .map(|(field, message)| match field {
                "row" => message.to_owned(),
                field => format!("{}: {message}", self.import.columns.name_of(field)),
            })
            .collect();
        let mut reason = reasons.join(" ");
        if reason.chars().count() > MAX_REASON {
            reason = reason.chars().take(MAX_REASON).chain(['…']).collect();
        }
        self.item(row, ItemOutcome::Failed, String::new(), reason);
        self.note(ImportOutcome::Rejected);
    }

    fn item(&mut self, row: &Prepared, outcome: ItemOutcome, subject: String, message: String) {
        let position = i64::try_from(row.line).unwrap_or(i64::MAX);
        let name: String = row.subject.chars().take(254).collect();
        self.applied.items.push(JobItem { position, subject, name, outcome, message });
    }

    fn note(&mut self, outcome: ImportOutcome) {
        *self.applied.counts.entry(outcome.as_str()).or_default() += 1;
    }
}

/// Whom a round creates.
#[derive(Default)]
struct New {
    users: Vec<User>,
    /// What each of them holds, in the same order.
    held: Vec<Vec<Facet>>,
    passwords: Vec<(UserId, StoredPassword)>,
    ties: Ties,
}

/// An id that was read from the database.
fn parsed<I: FromStr>(id: &str) -> Result<I> {
    id.parse().map_err(|_| Error::internal("an id that was read is none"))
}

fn facet(tie: Tie, id: &str) -> Option<Facet> {
    match tie {
        Tie::Role => id.parse().ok().map(Facet::Role),
        Tie::Group => id.parse().ok().map(Facet::Group),
        Tie::Organization => id.parse().ok().map(Facet::Organization),
    }
}

fn what(tie: Tie) -> &'static str {
    match tie {
        Tie::Role => "role",
        Tie::Group => "group",
        Tie::Organization => "organization",
    }
}

fn many(tie: Tie) -> &'static str {
    match tie {
        Tie::Role => "roles",
        Tie::Group => "groups",
        Tie::Organization => "organizations",
    }
}
