//! Where the published files go: a folder or a bucket, behind one interface.
//!
//! ```text
//! write, write, … ─▶ flush: whatever changed is there, in the order in which files refer to each other ─▶ the caller settles
//! remove, … ──────────────────────────────────────────────────▶ end: deletions
//! ```
//!
//! What the store knows of a bucket is never more than what is there: a hash is forgotten before an upload and kept after it, and
//! who is killed in between has settled nothing, so that the next one writes the file again. Only the owner of the lease writes.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::publish::{PAGE, formats, headers, lists};
use crate::store::{Lease, Store, Unit, UploadedFile};
use crate::support::bucket::{Bucket, BucketError, Upload};
use crate::support::clock::Interrupted;
use crate::support::public_folder::{self, Found};
use crate::support::text::hex;

/// Files uploaded between two looks at the lease.
const UPLOADED_TOGETHER: usize = 64;
/// Bytes that wait to be uploaded.
const WAITING_BYTES_MAX: usize = 32 << 20;
/// Files deleted together.
const DELETED_TOGETHER: usize = 1_000;
/// Larger files are not ours.
pub const FILE_BYTES_MAX: u64 = 32 << 20;

/// Where the published files go.
#[derive(Clone)]
pub enum Destination {
    Folder(PathBuf),
    Bucket(Arc<Bucket>),
}

/// Why not everything is published, while all other work can go on.
#[derive(Debug, thiserror::Error)]
pub enum Unpublished {
    #[error("{0}. The next run publishes what is missing")]
    Bucket(BucketError),
    #[error("another process took over publishing, since this one was silent for too long")]
    TakenOver,
}

// Not its source: the message has all that there is to say.
impl From<BucketError> for Unpublished {
    fn from(error: BucketError) -> Self {
        Unpublished::Bucket(error)
    }
}

/// For people.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Destination::Folder(folder) => write!(f, "{}", folder.display()),
            Destination::Bucket(bucket) => f.write_str(bucket.place()),
        }
    }
}

impl Destination {
    /// Tells buckets from each other. All folders are one to the store: machines may reach it under different paths.
    pub fn id(&self) -> String {
        match self {
            Destination::Folder(_) => String::new(),
            Destination::Bucket(bucket) => bucket.id(),
        }
    }

    /// Reads a published file; `None` if it is not there.
    ///
    /// # Errors
    /// When the bucket cannot be read now.
    pub async fn read(&self, path: &str) -> Result<Option<Bytes>, BucketError> {
        match self {
            Destination::Folder(folder) => {
                let (folder, path) = (folder.clone(), path.to_owned());
                let read = tokio::task::spawn_blocking(move || public_folder::read_at(&folder, &path)).await;
                Ok(read.ok().and_then(Result::ok).map(Bytes::from))
            }
            Destination::Bucket(bucket) => {
                Ok(bucket.get(path, FILE_BYTES_MAX).await?.map(|object| object.bytes))
            }
        }
    }
}

/// What other files refer to is there before them: archive documents and days first, the feeds and the page of the channel last.
pub fn rank(path: &str) -> u8 {
    let is_list = |name: &str| name == PAGE || formats::of_file(name).is_some();
    match path.rsplit_once('/') {
        None if is_list(path) || path == lists::SITEMAP => 2,
        Some((_, name)) if is_list(name) => 1,
        _ => 0,
    }
}

/// A file that is to be uploaded if it changed.
struct WaitingFile {
    path: String,
    hash: String,
    bytes: Bytes,
}

/// Writes the published files, for the owner of the lease.
pub struct SiteWriter<'a> {
    destination: &'a Destination,
    store: &'a Store,
    lease: &'a Lease,
    stop: &'a CancellationToken,
    waiting: RefCell<Vec<WaitingFile>>,
    waiting_bytes: Cell<usize>,
    /// The paths written since the last flush.
    changed: RefCell<Vec<String>>,
    /// The files that are in the bucket as they were uploaded; only known after a look.
    intact: RefCell<Option<HashSet<String>>>,
}

impl<'a> SiteWriter<'a> {
    pub fn new(
        destination: &'a Destination,
        store: &'a Store,
        lease: &'a Lease,
        stop: &'a CancellationToken,
    ) -> SiteWriter<'a> {
        SiteWriter {
            destination,
            store,
            lease,
            stop,
            waiting: RefCell::default(),
            waiting_bytes: Cell::default(),
            changed: RefCell::default(),
            intact: RefCell::default(),
        }
    }

    pub fn destination(&self) -> &Destination {
        self.destination
    }

    /// Makes the folder, or now and then looks what is in the bucket.
    ///
    /// # Errors
    /// When the folder cannot be made, or the bucket not be listed.
    pub fn begin(&self) -> anyhow::Result<()> {
        match self.destination {
            Destination::Folder(folder) => {
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("cannot write {}", folder.display()))?;
                public_folder::sweep(folder);
                Ok(())
            }
            Destination::Bucket(bucket) if bucket.is_look_due() => self.look(bucket),
            Destination::Bucket(_) => Ok(()),
        }
    }

    /// Compares what is in the bucket with what was uploaded.
    fn look(&self, bucket: &Bucket) -> anyhow::Result<()> {
        let id = bucket.id();
        let listed = self.wait(bucket.list())?.map_err(Unpublished::from)?;
        let uploaded = self.store.read(|r| r.uploads().all(&id))?;
        let is_there = |file: &UploadedFile| match &listed {
            Some(listed) => listed
                .get(&file.path)
                .is_some_and(|tag| tag.is_empty() || file.etag.is_empty() || *tag == file.etag),
            None => true,
        };
        let (known, _unknown): (Vec<_>, Vec<_>) =
            uploaded.into_iter().partition(|file| !file.hash.is_empty());
        let (intact, lost): (Vec<_>, Vec<_>) = known.into_iter().partition(is_there);
        if !lost.is_empty() {
            tracing::warn!("{} files are no more in {} as they were uploaded", lost.len(), bucket.place());
            let lost: Vec<&str> = lost.iter().map(|file| file.path.as_str()).collect();
            self.owned(|w| Ok(w.uploads().put_unknown(&id, &lost)?))?;
        }
        *self.intact.borrow_mut() = Some(intact.into_iter().map(|file| file.path).collect());
        Ok(())
    }

    /// Whether it was looked what is in the bucket, so that all that is missing is known.
    pub fn has_looked(&self) -> bool {
        self.intact.borrow().is_some()
    }

    /// Notes that all that the look found missing is there again, or will be.
    pub fn set_looked(&self) {
        if let Destination::Bucket(bucket) = self.destination {
            bucket.set_looked();
        }
    }

    /// Those of the files that are not there, or that something else stands in place of. In a bucket, only a look tells.
    pub fn missing(&self, paths: impl Iterator<Item = String>) -> Vec<String> {
        match (self.destination, self.intact.borrow().as_ref()) {
            (Destination::Folder(folder), _) => paths
                .filter(|path| !matches!(public_folder::open(folder, path), Ok(Found::File(..))))
                .collect(),
            (Destination::Bucket(_), Some(intact)) => paths.filter(|path| !intact.contains(path)).collect(),
            (Destination::Bucket(_), None) => Vec::new(),
        }
    }

    /// What an earlier version may have written to a folder.
    pub fn read_earlier(&self, path: &str) -> Option<Vec<u8>> {
        match self.destination {
            Destination::Folder(folder) => public_folder::read_at(folder, path).ok(),
            Destination::Bucket(_) => None,
        }
    }

    /// Writes a file, at the next flush at the latest, if its bytes changed.
    ///
    /// # Errors
    /// When the disk or the bucket fails; the old file is kept.
    pub fn write(&self, path: &str, bytes: impl Into<Bytes>) -> anyhow::Result<()> {
        let bytes: Bytes = bytes.into();
        match self.destination {
            Destination::Folder(folder) => {
                let is_changed = public_folder::write_if_changed(folder, path, &bytes)
                    .with_context(|| format!("cannot write {}", folder.join(path).display()))?;
                if is_changed {
                    self.changed.borrow_mut().push(path.to_owned());
                }
                Ok(())
            }
            Destination::Bucket(bucket) => {
                self.waiting_bytes.set(self.waiting_bytes.get() + bytes.len());
                let hash = hex(&Sha256::digest(&bytes));
                self.waiting.borrow_mut().push(WaitingFile { path: path.to_owned(), hash, bytes });
                if self.waiting_bytes.get() > WAITING_BYTES_MAX { self.upload(bucket) } else { Ok(()) }
            }
        }
    }

    /// Waits until whatever was written is there, and answers the paths of what changed since the last time. Only then may be
    /// recorded that files are up to date.
    ///
    /// # Errors
    /// When the bucket fails, or this process is not the owner any more.
    pub fn flush(&self) -> anyhow::Result<Vec<String>> {
        match self.destination {
            Destination::Folder(_) => self.store.read(|r| self.check_owned(r))?,
            Destination::Bucket(bucket) => self.upload(bucket)?,
        }
        Ok(self.changed.take())
    }

    fn upload(&self, bucket: &Bucket) -> anyhow::Result<()> {
        let mut waiting = self.waiting.take();
        self.waiting_bytes.set(0);
        // Of one path, what was written last.
        let mut seen = HashSet::new();
        waiting.reverse();
        waiting.retain(|file| seen.insert(file.path.clone()));
        waiting.reverse();
        let paths: Vec<&str> = waiting.iter().map(|file| file.path.as_str()).collect();
        let id = bucket.id();
        let known = self.store.read(|r| {
            self.check_owned(r)?;
            anyhow::Ok(r.uploads().hashes(&id, &paths)?)
        })?;
        waiting.retain(|file| known.get(&file.path) != Some(&file.hash));
        waiting.sort_by_key(|file| rank(&file.path));
        let of_one_rank = waiting.chunk_by(|one, other| rank(&one.path) == rank(&other.path));
        of_one_rank.flat_map(|files| files.chunks(UPLOADED_TOGETHER)).try_for_each(|files| {
            let uploaded = self.upload_together(bucket, &id, files)?;
            self.changed.borrow_mut().extend(uploaded);
            Ok(())
        })
    }

    /// Uploads files in any order; answers their paths.
    fn upload_together(
        &self,
        bucket: &Bucket,
        id: &str,
        files: &[WaitingFile],
    ) -> anyhow::Result<Vec<String>> {
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        self.owned(|w| Ok(w.uploads().put_unknown(id, &paths)?))?;
        let uploads = files.iter().map(|file| Upload {
            path: file.path.clone(),
            bytes: file.bytes.clone(),
            media_type: headers::media_type(&file.path),
            cache_control: headers::cache_control(&file.path),
        });
        let (written, error) = self.wait(bucket.put(uploads.collect()))?;
        let rows: Vec<UploadedFile> = written
            .into_iter()
            .filter_map(|(path, etag)| {
                let file = files.iter().find(|file| file.path == path)?;
                Some(UploadedFile { path, hash: file.hash.clone(), etag })
            })
            .collect();
        let is_owner = self.store.write(|w| {
            let owned = self.check_owned(w);
            match owned {
                Ok(()) => rows.iter().try_for_each(|file| w.uploads().put(id, file))?,
                // Ours may have come after those of the owner: nobody knows.
                Err(_) => w.uploads().put_unknown(id, &paths)?,
            }
            anyhow::Ok(owned)
        })?;
        is_owner?;
        match error {
            Some(error) => Err(Unpublished::from(error).into()),
            None => Ok(rows.into_iter().map(|file| file.path).collect()),
        }
    }

    /// Removes files; in a bucket, at the end.
    ///
    /// # Errors
    /// When the disk or the store fails.
    pub fn remove(&self, paths: &[&str]) -> anyhow::Result<()> {
        match self.destination {
            Destination::Folder(folder) => paths.iter().try_for_each(|path| {
                public_folder::remove(folder, path)
                    .with_context(|| format!("cannot remove {}", folder.join(path).display()))
            }),
            Destination::Bucket(bucket) if !paths.is_empty() => {
                self.owned(|w| Ok(w.uploads().put_gone(&bucket.id(), paths)?))
            }
            Destination::Bucket(_) => Ok(()),
        }
    }

    /// Deletes in the bucket what was removed, and nothing that we did not upload.
    ///
    /// # Errors
    /// When the bucket fails.
    pub fn end(&self) -> anyhow::Result<()> {
        let Destination::Bucket(bucket) = self.destination else {
            self.sweep();
            return Ok(());
        };
        let id = bucket.id();
        loop {
            let gone = self.store.read(|r| {
                self.check_owned(r)?;
                anyhow::Ok(r.uploads().gone(&id, DELETED_TOGETHER)?)
            })?;
            if gone.is_empty() {
                return Ok(());
            }
            self.wait(bucket.delete(&gone))?.map_err(Unpublished::from)?;
            self.owned(|w| Ok(w.uploads().forget_gone(&id, &gone)?))?;
        }
    }

    /// Removes what killed processes left half-written in a folder.
    pub fn sweep(&self) {
        if let Destination::Folder(folder) = self.destination {
            public_folder::sweep(folder);
        }
    }

    /// A unit of work of the owner.
    fn owned(
        &self,
        work: impl FnOnce(&Unit<crate::store::Write>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.store.write(|w| {
            self.check_owned(w)?;
            work(w)
        })
    }

    fn check_owned<A>(&self, unit: &Unit<A>) -> anyhow::Result<()> {
        let held = unit.leases().held(self.lease.queue, &[&self.lease.id], self.store.worker())?;
        if held.get(&self.lease.id) == Some(&self.lease.attempt) {
            return Ok(());
        }
        Err(Unpublished::TakenOver.into())
    }

    /// Waits for the bucket, unless the work is to end.
    fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, Interrupted> {
        Handle::current().block_on(async {
            tokio::select! {
                done = work => Ok(done),
                () = self.stop.cancelled() => Err(Interrupted),
            }
        })
    }
}

/// Reads a file that was published to a folder before.
pub fn read_former(folder: &Path, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
    match public_folder::read_at(folder, path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", folder.join(path).display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_refer_to_is_uploaded_first() {
        let mut paths = vec![
            "index.html",
            "topics/a/index.html",
            "archive/1.xml",
            "atom.xml",
            "topics/a/archive/2.xml",
            "days/2022-10-20.html",
            "days/index.html",
            "sitemap.xml",
            "favicon.svg",
            "topics/a/feed.json",
        ];
        paths.sort_by_key(|path| rank(path));
        assert_eq!(
            paths,
            [
                "archive/1.xml",
                "topics/a/archive/2.xml",
                "days/2022-10-20.html",
                "favicon.svg",
                "topics/a/index.html",
                "days/index.html",
                "topics/a/feed.json",
                "index.html",
                "atom.xml",
                "sitemap.xml",
            ]
        );
    }
}
