//! How often something may be tried: passwords, and what sends mail to
//! addresses that strangers type. The count stands in the store, so that it
//! holds over several processes and restarts.
//!
//! A try is counted before it is made, and taken back when it succeeds: a
//! thousand tries at once are as slow as one after the other. A try while
//! blocked neither counts nor costs anything.

use std::net::IpAddr;
use std::time::Duration;

use gatewright_model::id::TenantId;
use gatewright_model::secret::SecretHash;
use gatewright_model::time::Timestamp;
use gatewright_store::{Attempt, Scope};

use crate::control::Control;
use crate::error::{Error, Result};

/// After this long without a try everything is forgotten.
pub(crate) const FORGET: Duration = Duration::from_secs(86_400);

/// The code of everything that was tried too often.
const TOO_MANY: &str = "too_many_attempts";

/// How often, and how long it takes after that.
#[derive(Debug, Clone, Copy)]
struct Rule {
    /// So many tries in a row are free.
    free: i64,
    /// The first wait; it doubles with each try.
    first: Duration,
    /// The longest wait.
    longest: Duration,
}

/// A password of one account. About a hundred guesses a day are left.
const ACCOUNT: Rule = Rule {
    free: 5,
    first: Duration::from_secs(5),
    longest: Duration::from_secs(900),
};

/// Passwords from one address; a company may stand behind it.
const ADDRESS: Rule = Rule {
    free: 30,
    first: Duration::from_secs(5),
    longest: Duration::from_secs(900),
};

/// Mail that somebody causes to one mailbox.
const MAILBOX: Rule = Rule {
    free: 3,
    first: Duration::from_secs(300),
    longest: Duration::from_secs(3_600),
};

/// Mail and new accounts that are caused from one address.
const MAILS_FROM: Rule = Rule {
    free: 20,
    first: Duration::from_secs(30),
    longest: Duration::from_secs(900),
};

impl Rule {
    /// How long it is blocked after this many failures.
    fn wait(self, failures: i64) -> Option<Duration> {
        let beyond = failures - self.free;
        if beyond < 0 {
            return None;
        }
        let doublings = u32::try_from(beyond).unwrap_or(u32::MAX);
        let wait = self.first.saturating_mul(2_u32.saturating_pow(doublings.min(20)));
        Some(wait.min(self.longest))
    }
}

/// So often in so long, whether or not it succeeds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// How often.
    pub(crate) most: i64,
    /// From the first time on.
    pub(crate) length: Duration,
    /// What is counted, in words that follow the number.
    pub(crate) what: &'static str,
}

/// Something that is tried, with its rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tried {
    key: SecretHash,
    rule: Rule,
    /// A success clears what belongs to one account; of what many share it takes back its own try.
    shared: bool,
}

impl Tried {
    /// Under which key it is counted.
    pub(crate) const fn key(&self) -> SecretHash {
        self.key
    }
}

/// A try that was let through and counted.
#[derive(Debug)]
pub(crate) struct Admitted {
    tried: Vec<Tried>,
    /// Whether this was the last one before a wait.
    pub(crate) last: bool,
}

impl Control {
    /// The password of an account, known or not.
    pub(crate) fn trying_account(&self, tenant: TenantId, email: &str) -> Tried {
        let tenant = tenant.to_string();
        Tried {
            key: self.attempt_key(&["account", &tenant, email]),
            rule: ACCOUNT,
            shared: false,
        }
    }

    /// The password of an account, where somebody is signed in to it already.
    pub(crate) fn trying_account_from(&self, tenant: TenantId, email: &str, address: IpAddr) -> Tried {
        let tenant = tenant.to_string();
        Tried {
            key: self.attempt_key(&["account", &tenant, email, &network(address)]),
            rule: ACCOUNT,
            shared: false,
        }
    }

    /// Passwords from an address.
    pub(crate) fn trying_from(&self, address: IpAddr) -> Tried {
        Tried {
            key: self.attempt_key(&["address", &network(address)]),
            rule: ADDRESS,
            shared: true,
        }
    }

    /// Mail to a mailbox.
    pub(crate) fn mailing(&self, tenant: TenantId, email: &str) -> Tried {
        let tenant = tenant.to_string();
        Tried {
            key: self.attempt_key(&["mailbox", &tenant, email]),
            rule: MAILBOX,
            shared: true,
        }
    }

    /// Mail and new accounts from an address.
    pub(crate) fn mailing_from(&self, address: IpAddr) -> Tried {
        Tried {
            key: self.attempt_key(&["mails", &network(address)]),
            rule: MAILS_FROM,
            shared: true,
        }
    }

    /// Lets a try through and counts it.
    ///
    /// # Errors
    /// [`Error::TooOften`] with the time when to try again.
    pub(crate) async fn admit(&self, tried: Vec<Tried>) -> Result<Admitted> {
        if tried.is_empty() {
            return Ok(Admitted { tried, last: false });
        }
        let now = self.now();
        let keys: Vec<SecretHash> = tried.iter().map(|tried| tried.key).collect();
        // Whoever is blocked is turned away without touching anything that others wait for.
        let known = self.read_system().await?.attempts().find(&keys).await?;
        refuse_blocked(&known, now)?;
        let mut tx = self.parts.store.begin(Scope::System).await?;
        let mut attempts = tx.attempts().lock(&keys, now).await?;
        refuse_blocked(&attempts, now)?;
        let mut last = false;
        for (attempt, tried) in attempts.iter_mut().zip(&tried) {
            if now.since(attempt.last_at) >= FORGET {
                attempt.failures = 0;
            }
            attempt.failures += 1;
            attempt.last_at = now;
            if let Some(wait) = tried.rule.wait(attempt.failures) {
                attempt.blocked_until = now.plus(wait);
                last |= !tried.shared && attempt.failures == tried.rule.free;
            }
            tx.attempts().put(attempt).await?;
        }
        tx.commit(now).await?;
        Ok(Admitted { tried, last })
    }

    /// Counts something that may be done so often in a window of time, which
    /// begins with the first time. What is refused is not counted.
    ///
    /// # Errors
    /// [`Error::TooOften`] with the time when to try again.
    pub(crate) async fn admit_in(&self, key: SecretHash, window: &Window) -> Result<()> {
        let now = self.now();
        let mut tx = self.parts.store.begin(Scope::System).await?;
        for mut attempt in tx.attempts().lock(&[key], now).await? {
            // The time of the first in the window stands where a row's age is read.
            if now.since(attempt.last_at) >= window.length {
                attempt.failures = 0;
                attempt.last_at = now;
            }
            if attempt.failures >= window.most {
                let wait = whole(window.length.saturating_sub(now.since(attempt.last_at)));
                let Window { most, what, .. } = window;
                return Err(Error::TooOften {
                    code: TOO_MANY,
                    message: format!("{most} {what}: try again in {} seconds", wait.as_secs()),
                    wait,
                });
            }
            attempt.failures += 1;
            tx.attempts().put(&attempt).await?;
        }
        tx.commit(now).await?;
        Ok(())
    }

    /// Takes back what was counted for a try that succeeded.
    pub(crate) async fn succeeded(&self, admitted: Admitted) -> Result<()> {
        let now = self.now();
        let keys: Vec<SecretHash> = admitted.tried.iter().map(|tried| tried.key).collect();
        let mut tx = self.parts.store.begin(Scope::System).await?;
        let attempts = tx.attempts().lock(&keys, now).await?;
        for (attempt, tried) in attempts.into_iter().zip(&admitted.tried) {
            let failures = if tried.shared { attempt.failures - 1 } else { 0 };
            if failures <= 0 {
                tx.attempts().remove(&attempt.key).await?;
                continue;
            }
            let blocked_until = if failures < tried.rule.free {
                Timestamp::default()
            } else {
                attempt.blocked_until
            };
            let left = Attempt {
                failures,
                blocked_until,
                ..attempt
            };
            tx.attempts().put(&left).await?;
        }
        tx.commit(now).await?;
        Ok(())
    }
}

fn refuse_blocked(attempts: &[Attempt], now: Timestamp) -> Result<()> {
    let until = attempts.iter().map(|attempt| attempt.blocked_until).max();
    match until.filter(|until| *until > now) {
        Some(until) => Err(too_many(until, now)),
        None => Ok(()),
    }
}

fn too_many(until: Timestamp, now: Timestamp) -> Error {
    let wait = whole(until.since(now));
    let seconds = wait.as_secs();
    let words = match seconds {
        1 => "1 second".to_owned(),
        2..=119 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    };
    let at = until.to_jiff().strftime("%H:%M:%S UTC");
    Error::TooOften {
        code: TOO_MANY,
        message: format!("too many attempts: try again in {words}, at {at}"),
        wait,
    }
}

/// The next whole second: who waits so long does not come too early.
const fn whole(wait: Duration) -> Duration {
    Duration::from_secs(wait.as_secs() + 1)
}

/// Somebody with an IPv6 address has the whole /64 around it.
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_end() {
        assert_eq!(ACCOUNT.wait(4), None);
        assert_eq!(ACCOUNT.wait(5), Some(Duration::from_secs(5)));
        assert_eq!(ACCOUNT.wait(7), Some(Duration::from_secs(20)));
        assert_eq!(ACCOUNT.wait(i64::MAX), Some(ACCOUNT.longest));
    }

    #[test]
    fn an_address_is_its_network() {
        let parse = |text: &str| network(text.parse().unwrap());
        assert_eq!(parse("2001:db8:1:2::3"), parse("2001:db8:1:2:ffff::1"));
        assert_ne!(parse("2001:db8:1:2::3"), parse("2001:db8:1:3::3"));
        assert_eq!(parse("::ffff:192.0.2.1"), parse("192.0.2.1"));
    }

    #[test]
    fn the_wait_is_named_in_words() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        for (wait, words) in [(500, "1 second"), (30_000, "31 seconds"), (900_000, "16 minutes")] {
            let text = too_many(now.plus(Duration::from_millis(wait)), now).to_string();
            assert!(text.contains(words) && text.ends_with("UTC"), "{text}");
        }
    }
}
