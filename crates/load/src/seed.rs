//! A population, straight into the database.

use std::{sync::Arc, time::Instant};

use clap::Args;
use denizen_model::{
    RealmId, Timestamp, UserId,
    realms::{Realm, RealmSettings},
    users::{User, UserKind, VerificationState, combined_name},
};
use denizen_store::{Db, FillRandom, Location, realms, users};

use crate::{
    failure::{Failure, Result},
    machine,
    people::{self, Dice},
};

/// Rows in a transaction.
const BATCH: u64 = 5_000;
/// The population's people were made over this long.
const YEARS: i64 = 3;

#[derive(Args)]
pub(crate) struct Options {
    /// A `postgres://…` address, or the path of an embedded database file.
    #[arg(long)]
    database: String,
    /// How many users the realm is to have; those already seeded count.
    #[arg(long)]
    users: u64,
    /// The realm, made when there is none.
    #[arg(long, default_value = "load")]
    realm: String,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let db = open(&options.database)?;
        let realm = realm(&db, &options.realm).await?;
        let seeded = seed(&db, realm, options.users).await?;
        println!("{}", seeded.describe());
        Ok(())
    })
}

/// Opens the database at a `postgres://…` address or in a file.
pub(crate) fn open(database: &str) -> Result<Db> {
    let location = if database.starts_with("postgres://") || database.starts_with("postgresql://") {
        Location::Postgres(database.to_owned())
    } else {
        Location::Sqlite(database.into())
    };
    let random: FillRandom = Arc::new(|out: &mut [u8]| {
        // Without randomness there are no ids; the tool then fails on the first collision.
        let _ = aws_lc_rs::rand::fill(out);
    });
    Ok(Db::open(&location, machine::now(), random)?)
}

/// The realm of that name, made when there is none.
pub(crate) async fn realm(db: &Db, slug: &str) -> Result<RealmId> {
    let asked = slug.to_owned();
    if let Some(found) = db.read::<_, denizen_store::Error, _>(move |tx| realms::find_by_slug(tx, &asked)).await? {
        return Ok(found.id);
    }
    let now = machine::now();
    let id = RealmId::new(now, random());
    let realm = Realm {
        id,
        slug: slug.to_owned(),
        display_name: "Load".to_owned(),
        enabled: true,
        settings: RealmSettings::default(),
        created_at: now,
        updated_at: now,
        version: 1,
    };
    db.write::<_, denizen_store::Error, _>(move |mut tx| {
        realms::insert(&mut tx, &realm)?;
        tx.unaudited("the load tool's realm", ())
    })
    .await?;
    Ok(id)
}

fn random() -> [u8; 10] {
    let mut out = [0; 10];
    let _ = aws_lc_rs::rand::fill(&mut out);
    out
}

/// What seeding did.
pub(crate) struct Seeded {
    pub(crate) rows: u64,
    pub(crate) seconds: f64,
}

impl Seeded {
    pub(crate) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "rows are far below 2^53")]
        let rows = self.rows as f64;
        if self.seconds > 0.0 { rows / self.seconds } else { 0.0 }
    }

    fn describe(&self) -> String {
        format!("{} users in {:.1} s: {:.0} rows/s", self.rows, self.seconds, self.rate())
    }
}

/// Adds people until the realm has `wanted` seeded users.
pub(crate) async fn seed(db: &Db, realm: RealmId, wanted: u64) -> Result<Seeded> {
    let there = db.read::<_, denizen_store::Error, _>(move |tx| users::count_all(tx, realm, None, None)).await?.count;
    let (started, now) = (Instant::now(), machine::now());
    let mut next = there;
    while next < wanted {
        let end = wanted.min(next + BATCH);
        let batch: Vec<User> = (next..end).map(|number| user(realm, number, wanted, now)).collect();
        db.write::<_, denizen_store::Error, _>(move |mut tx| {
            for user in &batch {
                users::insert(&mut tx, user)?;
            }
            tx.unaudited("a measured population, not people", ())
        })
        .await
        .map_err(|error| Failure::new(format!("seeding stopped after {} users: {error}", next - there)))?;
        next = end;
    }
    Ok(Seeded { rows: wanted.saturating_sub(there), seconds: started.elapsed().as_secs_f64() })
}

fn user(realm: RealmId, number: u64, wanted: u64, now: Timestamp) -> User {
    const DAY: i64 = 24 * 3600 * 1_000_000;
    let mut dice = Dice::new(number ^ 0x00d1_ce00);
    let mut signed = |bound: i64| i64::try_from(dice.below(u64::try_from(bound).unwrap_or(1))).unwrap_or(0);
    // Older numbers were made earlier; with a day's jitter, so that ids and times are not in one order.
    let span = YEARS * 365 * DAY;
    let share = i128::from(span) * i128::from(number) / i128::from(wanted.max(1));
    let created = now.as_micros() - span - DAY + i64::try_from(share).unwrap_or(0) + signed(DAY);
    let created_at = Timestamp::from_micros(created);
    let last_sign_in_at = (signed(100) < 70).then(|| Timestamp::from_micros(now.as_micros() - signed(200 * DAY)));
    let (enabled, machine, verified, referenced) =
        (signed(100) >= 3, signed(100) == 0, signed(100) < 80, signed(2) == 0);
    let person = people::person(number);
    let name = if machine {
        format!("{} export {number}", person.family)
    } else {
        combined_name(Some(person.given), Some(person.family))
    };
    User {
        id: UserId::new(created_at, random()),
        realm_id: realm,
        kind: if machine { UserKind::Machine } else { UserKind::Human },
        username: person.email.clone(),
        email: Some(person.email),
        email_state: if verified { VerificationState::Verified } else { VerificationState::Unverified },
        phone: person.phone,
        phone_state: VerificationState::Unverified,
        given_name: (!machine).then(|| person.given.to_owned()),
        family_name: (!machine).then(|| person.family.to_owned()),
        name,
        locale: Some(person.locale.to_owned()),
        zoneinfo: Some(person.zone.to_owned()),
        reference: referenced.then(|| format!("crm-{number:08}")),
        attributes: serde_json::Map::new(),
        enabled,
        disabled_at: (!enabled).then_some(now),
        disabled_reason: None,
        requires_password_reset: false,
        admin_role: None,
        created_at,
        updated_at: created_at,
        last_sign_in_at,
        failed_password_attempts: 0,
        failed_otp_attempts: 0,
        version: 1,
    }
}
