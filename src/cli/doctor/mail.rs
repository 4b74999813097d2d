//! Whether mail leaves and arrives: name servers, log-in at the mail servers, records of the domain, names of addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;

use url::Url;

use super::{Finding, Patient};
use crate::app;
use crate::config::TransportConfig;
use crate::deliver::records::RecordVerdict;
use crate::deliver::transport::Transport;
use crate::fetch::names::{NameService, NamesError};
use crate::model::guard::Guard;
use crate::pipeline::outside;

pub(super) async fn look(patient: &Patient<'_>) -> Vec<Finding> {
    let mail = &patient.config.mail;
    let TransportConfig::Smtp { urls, .. } = &mail.transport else {
        let why = "mail is written to a folder, so that no server and no record is needed";
        return ["dns", "smtp", "spf", "dkim", "dmarc", "ptr"]
            .map(|check| Finding::not_checked(check, why))
            .to_vec();
    };
    let mut findings = log_in(patient).await;
    let Some(domain) = app::mailbox(&mail.from).ok().map(|from| from.email.domain().to_owned()) else {
        return findings;
    };
    let names = match &patient.names {
        Ok(names) => names,
        Err(error) => {
            findings.push(no_names(error));
            return findings;
        }
    };
    findings.extend(name_server(names, &domain).await);
    if findings.iter().any(|finding| finding.check == "dns" && finding.fix.is_some()) {
        return findings;
    }
    let bounces = mail.bounces.as_ref().map_or(domain.as_str(), |address| address.domain());
    findings.push(of_record("spf", outside::spf(names, bounces).await));
    findings.extend(dkim(patient, names).await);
    findings.push(dmarc(patient, names, &domain).await);
    findings.extend(reverse(names, urls).await);
    findings
}

fn no_names(error: &dyn std::fmt::Display) -> Finding {
    Finding::failed(
        "dns",
        error.to_string(),
        "see /etc/resolv.conf, and whether the network lets name servers answer",
    )
}

/// Whether a name server answers at all.
async fn name_server(names: &NameService, domain: &str) -> Vec<Finding> {
    vec![match names.texts(domain).await {
        Ok(_) => Finding::ok("dns", format!("a name server answers for {domain}")),
        Err(error) => no_names(&error),
    }]
}

async fn log_in(patient: &Patient<'_>) -> Vec<Finding> {
    const CHECK: &str = "smtp";
    let mail = &patient.config.mail;
    let smtp = match app::transport(mail) {
        Ok(Transport::Smtp(smtp)) => smtp,
        // That is a fault of the configuration.
        Ok(Transport::Directory(_)) | Err(_) => {
            return vec![Finding::not_checked(CHECK, "it cannot be set up")];
        }
    };
    let tried = smtp.try_out().await.into_iter().map(|(server, result)| match result {
        Ok(()) => Finding::ok(CHECK, format!("{server} takes the log-in")),
        Err(reason) => Finding::failed(
            CHECK,
            reason,
            "see [mail] transport, username and password, and what the provider wants",
        ),
    });
    tried.collect()
}

fn judged(check: &'static str, verdict: RecordVerdict) -> Finding {
    match verdict {
        RecordVerdict::Good(what) => Finding::ok(check, what),
        RecordVerdict::Doubtful { what, fix } => Finding::warning(check, what, fix),
        RecordVerdict::Bad { what, fix } => Finding::failed(check, what, fix),
    }
}

/// What a record says, if a name server does.
fn of_record(check: &'static str, seen: Result<RecordVerdict, NamesError>) -> Finding {
    match seen {
        Ok(verdict) => judged(check, verdict),
        Err(error) => Finding::not_checked(check, error.to_string()),
    }
}

/// The record of each key.
async fn dkim(patient: &Patient<'_>, names: &NameService) -> Vec<Finding> {
    const CHECK: &str = "dkim";
    if patient.config.mail.dkim.is_empty() {
        let why = "courant signs nothing ([[mail.dkim]]): the mail server has to";
        return vec![Finding::not_checked(CHECK, why)];
    }
    let mut findings = Vec::new();
    for settings in &patient.config.mail.dkim {
        // A key that is none is a fault of the configuration.
        let Ok(signer) = app::dkim(settings) else { continue };
        findings.push(of_record(CHECK, outside::dkim(names, &signer.public_key()).await));
    }
    findings
}

async fn dmarc(patient: &Patient<'_>, names: &NameService, domain: &str) -> Finding {
    let signed_by: Vec<&str> = patient.config.mail.dkim.iter().map(|key| key.domain.as_str()).collect();
    of_record("dmarc", outside::dmarc(names, domain, &signed_by).await)
}

/// Whether the addresses of the mail servers have names that lead back to them, without which receivers refuse them.
async fn reverse(names: &NameService, urls: &[Url]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let hosts: BTreeSet<&str> = urls.iter().filter_map(Url::host_str).collect();
    for host in hosts {
        let host = host.trim_matches(['[', ']']);
        let addresses: BTreeSet<IpAddr> =
            tokio::net::lookup_host((host, 25)).await.into_iter().flatten().map(|found| found.ip()).collect();
        if addresses.is_empty() {
            let fix = "see [mail] transport, and the name server of this machine";
            findings.push(Finding::failed("dns", format!("the mail server {host} cannot be resolved"), fix));
        }
        for address in addresses {
            findings.push(reverse_of(names, host, address).await);
        }
    }
    findings
}

async fn reverse_of(names: &NameService, host: &str, address: IpAddr) -> Finding {
    const CHECK: &str = "ptr";
    let is_public = Guard { allowed: Vec::new(), proxy_hosts: Vec::new() }.permits((address, 25).into());
    let known = match names.names_of(address).await {
        Ok(known) => known,
        Err(error) => return Finding::not_checked(CHECK, error.to_string()),
    };
    for name in &known {
        if names.addresses(name).await.is_ok_and(|found| found.contains(&address)) {
            return Finding::ok(
                CHECK,
                format!("{address} ({host}) is called {name}, and {name} leads back to it"),
            );
        }
    }
    if !is_public {
        return Finding::not_checked(CHECK, format!("{address} ({host}) is not a public address"));
    }
    let what = match known.first() {
        Some(name) => format!("{address} ({host}) is called {name}, which does not lead back to it"),
        None => format!("{address} ({host}) has no name"),
    };
    let fix = format!(
        "whoever you have {address} from can set its name (PTR) to that of the mail server, if it is yours"
    );
    // A relay may send from other addresses.
    Finding::warning(CHECK, what, fix)
}
