//! `courant subscribers tag` and `attribute`: what is noted of subscribers.

use clap::Args;

use super::recipient::not_there;
use crate::app::{App, Usage};
use crate::model::mail_address::Address;
use crate::model::profile::{ProfileEdit, parse_attribute, parse_tag};
use crate::model::segment::{SegmentNames, SegmentQuery};
use crate::pipeline::mail::profiles;
use crate::support::terminal::outln;
use crate::support::text::many;

#[derive(Debug, Clone, Args)]
pub(super) struct TagOptions {
    /// Tags, separated by commas.
    #[arg(value_name = "TAG,…")]
    tags: String,
    #[command(flatten)]
    whom: ChosenSubscribers,
    /// Take the tags away.
    #[arg(long)]
    remove: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct AttributeOptions {
    /// Name and value; without a value, the attribute is taken away.
    #[arg(value_name = "NAME=VALUE")]
    attribute: String,
    #[command(flatten)]
    whom: ChosenSubscribers,
}

/// Whose tags or attributes.
#[derive(Debug, Clone, Args)]
struct ChosenSubscribers {
    /// Addresses of subscribers.
    #[arg(value_name = "ADDRESS", required_unless_present = "where_query")]
    addresses: Vec<String>,
    /// All subscribers whom a query means.
    #[arg(long = "where", id = "where_query", value_name = "QUERY", conflicts_with = "addresses")]
    query: Option<String>,
}

/// Reads a query for subscribers; it may name what is configured.
///
/// # Errors
/// In words, with the place.
pub(super) fn query(app: &App, text: &str) -> anyhow::Result<SegmentQuery> {
    let options = app.subscription_options();
    let names = SegmentNames { options: &options, segments: &app.config.segments };
    Ok(SegmentQuery::parse(text, names).map_err(|fault| Usage(format!("--where: {fault}")))?)
}

/// The changes that tags and attributes on the command line mean.
///
/// # Errors
/// In words, when one is none.
pub(super) fn edits(tags: &[String], attributes: &[String]) -> anyhow::Result<Vec<ProfileEdit>> {
    let tags: Result<Vec<String>, String> = tags.iter().map(|tag| parse_tag(tag)).collect();
    let attributes = attributes
        .iter()
        .map(|text| parse_attribute(text).map(|(name, value)| ProfileEdit::SetAttribute(name, value)));
    let attributes: Result<Vec<ProfileEdit>, String> = attributes.collect();
    let mut edits = attributes.map_err(Usage)?;
    edits.insert(0, ProfileEdit::AddTags(tags.map_err(Usage)?));
    Ok(edits)
}

/// Adds or removes tags.
///
/// # Errors
/// When a tag is none, an address is not on the list, or the store fails.
pub(super) fn tag(app: &App, wanted: &TagOptions) -> anyhow::Result<()> {
    let tags: Result<Vec<String>, String> = wanted.tags.split(',').map(parse_tag).collect();
    let tags = tags.map_err(Usage)?;
    let edit = if wanted.remove { ProfileEdit::RemoveTags(tags) } else { ProfileEdit::AddTags(tags) };
    change(app, &wanted.whom, &edit)
}

/// Sets an attribute.
///
/// # Errors
/// As above.
pub(super) fn attribute(app: &App, wanted: &AttributeOptions) -> anyhow::Result<()> {
    let (name, value) = parse_attribute(&wanted.attribute).map_err(Usage)?;
    change(app, &wanted.whom, &ProfileEdit::SetAttribute(name, value))
}

fn change(app: &App, whom: &ChosenSubscribers, edit: &ProfileEdit) -> anyhow::Result<()> {
    let (store, key) = (app.store(), &app.sender.key);
    let count = match &whom.query {
        Some(text) => profiles::edit_all(store, key, &query(app, text)?, edit, app.clock.now())?,
        None => {
            let addresses: Result<Vec<Address>, String> =
                whom.addresses.iter().map(|text| Address::parse(text)).collect();
            let addresses = addresses.map_err(Usage)?;
            store.write(|w| {
                let mut count = 0;
                for address in &addresses {
                    let known = w.subscribers().get(&key.hash(address.as_str()))?;
                    let known = known.ok_or_else(|| not_there(address))?;
                    count += usize::from(profiles::edit(w, key, &known, edit)?);
                }
                Ok::<_, anyhow::Error>(count)
            })?
        }
    };
    outln!("{} changed", many(count, "subscriber", "subscribers"));
    Ok(())
}
