//! `denizen serve`: start, run, stop.

use std::{future::Future, net::SocketAddr};

use axum::serve::ListenerExt;
use denizen_model::users::NewHuman;
use denizen_ops::{App, Cx, passwords, setup};
use denizen_web::{Options, Web};
use tokio::net::TcpListener;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{cli::ServeOptions, config, open};

/// Runs the server until it is told to stop.
pub(crate) async fn run(options: &ServeOptions) -> Result<(), String> {
    start_logging("info,postgres=warn,tokio_postgres=warn");
    let server = config::server(options)?;
    let _lock = match server.storage.database {
        None => Some(open::lock(&server.storage.data)?),
        Some(_) => None,
    };
    let in_file = matches!(server.services.breaches, passwords::Source::File(_));
    let app = open::app_with(&server.storage, &server.public_url, true, server.services).await?;
    // What is wrong with a file is wrong from the start; an address may answer later.
    if in_file && let Err(error) = passwords::check_source(&app).await {
        tracing::warn!(error, "Breached passwords cannot be looked up");
    }
    prepare_owner(&app, options).await?;
    let listener = bind(&server.listen).await?;
    eprintln!("Denizen {} on {} is ready at {}", env!("CARGO_PKG_VERSION"), app.engine_name(), server.public_url);
    listen(app, listener, Options { behind_proxy: server.behind_proxy, demo: None }, stopped()).await
}

pub(crate) fn start_logging(default: &str) {
    let filter = EnvFilter::try_from_env("DENIZEN_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let _ = tracing_subscriber::registry().with(filter).with(fmt::layer().with_writer(std::io::stderr)).try_init();
}

pub(crate) async fn bind(address: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| format!("cannot listen on {address}: {error}"))
}

/// Serves requests and runs the background tasks until `stop` resolves; requests under way are finished.
pub(crate) async fn listen(
    app: App,
    listener: TcpListener,
    options: Options,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), String> {
    let _tasks = denizen_worker::start(&app);
    let web = Web::new(app, options).map_err(|error| error.to_string())?;
    let router = denizen_web::router(web);
    // Answers are small and written at once; waiting to fill a packet would only delay them.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(stop)
        .await
        .map_err(|error| format!("the server ended: {error}"))
}

/// Resolves when the process is asked to end.
pub(crate) async fn stopped() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = interrupt => {}
                    _ = terminate.recv() => {}
                }
            }
            Err(_) => drop(interrupt.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupt.await);
}

/// On a first start: makes the owner from the environment, or prints the one-time link.
async fn prepare_owner(app: &App, options: &ServeOptions) -> Result<(), String> {
    let failed = |error: denizen_ops::Error| match *error.kind {
        denizen_ops::ErrorKind::Invalid(errors) => {
            let list: Vec<String> = errors.iter().map(|(field, message)| format!("{field}: {message}")).collect();
            format!("the owner cannot be made: {}", list.join(" "))
        }
        _ => format!("the owner cannot be made: {error}"),
    };
    if setup::has_owner(app).await.map_err(failed)? {
        return Ok(());
    }
    match (&options.owner_email, &options.owner_password) {
        (Some(email), Some(password)) => {
            let owner = NewHuman { email: Some(email.clone()), ..NewHuman::default() };
            let made = setup::create_owner(app, &Cx::system(app, "first start"), None, owner, password.clone()).await;
            match made {
                Ok(_) => Ok(()),
                // Another node was first.
                Err(error) if matches!(*error.kind, denizen_ops::ErrorKind::Conflict("owner-exists")) => Ok(()),
                Err(error) => Err(failed(error)),
            }
        }
        (None, None) => {
            let link = setup::make_link(app).await.map_err(failed)?;
            eprintln!("Make the owner account here, once, within a day:\n\n    {}\n", link.expose());
            Ok(())
        }
        _ => Err("DENIZEN_OWNER_EMAIL and DENIZEN_OWNER_PASSWORD must be given together".to_owned()),
    }
}
