//! A database of a PostgreSQL server for each test, where the suite runs on one: `COURANT_TEST_STORE` is the address of the server's
//! database `postgres`.

use std::sync::atomic::{AtomicU32, Ordering};

use postgres::{Client, NoTls};

/// A database that goes with its test.
pub(crate) struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    /// A new one, if the suite runs on a server.
    pub(crate) fn wanted() -> Option<TestDatabase> {
        std::env::var("COURANT_TEST_STORE").ok().map(TestDatabase::new)
    }

    pub(crate) fn new(server: String) -> TestDatabase {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let database = TestDatabase { server, name };
        database.admin(&format!("CREATE DATABASE {}", database.name));
        database
    }

    /// A statement for the server. On a thread of its own: the client waits, which a runtime's thread may not.
    fn admin(&self, sql: &str) {
        let (server, sql) = (self.server.clone(), sql.to_owned());
        let run = move || Client::connect(&server, NoTls).and_then(|mut client| client.batch_execute(&sql));
        std::thread::spawn(run).join().unwrap().unwrap();
    }

    pub(crate) fn url(&self) -> String {
        self.server.replacen("/postgres", &format!("/{}", self.name), 1)
    }

    /// The store in a configuration: one line.
    pub(crate) fn line(&self) -> String {
        format!("store = {{ url = \"{}\" }}\n", self.url())
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        self.admin(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}
