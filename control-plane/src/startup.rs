//! What must be right before the service starts. Nothing that binds an installation to its id (the authority, the
//! keys, the store) is made before all of this holds, so that a start that fails leaves nothing to clear away.

use std::{net::SocketAddr, path::Path};

use anyhow::{Context as _, anyhow, ensure};
use innkeeper_listener::port;
use innkeeper_mtls::Succession;
use innkeeper_wire::digest::Digest;
use tokio::net::TcpListener;

use crate::{
    authority,
    config::{self, Config, ConfigError},
    in_use::{
        in_use,
        rules::{InUse, Offered, check_authority, check_pools, contradictions},
    },
    legal::{LegalTexts, MemberTexts},
    owner,
    providers::mail::Mailer,
    store::Store,
    unfit::OnlyAPerson as _,
    witness_key,
};

/// Shortest secret of the portal.
const PORTAL_KEY_LENGTH_MIN: usize = 32;

/// What the files beside the configuration hold.
pub(crate) struct Files {
    pub(crate) texts: MemberTexts,
    pub(crate) privacy: Option<LegalTexts>,
    pub(crate) portal_key: Digest,
    pub(crate) staff_portal_key: Option<Digest>,
    pub(crate) mailer: Mailer,
}

impl Files {
    /// Reads and checks all of them.
    pub(crate) fn read(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            texts: config.member_texts()?,
            privacy: read_privacy(config)?,
            portal_key: read_portal_key(&config.portal_key_file)?,
            staff_portal_key: read_staff_portal_key(config)?,
            mailer: Mailer::configured(config)?,
        })
    }
}

/// The privacy policy, if there is one.
pub(crate) fn read_privacy(config: &Config) -> Result<Option<LegalTexts>, ConfigError> {
    let files = config.installation.privacy_file.as_ref();
    files
        .map(|files| files.read("installation.privacy_file"))
        .transpose()
}

/// What a portal's secret is compared with.
pub(crate) fn read_portal_key(file: &Path) -> anyhow::Result<Digest> {
    let key = config::read(file)?;
    let key = key.trim_end();
    ensure!(
        key.len() >= PORTAL_KEY_LENGTH_MIN,
        "{} has less than {PORTAL_KEY_LENGTH_MIN} characters",
        file.display()
    );
    Ok(Digest::of(key.as_bytes()))
}

/// The same of the staff's portal, if staff have a door. With the customers' portal's secret it would be no door of its own.
pub(crate) fn read_staff_portal_key(config: &Config) -> anyhow::Result<Option<Digest>> {
    let Some(staff) = &config.staff else {
        return Ok(None);
    };
    let key = read_portal_key(&staff.portal_key_file)?;
    ensure!(
        key != read_portal_key(&config.portal_key_file)?,
        "{} and {} hold the same secret: each portal needs one of its own",
        staff.portal_key_file.display(),
        config.portal_key_file.display()
    );
    Ok(Some(key))
}

/// What the configuration offers, as far as records may need it.
pub(crate) fn offered(config: &Config) -> anyhow::Result<Offered> {
    Ok(Offered {
        id: config.installation.id.clone(),
        currency: config.installation.currency,
        sites: config.sites.iter().map(|site| site.code.clone()).collect(),
        plans: config.plans.iter().map(|plan| plan.code.clone()).collect(),
        images: config
            .images
            .iter()
            .map(|image| image.code.clone())
            .collect(),
        pools: config.pools()?,
    })
}

/// Everything that can be checked before anything is made: who we are, files, id, and the authority that is there.
pub(crate) fn check_before(config: &Config) -> anyhow::Result<Files> {
    owner::check_user(&config.data_dir)?;
    let files = Files::read(config)?;
    for unsaid in config.unsaid() {
        tracing::warn!("{unsaid}");
    }
    let has_store = config.data_dir.join("store/journal").exists();
    if !has_store {
        // Without a store nobody depends on it.
        let present = authority::read(&config.data_dir)?;
        check_authority_of(config, present.as_ref(), &InUse::default())?;
    }
    Ok(files)
}

/// Whether the open store agrees with the configuration and with the authority that is there.
pub(crate) fn check_store(config: &Config, store: &Store) -> anyhow::Result<()> {
    let in_use = in_use(store).context("read what the store has")?;
    let present = authority::read(&config.data_dir).only_a_person()?;
    check_authority_of(config, present.as_ref(), &in_use).only_a_person()?;
    witness_key::check(&config.data_dir, &in_use).only_a_person()?;
    let offered = offered(config)?;
    let mut found: Vec<_> = contradictions(&offered, &in_use)
        .iter()
        .map(ToString::to_string)
        .collect();
    // What a server has already must not become the gateway: it would go on using it.
    let pools = check_pools(&offered.pools, &in_use);
    for remark in &pools.remarks {
        tracing::warn!("{remark}");
    }
    found.extend(pools.contradictions);
    if !found.is_empty() {
        let all = found.join("; ");
        return Err(anyhow::anyhow!(
            "the configuration contradicts the store: {all}"
        ))
        .only_a_person();
    }
    Ok(())
}

/// Whether the service may start with this authority.
pub(crate) fn check_authority_of(
    config: &Config,
    present: Option<&Succession>,
    in_use: &InUse,
) -> anyhow::Result<()> {
    let file = authority::path(&config.data_dir);
    let found = present.map(|present| present.issuer().install());
    check_authority(
        &config.installation.id,
        found,
        in_use,
        &file.display().to_string(),
    )?;
    Ok(())
}

/// The sockets that the service can't do without: bound first, so that a port which is taken leaves nothing behind.
pub(crate) struct Sockets {
    pub(crate) agent: TcpListener,
    pub(crate) rest: TcpListener,
    pub(crate) staff: Option<TcpListener>,
}

impl Sockets {
    /// Binds all of them.
    pub(crate) fn bind(config: &Config) -> anyhow::Result<Self> {
        let listen = &config.listen;
        Ok(Self {
            agent: bind("the agent API", listen.agent)?,
            rest: bind("the REST API", listen.api)?,
            staff: match &config.staff {
                Some(staff) => Some(bind("the staff's door", staff.listen)?),
                None => None,
            },
        })
    }
}

fn bind(what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    port::bind(address).map_err(|error| anyhow!("{what}: {}", why_not(address, &error)))
}

/// Why nobody can listen there, and what to do about it.
pub(crate) fn why_not(address: SocketAddr, error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        return format!(
            "another program listens at {address} (`ss -ltnp` tells which): stop it, or choose another port"
        );
    }
    format!("can't listen at {address}: {error}")
}

/// Says where a socket listens: with port 0 in the configuration the system has chosen one.
pub(crate) fn say_where(what: &str, socket: &TcpListener) -> anyhow::Result<()> {
    let address = socket.local_addr().context("ask for the address")?;
    tracing::info!(%address, "{what} listens");
    Ok(())
}

/// The folder of the data, which nobody but the service may read.
pub(crate) fn protect_data_folder(data_dir: &Path) -> anyhow::Result<()> {
    use std::{fs, os::unix::fs::PermissionsExt as _};
    owner::make_data_folder(data_dir)?;
    fs::set_permissions(data_dir, fs::Permissions::from_mode(0o700))
        .with_context(|| format!("protect {}", data_dir.display()))
}
