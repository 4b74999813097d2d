//! Where the store is: `[store] url`.

use std::fmt;
use std::path::{Path, PathBuf};

/// The address of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres {
        /// As PostgreSQL's own programs take it.
        url: String,
        /// The folder for what this machine keeps of the database; it may be removed.
        cache: PathBuf,
    },
}

impl StoreUrl {
    /// Reads an address. Files are within `folder`, and so is `cache`.
    ///
    /// # Errors
    /// In words, when it is the address of no database that courant supports.
    pub fn parse(url: &str, folder: &Path, cache: &str) -> Result<StoreUrl, String> {
        let is_server = url.starts_with("postgres://") || url.starts_with("postgresql://");
        match url.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => {
                Ok(StoreUrl::Sqlite(folder.join(path.trim_start_matches("//"))))
            }
            None if is_server => match url.parse::<postgres::Config>() {
                Ok(_) => Ok(StoreUrl::Postgres { url: url.to_owned(), cache: folder.join(cache) }),
                Err(error) => Err(format!(
                    "\"{}\" is not the address of a PostgreSQL database: {error}: write \"postgres://user@host/database\"",
                    without_password(url)
                )),
            },
            _ => Err(format!(
                "\"{}\" is not a store that courant supports: write \"sqlite:courant.db\" or \"postgres://user@host/database\"",
                without_password(url)
            )),
        }
    }
}

/// For people: without the password.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            StoreUrl::Sqlite(path) => write!(f, "{}", path.display()),
            StoreUrl::Postgres { url, .. } => f.write_str(&without_password(url)),
        }
    }
}

/// The address of a database without its password, which stands before the host or among the parameters.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (place, parameters) = rest.split_once('?').map_or((rest, None), |(place, rest)| (place, Some(rest)));
    let place = match place.rsplit_once('@') {
        Some((login, host)) => match login.split_once(':') {
            Some((user, _)) => format!("{user}:…@{host}"),
            None => place.to_owned(),
        },
        None => place.to_owned(),
    };
    let hidden = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if name.eq_ignore_ascii_case("password") => format!("{name}=…"),
        _ => parameter.to_owned(),
    };
    let parameters = parameters
        .map(|all| format!("?{}", all.split('&').map(hidden).collect::<Vec<_>>().join("&")))
        .unwrap_or_default();
    format!("{scheme}://{place}{parameters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let folder = Path::new("/etc/courant");
        for (url, shown) in [
            ("postgres://me:secret@db.example/news", "postgres://me:…@db.example/news"),
            ("postgresql://me:sec@ret@db.example:5433/news", "postgresql://me:…@db.example:5433/news"),
            ("postgres://me@/news?host=/run&password=secret", "postgres://me@/news?host=/run&password=…"),
            ("postgres://db.example/news", "postgres://db.example/news"),
        ] {
            assert_eq!(
                StoreUrl::parse(url, folder, ".courant").map(|url| url.to_string()),
                Ok(shown.into()),
                "{url}"
            );
        }
        for url in ["mysql://me:secret@db/x", "postgres://me:secret@db:port/x", "sqlite:", "me:secret@db"] {
            let said = StoreUrl::parse(url, folder, ".courant").unwrap_err();
            assert!(!said.contains("secret") || url.starts_with("me:"), "{said}");
        }
    }
}
