//! How much may go wrong from one address in a while, whoever it is tried on (PRODUCT §7): the generic cell rate
//! algorithm over failures alone, so that an office of many people behind one address is not held for succeeding.
//!
//! It is kept by each node for itself; what is kept for users is in the database, see [`crate::lockouts`].

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Mutex,
    time::Duration,
};

use denizen_model::{Timestamp, UserId};
use hashlink::LruCache;
use tokio::sync::Semaphore;

use crate::crypto::password::Turn;

/// So many failures at once are borne.
const BURST: u32 = 60;
/// After them one more in this time.
const EVERY: Duration = Duration::from_secs(2);
/// A site of many IPv6 networks bears so many times as much.
const OF_A_SITE: u32 = 16;
/// From so many failures on, what comes from there is probably guessed.
const SUSPECT: u32 = 5;
/// Of so many addresses failures are remembered, some 40 MiB of them; beyond, those that have been quiet the longest
/// are forgotten.
const ADDRESSES: usize = 400_000;
/// So many users and links are remembered; beyond, the oldest are forgotten.
const MANY: usize = 50_000;

/// How long an answer waits with which nothing was looked at: whoever goes on guessing all the same is slowed to what
/// costs nobody else anything.
const HELD_FOR: Duration = Duration::from_millis(250);
/// How many such answers wait at once; beyond them waiting would cost more than it saves.
const HELD_AT_ONCE: usize = 2000;
/// How long it is remembered from where a link was opened that does not work.
const LINK_REMEMBERED: Duration = Duration::from_secs(24 * 3600);
/// How long it is remembered that somebody's attempt was not looked at.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// Failures by address.
#[derive(Debug)]
pub(crate) struct Limits {
    /// When each would be forgiven.
    forgiven_at: Mutex<LruCache<Origin, Timestamp>>,
    /// Whose attempts were not looked at, with the latest.
    held_back: Mutex<LruCache<UserId, (IpAddr, Timestamp)>>,
    /// The links that do not work, by their hashes and from where they were opened, with when that was counted.
    dead_links: Mutex<LruCache<(IpAddr, String), Timestamp>>,
    /// Who may wait for an answer.
    held: Semaphore,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            forgiven_at: Mutex::new(LruCache::new(ADDRESSES)),
            held_back: Mutex::new(LruCache::new(MANY)),
            dead_links: Mutex::new(LruCache::new(MANY)),
            held: Semaphore::new(HELD_AT_ONCE),
        }
    }
}

/// The network that counts as one address: one IPv6 customer has a whole /64.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(mapped) => mapped.into(),
            None => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        },
        ip @ IpAddr::V4(_) => ip,
    }
}

/// From where attempts come, as far as they are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Origin {
    Network(IpAddr),
    /// The /48 that one IPv6 site has: 65,536 networks, of which a guesser would take one after the other.
    Site(Ipv6Addr),
}

impl Origin {
    fn all_of(ip: IpAddr) -> impl Iterator<Item = Self> {
        let network = network(ip);
        let site = match network {
            IpAddr::V6(ip) => Some(Self::Site(Ipv6Addr::from_bits(ip.to_bits() >> 80 << 80))),
            IpAddr::V4(_) => None,
        };
        [Self::Network(network)].into_iter().chain(site)
    }

    /// How long it takes until a failure is forgiven.
    fn every(self) -> Duration {
        match self {
            Self::Network(_) => EVERY,
            Self::Site(_) => EVERY / OF_A_SITE,
        }
    }
}

impl Limits {
    /// Whether too much has failed from there for another attempt to be looked at.
    pub(crate) fn holds(&self, ip: Option<IpAddr>, now: Timestamp) -> bool {
        let (Some(ip), Ok(mut forgiven)) = (ip, self.forgiven_at.lock()) else { return false };
        let too_much = now.plus(EVERY * BURST);
        // Each is asked, for what is asked is not forgotten.
        Origin::all_of(ip).filter(|origin| forgiven.get(origin).is_some_and(|at| *at > too_much)).count() > 0
    }

    /// As [`Limits::holds`], and whoever is held waits for the answer.
    pub(crate) async fn hold(&self, ip: Option<IpAddr>, now: Timestamp) -> bool {
        let holds = self.holds(ip, now);
        if holds && let Ok(_waiting) = self.held.try_acquire() {
            tokio::time::sleep(HELD_FOR).await;
        }
        holds
    }

    /// With whom a password from there waits to be looked at.
    pub(crate) fn turn(&self, ip: Option<IpAddr>, now: Timestamp) -> Turn {
        let (Some(ip), Ok(forgiven)) = (ip.map(network), self.forgiven_at.lock()) else { return Turn::Own };
        match forgiven.peek(&Origin::Network(ip)) {
            Some(at) if *at > now.plus(EVERY * SUSPECT) => Turn::Suspects,
            _ => Turn::Network(ip),
        }
    }

    /// Counts a failure. Answers whether it is the one from which on nothing is looked at.
    pub(crate) fn note_failure(&self, ip: Option<IpAddr>, now: Timestamp) -> bool {
        let (Some(ip), Ok(mut forgiven)) = (ip, self.forgiven_at.lock()) else { return false };
        let limit = now.plus(EVERY * BURST);
        let mut begins = false;
        for origin in Origin::all_of(ip) {
            let before = forgiven.peek(&origin).map_or(now, |at| now.max(*at));
            let at = before.plus(origin.every());
            forgiven.insert(origin, at);
            begins |= before <= limit && at > limit;
        }
        begins
    }

    /// Remembers that a link was opened from there that does not work. Answers whether it was not before: opening it again
    /// guesses nothing, and programs that look for bad links open the same one as long as they find its mail.
    pub(crate) fn note_dead_link(&self, ip: Option<IpAddr>, hash: String, now: Timestamp) -> bool {
        let (Some(ip), Ok(mut dead)) = (ip.map(network), self.dead_links.lock()) else { return true };
        let key = (ip, hash);
        let counted = dead.get(&key).is_some_and(|at| at.plus(LINK_REMEMBERED) > now);
        if !counted {
            dead.insert(key, now);
        }
        !counted
    }

    /// Remembers that an attempt was not looked at since its address is held. It costs next to nothing, as it must: it is
    /// for a diagnosis alone.
    pub(crate) fn note_held_back(&self, user: UserId, ip: Option<IpAddr>, now: Timestamp) {
        let (Some(ip), Ok(mut held)) = (ip, self.held_back.lock()) else { return };
        held.insert(user, (ip, now));
    }

    /// From where, and when, an attempt of theirs was last not looked at, of late.
    pub(crate) fn held_back(&self, user: UserId, now: Timestamp) -> Option<(IpAddr, Timestamp)> {
        let held = self.held_back.lock().ok()?;
        held.peek(&user).copied().filter(|(_, at)| at.plus(REMEMBERED) > now)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;

    fn fail(limits: &Limits, ip: &str, times: u32, now: Timestamp) -> usize {
        (0..times).filter(|_| limits.note_failure(ip.parse().ok(), now)).count()
    }

    #[test]
    fn a_burst_is_borne_and_then_one_at_a_time() {
        let (limits, now) = (Limits::default(), Timestamp::from_secs(1000));
        let ip = "192.0.2.7".parse().ok();
        assert_eq!(fail(&limits, "192.0.2.7", BURST, now), 0);
        assert!(!limits.holds(ip, now));
        assert_eq!(fail(&limits, "192.0.2.7", 20, now), 1, "it is told once");
        assert!(limits.holds(ip, now));
        assert!(!limits.holds(ip, now.plus(EVERY * 20)));
        assert!(!limits.holds("192.0.2.8".parse().ok(), now));
        assert!(!limits.holds(None, now));
    }

    #[test]
    fn who_fails_often_waits_with_the_other_suspects() {
        let (limits, now) = (Limits::default(), Timestamp::from_secs(1000));
        let ip = "192.0.2.7".parse().ok();
        fail(&limits, "192.0.2.7", SUSPECT, now);
        assert_eq!(limits.turn(ip, now), Turn::Network("192.0.2.7".parse().unwrap()));
        fail(&limits, "192.0.2.7", 1, now);
        assert_eq!(limits.turn(ip, now), Turn::Suspects);
        assert_eq!(limits.turn(ip, now.plus(EVERY)), Turn::Network("192.0.2.7".parse().unwrap()));
        let mapped = limits.turn("::ffff:192.0.2.7".parse().ok(), now);
        assert_eq!(mapped, Turn::Suspects);
        assert_eq!(limits.turn(None, now), Turn::Own);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let (limits, now) = (Limits::default(), Timestamp::from_secs(1000));
        for host in 0..100_u16 {
            limits.note_failure(format!("2001:db8:1:2::{host:x}").parse().ok(), now);
        }
        assert!(limits.holds("2001:db8:1:2:ffff::1".parse().ok(), now));
        assert!(!limits.holds("2001:db8:1:3::1".parse().ok(), now));
        fail(&limits, "::ffff:192.0.2.7", 100, now);
        assert!(limits.holds("192.0.2.7".parse().ok(), now));
    }

    #[test]
    fn the_networks_of_a_site_bear_more_together_and_not_each_as_much() {
        let (limits, now) = (Limits::default(), Timestamp::from_secs(1000));
        let in_site = |network: u32| format!("2001:db8:1:{network:x}::1");
        let told: usize = (0..BURST * OF_A_SITE).map(|network| fail(&limits, &in_site(network), 1, now)).sum();
        assert_eq!(told, 0);
        assert!(!limits.holds(in_site(5).parse().ok(), now));
        assert_eq!(fail(&limits, &in_site(0xfffe), 1, now), 1);
        assert!(limits.holds(in_site(0xffff).parse().ok(), now), "from where nothing came yet");
        assert!(!limits.holds("2001:db8:2::1".parse().ok(), now));
        assert!(!limits.holds(in_site(0xffff).parse().ok(), now.plus(EVERY)));
    }

    #[test]
    fn whose_attempt_was_not_looked_at_is_remembered_for_an_hour() {
        let (limits, now) = (Limits::default(), Timestamp::from_secs(1000));
        let ip: IpAddr = "192.0.2.7".parse().unwrap();
        let user = UserId::new(now, [1; 10]);
        limits.note_held_back(user, Some(ip), now);
        assert_eq!(limits.held_back(user, now.plus(EVERY)), Some((ip, now)));
        assert_eq!(limits.held_back(user, now.plus(REMEMBERED)), None);
        assert_eq!(limits.held_back(UserId::new(now, [2; 10]), now), None);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_held_waits_for_the_answer_and_nobody_else_does() {
        let (limits, now) = (Limits::default(), Timestamp::from_secs(1000));
        let ip = "192.0.2.7".parse().ok();
        fail(&limits, "192.0.2.7", BURST, now);
        let begun = Instant::now();
        assert!(!limits.hold(ip, now).await);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        fail(&limits, "192.0.2.7", 1, now);
        assert!(limits.hold(ip, now).await);
        // The clock stands still but for those who wait for it; it goes by milliseconds.
        assert!((HELD_FOR..=HELD_FOR + Duration::from_millis(1)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        let begun = Instant::now();
        assert!(!limits.hold("192.0.2.8".parse().ok(), now).await);
        assert!(!limits.hold(ip, now.plus(EVERY)).await);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_so_many_who_wait_the_held_are_answered_at_once() {
        let (limits, now) = (Arc::new(Limits::default()), Timestamp::from_secs(1000));
        let ip: Option<IpAddr> = "192.0.2.7".parse().ok();
        fail(&limits, "192.0.2.7", BURST + 1, now);
        let ask = |limits: &Arc<Limits>| {
            let (limits, begun) = (Arc::clone(limits), Instant::now());
            tokio::spawn(async move {
                assert!(limits.hold(ip, now).await, "the answer is the same");
                begun.elapsed()
            })
        };
        for _ in 0..2 {
            let asked: Vec<_> = (0..HELD_AT_ONCE + 7).map(|_| ask(&limits)).collect();
            let mut waited = 0;
            for one in asked {
                let took = one.await.unwrap();
                assert!(took == Duration::ZERO || took >= HELD_FOR, "{took:?}");
                waited += usize::from(took >= HELD_FOR);
            }
            // Whoever has waited makes room for the next.
            assert_eq!(waited, HELD_AT_ONCE);
        }
    }

    #[test]
    fn a_link_that_does_not_work_counts_once_for_each_address() {
        let (limits, now) = (Limits::default(), Timestamp::from_secs(1000));
        let (scanner, other) = ("2001:db8:1:2::1".parse().ok(), "192.0.2.7".parse().ok());
        assert!(limits.note_dead_link(scanner, "used".to_owned(), now));
        for host in ["2001:db8:1:2::1", "2001:db8:1:2::2"] {
            assert!(!limits.note_dead_link(host.parse().ok(), "used".to_owned(), now.plus(EVERY)));
        }
        assert!(limits.note_dead_link(scanner, "another".to_owned(), now));
        assert!(limits.note_dead_link(other, "used".to_owned(), now));
        assert!(limits.note_dead_link(scanner, "used".to_owned(), now.plus(LINK_REMEMBERED)));
        assert!(limits.note_dead_link(None, "used".to_owned(), now));
        assert!(limits.note_dead_link(None, "used".to_owned(), now), "nothing is known of it");
    }

    #[test]
    fn of_more_links_than_there_is_room_for_the_oldest_is_forgotten() {
        let (limits, now) = (Limits::default(), Timestamp::from_secs(1000));
        let ip = "192.0.2.7".parse().ok();
        for number in 0..MANY {
            assert!(limits.note_dead_link(ip, number.to_string(), now));
        }
        assert!(!limits.note_dead_link(ip, "0".to_owned(), now), "opened again, it is not the oldest");
        assert!(limits.note_dead_link(ip, "one more".to_owned(), now));
        assert!(!limits.note_dead_link(ip, "one more".to_owned(), now));
        assert!(!limits.note_dead_link(ip, "0".to_owned(), now));
        assert!(limits.note_dead_link(ip, "1".to_owned(), now), "it was the oldest");
        assert_eq!(limits.dead_links.lock().unwrap().len(), MANY);
    }

    #[test]
    fn of_more_addresses_than_there_is_room_for_the_quietest_is_forgotten() {
        let (limits, now) = (Limits::default(), Timestamp::from_secs(1000));
        let (held, quiet) = ("192.0.2.7", "192.0.2.8");
        for ip in [held, quiet] {
            fail(&limits, ip, BURST + 1, now);
        }
        for number in 0..u32::try_from(ADDRESSES).unwrap() {
            limits.note_failure(Some(IpAddr::V4((0x0a00_0000 + number).into())), now);
            assert!(limits.holds(held.parse().ok(), now), "whoever goes on trying stays held");
        }
        assert!(!limits.holds(quiet.parse().ok(), now));
        assert_eq!(limits.forgiven_at.lock().unwrap().len(), ADDRESSES);
    }
}
