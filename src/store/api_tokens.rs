//! Tokens by which programs use the API, known by their hashes.

use jiff::Timestamp;
use rusqlite::params;

use super::driver::Row;
use super::unit::{ApiTokens, Write};
use super::{Result, StoreError, millis, optional_time, time};
use crate::model::api_token::{ApiScope, ApiToken};

const COLUMNS: &str = "name, scopes, created, expires, used, revoked";

fn token(row: &Row) -> rusqlite::Result<Result<ApiToken>> {
    let scopes: String = row.get(1)?;
    let scopes: std::result::Result<Vec<ApiScope>, String> =
        scopes.split_whitespace().map(ApiScope::parse).collect();
    let (name, created) = (row.get(0)?, time(row.get(2)?));
    let [expires, used, revoked] = [row.get(3)?, row.get(4)?, row.get(5)?].map(optional_time);
    Ok(scopes
        .map(|scopes| ApiToken { name, scopes, created, expires, used, revoked })
        .map_err(StoreError::Corrupt))
}

impl<A> ApiTokens<'_, A> {
    /// The token with a hash.
    pub fn get(&self, hash: &str) -> Result<Option<ApiToken>> {
        self.db.row(&format!("SELECT {COLUMNS} FROM api_token WHERE hash = ?1"), [hash], token)?.transpose()
    }

    /// All tokens, those that were revoked too, in the order in which they were made.
    pub fn list(&self) -> Result<Vec<ApiToken>> {
        let sql = format!("SELECT {COLUMNS} FROM api_token ORDER BY created, name");
        self.db.rows(&sql, [], token)?.into_iter().collect()
    }
}

impl ApiTokens<'_, Write> {
    /// Stores a token; `false` if another one that was not revoked has its name.
    pub fn put(&self, hash: &str, token: &ApiToken) -> Result<bool> {
        let sql = "INSERT INTO api_token (hash, name, scopes, created, expires) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        let expires = token.expires.map(millis);
        let parameters = params![hash, token.name, scopes.join(" "), millis(token.created), expires];
        Ok(self.db.execute(sql, parameters)? == 1)
    }

    /// Revokes the token of a name; `false` if there is none.
    pub fn revoke(&self, name: &str, now: Timestamp) -> Result<bool> {
        let sql = "UPDATE api_token SET revoked = ?2 WHERE name = ?1 AND revoked IS NULL";
        Ok(self.db.execute(sql, params![name, millis(now)])? == 1)
    }

    /// Notes that a token is used.
    pub fn note_used(&self, hash: &str, now: Timestamp) -> Result<()> {
        let sql = "UPDATE api_token SET used = ?2 WHERE hash = ?1";
        self.db.execute(sql, params![hash, millis(now)]).map(drop)
    }
}
