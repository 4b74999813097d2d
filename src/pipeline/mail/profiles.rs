//! What is noted of subscribers: tags and attributes.

use jiff::Timestamp;

use crate::model::profile::{Profile, ProfileChange, ProfileEdit};
use crate::model::segment::SegmentQuery;
use crate::model::subscriber::Subscriber;
use crate::model::token::SigningKey;
use crate::store::{Store, StoreError, Unit, Write};

/// Subscribers changed in one unit of work.
const PAGE: usize = 1_000;

/// A subscriber would have more tags or attributes than there may be.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {fault}; nothing more was changed")]
pub struct ProfileTooLarge {
    address: String,
    fault: String,
}

/// Changes what is noted of a subscriber; answers them as they are then.
///
/// # Errors
/// When the store fails, or there would be more than there may be; nothing is changed then.
pub fn change(
    unit: &Unit<Write>,
    key: &SigningKey,
    subscriber: Subscriber,
    change: &ProfileChange,
) -> anyhow::Result<Subscriber> {
    let profile = change.over(subscriber.profile.clone());
    put(unit, key, &subscriber, &profile)?;
    Ok(Subscriber { profile, ..subscriber })
}

/// Changes some of what is noted of a subscriber; answers whether anything is different then.
///
/// # Errors
/// As `change`.
pub fn edit(
    unit: &Unit<Write>,
    key: &SigningKey,
    subscriber: &Subscriber,
    edit: &ProfileEdit,
) -> anyhow::Result<bool> {
    put(unit, key, subscriber, &edit.over(subscriber.profile.clone()))
}

fn put(
    unit: &Unit<Write>,
    key: &SigningKey,
    subscriber: &Subscriber,
    profile: &Profile,
) -> anyhow::Result<bool> {
    if *profile == subscriber.profile {
        return Ok(false);
    }
    if let Some((_, fault)) = profile.too_much() {
        return Err(ProfileTooLarge { address: subscriber.address.to_string(), fault }.into());
    }
    unit.subscribers().set_profile(&key.hash(subscriber.address.as_str()), profile)?;
    Ok(true)
}

/// Changes some of what is noted of all whom a query means, a page after the other; answers how many are different then.
///
/// # Errors
/// As `change`; those of earlier pages stay changed.
pub fn edit_all(
    store: &Store,
    key: &SigningKey,
    query: &SegmentQuery,
    wanted: &ProfileEdit,
    now: Timestamp,
) -> anyhow::Result<usize> {
    let (mut count, mut after) = (0, 0);
    loop {
        let (changed, next) = store.write(|w| {
            let page = w.subscribers().after(after, PAGE)?;
            let mut changed = 0;
            for (_, subscriber) in page.iter().filter(|(_, one)| query.matches(one, now)) {
                changed += usize::from(edit(w, key, subscriber, wanted)?);
            }
            Ok::<_, anyhow::Error>((changed, page.last().filter(|_| page.len() == PAGE).map(|(key, _)| *key)))
        })?;
        count += changed;
        match next {
            Some(key) => after = key,
            None => return Ok(count),
        }
    }
}

/// Visits all whom a query means, in the order in which they joined, a page after the other.
///
/// # Errors
/// When the store fails, and the errors of `visit`.
pub fn each<E: From<StoreError>>(
    store: &Store,
    query: &SegmentQuery,
    now: Timestamp,
    mut visit: impl FnMut(Subscriber) -> Result<(), E>,
) -> Result<(), E> {
    let mut after = 0;
    loop {
        let page = store.read(|r| r.subscribers().after(after, PAGE))?;
        let next = page.last().filter(|_| page.len() == PAGE).map(|(key, _)| *key);
        page.into_iter()
            .map(|(_, one)| one)
            .filter(|one| query.matches(one, now))
            .try_for_each(&mut visit)?;
        match next {
            Some(key) => after = key,
            None => return Ok(()),
        }
    }
}
