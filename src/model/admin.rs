//! Who may do what under `/admin`: accounts with their roles, and sessions of those who signed in.

use jiff::{SignedDuration, Timestamp};

use super::password::PasswordHash;

/// A session of which nothing is seen for so long ends.
pub const SESSION_IDLE_MAX: SignedDuration = SignedDuration::from_hours(2);
/// So does one that is as old as a long day of work, whatever it is used for.
pub const SESSION_AGE_MAX: SignedDuration = SignedDuration::from_hours(12);
/// When a session was used is noted at most once in this time: a page is looked at often.
const NOTED_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// What somebody may do; each role may do all that those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdminRole {
    /// Sees everything.
    Viewer,
    /// Judges stories and topics, and opens the desk.
    Editor,
    /// Also has sources read, accepts what was mended, and adds sources.
    Operator,
}

impl AdminRole {
    pub const ALL: [(&'static str, AdminRole); 3] =
        [("viewer", AdminRole::Viewer), ("editor", AdminRole::Editor), ("operator", AdminRole::Operator)];

    pub fn as_str(self) -> &'static str {
        match self {
            AdminRole::Viewer => "viewer",
            AdminRole::Editor => "editor",
            AdminRole::Operator => "operator",
        }
    }
}

/// `[[admin.account]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminAccount {
    pub name: String,
    pub role: AdminRole,
    pub password: PasswordHash,
}

/// A session as it is stored: without what proves that somebody has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSession {
    /// The name of the account.
    pub account: String,
    /// Of the password that it was begun with.
    pub fingerprint: String,
    pub created: Timestamp,
    /// When it was last used, to a few minutes.
    pub used: Timestamp,
}

impl AdminSession {
    /// The account that a session is of, if it still holds: it is not too old, and the account is there, with the same password.
    pub fn account<'a>(&self, accounts: &'a [AdminAccount], now: Timestamp) -> Option<&'a AdminAccount> {
        let is_recent = |since: Timestamp, most| now.duration_since(since).abs() < most;
        let is_open = is_recent(self.created, SESSION_AGE_MAX) && is_recent(self.used, SESSION_IDLE_MAX);
        let own = accounts.iter().find(|account| account.name == self.account);
        own.filter(|account| is_open && account.password.fingerprint() == self.fingerprint)
    }

    /// Whether it is known that it was used lately.
    pub fn is_use_noted(&self, now: Timestamp) -> bool {
        now.duration_since(self.used).abs() < NOTED_AGAIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_it_is_old_or_idle_and_with_its_account_or_password() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let hash = |salt: &str| {
            PasswordHash::parse(&format!(
                "$argon2id$v=19$m=64,t=1,p=1${salt}$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
            ))
            .unwrap()
        };
        let account = |name: &str, salt: &str| AdminAccount {
            name: name.into(),
            role: AdminRole::Editor,
            password: hash(salt),
        };
        let ana = account("ana", "MDEyMzQ1Njc4OWFiY2RlZg");
        let session = AdminSession {
            account: "ana".into(),
            fingerprint: ana.password.fingerprint(),
            created: at("2022-10-20T08:00:00Z"),
            used: at("2022-10-20T18:30:00Z"),
        };
        let accounts = [account("bo", "MDEyMzQ1Njc4OWFiY2RlZg"), ana.clone()];
        let of = |accounts: &[AdminAccount], now: &str| {
            session.account(accounts, at(now)).map(|account| account.name.clone())
        };
        assert_eq!(of(&accounts, "2022-10-20T19:59:59Z").as_deref(), Some("ana"));
        assert_eq!(of(&accounts, "2022-10-20T20:00:00Z"), None, "it is twelve hours old");
        let idle = AdminSession { used: at("2022-10-20T12:00:00Z"), ..session.clone() };
        assert_eq!(idle.account(&accounts, at("2022-10-20T14:00:00Z")), None);
        assert_eq!(of(&accounts[..1], "2022-10-20T19:00:00Z"), None, "the account is gone");
        let changed = [account("ana", "YWJjZGVmZ2hpamtsbW5vcA")];
        assert_eq!(of(&changed, "2022-10-20T19:00:00Z"), None, "the password is another one");
        assert!(session.is_use_noted(at("2022-10-20T18:34:00Z")));
        assert!(!session.is_use_noted(at("2022-10-20T18:35:00Z")));
        assert!(AdminRole::Viewer < AdminRole::Editor && AdminRole::Editor < AdminRole::Operator);
    }
}
