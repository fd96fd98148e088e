//! What contradicts the store in use, and the authority that signs hosts.

use innkeeper_wire::{
    endpoints::{Endpoint as _, operators::GetInUse},
    error::chain,
    time::Timestamp,
};

use super::{Finding, Service};
use crate::{
    admin::ask,
    authority,
    config::Config,
    in_use::{
        in_use_at_rest,
        rules::{InUse, check_pools, contradictions},
    },
    known::{complaint, unknown_at_rest},
    startup,
    store::OpenError,
    witness_key,
};

/// What is found, and when the store's last commit was made.
pub(super) async fn check(config: &Config, service: Service) -> (Vec<Finding>, Option<Timestamp>) {
    let in_use = match read(config, service).await {
        Ok(Some(in_use)) => in_use,
        Ok(None) => InUse::default(),
        Err(finding) => return (vec![finding], None),
    };
    let mut found = vec![check_authority(config, &in_use)];
    if let Err(error) = witness_key::check(&config.data_dir, &in_use) {
        found.push(Finding::problem("witnesses", format!("{error:#}")));
    }
    let offered = match startup::offered(config) {
        Ok(offered) => offered,
        Err(error) => return (vec![Finding::problem("store", format!("{error:#}"))], None),
    };
    let pools = check_pools(&offered.pools, &in_use);
    let contradicted = contradictions(&offered, &in_use);
    let mut problems: Vec<_> = contradicted.iter().map(ToString::to_string).collect();
    problems.extend(pools.contradictions);
    if problems.is_empty() {
        let text = format!(
            "nothing in it contradicts the configuration ({} hosts, {} accounts)",
            in_use.host_names().len(),
            in_use.accounts
        );
        found.push(Finding::ok("store", text));
    }
    let problems = problems.into_iter();
    found.extend(problems.map(|text| Finding::problem("store", text)));
    let remarks = pools.remarks.into_iter();
    found.extend(remarks.map(|text| Finding::warning("store", text)));
    (found, in_use.last_commit)
}

/// What is in use; nothing when there is no store yet.
async fn read(config: &Config, service: Service) -> Result<Option<InUse>, Finding> {
    if service == Service::Running {
        let asked = ask(&config.admin_socket, GetInUse::ask()).await;
        let told = asked.and_then(|view| Ok(view.read::<InUse>()?));
        return told.map(Some).map_err(|error| {
            Finding::warning(
                "store",
                format!("the running service does not tell what is in it: {error:#}"),
            )
        });
    }
    let store = config.data_dir.join("store");
    if !store.join("journal").exists() {
        return Ok(None);
    }
    let read = || {
        Ok((
            complaint(&unknown_at_rest(&store)?),
            in_use_at_rest(&store)?,
        ))
    };
    match read() {
        Ok((Some(why), _)) => Err(Finding::problem("store", why)),
        Ok((None, in_use)) => Ok(Some(in_use)),
        Err(error @ OpenError::Locked { .. }) => Err(Finding::warning("store", chain(&error))),
        Err(error) => {
            let text = format!("{}; `check-store` tells more", chain(&error));
            Err(Finding::problem("store", text))
        }
    }
}

fn check_authority(config: &Config, in_use: &InUse) -> Finding {
    let check = "authority";
    let present = match authority::read(&config.data_dir) {
        Ok(present) => present,
        Err(error) => return Finding::problem(check, format!("{error:#}")),
    };
    match startup::check_authority_of(config, present.as_ref(), in_use) {
        Err(error) => Finding::problem(check, format!("{error:#}")),
        Ok(()) => {
            let id = &config.installation.id;
            Finding::ok(
                check,
                match present {
                    Some(present) => format!(
                        "of `{id}`, valid until {}",
                        present.issuer().certificate().not_after()
                    ),
                    None => {
                        format!("made at the first start, of `{id}`; that can't be changed later")
                    }
                },
            )
        }
    }
}
