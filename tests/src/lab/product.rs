//! The product's own programs as the laboratory runs them: control plane and portal in the world, one agent
//! on each hypervisor, each a real process with a configuration file such as an operator would write.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use hyper::StatusCode;

use super::{
    Run,
    client::Client,
    forward::{forward, reserve},
    hypervisor::Hypervisor,
    mail::{MailSink, PYTHON},
    network::{self, UPLINK, WORLD_V4, host_v4, output},
    process::Program,
    texts::TEXTS,
    wait::until,
};

/// Sites, pools and plans; the codes below are in it.
const CATALOGUE: &str = include_str!("catalogue.toml");
/// Code of the laboratory's one data centre.
pub const SITE: &str = "seoul-1";
/// Code of the image that every laboratory has.
pub const TINY: &str = "tiny";
/// Code of the plan that fits everywhere.
pub const PLAN: &str = "s1";
/// Code of the plan that a whole distribution fits into.
const PLAN_OF_DISTRIBUTIONS: &str = "s3";
/// Code of a plan that no host has room for.
pub const PLAN_TOO_LARGE: &str = "huge";

/// How long a program may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Ports are free in every namespace of a run, since nobody else is there.
const MAIL_PORT: u16 = 2525;
const PORTAL_PORT: u16 = 8080;
const PORTAL_HOST: &str = "portal.localhost";
const STAFF_PORTAL_PORT: u16 = 8090;
const STAFF_DOOR_PORT: u16 = 8091;
const API_PORT: u16 = 8081;
const AGENT_API_PORT: u16 = 8443;
const METRICS_PORT: u16 = 9176;
const AGENT_METRICS_PORT: u16 = 9177;

/// What the laboratory is given from outside.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Folder of the product's programs.
    #[arg(long)]
    pub programs: PathBuf,
    /// Disk image that customers' servers start from, sold as `tiny`.
    #[arg(long)]
    pub guest_image: PathBuf,
    /// Further disk images to sell, each as CODE=FILE.
    #[arg(long = "image-file", value_name = "CODE=FILE", value_parser = image_file)]
    pub image_files: Vec<ImageFile>,
    /// Days by which the clock of billing is ahead of the machine's.
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    pub billing_days: u32,
    /// Code of the image that is ordered.
    #[arg(long, default_value = TINY)]
    pub image: String,
}

/// A disk image, and what it is sold as.
#[derive(Debug, Clone)]
pub struct ImageFile {
    /// Its code in the catalogue.
    pub code: String,
    file: PathBuf,
}

fn image_file(text: &str) -> Result<ImageFile, String> {
    let (code, file) = text.split_once('=').ok_or("it has the form CODE=FILE")?;
    Ok(ImageFile {
        code: code.to_owned(),
        file: file.into(),
    })
}

/// Code of the smallest plan in which an image boots.
#[must_use]
pub fn plan_for(image: &str) -> &'static str {
    if image == TINY {
        PLAN
    } else {
        PLAN_OF_DISTRIBUTIONS
    }
}

/// What the laboratory sells, and how much of it to one customer.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// Sites, pools and plans, as in the control plane's configuration.
    pub catalogue: &'static str,
    /// Most servers of an account.
    pub server_quota: u32,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            catalogue: CATALOGUE,
            server_quota: 20,
        }
    }
}

/// A whole small installation.
#[derive(Debug)]
pub struct Installation {
    run: Run,
    options: Options,
    /// Hypervisors, by number from 1; the agent of each is at the same place in `agents`.
    pub hypervisors: Vec<Hypervisor>,
    /// Agents.
    pub agents: Vec<Program>,
    /// The mail server.
    pub mail: MailSink,
    /// The control plane.
    pub control_plane: Program,
    /// The portal.
    pub portal: Program,
    /// The staff's portal.
    pub staff_portal: Program,
    /// Where its parts are reached from this machine.
    pub ports: Ports,
}

/// Ports at this machine's loopback.
#[derive(Debug, Clone)]
pub struct Ports {
    /// The portal.
    pub portal: u16,
    /// The staff's portal.
    pub staff_portal: u16,
    /// The staff's door of the control plane, where their portal asks.
    pub staff_door: u16,
    /// The REST API.
    pub api: u16,
    /// The control plane's metrics.
    pub metrics: u16,
    /// Each agent's metrics.
    pub agents: Vec<u16>,
}

impl Ports {
    /// How a person reaches the portal.
    #[must_use]
    pub fn portal_url(&self) -> String {
        format!("http://{PORTAL_HOST}:{}", self.portal)
    }

    /// How the staff reach theirs.
    #[must_use]
    pub fn staff_portal_url(&self) -> String {
        format!("http://ops.localhost:{}", self.staff_portal)
    }
}

impl Installation {
    /// Starts everything but the agents: mail, control plane, portal, and the forwarders to them.
    pub fn start(run: &Run, options: &Options) -> anyhow::Result<Self> {
        Self::start_selling(run, options, Offer::default())
    }

    /// The same with an offer of one's own.
    pub fn start_selling(run: &Run, options: &Options, offer: Offer) -> anyhow::Result<Self> {
        let world = run.world();
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mail = start_mail(run)?;
        let (portal_listener, portal_port) = reserve()?;
        let (staff_portal_listener, staff_portal_port) = reserve()?;
        let (staff_door_listener, staff_door_port) = reserve()?;
        let (api_listener, api_port) = reserve()?;
        let (metrics_listener, metrics_port) = reserve()?;
        let ports = Ports {
            portal: portal_port,
            staff_portal: staff_portal_port,
            staff_door: staff_door_port,
            api: api_port,
            metrics: metrics_port,
            agents: Vec::new(),
        };
        forward(portal_listener, &world, local(PORTAL_PORT))?;
        forward(staff_portal_listener, &world, local(STAFF_PORTAL_PORT))?;
        forward(staff_door_listener, &world, local(STAFF_DOOR_PORT))?;
        forward(api_listener, &world, local(API_PORT))?;
        forward(metrics_listener, &world, local(METRICS_PORT))?;

        write_secret(&run.folder().join("portal.key"))?;
        write_secret(&run.folder().join("staff-portal.key"))?;
        for (name, text) in TEXTS {
            write(&run.folder().join(name), text)?;
        }
        Ok(Self {
            control_plane: start_control_plane(run, options, offer, &ports)?,
            portal: start_portal(run, options, "portal", &portal_config(run, &ports))?,
            staff_portal: start_portal(
                run,
                options,
                "staff-portal",
                &staff_portal_config(run, &ports),
            )?,
            run: run.clone(),
            options: options.clone(),
            hypervisors: Vec::new(),
            agents: Vec::new(),
            mail,
            ports,
        })
    }

    /// Waits until control plane and portal answer.
    pub async fn wait_until_up(&mut self) -> anyhow::Result<()> {
        let api = self.api();
        let portal = Client::new(self.ports.portal).at_host(PORTAL_HOST);
        until("control plane and portal answer", START_LIMIT, async || {
            self.control_plane.still_runs()?;
            self.portal.still_runs()?;
            self.staff_portal.still_runs()?;
            let (status, _) = api.page("/api/v1/installation").await?;
            ensure!(status == StatusCode::OK, "the API answers {status}");
            let (status, _) = portal.page("/sign-in").await?;
            ensure!(status == StatusCode::OK, "the portal answers {status}");
            Ok(())
        })
        .await
    }

    /// Moves the clock of billing ahead by so many days more: the control plane is started anew with that.
    pub async fn move_billing(&mut self, days: u32) -> anyhow::Result<()> {
        let key = |days: u32| format!("billing_days = {days}\n");
        let before = key(self.options.billing_days);
        self.options.billing_days += days;
        let after = key(self.options.billing_days);
        self.reconfigure(|text| text.replace(&before, &after)).await
    }

    /// Starts hypervisor `number`, invites it, lets its agent join and run.
    pub async fn add_host(&mut self, number: usize) -> anyhow::Result<()> {
        let invitation = self.invite(&format!("h{number}"))?;
        self.add_invited_host(number, &invitation).await
    }

    /// The same with the line that somebody has got who has invited it.
    pub async fn add_invited_host(&mut self, number: usize, line: &str) -> anyhow::Result<()> {
        let hypervisor = Hypervisor::start(&self.run, number).await?;
        let folder = self.run.folder().join(format!("agent{number}"));
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        let config = folder.join("agent.toml");
        write(&config, &agent_config(number, &folder, &hypervisor.uri()))?;
        self.join(number, line)?;

        self.hypervisors.push(hypervisor);
        let agent = self.start_agent(number)?;
        self.agents.push(agent);
        let (listener, port) = reserve()?;
        let address: IpAddr = host_v4(number).parse().context("a host's address")?;
        forward(
            listener,
            &self.run.world(),
            SocketAddr::from((address, AGENT_METRICS_PORT)),
        )?;
        self.ports.agents.push(port);
        self.wait_until_heard(number).await
    }

    /// Has a machine take the place of host `number`, whose agent has ended: it has nothing of what that kept.
    pub async fn replace_host(&mut self, number: usize, line: &str) -> anyhow::Result<()> {
        let state = self.agent_state(number);
        fs::rename(&state, state.with_extension("before")).context("move the state away")?;
        self.join(number, line)?;
        self.agents[number - 1] = self.start_agent(number)?;
        self.wait_until_heard(number).await
    }

    fn join(&self, number: usize, line: &str) -> anyhow::Result<()> {
        let config = self.run.folder().join(format!("agent{number}/agent.toml"));
        let mut join = self.agent_command(number);
        join.args(line.split_whitespace().skip(1))
            .arg("--config")
            .arg(config);
        output(&mut join).map(drop)
    }

    /// Starts the agent of hypervisor `number`, which has joined before.
    pub fn start_agent(&self, number: usize) -> anyhow::Result<Program> {
        let config = self.run.folder().join(format!("agent{number}/agent.toml"));
        let mut command = self.agent_command(number);
        command.arg("run").arg("--config").arg(config);
        Program::start(&format!("agent-h{number}"), command, self.run.folder())
    }

    /// Starts the control plane anew with another configuration.
    pub async fn reconfigure(&mut self, change: impl Fn(&str) -> String) -> anyhow::Result<()> {
        let config = self.run.folder().join("control-plane.toml");
        let text = fs::read_to_string(&config).context("read the configuration")?;
        let changed = change(&text);
        ensure!(changed != text, "the configuration stays as it is");
        self.control_plane.stop().await?;
        write(&config, &changed)?;
        self.control_plane = run_control_plane(&self.run, &self.options)?;
        self.wait_until_up().await
    }

    /// Ends the mail server: mails wait from then on.
    pub async fn stop_mail(&mut self) -> anyhow::Result<()> {
        self.mail.stop().await
    }

    /// Starts it again; it has the mails that it had.
    pub fn start_mail(&mut self) -> anyhow::Result<()> {
        self.mail = start_mail(&self.run)?;
        Ok(())
    }

    /// A client of the REST API, not signed in.
    #[must_use]
    pub fn api(&self) -> Client {
        Client::new(self.ports.api)
    }

    /// A client of the staff's door, with their portal's key.
    pub fn staff_door(&self) -> anyhow::Result<Client> {
        let key = fs::read_to_string(self.run.folder().join("staff-portal.key"));
        let key = key.context("read the key of the staff's portal")?;
        Ok(Client::new(self.ports.staff_door).as_portal(key.trim().to_owned()))
    }

    /// Code of the image that is ordered.
    #[must_use]
    pub fn image(&self) -> &str {
        &self.options.image
    }

    /// The state directory of the agent of hypervisor `number`.
    #[must_use]
    pub fn agent_state(&self, number: usize) -> PathBuf {
        self.run.folder().join(format!("agent{number}/state"))
    }

    /// The run that it belongs to.
    #[must_use]
    pub const fn run(&self) -> &Run {
        &self.run
    }

    /// Asks every program to end and waits for it, agents first.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        // One that was killed has none to be asked.
        let running = self.agents.iter_mut().filter(|agent| agent.id().is_some());
        for agent in running {
            agent.stop().await?;
        }
        self.portal.stop().await?;
        self.staff_portal.stop().await?;
        self.control_plane.stop().await.map(|_| ())
    }

    /// Invites a host; gives the line that its administrator is to type.
    fn invite(&self, name: &str) -> anyhow::Result<String> {
        let printed = self.operator(&["host", "invite", name, "--site", SITE])?;
        printed
            .lines()
            .map(str::trim)
            .find(|line| line.starts_with("innkeeper-agent join "))
            .map(str::to_owned)
            .with_context(|| format!("no join line in: {printed}"))
    }

    /// What the operator's command line answers.
    pub fn operator(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let program = self.options.programs.join("innkeeper-control-plane");
        let config = self.run.folder().join("control-plane.toml");
        output(
            network::command(&self.run.world(), program)
                .args(arguments)
                .arg("--config")
                .arg(config),
        )
    }

    /// Waits until the control plane has heard of the host from its agent.
    pub async fn wait_until_heard(&mut self, number: usize) -> anyhow::Result<()> {
        let name = format!("h{number}");
        until("the host reports", START_LIMIT, async || {
            self.agents[number - 1].still_runs()?;
            let listed = self.operator(&["host", "list"])?;
            let heard = listed.lines().any(|line| {
                line.split_whitespace().next() == Some(&name) && line.contains("heard")
            });
            ensure!(heard, "the control plane knows:\n{listed}");
            Ok(())
        })
        .await
    }

    fn agent_command(&self, number: usize) -> std::process::Command {
        let agent = self.options.programs.join("innkeeper-agent");
        let mut command = network::command(&self.run.host(number), agent);
        // As its unit has it.
        command.env("MALLOC_ARENA_MAX", "1");
        command
    }
}

fn start_control_plane(
    run: &Run,
    options: &Options,
    offer: Offer,
    ports: &Ports,
) -> anyhow::Result<Program> {
    let config = run.folder().join("control-plane.toml");
    write(&config, &control_plane_config(run, options, offer, ports))?;
    run_control_plane(run, options)
}

/// Starts it with the configuration that lies there.
fn run_control_plane(run: &Run, options: &Options) -> anyhow::Result<Program> {
    let config = run.folder().join("control-plane.toml");
    let mut command = network::command(
        &run.world(),
        options.programs.join("innkeeper-control-plane"),
    );
    command
        .args(["serve", "--demonstration", "--config"])
        .arg(config);
    Program::start("control-plane", command, run.folder())
}

fn start_mail(run: &Run) -> anyhow::Result<MailSink> {
    let python = network::command(&run.world(), PYTHON);
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, MAIL_PORT));
    MailSink::start(python, run.folder(), listen)
}

fn start_portal(run: &Run, options: &Options, name: &str, text: &str) -> anyhow::Result<Program> {
    let config = run.folder().join(format!("{name}.toml"));
    write(&config, text)?;
    let mut command = network::command(&run.world(), options.programs.join("innkeeper-portal"));
    command.arg("serve").arg("--config").arg(config);
    Program::start(name, command, run.folder())
}

fn control_plane_config(run: &Run, options: &Options, offer: Offer, ports: &Ports) -> String {
    let Offer {
        catalogue,
        server_quota,
    } = offer;
    let folder = run.folder().display();
    let tiny = image_entry(TINY, &options.guest_image);
    let more = options.image_files.iter();
    let more: String = more
        .map(|image| image_entry(&image.code, &image.file))
        .collect();
    let (portal, staff_portal) = (ports.portal_url(), ports.staff_portal_url());
    let billing_days = options.billing_days;
    format!(
        r#"
data_dir = "{folder}/control-plane"
admin_socket = "{folder}/admin.sock"
portal_key_file = "{folder}/portal.key"

[staff]
listen = "127.0.0.1:{STAFF_DOOR_PORT}"
portal_key_file = "{folder}/staff-portal.key"
portal_url = "{staff_portal}"

[installation]
id = "laboratory"
name = "Innkeeper Laboratory"
support_email = "help@example.net"
portal_url = "{portal}"
time_zone = "Asia/Seoul"
currency = "KRW"
terms_version = "2026-11"
terms_file = {{ en = "{folder}/terms.txt", ko = "{folder}/terms.ko.txt", zh-Hant = "{folder}/terms.zh-Hant.txt" }}
privacy_file = {{ en = "{folder}/privacy.txt", ko = "{folder}/privacy.ko.txt", zh-Hant = "{folder}/privacy.zh-Hant.txt" }}
password_length_min = 15
server_quota = {server_quota}
tombstone_days = 7

[demonstration]
billing_days = {billing_days}

[billing]
pay_to = "Harbour Bank 123-456789-01-234\nInnkeeper Laboratory Co., Ltd."

[members]
personal_data_version = "2026-11"
personal_data_file = {{ en = "{folder}/personal-data.txt", ko = "{folder}/personal-data.ko.txt", zh-Hant = "{folder}/personal-data.zh-Hant.txt" }}
mobile_notice_file = {{ en = "{folder}/mobile-notice.txt", ko = "{folder}/mobile-notice.ko.txt", zh-Hant = "{folder}/mobile-notice.zh-Hant.txt" }}
partner_terms_file = {{ en = "{folder}/terms.partner.txt", ko = "{folder}/terms.partner.ko.txt", zh-Hant = "{folder}/terms.partner.zh-Hant.txt" }}

[company]
name = "Innkeeper Laboratory Co., Ltd."
representative = "Yoon Seoyeon"
registration_number = "123-45-67890"
mail_order_number = "2026-Seoul-0123"
address = "12 Yeogwan-ro, Jung-gu, Seoul 04501"
telephone = "+82 2 555 0100"

[listen]
api = "127.0.0.1:{API_PORT}"
agent = "{WORLD_V4}:{AGENT_API_PORT}"
metrics = "127.0.0.1:{METRICS_PORT}"
agent_names = ["{WORLD_V4}"]

[mail]
host = "127.0.0.1"
port = {MAIL_PORT}
encryption = "none"
from = "Innkeeper Laboratory <noreply@example.net>"

{tiny}{more}
{catalogue}"#
    )
}

fn image_entry(code: &str, file: &Path) -> String {
    let file = file.display();
    let name = if code == TINY { "Tiny Linux" } else { code };
    format!(
        r#"
[[image]]
code = "{code}"
name = "{name}"
login_user = "root"
file = "{file}"
format = "qcow2"
"#
    )
}

fn portal_config(run: &Run, ports: &Ports) -> String {
    format!(
        r#"
listen = "127.0.0.1:{PORTAL_PORT}"
public_url = "{}"
api_url = "http://127.0.0.1:{API_PORT}/api/v1"
portal_key_file = "{}/portal.key"
trusted_proxies = ["127.0.0.1"]
"#,
        ports.portal_url(),
        run.folder().display(),
    )
}

fn staff_portal_config(run: &Run, ports: &Ports) -> String {
    format!(
        r#"
area = "staff"
listen = "127.0.0.1:{STAFF_PORTAL_PORT}"
public_url = "{}"
api_url = "http://127.0.0.1:{STAFF_DOOR_PORT}"
portal_key_file = "{}/staff-portal.key"
trusted_proxies = ["127.0.0.1"]
"#,
        ports.staff_portal_url(),
        run.folder().display(),
    )
}

fn agent_config(number: usize, folder: &Path, libvirt: &str) -> String {
    format!(
        r#"
state_dir = "{}/state"
libvirt_uri = "{libvirt}"
accelerator = "tcg-allowed"
memory_reserved_mib = 0
disk_reserved_gib = 0
listen_metrics = "{}:{AGENT_METRICS_PORT}"
uplink = "{UPLINK}"
nameservers = ["{WORLD_V4}"]
"#,
        folder.display(),
        host_v4(number),
    )
}

fn write_secret(file: &Path) -> anyhow::Result<()> {
    let secret: [u8; 32] = rand::random();
    let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    write(file, &digits)
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| format!("write {}", file.display()))
}
