//! The product's storage, without its server.

use std::sync::Arc;

use denizen_model::RealmId;
use denizen_store::{Db, FillRandom, Location, realms};

use crate::{
    failure::{Failure, Result},
    machine,
};

/// Opens the database at a `postgres://…` address or in a file, made when there is none.
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

/// The realm of that name.
pub(crate) async fn realm(db: &Db, slug: &str) -> Result<RealmId> {
    let asked = slug.to_owned();
    let found = db.read::<_, denizen_store::Error, _>(move |tx| realms::find_by_slug(tx, &asked)).await?;
    found.map(|realm| realm.id).ok_or_else(|| Failure::new(format!("there is no realm {slug}")))
}
