//! Tokens by which programs use the API, and what they allow.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::support::text::{did_you_mean, hex};

/// How every token begins, so that people and scanners know one when they see it.
const PREFIX: &str = "courant_";
/// When a token was used is noted at most once in this time: a program asks often.
const NOTED_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiScope {
    /// What an open API answers to everybody. Every token allows it.
    Read,
    ReadSubscribers,
    WriteSubscribers,
    /// Stories and topics, and the next issues as editors shape them.
    WriteRulings,
    ReadSources,
    WriteSources,
    ReadIssues,
    WriteIssues,
}

impl ApiScope {
    pub const ALL: [ApiScope; 8] = [
        ApiScope::Read,
        ApiScope::ReadSubscribers,
        ApiScope::WriteSubscribers,
        ApiScope::WriteRulings,
        ApiScope::ReadSources,
        ApiScope::WriteSources,
        ApiScope::ReadIssues,
        ApiScope::WriteIssues,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ApiScope::Read => "read",
            ApiScope::ReadSubscribers => "subscribers:read",
            ApiScope::WriteSubscribers => "subscribers:write",
            ApiScope::WriteRulings => "rulings:write",
            ApiScope::ReadSources => "sources:read",
            ApiScope::WriteSources => "sources:write",
            ApiScope::ReadIssues => "issues:read",
            ApiScope::WriteIssues => "issues:write",
        }
    }

    /// Reads a scope by its name.
    ///
    /// # Errors
    /// In words, when there is none.
    pub fn parse(text: &str) -> Result<ApiScope, String> {
        let names = || ApiScope::ALL.iter().map(|scope| scope.as_str());
        let found = ApiScope::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| {
            let all = names().collect::<Vec<_>>().join(", ");
            format!("there is no scope \"{text}\"{}; there are {all}", did_you_mean(text, names()))
        })
    }
}

/// A token as it is stored: without what proves that somebody has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    pub name: String,
    pub scopes: Vec<ApiScope>,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    /// When it was last used, to the hour.
    pub used: Option<Timestamp>,
    pub revoked: Option<Timestamp>,
}

impl ApiToken {
    /// `valid`, `expired` or `revoked`.
    pub fn state(&self, now: Timestamp) -> &'static str {
        match (self.revoked, self.expires) {
            (Some(_), _) => "revoked",
            (None, Some(end)) if end <= now => "expired",
            _ => "valid",
        }
    }

    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.state(now) == "valid"
    }

    pub fn allows(&self, scope: ApiScope) -> bool {
        scope == ApiScope::Read || self.scopes.contains(&scope)
    }

    /// Whether it is known that it was used lately.
    pub fn is_use_noted(&self, now: Timestamp) -> bool {
        self.used.is_some_and(|used| now.duration_since(used).abs() < NOTED_AGAIN)
    }

    /// How what it does is signed in logs.
    pub fn signature(&self) -> String {
        format!("token {}", self.name)
    }
}

/// A token as its owner has it, made of what cannot be guessed.
pub fn written_out(random: &str) -> String {
    format!("{PREFIX}{random}")
}

/// What is kept of a token. Of what cannot be guessed, one round is enough: there is nothing to try out.
pub fn hash_of(token: &str) -> String {
    hex(&Sha256::digest(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_as_it_is_written_and_another_is_refused() {
        for scope in ApiScope::ALL {
            assert_eq!(ApiScope::parse(scope.as_str()), Ok(scope));
        }
        let error = ApiScope::parse("subscriber:read").unwrap_err();
        assert!(error.contains("did you mean \"subscribers:read\"?"), "{error}");
    }

    #[test]
    fn a_token_holds_until_it_expires_or_is_revoked_and_allows_what_it_names() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2022-10-20T08:00:00Z");
        let token = ApiToken {
            name: "crm".into(),
            scopes: vec![ApiScope::ReadSubscribers],
            created: now,
            expires: Some(at("2022-10-21T08:00:00Z")),
            used: Some(now),
            revoked: None,
        };
        assert!(token.is_valid(now) && !token.is_valid(at("2022-10-21T08:00:00Z")));
        assert_eq!(ApiToken { revoked: Some(now), ..token.clone() }.state(now), "revoked");
        assert!(token.allows(ApiScope::Read) && token.allows(ApiScope::ReadSubscribers));
        assert!(!token.allows(ApiScope::WriteSubscribers));
        assert!(token.is_use_noted(now) && !token.is_use_noted(at("2022-10-20T09:00:00Z")));
    }
}
