//! Files of any size that are read while they come in.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
};

use axum::body::Bytes;
use denizen_model::{JobId, imports::ImportFormat, permissions::markers::UsersWrite};
use denizen_ops::{
    App, Cx, Error, May, Result,
    users::import::{self, Upload},
};
use futures_core::Stream;

/// Stores a file of users, to be imported. Nothing is left of one that did not come in whole or cannot be read.
pub(crate) async fn receive<E>(
    app: &App,
    cx: &Cx,
    may: &May<UsersWrite>,
    format: ImportFormat,
    stream: impl Stream<Item = std::result::Result<Bytes, E>> + Send,
) -> Result<JobId> {
    let mut upload = import::begin(app, cx, may, format).await?;
    let id = upload.id();
    let stored = match fill(&mut upload, pin!(stream)).await {
        Ok(()) => upload.finish().await,
        Err(error) => Err(error),
    };
    if stored.is_err() {
        Upload::give_up(app, may.realm(), id).await?;
    }
    stored
}

async fn fill<E>(
    upload: &mut Upload,
    mut stream: Pin<&mut (impl Stream<Item = std::result::Result<Bytes, E>> + Send)>,
) -> Result<()> {
    while let Some(bytes) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
        let bytes = bytes.map_err(|_| Error::field("file", "The connection ended before the file did."))?;
        upload.push(&bytes).await?;
    }
    Ok(())
}
