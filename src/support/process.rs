//! Limits of this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many open files as anything here asks for, where the system sets no limit.
const FILES_WANTED: u64 = 1 << 16;

/// Lets this process have as many open files as the system grants. What is granted by default, often 1,024, is there for
/// programs that cannot handle more.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(FILES_WANTED);
    if limit.current.is_some_and(|current| current < wanted) {
        // Where this fails, what there is has to do.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    }
}

/// How many files may be open.
pub fn open_files_max() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(FILES_WANTED);
    usize::try_from(limit).unwrap_or(usize::MAX)
}
