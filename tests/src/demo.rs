//! `innkeeper-demo`: a whole small cloud on this machine, with an account and a running server in it, for a
//! person to look at.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, ensure};
use innkeeper_control_plane::credentials::rules::totp::Secret;
use innkeeper_wire::{
    api::{
        EmailConfirmationRequest, Locale, Order, OrderRequest, Page, ProofRequest, Quote,
        QuoteRequest, Server, ServerState, SessionAnswer, SessionRequest, SignupAnswer,
        SignupRequest, SshKey, SshKeyRequest,
    },
    billing_profile::BillingProfile,
    id::{ServerId, SshKeyId},
    invoice::InvoiceSummary,
    member::{MemberKind, SignUpTexts},
    money::Money,
    staff::{EnrolRequest, Enrolment, EnrolmentLook},
    time::{Clock as _, SystemClock},
};

use crate::{
    lab::{
        Run,
        client::Client,
        mail::MailSink,
        network::ENGINEER_V4,
        product::{Installation, SITE, plan_for},
        report::Steps,
        ssh::Key,
        wait::until,
    },
    small_cloud,
};

/// Hypervisors that the demo runs with.
pub const HOSTS: usize = 1;
/// The ID of the demo's customer.
pub const LOGIN: &str = "demo2026";
/// His password.
pub const PASSWORD: &str = "seven-quiet-otters-42";
/// Where the demo's customer gets mail.
pub const EMAIL: &str = "demo@example.net";
/// The name of the demo's administrator.
pub const STAFF_NAME: &str = "demoadmin";
/// His password.
pub const STAFF_PASSWORD: &str = "nine-patient-herons-17";
const STAFF_EMAIL: &str = "ops@example.net";
/// The name of the demo's engineer, who has the same password.
const ENGINEER_NAME: &str = "demoengineer";
const ENGINEER_EMAIL: &str = "engineer@example.net";
/// What the demo calls its server.
pub const SERVER_NAME: &str = "web-1";
/// Behind the end of each month, when it is closed by itself.
const MONTH_DAYS: u32 = 34;
/// From the start of the control plane to the invoice of a month that is over.
const CLOSE_LIMIT: Duration = Duration::from_secs(120);
/// From the order to an ssh prompt, on a slow machine under TCG.
const READY_LIMIT: Duration = Duration::from_secs(300);

/// A customer's server that answers ssh.
#[derive(Debug)]
pub struct Guest {
    /// The server.
    pub id: ServerId,
    /// Its first address.
    pub address: IpAddr,
    /// The user to sign in as.
    pub user: String,
}

/// Starts everything, orders a server, and says where to look. The installation runs until it is dropped.
pub async fn demo(run: &Run, mut installation: Installation) -> anyhow::Result<Installation> {
    let mut steps = Steps::shown();
    let client = begin(&mut installation, &mut steps, HOSTS).await?;
    let staff = steps
        .step("somebody of the staff enrols", enrol_staff(&installation))
        .await?;
    let engineer = enrol(&installation, ENGINEER_NAME, "engineer", ENGINEER_EMAIL);
    let engineer = steps.step("an engineer enrols", engineer).await?;
    let key = Key::generate(run.folder())?;
    let ordered = async {
        let key = add_key(&client, &key).await?;
        order(&client, key, SERVER_NAME, installation.image()).await
    };
    let ordered = steps.step("a server is ordered", ordered).await?;
    let guest = steps
        .step(
            "the server answers ssh",
            wait_for_ssh(run, &client, &key, ordered),
        )
        .await?;
    steps
        .step(
            "four months are invoiced",
            months(&client, &mut installation),
        )
        .await?;
    Steps::note(&directions(
        run,
        &installation,
        &key,
        &guest,
        (&staff, &engineer),
        steps.seconds(),
    ));
    Ok(installation)
}

/// Lets four months pass by the clock of billing: two are paid, one is overdue, one is to be paid.
async fn months(client: &Client, installation: &mut Installation) -> anyhow::Result<()> {
    for month in 1..=4 {
        installation.move_billing(MONTH_DAYS).await?;
        let invoices = until("the month is invoiced", CLOSE_LIMIT, async || {
            let page: Page<InvoiceSummary> = client.get("/api/v1/invoices").await?;
            ensure!(page.data.len() >= month, "{} invoices", page.data.len());
            Ok(page.data)
        })
        .await?;
        // A month that had begun before may close together with the next one.
        let open = invoices.iter().map(|invoice| invoice.open.amount).sum();
        if let Some(newest) = invoices.first().filter(|_| month <= 2) {
            let owed = Money {
                amount: open,
                ..newest.open
            };
            let amount = owed.digits();
            let reference = format!("demo transfer {}", newest.number);
            installation.operator(&[
                "billing",
                "payment",
                LOGIN,
                "--amount",
                &amount,
                "--reference",
                &reference,
                "--reason",
                "seen on the demo's account",
            ])?;
        }
    }
    Ok(())
}

/// Starts the installation with this many hosts, and makes the demo's account; gives a client that is signed in.
pub async fn begin(
    installation: &mut Installation,
    steps: &mut Steps,
    hosts: usize,
) -> anyhow::Result<Client> {
    steps
        .step(
            "control plane and portal start",
            installation.wait_until_up(),
        )
        .await?;
    for number in 1..=hosts {
        let joined = installation.add_host(number);
        steps
            .step(&format!("host {number} starts and joins"), joined)
            .await?;
    }
    steps
        .step(
            "an account signs up and confirms its mail",
            sign_up(installation),
        )
        .await
}

/// Makes the demo's account through the API and the mailed link; gives a client that is signed in.
pub async fn sign_up(installation: &mut Installation) -> anyhow::Result<Client> {
    let portal_url = installation.ports.portal_url();
    sign_up_with(installation.api(), &portal_url, &mut installation.mail).await
}

/// The same at any installation of which these are known.
pub async fn sign_up_with(
    mut client: Client,
    portal_url: &str,
    mail: &mut MailSink,
) -> anyhow::Result<Client> {
    let texts: SignUpTexts = client.get("/api/v1/signups/texts").await?;
    let request = SignupRequest {
        kind: MemberKind::Individual,
        company: None,
        mobile: None,
        login_id: LOGIN.to_owned(),
        name: "Demo Customer".to_owned(),
        email: EMAIL.to_owned(),
        password: PASSWORD.to_owned(),
        accepted_terms: texts.terms.version,
        accepted_personal_data: texts.personal_data.map(|text| text.version),
        locale: Locale::En,
        plan: None,
    };
    sign_up_and_confirm(&client, portal_url, mail, &request).await?;
    sign_in(&mut client).await?;
    client
        .put::<BillingProfile>("/api/v1/billing/profile", &small_cloud::profile())
        .await?;
    Ok(client)
}

/// Signs somebody up, and uses the link that is mailed.
pub async fn sign_up_and_confirm(
    client: &Client,
    portal_url: &str,
    mail: &mut MailSink,
    request: &SignupRequest,
) -> anyhow::Result<()> {
    let _: SignupAnswer = client.post("/api/v1/signups", request).await?;
    let prefix = format!("{portal_url}/confirm?lang=en&token=");
    let link = mail.link(&request.email, &prefix).await?;
    let (_, token) = link.split_once("token=").context("the link has no token")?;
    let token = token.to_owned();
    client
        .post::<serde_json::Value>(
            "/api/v1/email-confirmations",
            &EmailConfirmationRequest { token },
        )
        .await?;
    Ok(())
}

/// Signs in to the demo's account, again where an earlier session has ended.
pub async fn sign_in(client: &mut Client) -> anyhow::Result<()> {
    let request = SessionRequest {
        login: LOGIN.to_owned(),
        password: PASSWORD.to_owned(),
        device: None,
        client: None,
    };
    let session: SessionAnswer = client.post("/api/v1/sessions", &request).await?;
    client.sign_in(session.token);
    Ok(())
}

/// Proves again who uses the session: what can't be undone wants that within ten minutes.
pub async fn prove(client: &Client) -> anyhow::Result<()> {
    let request = ProofRequest {
        password: PASSWORD.to_owned(),
        code: None,
    };
    client
        .post::<serde_json::Value>("/api/v1/sessions/current/proofs", &request)
        .await
        .map(drop)
}

/// Makes an administrator of the staff by the operator's command and the link that it prints; gives what his authenticator
/// app has. The code of the present step is used by that.
pub async fn enrol_staff(installation: &Installation) -> anyhow::Result<Secret> {
    enrol(installation, STAFF_NAME, "admin", STAFF_EMAIL).await
}

/// The same for any role.
async fn enrol(
    installation: &Installation,
    name: &str,
    role: &str,
    email: &str,
) -> anyhow::Result<Secret> {
    let added = ["staff", "add", name, "--role", role, "--email", email];
    let printed = installation.operator(&added)?;
    let (_, token) = printed.split_once("?token=").context("a link is printed")?;
    let token = token.trim().to_owned();
    let door = installation.staff_door()?;
    let look = EnrolmentLook {
        token: token.clone(),
    };
    let enrolment: Enrolment = door.post("/enrolments/look", &look).await?;
    let secret = Secret::try_from(enrolment.secret).context("a secret")?;
    let request = EnrolRequest {
        token,
        password: STAFF_PASSWORD.to_owned(),
        code: secret.code(SystemClock.now()),
    };
    door.post::<serde_json::Value>("/enrolments", &request)
        .await?;
    Ok(secret)
}

/// Adds the key to the account.
pub async fn add_key(client: &Client, key: &Key) -> anyhow::Result<SshKeyId> {
    let key: SshKey = client
        .post(
            "/api/v1/me/ssh-keys",
            &SshKeyRequest {
                name: "demo".to_owned(),
                public_key: key.public_line.clone(),
            },
        )
        .await?;
    Ok(key.id)
}

/// Asks for a quote and orders it.
pub async fn order(
    client: &Client,
    key: SshKeyId,
    name: &str,
    image: &str,
) -> anyhow::Result<ServerId> {
    let quote: Quote = client
        .post(
            "/api/v1/quotes",
            &QuoteRequest {
                site: SITE.to_owned(),
                plan: plan_for(image).to_owned(),
                image: image.to_owned(),
                name: name.to_owned(),
                ssh_keys: vec![key],
            },
        )
        .await?;
    let request = OrderRequest {
        quote: quote.id,
        accept_cautions: true,
    };
    let order: Order = client
        .post_once("/api/v1/orders", &quote.id.to_string(), &request)
        .await?;
    Ok(order.server)
}

/// Waits until the server has an address and lets its customer in.
pub async fn wait_for_ssh(
    run: &Run,
    client: &Client,
    key: &Key,
    id: ServerId,
) -> anyhow::Result<Guest> {
    let world = run.world();
    until("the server answers ssh", READY_LIMIT, async || {
        let server: Server = client.get(&format!("/api/v1/servers/{id}")).await?;
        ensure!(
            server.state == ServerState::Running,
            "it is {:?} {:?}",
            server.state,
            server.problem
        );
        let address = *server.addresses.first().context("it has no address")?;
        let name = key
            .run(&world, &server.login_user, address, "hostname")
            .await?;
        ensure!(
            name == server.name.as_str(),
            "the guest of {} calls itself {name}",
            server.name
        );
        Ok(Guest {
            id,
            address,
            user: server.login_user,
        })
    })
    .await
}

fn directions(
    run: &Run,
    installation: &Installation,
    key: &Key,
    guest: &Guest,
    (staff, engineer): (&Secret, &Secret),
    seconds: f64,
) -> String {
    let ports = &installation.ports;
    let ssh = key.command_line(&run.world(), &guest.user, guest.address);
    let agents: String = ports
        .agents
        .iter()
        .map(|port| format!("\n                 http://127.0.0.1:{port}/metrics (agent)"))
        .collect();
    format!(
        "
A customer's server runs, {seconds:.0} s after the first step. Look around:

  portal         {portal}   ID {LOGIN}, password {PASSWORD}
  staff portal   {ops}   ID {STAFF_NAME}, password {STAFF_PASSWORD}
                 its code: ./dev code {secret} (or enter that key in an authenticator app)
  support job    apply as the customer: {portal}/jobs/new?server={id}
                 take it and ask for approval as {ENGINEER_NAME}, same password, code: ./dev code {engineer}
                 allow firewall access and confirm as the customer; then the engineer gets in:
                 {ssh} -b {ENGINEER_V4}
                 withdraw the access, and his session is dead; close the job, and it is on the bill
  its server     {portal}/servers/{id}
  ssh            {ssh}
  REST API       http://127.0.0.1:{api}/api/v1
  metrics        http://127.0.0.1:{metrics}/metrics (control plane){agents}
  mails          {mails}
  logs, configs  {folder}

Ctrl-C ends it all and leaves nothing behind.",
        portal = ports.portal_url(),
        ops = ports.staff_portal_url(),
        secret = staff.text(),
        engineer = engineer.text(),
        id = guest.id,
        api = ports.api,
        metrics = ports.metrics,
        mails = installation.mail.folder().display(),
        folder = run.folder().display(),
    )
}
