//! `courant partner`: the private pages of partners.

use clap::Subcommand;

use crate::app::{App, Usage};
use crate::pipeline::partners::{names, partner_address};
use crate::support::terminal::outln;
use crate::support::text::did_you_mean;

#[derive(Debug, Subcommand)]
pub(super) enum PartnerCommand {
    /// Print the address of a partner's private page.
    Link {
        /// The partner, as its sources name it.
        name: String,
        /// Make another address; those before lead nowhere any more.
        #[arg(long)]
        new: bool,
    },
}

/// Runs the subcommand.
///
/// # Errors
/// When there is no such partner, no address to link to, or the store fails.
pub(super) fn partner(app: &App, wanted: &PartnerCommand) -> anyhow::Result<()> {
    let PartnerCommand::Link { name, new } = wanted;
    let Some(public) = &app.sender.public_url else {
        return Err(Usage("there is no address to link to: set url in [channel]".into()).into());
    };
    let known = names(&app.config.sources);
    if !known.contains(name.as_str()) {
        let near = did_you_mean(name, known.iter().copied());
        return Err(Usage(format!("no source has the partner \"{name}\"{near}")).into());
    }
    if *new {
        app.store().write(|w| w.partners().renew_link(name))?;
    }
    outln!("{}", partner_address(app.store(), &app.sender.key, public, name)?);
    Ok(())
}
