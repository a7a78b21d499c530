//! The queue: taking what is due, sending it, noting the outcome.

use std::time::Duration;

use denizen_model::{
    Timestamp,
    events::{EventType, NewEvent, SubjectKind, SubjectRef},
    messages::{Channel, Message},
};
use denizen_store::{self as store, Events, ReadTx};
use tokio::task::JoinSet;

use super::{Way, open, smtp::PATIENCE};
use crate::{
    App, Cx, Error, Result,
    cx::{Detail, realm_subject, user_subject},
};

/// How many messages are taken, and sent, at a time.
const TOGETHER: u32 = 8;
/// How long the messages taken belong to whoever took them; longer than sending can take.
const LEASE: Duration = Duration::from_secs(2 * PATIENCE.as_secs());
/// After this many attempts a message is given up: about a day after the first.
const MAX_ATTEMPTS: u32 = 30;

/// How long to wait after an attempt: five seconds, then four times as long each time, an hour at the most; a fifth
/// more or less by `chance`, so that what failed together is not tried together.
fn pause(attempts: u32, chance: u8) -> Duration {
    let plain = 5_000_u64.saturating_mul(4_u64.saturating_pow(attempts.saturating_sub(1).min(10))).min(3_600_000);
    let spread = plain / 5;
    Duration::from_millis(plain - spread + 2 * spread * u64::from(chance) / 255)
}

/// Sends what is due by every channel, until nothing is. Answers how many messages were tried.
///
/// # Errors
/// When the database fails; what was taken until then is tried again later.
pub async fn send_due(app: &App) -> Result<usize> {
    let mut tried = 0;
    for channel in Channel::ALL {
        tried += send_due_by(app, *channel).await?;
    }
    Ok(tried)
}

/// Sends what is due by one channel. Channels do not wait for each other: a mail server that is away keeps no code
/// from a phone.
///
/// # Errors
/// When the database fails; what was taken until then is tried again later.
pub async fn send_due_by(app: &App, channel: Channel) -> Result<usize> {
    let mut tried = 0;
    if matches!(app.mailer().way(channel), Way::None) {
        return Ok(tried);
    }
    loop {
        let now = app.now();
        // A look costs no write; most of the time nothing is due.
        if !app.db().peek(move |tx| Ok::<_, Error>(store::messages::is_any_due(tx, channel, now)?)).await? {
            return Ok(tried);
        }
        let taken = app
            .db()
            .write(move |mut tx| {
                let taken = store::messages::claim(&mut tx, channel, now, now.plus(LEASE), TOGETHER)?;
                Ok::<_, Error>(tx.unaudited("messages taken from the queue; their outcome has its event", taken)?)
            })
            .await?;
        if taken.is_empty() {
            return Ok(tried);
        }
        tried += taken.len();
        let mut sending = JoinSet::new();
        for (message, sealed) in taken {
            let app = app.clone();
            sending.spawn(async move { deliver(&app, message, sealed).await });
        }
        let mut failure = None;
        while let Some(done) = sending.join_next().await {
            match done {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failure = Some(error),
                Err(error) => failure = Some(Error::internal(error.to_string())),
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
    }
}

async fn deliver(app: &App, message: Message, sealed: Option<String>) -> Result<()> {
    if is_expired(&message, app.now()) {
        return give_up(app, message, EXPIRED.to_owned()).await;
    }
    let whole = match sealed.map(|sealed| open(app, message.id, &sealed)) {
        Some(Ok(whole)) => whole,
        other => {
            let context = other.and_then(Result::err).and_then(|error| error.context);
            tracing::error!(message.id = %message.id, context, "A message cannot be opened");
            return give_up(app, message, "The message could not be read back.".to_owned()).await;
        }
    };
    let sent = match app.mailer().way(message.channel) {
        Way::Smtp(smtp) => smtp.send(&message, whole, app.now()).await,
        Way::Gateway(gateway) => gateway.send(message.id, &message.recipient, &whole.text).await,
        Way::Demo => Ok(()),
        Way::None => return Ok(()),
    };
    match sent {
        Ok(()) => note_sent(app, message).await,
        Err(error) => {
            tracing::warn!(message.id = %message.id, channel = %message.channel, attempt = message.attempts, reply.code = error.code, permanent = error.permanent, "A message could not be sent");
            if error.permanent || message.attempts >= MAX_ATTEMPTS {
                return give_up(app, message, error.text).await;
            }
            let [chance] = app.rng().bytes::<1>();
            let due_at = app.now().plus(pause(message.attempts, chance));
            app.db()
                .write(move |mut tx| {
                    store::messages::mark_for_retry(&mut tx, &message, due_at, &error.text)?;
                    Ok(tx.unaudited("an attempt that is not the last; the outcome has its event", ())?)
                })
                .await
        }
    }
}

async fn note_sent(app: &App, message: Message) -> Result<()> {
    let (app2, keep) = (app.clone(), matches!(app.mailer().way(message.channel), Way::Demo));
    app.db()
        .write(move |mut tx| {
            let cx = Cx::system(&app2, "messages");
            if !store::messages::mark_sent(&mut tx, message.id, cx.now, keep)? {
                return Ok(tx.unaudited("another node has noted it", ())?);
            }
            let event = event(&mut tx, &app2, &cx, EventType::NotificationSent, &message)?;
            Ok::<_, Error>(tx.commit(Events::from(event), ())?)
        })
        .await
}

async fn give_up(app: &App, message: Message, reason: String) -> Result<()> {
    let app2 = app.clone();
    app.db()
        .write(move |mut tx| {
            let cx = Cx::system(&app2, "messages");
            if !store::messages::mark_failed(&mut tx, &message, &reason)? {
                return Ok(tx.unaudited("a later attempt is under way, or the message was taken back", ())?);
            }
            let event = event(&mut tx, &app2, &cx, EventType::NotificationFailed, &message)?.failed(&reason);
            Ok::<_, Error>(tx.commit(Events::from(event), ())?)
        })
        .await
}

fn event(tx: &mut ReadTx<'_>, app: &App, cx: &Cx, kind: EventType, message: &Message) -> Result<NewEvent> {
    let realm = message.realm_id;
    let user = message.user_id.map(|id| store::users::find(tx, realm, id)).transpose()?.flatten();
    let subject = match (user, message.invitation_id) {
        (Some(user), _) => user_subject(&user),
        (None, Some(id)) => {
            SubjectRef { kind: SubjectKind::Invitation, id: id.to_string(), name: message.recipient.clone() }
        }
        (None, None) => match store::realms::find(tx, realm)? {
            Some(realm) => realm_subject(&realm),
            None => SubjectRef { kind: SubjectKind::Realm, id: realm.to_string(), name: String::new() },
        },
    };
    let event = cx
        .event(app, realm, kind, subject)
        .detail("message_id", message.id.to_string())
        .detail("channel", message.channel.as_str())
        .detail("template", message.template.as_str())
        .detail("recipient", message.recipient.as_str())
        .detail("attempts", message.attempts);
    Ok(match &message.template_error {
        Some(flaw) => event.detail("template_error", flaw.as_str()),
        None => event,
    })
}

const EXPIRED: &str = "What it carries stopped working before it could be sent.";

fn is_expired(message: &Message, now: Timestamp) -> bool {
    message.expires_at.is_some_and(|at| at <= now)
}

/// Gives up messages that wait although what they carry no longer works, as they do without a mail server.
///
/// # Errors
/// When the database fails.
pub async fn give_up_expired(app: &App) -> Result<()> {
    let now = app.now();
    let expired = app.db().read(move |tx| Ok::<_, Error>(store::messages::list_expired(tx, now, 200)?)).await?;
    for message in expired {
        give_up(app, message, EXPIRED.to_owned()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour_and_add_up_to_a_day() {
        assert_eq!(pause(1, 0), Duration::from_secs(4));
        assert_eq!(pause(1, 255), Duration::from_secs(6));
        assert_eq!(pause(2, 0), Duration::from_secs(16));
        assert!(pause(60, 255) <= Duration::from_secs(4320));
        let whole: Duration = (1..MAX_ATTEMPTS).map(|attempt| pause(attempt, 127)).sum();
        assert!((23..27).contains(&(whole.as_secs() / 3600)), "{whole:?}");
        assert!(LEASE > PATIENCE);
    }
}
