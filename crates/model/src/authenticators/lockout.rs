//! Lockout (PRODUCT §7): after so many wrong passwords or codes within a while none is looked at for a while.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Timestamp, users::text_enum, validation::FieldErrors};

text_enum! {
    /// What is counted apart.
    LockoutKind {
        /// Wrong passwords.
        Password = "password",
        /// Wrong codes, from wherever they come.
        Otp = "otp",
    }
}

/// The longest lock, whatever the escalation.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How long a lock is remembered after its end: another one within that time is longer.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// When a method is locked, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LockoutRule {
    /// So many failures lock it; 0 never does.
    pub attempts: u32,
    /// Failures are counted together within so many seconds.
    pub window_seconds: u64,
    /// How long the first lock holds, in seconds.
    pub duration_seconds: u64,
    /// Each further lock within a day holds so many times longer than the one before, up to a day; 1 for always
    /// the same.
    pub escalation: u32,
}

impl Default for LockoutRule {
    fn default() -> Self {
        Self { attempts: 10, window_seconds: 900, duration_seconds: 900, escalation: 2 }
    }
}

impl LockoutRule {
    /// Checks that every value is within its bounds.
    pub fn check(&self, field: &str, errors: &mut FieldErrors) {
        let mut within = |part: &str, value: u64, low: u64, high: u64| {
            if !(low..=high).contains(&value) {
                errors.add(&format!("{field}.{part}"), format!("Must be between {low} and {high}."));
            }
        };
        within("attempts", u64::from(self.attempts), 0, 1000);
        within("window_seconds", self.window_seconds, 10, 24 * 3600);
        within("duration_seconds", self.duration_seconds, 10, 24 * 3600);
        within("escalation", u64::from(self.escalation), 1, 10);
    }

    fn hold(&self, locks: u32) -> Duration {
        let factor = u64::from(self.escalation.max(1)).saturating_pow(locks);
        Duration::from_secs(self.duration_seconds.saturating_mul(factor)).min(LONGEST)
    }
}

/// How a method stands with somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lockout {
    /// What is counted.
    pub kind: LockoutKind,
    /// Failures within the window.
    pub failures: u32,
    /// When the window began.
    pub window_started_at: Timestamp,
    /// Until when nothing is looked at.
    pub locked_until: Option<Timestamp>,
    /// How often it was locked within a day.
    pub locks: u32,
}

impl Lockout {
    /// Before anything failed.
    #[must_use]
    pub const fn new(kind: LockoutKind, now: Timestamp) -> Self {
        Self { kind, failures: 0, window_started_at: now, locked_until: None, locks: 0 }
    }

    /// The end of a lock that holds at this time.
    #[must_use]
    pub fn locked_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.locked_until.filter(|until| now < *until)
    }

    /// How it stands after one more failure.
    #[must_use]
    pub fn after_failure(&self, rule: &LockoutRule, now: Timestamp) -> Self {
        let within = now < self.window_started_at.plus(Duration::from_secs(rule.window_seconds));
        let (failures, window_started_at) =
            if within { (self.failures.saturating_add(1), self.window_started_at) } else { (1, now) };
        let remembered = self.locked_until.is_some_and(|until| now < until.plus(REMEMBERED));
        let locks = if remembered { self.locks } else { 0 };
        if rule.attempts > 0 && failures >= rule.attempts {
            let locked_until = Some(now.plus(rule.hold(locks)));
            return Self { kind: self.kind, failures: 0, window_started_at: now, locked_until, locks: locks + 1 };
        }
        Self { kind: self.kind, failures, window_started_at, locked_until: self.locked_until, locks }
    }

    /// From when on nothing of it matters any more.
    #[must_use]
    pub fn forgotten_at(&self, rule: &LockoutRule) -> Timestamp {
        let window = self.window_started_at.plus(Duration::from_secs(rule.window_seconds));
        self.locked_until.map_or(window, |until| window.max(until.plus(REMEMBERED)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: LockoutRule = LockoutRule { attempts: 3, window_seconds: 60, duration_seconds: 100, escalation: 2 };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    fn fail(mut lockout: Lockout, times: &[i64]) -> Lockout {
        for seconds in times {
            lockout = lockout.after_failure(&RULE, at(*seconds));
        }
        lockout
    }

    #[test]
    fn so_many_failures_within_the_window_lock() {
        let two = fail(Lockout::new(LockoutKind::Password, at(0)), &[0, 1]);
        assert_eq!((two.failures, two.locked_until(at(1))), (2, None));
        let three = fail(two, &[2]);
        assert_eq!(three.locked_until(at(2)), Some(at(102)));
        assert_eq!(three.locked_until(at(102)), None);
    }

    #[test]
    fn failures_far_apart_do_not_lock() {
        let slow = fail(Lockout::new(LockoutKind::Otp, at(0)), &[0, 59, 60, 119]);
        assert_eq!((slow.failures, slow.locked_until), (2, None));
    }

    #[test]
    fn each_lock_within_a_day_is_longer_and_none_longer_than_a_day() {
        let twice = fail(Lockout::new(LockoutKind::Otp, at(0)), &[0, 1, 2, 200, 201, 202]);
        assert_eq!(twice.locked_until(at(203)), Some(at(402)));
        let mut lockout = twice;
        let mut now = 1000;
        for _ in 0..40 {
            lockout = fail(lockout, &[now, now, now]);
            now = lockout.locked_until.unwrap().as_secs() - 1_000_000 + 1;
        }
        assert_eq!(lockout.locked_until.unwrap(), at(now - 1));
        assert!(now < 1000 + 40 * 24 * 3600 + 41 && lockout.locks > 30);
        let later = fail(lockout, &[now + 2 * 24 * 3600; 3]);
        assert_eq!(later.locked_until, Some(at(now + 2 * 24 * 3600 + 100)), "a day later it begins anew");
    }

    #[test]
    fn a_rule_of_zero_never_locks() {
        let rule = LockoutRule { attempts: 0, ..RULE };
        let mut lockout = Lockout::new(LockoutKind::Password, at(0));
        for _ in 0..100 {
            lockout = lockout.after_failure(&rule, at(0));
        }
        assert_eq!(lockout.locked_until, None);
    }
}
