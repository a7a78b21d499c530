//! `denizen demo`: a throw-away realm full of believable people, in which a newcomer sees the whole product in a
//! minute (PRODUCT §2).
//!
//! Everything is made by the same operations that serve administrators and users, at times spread over the past
//! weeks; nothing is written behind their backs.

mod attributes;
mod people;

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use denizen_model::{
    GroupId, RequestId, RoleId, Timestamp, UserId,
    clients::{ClientType, GrantType},
    invitations::NewInvitation,
    organizations::Organization,
    permissions::AdminRole,
    users::{NewHuman, NewMachine, NewPassword},
};
use denizen_ops::{
    Actor, App, Clock, Config, Cx, Location, RealmState, admins, authenticators,
    clients::{self, ClientInput},
    crypto::{MasterKey, Rng, Secret, password},
    flows::sign_in::{Flow, check_password_step},
    groups, invitations,
    messages::{Mail, Sms},
    oauth::authorize::Request,
    organizations::{self, OrganizationInput},
    passwords,
    places::Places,
    realms, roles, setup, users,
};
use denizen_web::{DemoBanner, Options};
use serde_json::{Map, json};
use tokio::task::JoinSet;

use self::people::{below, person, pick};
use crate::{cli::DemoOptions, open, serve};

const OWNER: &str = "owner@demo.example";
const PASSWORD: &str = "demo-password";
/// How far back the demo's history goes.
const HISTORY: Duration = Duration::from_secs(8 * 7 * 24 * 3600);
/// How many people are made at a time.
const TOGETHER: usize = 64;

const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
];

/// Makes the demo and serves it until it is stopped; then its data folder is removed.
pub(crate) async fn run(options: &DemoOptions) -> Result<(), String> {
    serve::start_logging("warn");
    let listener = serve::bind(&options.listen).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let public_url = format!("http://{address}");
    let folder = Folder::make()?;
    eprintln!("Making a demo with {} people …", options.users);
    let app = open_demo(&folder.0, &public_url).await?;
    populate(&app, options.users).await.map_err(|error| format!("the demo could not be made: {error}"))?;
    eprintln!(
        "\n  Denizen's console   {public_url}/admin\n  Sign in as          {OWNER}\n  Password            {PASSWORD}\n  Mails it sends      {public_url}/demo/mailbox\n"
    );
    eprintln!("  Everyone in it has the password {PASSWORD}. It is gone when you stop it (Ctrl-C).\n");
    let banner = DemoBanner { text: "Demo: this data is made up and is gone when the demo stops.".to_owned() };
    serve::listen(app, listener, Options { behind_proxy: false, demo: Some(banner) }, serve::stopped()).await
}

/// A data folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("denizen-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn open_demo(folder: &std::path::Path, public_url: &str) -> Result<App, String> {
    let rng = Rng::system();
    let clock: Clock = open::system_clock();
    // Thousands of made-up people sign in while the demo is made; their passwords are public, so they are hashed
    // lightly. `denizen serve` has no such switch.
    let params = password::Params::new(256, 1, 1).map_err(|error| error.to_string())?;
    let config = Config {
        location: Location::Sqlite(folder.join("denizen.db")),
        master_key: MasterKey::generate(&rng),
        public_url: public_url.to_owned(),
        clock,
        rng,
        hashing: password::Config { params, ..password::Config::default() },
        mail: Mail::Demo,
        places: Places::demo(),
        sms: Sms::Demo,
        // A demo asks nobody on the internet.
        breaches: passwords::Source::None,
    };
    App::open(config).await.map_err(|error| error.to_string())
}

type Made<T> = Result<T, denizen_ops::Error>;

/// A context at a time in the past, from some place.
fn at(app: &App, rng: &Rng, now: Timestamp, actor: Actor) -> Cx {
    let bytes = rng.bytes::<3>();
    let [a, b, c] = bytes;
    // Documentation addresses (RFC 5737) belong to nobody.
    let ip = match a % 3 {
        0 => IpAddr::from([192, 0, 2, b]),
        1 => IpAddr::from([198, 51, 100, c]),
        _ => IpAddr::from([203, 0, 113, b]),
    };
    Cx {
        actor,
        now,
        request_id: RequestId::new(now, app.rng().bytes()),
        ip: Some(ip),
        user_agent: pick(rng, AGENTS).map(|agent| (*agent).to_owned()),
        idempotency: None,
        language: None,
    }
}

async fn populate(app: &App, count: u32) -> Made<()> {
    let rng = Rng::seeded(7);
    let start = app.now().minus(HISTORY);
    let owner_cx = at(app, &rng, start, Actor::System("demo"));
    let owner = NewHuman {
        email: Some(OWNER.to_owned()),
        given_name: Some("Robin".to_owned()),
        family_name: Some("Castellan".to_owned()),
        ..NewHuman::default()
    };
    setup::create_owner(app, &owner_cx, None, owner, PASSWORD.to_owned()).await?;
    let main = app.main_realm().await?.realm.id;
    realms::update_settings(
        app,
        &owner_cx,
        owner_cx.may(main)?,
        Some("Northwind".to_owned()),
        Default::default(),
        None,
    )
    .await?;
    attributes::make(app, &owner_cx, main).await?;
    let realm = app.main_realm().await?;
    let clients = make_clients(app, &owner_cx, &realm).await?;
    let roles = make_roles(app, &owner_cx, &realm).await?;
    let groups = make_groups(app, &owner_cx, &realm).await?;
    let organizations = make_organizations(app, &owner_cx, &realm).await?;
    make_people(app, start, count, &Arc::new(Setting { clients, roles: roles.clone(), groups, organizations })).await?;
    make_machines(app, &rng, start).await?;
    let second = realms::create(app, &owner_cx, owner_cx.may(main)?, "fjord-health", "Fjord Health").await?;
    for number in 0..40 {
        if let Some(person) = person(&rng, number) {
            let cx = at(app, &rng, start.plus(Duration::from_secs(u64::from(number) * 40_000)), Actor::System("demo"));
            users::create_human(app, &cx, cx.may(second.id)?, human(&person), NewPassword::None).await?;
        }
    }
    make_invitations(app, &rng, &roles).await
}

/// Who was asked lately to make an account, and who to confirm an address.
async fn make_invitations(app: &App, rng: &Rng, roles: &[denizen_model::RoleId]) -> Made<()> {
    let realm = app.main_realm().await?.realm.id;
    let cx = at(app, rng, app.now(), Actor::System("demo"));
    for number in 0..14 {
        let Some(person) = person(rng, 900_000 + number) else { continue };
        let new = NewInvitation {
            email: person.email,
            given_name: Some(person.given),
            family_name: Some(person.family),
            locale: Some(person.locale.to_owned()),
            role_ids: pick(rng, roles).into_iter().copied().collect(),
            ..NewInvitation::default()
        };
        let asked = at(app, rng, app.now().minus(Duration::from_secs(u64::from(number) * 7200)), Actor::System("demo"));
        let made = invitations::create_many(app, &asked, asked.may(realm)?, vec![new]).await?;
        if let Some(Ok(made)) = made.first()
            && number % 5 == 4
        {
            invitations::revoke(app, &cx, cx.may(realm)?, made.id).await?;
        }
    }
    for number in 0..6 {
        let Some(person) = person(rng, 910_000 + number) else { continue };
        let asked = at(app, rng, app.now().minus(Duration::from_secs(u64::from(number) * 5400)), Actor::System("demo"));
        let user = users::create_human(app, &asked, asked.may(realm)?, human(&person), NewPassword::None).await?.user;
        users::request_email_verification(app, &asked, asked.may(realm)?, user.id).await?;
    }
    denizen_ops::messages::send_due(app).await.map(drop)
}

/// What people are made with.
struct Setting {
    clients: Vec<Request>,
    roles: Vec<RoleId>,
    groups: Vec<GroupId>,
    organizations: Vec<Organization>,
}

async fn make_clients(app: &App, cx: &Cx, realm: &RealmState) -> Made<Vec<Request>> {
    let list =
        [("billing", "Billing"), ("warehouse", "Warehouse"), ("helpdesk", "Help desk"), ("handheld", "Handheld app")];
    let mut requests = Vec::new();
    for (client_id, name) in list {
        let public = client_id == "handheld";
        let redirect_uri = format!("https://{client_id}.northwind.example/callback");
        let input = ClientInput {
            client_id: Some(client_id.to_owned()),
            name: Some(name.to_owned()),
            kind: public.then_some(ClientType::Public),
            redirect_uris: Some(vec![redirect_uri.clone()]),
            post_logout_redirect_uris: Some(vec![format!("https://{client_id}.northwind.example/")]),
            ..ClientInput::default()
        };
        clients::create(app, cx, cx.may(realm.realm.id)?, input).await?;
        requests.push(Request {
            client_id: client_id.to_owned(),
            redirect_uri,
            scope: "openid profile".to_owned(),
            state: None,
            nonce: None,
            code_challenge: "x".repeat(43),
        });
    }
    let nightly = ClientInput {
        client_id: Some("nightly-export".to_owned()),
        name: Some("Nightly export".to_owned()),
        grant_types: Some(vec![GrantType::ClientCredentials]),
        scopes: Some(vec!["orders:read".to_owned()]),
        ..ClientInput::default()
    };
    clients::create(app, cx, cx.may(realm.realm.id)?, nightly).await?;
    Ok(requests)
}

async fn make_roles(app: &App, cx: &Cx, realm: &RealmState) -> Made<Vec<RoleId>> {
    let list = [
        ("employee", "Works here"),
        ("customer", "Buys from us"),
        ("supplier", "Sells to us"),
        ("picker", "Fetches goods in the warehouse"),
        ("forklift", "May drive the forklift"),
        ("accountant", "Books and pays invoices"),
        ("shift-lead", "Plans the shifts"),
        ("auditor", "Reads everything in Billing"),
    ];
    let mut ids = Vec::new();
    for (name, description) in list {
        ids.push(roles::create(app, cx, cx.may(realm.realm.id)?, name, description).await?.id);
    }
    Ok(ids)
}

async fn make_groups(app: &App, cx: &Cx, realm: &RealmState) -> Made<Vec<GroupId>> {
    let list = [
        ("Beta testers", "Try what is new before everybody else"),
        ("Early shift", "Begin at six"),
        ("Late shift", "Begin at two in the afternoon"),
        ("First aiders", "To be called when somebody is hurt"),
        ("Works council", "Elected until the spring"),
        ("Newsletter", "Want to hear of offers"),
        ("Works from home", "Have a laptop and a headset of ours"),
        ("On call", "Can be rung at night"),
    ];
    let mut ids = Vec::new();
    for (name, description) in list {
        ids.push(groups::create(app, cx, cx.may(realm.realm.id)?, name, description).await?.id);
    }
    Ok(ids)
}

async fn make_organizations(app: &App, cx: &Cx, realm: &RealmState) -> Made<Vec<Organization>> {
    let mut made = Vec::new();
    for (name, domain, description) in people::COMPANIES {
        let input = OrganizationInput {
            name: Some((*name).to_owned()),
            description: Some((*description).to_owned()),
            domains: Some(vec![(*domain).to_owned()]),
        };
        made.push(organizations::create(app, cx, cx.may(realm.realm.id)?, input).await?);
    }
    Ok(made)
}

fn human(person: &people::Person) -> NewHuman {
    NewHuman {
        email: Some(person.email.clone()),
        given_name: Some(person.given.clone()),
        family_name: Some(person.family.clone()),
        locale: Some(person.locale.to_owned()),
        zoneinfo: Some(person.zone.to_owned()),
        ..NewHuman::default()
    }
}

/// People come one after the other through the weeks, a few dozen at a time, so that the log is in order.
async fn make_people(app: &App, start: Timestamp, count: u32, setting: &Arc<Setting>) -> Made<()> {
    let step = HISTORY / count.max(1);
    let mut tasks: JoinSet<Made<()>> = JoinSet::new();
    for number in 0..count {
        if tasks.len() >= TOGETHER {
            joined(tasks.join_next().await)?;
        }
        let (app, setting) = (app.clone(), setting.clone());
        let rng = Rng::seeded(u64::from(number) + 1000);
        tasks.spawn(async move { make_person(&app, &rng, start.plus(step * number), number, &setting).await });
    }
    while let Some(done) = tasks.join_next().await {
        joined(Some(done))?;
    }
    Ok(())
}

fn joined(done: Option<Result<Made<()>, tokio::task::JoinError>>) -> Made<()> {
    match done {
        Some(Ok(made)) => made,
        Some(Err(error)) => Err(denizen_ops::Error::internal(error.to_string())),
        None => Ok(()),
    }
}

async fn make_person(app: &App, rng: &Rng, born: Timestamp, number: u32, setting: &Setting) -> Made<()> {
    let Some(person) = person(rng, number) else { return Ok(()) };
    let realm = app.main_realm().await?;
    let id = realm.realm.id;
    let cx = at(app, rng, born, Actor::System("demo"));
    let mut attributes = Map::new();
    if below(rng, 3) == 0 {
        attributes.insert("cost_center".to_owned(), json!(4000 + below(rng, 40)));
    }
    if below(rng, 4) == 0 {
        attributes.insert("badges".to_owned(), json!(["forklift", "first-aid"]));
    }
    let new = NewHuman {
        attributes,
        email_verified: below(rng, 4) != 0,
        phone: (below(rng, 3) == 0).then(|| format!("+4930{:07}", 1_000_000 + number)),
        reference: (below(rng, 2) == 0).then(|| format!("NW-{:06}", 100_000 + number)),
        ..human(&person)
    };
    let password = if below(rng, 8) == 0 { NewPassword::None } else { NewPassword::Set(PASSWORD.to_owned()) };
    let has_password = password != NewPassword::None;
    let user = users::create_human(app, &cx, cx.may(id)?, new, password).await?.user;
    for _ in 0..below(rng, 3) {
        if let Some(role) = pick(rng, &setting.roles) {
            roles::assign(app, &cx, cx.may(id)?, user.id, *role).await?;
        }
    }
    if below(rng, 3) == 0
        && let Some(group) = pick(rng, &setting.groups)
    {
        groups::add(app, &cx, cx.may(id)?, user.id, *group).await?;
    }
    if let Some(organization) = employer(rng, &person.email, &setting.organizations) {
        organizations::add(app, &cx, cx.may(id)?, user.id, organization.id).await?;
    }
    match number {
        11 | 47 | 203 => admins::grant(app, &cx, cx.may(id)?, user.id, AdminRole::Support, false).await?,
        88 => admins::grant(app, &cx, cx.may(id)?, user.id, AdminRole::Admin, false).await?,
        131 => admins::grant(app, &cx, cx.may(id)?, user.id, AdminRole::Auditor, false).await?,
        _ => {}
    }
    if has_password {
        sign_in_at_times(app, rng, &realm, &person.email, born, setting).await?;
    }
    let left = app.now().since(born);
    let later = at(app, rng, born.plus(left / 2), Actor::System("demo"));
    match below(rng, 40) {
        0 => drop(users::disable(app, &later, later.may(id)?, user.id, Some("Left the company".to_owned())).await?),
        1 => drop(authenticators::issue_temporary_password(app, &later, later.may(id)?, user.id).await?),
        2 if has_password => authenticators::require_password_reset(app, &later, later.may(id)?, user.id, true).await?,
        _ => {}
    }
    Ok(())
}

/// The organization whose domain a person's email has; of most others any, of some none.
fn employer<'o>(rng: &Rng, email: &str, organizations: &'o [Organization]) -> Option<&'o Organization> {
    let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
    let own = organizations.iter().find(|organization| organization.domains.iter().any(|own| own == domain));
    own.or_else(|| pick(rng, organizations).filter(|_| below(rng, 3) != 0))
}

/// A few sign-ins between then and now, some with a wrong password first.
async fn sign_in_at_times(
    app: &App,
    rng: &Rng,
    realm: &Arc<RealmState>,
    email: &str,
    born: Timestamp,
    setting: &Setting,
) -> Made<()> {
    let times = below(rng, 4);
    let part = app.now().since(born) / u32::try_from(times + 1).unwrap_or(1);
    for n in 1..=times {
        // Somewhere in the n-th part of the time there was, so that they are in order and none is yet to come.
        let offset = below(rng, usize::try_from(part.as_secs()).unwrap_or(1));
        let into = Duration::from_secs(u64::try_from(offset).unwrap_or(0));
        let when = born.plus(part * u32::try_from(n - 1).unwrap_or(0)).plus(into);
        let cx = at(app, rng, when, Actor::Anonymous);
        let flow = Flow::new(when, pick(rng, &setting.clients).cloned(), Some(email.to_owned()));
        if below(rng, 6) == 0 {
            check_password_step(app, &cx, realm, flow.clone(), Secret::new("wrong-password".to_owned())).await?;
        }
        check_password_step(app, &cx, realm, flow, Secret::new(PASSWORD.to_owned())).await?;
    }
    Ok(())
}

async fn make_machines(app: &App, rng: &Rng, start: Timestamp) -> Made<Vec<UserId>> {
    let realm = app.main_realm().await?.realm.id;
    let names = [
        "Order importer",
        "Label printer 3",
        "Stock sync",
        "Invoice mailer",
        "Status page",
        "Backup runner",
        "Data lake feed",
        "Chat bot",
    ];
    let mut ids = Vec::new();
    for (hours, name) in (1..).zip(names) {
        let cx = at(app, rng, start.plus(Duration::from_secs(hours * 3600 * 30)), Actor::System("demo"));
        let machine = NewMachine { name: name.to_owned(), ..NewMachine::default() };
        ids.push(users::create_machine(app, &cx, cx.may(realm)?, machine).await?.user.id);
    }
    Ok(ids)
}
