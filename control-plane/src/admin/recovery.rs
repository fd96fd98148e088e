//! `recovery`: after a restore, what hosts have and the records don't, and what the operator decides. The words of
//! `recovery show` are here, so that one place tells what can be known and what can't.

use std::{fmt, net::IpAddr};

use innkeeper_wire::{
    endpoints::{
        Ask, Nothing,
        operators::{DismissHost, FinishRecovery, GetRecovery, ReadmitHost, ReleaseAddress},
    },
    host::HeldServer,
    id::{HostId, made_at},
    operator::{ReadmitRequest, View},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{AdminContext, Operator, view};
use crate::{
    addresses::UnlistedAddress,
    api::error::Refused,
    continuity::{
        recovery::HostInRecovery,
        rules::{
            recovery::{Differences, Phase, RestoredFrom},
            unrecorded::{Unrecorded, Verdict},
        },
        unrecorded::UnrecordedHost,
    },
    hosts::rules::host::HostState,
    store::Head,
};

/// How a recovery stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecoveryView {
    /// Epoch of the store.
    pub epoch: u64,
    /// Whether the installation is open, in words.
    pub phase: String,
    /// Whether somebody has to open it still.
    pub is_closed: bool,
    /// From what the store was restored, if it was.
    pub restored_from: Option<RestoredFrom>,
    /// Hosts that the records know and that are not revoked.
    pub hosts: Vec<RecoveringHost>,
    /// Hosts that no record knows.
    pub unrecorded: Vec<UnrecordedLine>,
    /// Addresses that are held for servers which no record knows.
    pub unlisted: Vec<UnlistedAddress>,
}

/// A host in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecoveringHost {
    /// Its name.
    pub name: String,
    /// Why it is quarantined, if it is.
    pub quarantine: Option<String>,
    /// Whether it follows the records.
    pub is_settled: bool,
    /// Whether it has reported under the epoch of the store.
    pub has_reported: bool,
    /// What differs.
    pub differences: Differences,
    /// When the certificate that it shows was signed.
    pub certified_at: Option<Timestamp>,
    /// The last commit of an earlier epoch that it was told of.
    pub told: Option<Told>,
}

/// A commit that a host was told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Told {
    /// In which epoch.
    pub epoch: u64,
    /// Its number.
    pub sequence: u64,
}

impl From<Head> for Told {
    fn from(head: Head) -> Self {
        Self {
            epoch: head.epoch,
            sequence: head.sequence,
        }
    }
}

/// A host that no record knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UnrecordedLine {
    /// Which.
    pub id: HostId,
    /// What is kept of it.
    pub record: Unrecorded,
    /// When it was heard last, and from where.
    pub heard: Option<(Timestamp, IpAddr)>,
    /// What it has.
    pub held: Vec<HeldServer>,
    /// The last commit of an earlier epoch that it was told of.
    pub told: Option<Told>,
}

impl fmt::Display for RecoveryView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "epoch {}: {}", self.epoch, self.phase)?;
        let known = self.hosts.iter().map(|host| host.told);
        let unknown = self.unrecorded.iter().map(|host| host.told);
        let newest = known.chain(unknown).flatten().max();
        if let Some(from) = &self.restored_from {
            write!(
                f,
                "the copy ends with commit {} of {}",
                from.sequence, from.until
            )?;
            match newest {
                Some(newest) if newest.epoch >= from.epoch && newest.sequence > from.sequence => {
                    writeln!(
                        f,
                        "; hosts were told of commit {}, so at least {} are lost",
                        newest.sequence,
                        newest.sequence - from.sequence
                    )?;
                }
                _ => writeln!(f, "; no host that has come says what is lost")?,
            }
        }
        for host in &self.hosts {
            host.write(f)?;
        }
        for host in &self.unrecorded {
            host.write(f)?;
        }
        for UnlistedAddress {
            address,
            server,
            host,
        } in &self.unlisted
        {
            writeln!(
                f,
                "held: {address} for {server} on {host}, which no record knows"
            )?;
        }
        if self.is_closed {
            f.write_str(NOT_KNOWN)?;
        }
        Ok(())
    }
}

/// What no copy can tell, and what helps.
const NOT_KNOWN: &str = "\
not known here, since it was done after the copy was taken:
  which hosts were revoked since: they look like all others. One whose certificate is older than those of others, or
    that was told of far fewer commits, may be one: `host revoke` it again
  which hosts joined since and have not come yet: what they use can be given away once this is open
  compare with your own list of machines, and with `audit list --store` of the lost store, if there is anything left
";

impl RecoveringHost {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (&self.quarantine, self.is_settled, self.has_reported) {
            (Some(why), ..) => format!("is QUARANTINED: {why}"),
            (None, true, _) => "follows the records".to_owned(),
            (None, false, true) => "has reported since the restore".to_owned(),
            (None, false, false) => "HAS NOT REPORTED since the restore".to_owned(),
        };
        write!(f, "{}: {state}", self.name)?;
        if let Some(at) = self.certified_at {
            write!(f, "; certificate of {at}")?;
        }
        if let Some(told) = self.told {
            write!(f, "; was told of commit {}", told.sequence)?;
        }
        writeln!(f)?;
        for held in &self.differences.unknown {
            writeln!(f, "  no record knows {}", in_words(held))?;
        }
        for server in &self.differences.gone {
            writeln!(
                f,
                "  it had {server} and has it no more: the records end it"
            )?;
        }
        Ok(())
    }
}

impl UnrecordedLine {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id, record, heard, ..
        } = self;
        if let Verdict::Dismissed { at } = record.verdict {
            return writeln!(f, "{id}: in no record; dismissed at {at}");
        }
        write!(f, "{id}: IN NO RECORD")?;
        if let Some(at) = made_at(id.uuid()) {
            write!(f, "; joined at {at}")?;
        }
        let certificate = &record.certificate;
        write!(
            f,
            "; certificate {} of {}",
            certificate.serial, certificate.signed_at
        )?;
        match heard {
            Some((at, from)) => write!(f, "; heard at {at} from {from}")?,
            None => write!(f, "; came at {}, and not again", record.seen_at)?,
        }
        if let Some(told) = self.told {
            write!(f, "; was told of commit {}", told.sequence)?;
        }
        writeln!(f)?;
        for held in &self.held {
            writeln!(f, "  it has {}", in_words(held))?;
        }
        writeln!(
            f,
            "  it may have been revoked since: `recovery readmit {id} --name NAME --site SITE`, or `recovery dismiss {id}`"
        )
    }
}

fn in_words(HeldServer { server, addresses }: &HeldServer) -> String {
    let addresses: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
    match addresses.as_slice() {
        [] => format!("{server}, which has no addresses that it knows of"),
        addresses => format!("{server}, which has {}", addresses.join(", ")),
    }
}

pub(super) async fn show(
    context: AdminContext,
    _: Operator,
    _: Ask<GetRecovery>,
) -> Result<View, Refused> {
    let nouns = &context.nouns;
    let phase = nouns.continuity.phase()?;
    view(&RecoveryView {
        epoch: nouns.ctx.store().epoch(),
        phase: match &phase {
            Phase::Open => "open".to_owned(),
            Phase::OpenWithout(left) => format!("open, with {} hosts left behind", left.len()),
            Phase::Recovering => "closed: being restored".to_owned(),
        },
        is_closed: phase == Phase::Recovering,
        restored_from: nouns.continuity.restored_from()?,
        hosts: nouns
            .continuity
            .recovery()?
            .into_iter()
            .map(host_line)
            .collect(),
        unrecorded: nouns
            .continuity
            .unrecorded_hosts()?
            .into_iter()
            .map(unrecorded_line)
            .collect(),
        unlisted: nouns.addresses.unlisted()?,
    })
}

fn host_line(host: HostInRecovery) -> RecoveringHost {
    RecoveringHost {
        quarantine: match host.overview.host.state {
            HostState::Quarantined { why } => Some(why.to_string()),
            HostState::Active | HostState::Revoked => None,
        },
        name: host.overview.host.name,
        is_settled: host.is_settled,
        has_reported: host.differences.is_some(),
        differences: host.differences.unwrap_or_default(),
        certified_at: host.contact.map(|contact| contact.certificate.signed_at),
        told: host.told.map(Told::from),
    }
}

fn unrecorded_line(host: UnrecordedHost) -> UnrecordedLine {
    UnrecordedLine {
        id: host.id,
        record: host.record,
        heard: host.heard,
        held: host.held,
        told: host.told.map(Told::from),
    }
}

pub(super) async fn finish(
    context: AdminContext,
    _: Operator,
    Ask { body: request, .. }: Ask<FinishRecovery>,
) -> Result<Nothing, Refused> {
    context
        .nouns
        .continuity
        .finish_recovery(&request.without)
        .await?;
    tracing::info!(without = ?request.without, "the installation was opened after a restore");
    Ok(Nothing)
}

pub(super) async fn release(
    context: AdminContext,
    _: Operator,
    Ask { body: request, .. }: Ask<ReleaseAddress>,
) -> Result<Nothing, Refused> {
    context
        .nouns
        .continuity
        .release_address(request.address)
        .await?;
    tracing::info!(address = %request.address, "an address was released");
    Ok(Nothing)
}

pub(super) async fn readmit(
    context: AdminContext,
    _: Operator,
    Ask { body: request, .. }: Ask<ReadmitHost>,
) -> Result<Nothing, Refused> {
    let ReadmitRequest { host, name, site } = &request;
    context
        .nouns
        .continuity
        .readmit_host(*host, name, site)
        .await?;
    tracing::info!(host.id = %host, host.name = name, "a host that no record knew was readmitted");
    Ok(Nothing)
}

pub(super) async fn dismiss(
    context: AdminContext,
    _: Operator,
    Ask { body: request, .. }: Ask<DismissHost>,
) -> Result<Nothing, Refused> {
    context.nouns.continuity.dismiss_host(request.host).await?;
    tracing::info!(host.id = %request.host, "a host that no record knew was dismissed");
    Ok(Nothing)
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::id::{ServerId, uuid_v7};

    use super::*;
    use crate::continuity::rules::unrecorded::{Presented, Uses};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_790_000_000_000 + seconds * 1_000)
    }

    fn host(name: &str, told: u64) -> RecoveringHost {
        RecoveringHost {
            name: name.to_owned(),
            quarantine: None,
            is_settled: false,
            has_reported: true,
            differences: Differences::default(),
            certified_at: Some(at(-3_600)),
            told: Some(Told {
                epoch: 1,
                sequence: told,
            }),
        }
    }

    fn unrecorded(number: u8, verdict: Verdict) -> UnrecordedLine {
        UnrecordedLine {
            id: HostId::from_uuid(uuid_v7(at(-600), [number; 10])),
            record: Unrecorded {
                seen_at: at(5),
                certificate: Presented {
                    serial: "0a0b".to_owned(),
                    signed_at: at(-600),
                    expires_at: at(80_000),
                },
                uses: Uses::Held,
                contested: std::collections::BTreeMap::new(),
                verdict,
            },
            heard: None,
            held: vec![],
            told: None,
        }
    }

    #[test]
    fn an_operator_reads_what_is_known_and_what_is_not() {
        let server = ServerId::from_uuid(uuid_v7(at(-500), [9; 10]));
        let address = IpAddr::from([192, 0, 2, 7]);
        let held = HeldServer {
            server,
            addresses: vec![address],
        };
        let mut compared = host("h1", 500);
        compared.differences.unknown = vec![HeldServer {
            addresses: vec![],
            ..held.clone()
        }];
        compared.differences.gone = vec![server];
        let mut joined = unrecorded(1, Verdict::Undecided);
        joined.heard = Some((at(9), IpAddr::from([198, 51, 100, 4])));
        joined.told = host("", 512).told;
        joined.held = vec![held];
        let view = RecoveryView {
            epoch: 1_790_000_000,
            phase: "closed: being restored".to_owned(),
            is_closed: true,
            restored_from: Some(RestoredFrom {
                epoch: 1,
                sequence: 400,
                until: at(-86_400),
                restored_at: at(0),
            }),
            hosts: vec![
                compared,
                RecoveringHost {
                    has_reported: false,
                    certified_at: None,
                    told: None,
                    ..host("h2", 0)
                },
                RecoveringHost {
                    quarantine: Some("two machines use its identity".to_owned()),
                    ..host("h3", 512)
                },
            ],
            unrecorded: vec![
                joined.clone(),
                unrecorded(2, Verdict::Undecided),
                unrecorded(3, Verdict::Dismissed { at: at(60) }),
            ],
            unlisted: vec![UnlistedAddress {
                address,
                server,
                host: joined.id,
            }],
        };
        let open = RecoveryView {
            phase: "open".to_owned(),
            is_closed: false,
            hosts: vec![RecoveringHost {
                is_settled: true,
                told: None,
                ..host("h1", 0)
            }],
            unrecorded: vec![],
            ..view.clone()
        };
        insta::assert_snapshot!("recovery", format!("{view}\n{open}"));
    }
}
