//! The application: what every operation works with.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock as SyncLock},
};

use denizen_model::{RealmId, Timestamp, realms::MAIN_REALM};
use denizen_store::{self as store, Db, Location};
use tokio::sync::{Notify, RwLock};

use crate::{
    Error, RealmState, Result,
    crypto::{Hasher, MacKey, MasterKey, Rng, Sealer, password, webauthn::Asker},
    limits::Limits,
    messages::{Mail, Mailer, OwnTexts, Sms},
    oauth::access_tokens::VerifiedTokens,
    passwords::{self, Breaches},
    places::Places,
};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What an application is made of.
pub struct Config {
    /// Where the data is.
    pub location: Location,
    /// The key that seals secrets at rest.
    pub master_key: MasterKey,
    /// The address under which people and clients reach it, without a slash at the end.
    pub public_url: String,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub rng: Rng,
    /// Password hashing.
    pub hashing: password::Config,
    /// Where mails go.
    pub mail: Mail,
    /// What knows where addresses are.
    pub places: Places,
    /// Where text messages go.
    pub sms: Sms,
    /// Where breached passwords are looked up.
    pub breaches: passwords::Source,
}

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    public_url: String,
    clock: Clock,
    rng: Rng,
    sealer: Sealer,
    hasher: Hasher,
    refresh_key: MacKey,
    realms: RwLock<Realms>,
    /// The texts of their own of the realms that were read, with the epoch they are of. Messages are worded inside of
    /// transactions, where nothing can be awaited.
    own_texts: SyncLock<HashMap<RealmId, (u64, Arc<OwnTexts>)>>,
    verified: VerifiedTokens,
    jobs: Notify,
    mailer: Mailer,
    limits: Limits,
    sent_from: Limits,
    places: Places,
    breaches: Breaches,
    passkeys: Option<Asker>,
}

/// The realms that were read, by both names they go by.
#[derive(Default)]
struct Realms {
    by_slug: HashMap<String, Arc<RealmState>>,
    by_id: HashMap<RealmId, Arc<RealmState>>,
}

impl App {
    /// Opens the database, its secrets, and the main realm; makes them on a first start.
    ///
    /// # Errors
    /// When the database cannot be used, or was made under another master key.
    pub async fn open(config: Config) -> Result<Self> {
        let now = (config.clock)();
        let fill = config.rng.clone();
        let location = config.location.clone();
        // Migrations may take a while and block.
        let opening = tokio::task::spawn_blocking(move || {
            Db::open(&location, now, Arc::new(move |out: &mut [u8]| fill.fill(out)))
        });
        let db = opening.await.map_err(|error| Error::internal(error.to_string()))??;
        let sealer = Sealer::new(config.rng.clone(), &config.master_key, &[]);
        let audit = secret(&db, &sealer, &config.rng, "audit-chain", now).await?;
        db.set_audit_key(&audit);
        let indexed = store::users::index::complete(&db).await?;
        if indexed > 0 {
            tracing::info!(users = indexed, "Indexed the users of an older Denizen's database.");
        }
        let refresh = secret(&db, &sealer, &config.rng, "refresh-tokens", now).await?;
        let hasher = Hasher::start(&config.hashing, config.rng.clone())
            .map_err(|error| Error::internal(format!("cannot start the hashing threads: {error}")))?;
        let mailer = Mailer::new(config.mail, config.sms)?;
        let app = Self {
            inner: Arc::new(Inner {
                db,
                passkeys: Asker::at(&config.public_url),
                public_url: config.public_url,
                clock: config.clock,
                rng: config.rng,
                sealer,
                hasher,
                refresh_key: MacKey::new(&refresh),
                realms: RwLock::default(),
                own_texts: SyncLock::default(),
                verified: VerifiedTokens::default(),
                jobs: Notify::new(),
                mailer,
                limits: Limits::default(),
                sent_from: Limits::default(),
                places: config.places,
                breaches: Breaches::new(config.breaches),
            }),
        };
        crate::realms::ensure_main(&app).await?;
        Ok(app)
    }

    pub(crate) fn db(&self) -> &Db {
        &self.inner.db
    }

    /// Which engine holds the data, for people.
    #[must_use]
    pub fn engine_name(&self) -> &'static str {
        match self.inner.db.engine() {
            store::Engine::Sqlite => "SQLite",
            store::Engine::Postgres => "PostgreSQL",
        }
    }

    /// The address under which people and clients reach Denizen, without a slash at the end.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.inner.public_url
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.inner.clock)()
    }

    /// Randomness.
    #[must_use]
    pub fn rng(&self) -> &Rng {
        &self.inner.rng
    }

    /// Seals and opens what leaves Denizen's hands and comes back, or lies at rest.
    #[must_use]
    pub fn sealer(&self) -> &Sealer {
        &self.inner.sealer
    }

    pub(crate) fn hasher(&self) -> &Hasher {
        &self.inner.hasher
    }

    /// The hasher for passwords that come from this address and may be guesses.
    pub(crate) fn hasher_for(&self, cx: &crate::Cx) -> Hasher {
        self.inner.hasher.on_turn(self.limits().turn(cx.ip, cx.now))
    }

    pub(crate) fn refresh_key(&self) -> &MacKey {
        &self.inner.refresh_key
    }

    pub(crate) fn verified(&self) -> &VerifiedTokens {
        &self.inner.verified
    }

    /// Rings when a job is waiting.
    pub(crate) fn job_bell(&self) -> &Notify {
        &self.inner.jobs
    }

    /// Codes and links that were asked for, by address, so that nobody sends mails through us.
    pub(crate) fn sent_from(&self) -> &Limits {
        &self.inner.sent_from
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// The place of an address, where a GeoIP database is configured and knows it.
    #[must_use]
    pub fn place_of(&self, ip: Option<IpAddr>) -> Option<String> {
        self.inner.places.find(ip?)
    }

    pub(crate) fn mailer(&self) -> &Mailer {
        &self.inner.mailer
    }

    pub(crate) fn breaches(&self) -> &Breaches {
        &self.inner.breaches
    }

    /// What asks for passkeys; none where the public address is one that they cannot belong to.
    pub(crate) fn passkeys(&self) -> Option<&Asker> {
        self.inner.passkeys.as_ref()
    }

    /// Ten random bytes for an id.
    pub(crate) fn id_bytes(&self) -> [u8; 10] {
        self.inner.rng.bytes()
    }

    /// A realm by its name in URLs, with its keys: from the cache while that is known to be right.
    ///
    /// # Errors
    /// When there is no such realm.
    pub async fn realm(&self, slug: &str) -> Result<Arc<RealmState>> {
        let epoch = self.inner.db.config_epoch();
        if epoch.is_some()
            && let Some(state) = self.inner.realms.read().await.by_slug.get(slug)
            && state.epoch == epoch
        {
            return Ok(state.clone());
        }
        let state = Arc::new(RealmState::load(self, slug, epoch).await?);
        if let Some(epoch) = epoch {
            self.keep_own_texts(state.realm.id, epoch, state.texts.clone());
            let mut realms = self.inner.realms.write().await;
            realms.by_slug.insert(slug.to_owned(), state.clone());
            realms.by_id.insert(state.realm.id, state.clone());
        }
        Ok(state)
    }

    /// The realm of a proof, with its settings and attribute definitions: as [`realm`](Self::realm).
    ///
    /// # Errors
    /// When it was deleted.
    pub(crate) async fn realm_of(&self, id: RealmId) -> Result<Arc<RealmState>> {
        let epoch = self.inner.db.config_epoch();
        if epoch.is_some()
            && let Some(state) = self.inner.realms.read().await.by_id.get(&id)
            && state.epoch == epoch
        {
            return Ok(state.clone());
        }
        let slug = crate::realms::get_in_scope(self, id).await?.slug;
        self.realm(&slug).await
    }

    fn keep_own_texts(&self, realm: RealmId, epoch: u64, texts: Arc<OwnTexts>) {
        let mut known = self.inner.own_texts.write().unwrap_or_else(PoisonError::into_inner);
        // Two may read the realm at once; the older reading must not take the place of the newer.
        if known.get(&realm).is_none_or(|(kept, _)| *kept <= epoch) {
            known.insert(realm, (epoch, texts));
        }
    }

    /// A realm's own texts of messages, as far as they are at hand and known to be right.
    pub(crate) fn own_texts(&self, realm: RealmId) -> Option<Arc<OwnTexts>> {
        let epoch = self.inner.db.config_epoch()?;
        let known = self.inner.own_texts.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&realm).filter(|(kept, _)| *kept == epoch).map(|(_, texts)| texts.clone())
    }

    /// The main realm.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn main_realm(&self) -> Result<Arc<RealmState>> {
        self.realm(MAIN_REALM).await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<()> {
        self.inner.db.read(|tx| Ok(store::housekeeping::ping(tx)?)).await
    }
}

/// A secret of 32 bytes that lies sealed in the database; made at the first start.
async fn secret(db: &Db, sealer: &Sealer, rng: &Rng, name: &'static str, now: Timestamp) -> Result<[u8; 32]> {
    let stored = db.read(move |tx| Ok::<_, Error>(store::keys::find_secret(tx, name)?)).await?;
    let sealed = match stored {
        Some(sealed) => sealed,
        None => {
            let fresh = sealer.seal(name, rng.bytes::<32>());
            db.write(move |mut tx| {
                store::keys::insert_secret(&mut tx, name, &fresh, now)?;
                Ok::<_, Error>(tx.unaudited("Denizen's own secret, made at the first start", ())?)
            })
            .await?;
            // Another node may have been first.
            let stored = db.read(move |tx| Ok::<_, Error>(store::keys::find_secret(tx, name)?)).await?;
            stored.ok_or_else(|| Error::internal("a secret that was stored is gone"))?
        }
    };
    let opened = sealer.open(name, &sealed).map_err(|_| {
        let mut error = Error::internal("the master key is not the one this database was made with");
        error.message =
            "The master key is not the one this database was made with. Use the master key of the first start \
             (master.key in its data folder, or DENIZEN_MASTER_KEY)."
                .to_owned();
        error
    })?;
    opened.as_slice().try_into().map_err(|_| Error::internal("a stored secret has the wrong length"))
}
