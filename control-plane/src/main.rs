//! `innkeeper-control-plane`: the service, and the operator's command line that talks to it.

use std::{
    io::Write as _,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, ensure};
use clap::Parser as _;
use innkeeper_control_plane::{
    admin::{
        Printed,
        accounts::{
            Confirmed, approve_by_command, confirm_email_by_command, erase_by_command,
            list_pending_by_command, mail_confirmation_by_command, reject_by_command,
        },
        ask, attention,
        authority::{status_by_command, take_by_command},
        duties,
        hosts::{
            accept_capacity_by_command, list_by_command,
            loss::{Fenced, fence_by_command, lose_by_command},
            revoke_by_command,
        },
        lost_factor, mails, orders,
        recovery::RecoveryView,
        servers, staff,
        suspensions::{resume_by_command, suspend_by_command},
    },
    api,
    authority::replace_lost,
    config::Config,
    doctor,
    maintenance::{
        self, Soundness,
        trail::{self, Wanted},
    },
    service,
    unfit::exit_code,
    vault::{Mirrored, mirror},
    witness_key,
};
use innkeeper_wire::{
    api::ServerAction,
    endpoints::{
        Endpoint as _,
        operators::{
            CordonHost, DismissHost, FinishRecovery, GetRecovery, InviteHost, ListTestimonies,
            ReadmitHost, ReleaseAddress, ReleaseHost, ReplaceHost, UncordonHost,
        },
    },
    journal::{self, Lines},
    operator::{
        DismissRequest, FinishRequest, InviteRequest, ReadmitRequest, ReleaseRequest, Step,
        mails::MailListQuery, orders::FailedOrdersQuery, reason::ReasonRequest,
    },
    time::{Clock as _, SystemClock},
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::arguments::{
    AccountCommand, AuditCommand, CaCommand, Command, CommandLine, Deed, HostCommand, KeysCommand,
    LostFactorCommand, MailsCommand, OrderCommand, RecoveryCommand, ServerCommand, StaffCommand,
};

mod arguments;

/// The index, which allocates much and frees it on other threads, is twice as fast with it as with the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code of a check that could not be made: says nothing about the store, unlike the others.
const UNCHECKED: u8 = 3;

#[tokio::main]
async fn main() -> ExitCode {
    // As under systemd, what is written is for its owner alone, also when root restores a store.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    match run(CommandLine::parse()).await {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

fn complain(error: &anyhow::Error) {
    // Nobody is left to tell when even this can't be written.
    writeln!(std::io::stderr(), "innkeeper-control-plane: {error:#}").ok();
}

async fn run(arguments: CommandLine) -> anyhow::Result<ExitCode> {
    let file = &arguments.config;
    match arguments.command {
        Command::CheckStore { store } => {
            let store = store_folder(store, file)?;
            let scratch = Scratch::make()?;
            match maintenance::check_store(&store, &scratch.0) {
                Ok(checked) => judged(checked),
                Err(error) => {
                    complain(&error);
                    Ok(ExitCode::from(UNCHECKED))
                }
            }
        }
        Command::Serve {
            json_log,
            demonstration,
        } => {
            let lines = if json_log { Lines::Json } else { Lines::Text };
            Ok(serve(file, lines, demonstration).await)
        }
        Command::Doctor { json } => {
            let findings = doctor::examine(file, &SystemClock).await;
            print(&if json {
                doctor::as_json(&findings)?
            } else {
                doctor::as_text(&findings)
            })?;
            Ok(ExitCode::from(u8::from(!doctor::may_start(&findings))))
        }
        Command::Audit {
            command: AuditCommand::Verify { witness },
        } => verify(&Config::load(file)?, witness).await,
        Command::Audit {
            command:
                AuditCommand::List {
                    actor,
                    about,
                    since,
                    until,
                    before,
                    limit,
                    store,
                },
        } => {
            let wanted = Wanted {
                since,
                until,
                actor,
                about,
                before,
                limit,
                ..Wanted::default()
            };
            judged(trail::list(&store_folder(store, file)?, &wanted)?)
        }
        other => run_plain(other, file).await.map(|()| ExitCode::SUCCESS),
    }
}

/// Runs the service; what ends it goes into the log, with its priority.
async fn serve(config: &Path, lines: Lines, demonstration: bool) -> ExitCode {
    journal::start(lines);
    let serving = async {
        let config = Config::load(config)?;
        if !demonstration {
            config.check_is_in_earnest()?;
        }
        service::serve(config, stop_on_signal()?).await
    };
    match serving.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the service does not run: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

fn store_folder(given: Option<PathBuf>, config: &Path) -> anyhow::Result<PathBuf> {
    match given {
        Some(store) => Ok(store),
        None => Ok(Config::load(config)?.data_dir.join("store")),
    }
}

fn judged((text, soundness): (String, Soundness)) -> anyhow::Result<ExitCode> {
    print(&text)?;
    Ok(ExitCode::from(soundness.code()))
}

/// A folder that goes away with this.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("innkeeper-check-{}", std::process::id()));
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is in the system's folder for such things.
        std::fs::remove_dir_all(&self.0).ok();
    }
}

async fn verify(config: &Config, files: Vec<PathBuf>) -> anyhow::Result<ExitCode> {
    let mut testimonies = Vec::new();
    for file in files {
        let testimony = maintenance::read_testimony(&file)?;
        testimonies.push((file.display().to_string(), testimony));
    }
    if service_may_run(&config.admin_socket).await {
        let told = ask(&config.admin_socket, ListTestimonies::ask()).await?;
        testimonies.extend(
            told.into_iter()
                .map(|(host, told)| (host.to_string(), told)),
        );
    } else {
        print("The service does not run: only witnesses from files are used.\n")?;
    }
    let key = witness_key::read(&config.data_dir)?;
    let journal = config.data_dir.join("store/journal");
    judged(maintenance::verify(&journal, &testimonies, key.as_ref())?)
}

/// Whether somebody listens there, or that can't be told. A service that was killed leaves its socket.
async fn service_may_run(socket: &Path) -> bool {
    let gone = [
        std::io::ErrorKind::NotFound,
        std::io::ErrorKind::ConnectionRefused,
    ];
    match tokio::net::UnixStream::connect(socket).await {
        Ok(_) => true,
        Err(error) => !gone.contains(&error.kind()),
    }
}

async fn run_plain(command: Command, file: &Path) -> anyhow::Result<()> {
    match command {
        Command::CheckStore { .. }
        | Command::Audit { .. }
        | Command::Doctor { .. }
        | Command::Serve { .. } => {
            unreachable!("`run` keeps these")
        }
        Command::Backup { to } => {
            let (data_dir, now) = (Config::load(file)?.data_dir, SystemClock.now());
            print(&maintenance::backup(&data_dir.join("store"), &to, now)?)?;
            if let Err(error) = maintenance::note_backup(&data_dir, now) {
                print(&format!(
                    "When it was made is not noted for the metrics: {error:#}\n"
                ))?;
            }
            Ok(())
        }
        Command::Restore { from } => {
            let data_dir = Config::load(file)?.data_dir;
            print(&maintenance::restore(&from, &data_dir, SystemClock.now()).await?)
        }
        Command::Recovery { command } => recovery(&Config::load(file)?, command).await,
        Command::Openapi => print(&(api::openapi().to_pretty_json()? + "\n")),
        Command::Keys { command } => {
            let KeysCommand::Mirror { to } = command;
            let from = Config::load(file)?.key_dir();
            let Mirrored {
                keys,
                written,
                removed,
            } = mirror(&from, &to)?;
            let to = to.display();
            print(&format!(
                "{to} has {keys} keys: {written} written, {removed} destroyed\n"
            ))
        }
        Command::Host { command } => host(&Config::load(file)?, command).await,
        Command::Ca { command } => print(&ca(&Config::load(file)?, command).await?),
        asked => {
            let socket = Config::load(file)?.admin_socket;
            print(&ask_service(&socket, asked).await?)
        }
    }
}

/// What the running service alone is asked for; gives what is to be printed.
async fn ask_service(socket: &Path, command: Command) -> anyhow::Result<String> {
    match command {
        Command::Account { command } => account(socket, command).await,
        Command::Billing { command } => arguments::billing::run(socket, command).await,
        Command::Prices { command } => arguments::prices::run(socket, command).await,
        Command::Attention { form } => attention::list_by_command(socket, form.into()).await,
        Command::Duties { form } => duties::list_by_command(socket, form.into()).await,
        Command::Mails { command } => mail(socket, command).await,
        Command::Order { command } => order(socket, command).await,
        Command::Server { command } => server(socket, command).await,
        Command::Staff { command } => staff_command(socket, command).await,
        Command::CheckStore { .. }
        | Command::Audit { .. }
        | Command::Doctor { .. }
        | Command::Serve { .. }
        | Command::Backup { .. }
        | Command::Restore { .. }
        | Command::Recovery { .. }
        | Command::Openapi
        | Command::Keys { .. }
        | Command::Host { .. }
        | Command::Ca { .. } => unreachable!("`run_plain` keeps these"),
    }
}

async fn staff_command(socket: &Path, command: StaffCommand) -> anyhow::Result<String> {
    match command {
        StaffCommand::Add { name, role, email } => {
            staff::add_by_command(socket, &name, role, &email).await
        }
        StaffCommand::List { json } => staff::list_by_command(socket, printed(json)).await,
        StaffCommand::Role { name, role } => {
            staff::change_role_by_command(socket, &name, role).await
        }
        StaffCommand::ResetTotp { name } => staff::reset_by_command(socket, &name).await,
        StaffCommand::Disable { name } => staff::disable_by_command(socket, &name).await,
    }
}

async fn recovery(config: &Config, command: RecoveryCommand) -> anyhow::Result<()> {
    let socket = &config.admin_socket;
    match command {
        RecoveryCommand::Show => {
            let view: RecoveryView = ask(socket, GetRecovery::ask()).await?.read()?;
            print(&view.to_string())
        }
        RecoveryCommand::Finish { without } => {
            let request = FinishRequest { without };
            ask(socket, FinishRecovery::with(request)).await?;
            print("the installation is open\n")
        }
        RecoveryCommand::Readmit { host, name, site } => {
            let request = ReadmitRequest {
                host,
                name: name.clone(),
                site,
            };
            ask(socket, ReadmitHost::with(request)).await?;
            print(&format!(
                "{host} is {name} from now on; `recovery show` tells whether it was compared\n"
            ))
        }
        RecoveryCommand::Dismiss { host } => {
            let request = DismissRequest { host };
            ask(socket, DismissHost::with(request)).await?;
            print(&format!(
                "{host} is refused from now on; its servers go on running, and its addresses are held until they are released\n"
            ))
        }
        RecoveryCommand::Release { address } => {
            let request = ReleaseRequest { address };
            ask(socket, ReleaseAddress::with(request)).await?;
            print(&format!("{address} rests for an hour and is free then\n"))
        }
    }
}

async fn account(socket: &Path, command: AccountCommand) -> anyhow::Result<String> {
    match command {
        AccountCommand::ListPending { json } => {
            list_pending_by_command(socket, printed(json)).await
        }
        AccountCommand::Approve { who, reason } => approve_by_command(socket, &who, reason).await,
        AccountCommand::Reject { who, reason } => reject_by_command(socket, &who, reason).await,
        AccountCommand::LostFactor { command } => match command {
            LostFactorCommand::List { json } => {
                lost_factor::list_by_command(socket, printed(json)).await
            }
            LostFactorCommand::Confirm { who, reason } => {
                lost_factor::confirm_by_command(socket, &who, reason).await
            }
            LostFactorCommand::Reject { who, reason } => {
                lost_factor::reject_by_command(socket, &who, reason).await
            }
        },
        AccountCommand::ConfirmEmail { account, reason } => {
            confirm_email_by_command(socket, account, reason).await
        }
        AccountCommand::MailConfirmation { account, reason } => {
            mail_confirmation_by_command(socket, account, reason).await
        }
        AccountCommand::Suspend { who, kind, reason } => {
            suspend_by_command(socket, &who, kind, reason).await
        }
        AccountCommand::Resume { who, reason } => resume_by_command(socket, &who, reason).await,
        AccountCommand::Erase {
            who,
            confirm,
            reason,
        } => erase_by_command(socket, &who, reason.filter(|_| confirm)).await,
    }
}

async fn ca(config: &Config, command: CaCommand) -> anyhow::Result<String> {
    let socket = &config.admin_socket;
    let (step, without) = match command {
        CaCommand::Status => return status_by_command(socket).await,
        CaCommand::Begin => (Step::Begin, vec![]),
        CaCommand::Switch { without } => (Step::Switch, without),
        CaCommand::Finish { without } => (Step::Finish, without),
        CaCommand::Abort => (Step::Abort, vec![]),
        CaCommand::ReplaceLost { confirm } => {
            ensure!(
                confirm,
                "every host would have to join anew, without its servers. To do it, repeat the command with --confirm"
            );
            let id = &config.installation.id;
            return replace_lost(&config.data_dir, id, SystemClock.now());
        }
    };
    take_by_command(socket, step, without).await
}

async fn host(config: &Config, command: HostCommand) -> anyhow::Result<()> {
    let socket = &config.admin_socket;
    match command {
        HostCommand::Invite { name, site } => {
            let request = InviteRequest { name, site };
            let invited = ask(socket, InviteHost::with(request)).await?;
            print(&(invited.join_command + "\n"))
        }
        HostCommand::List { wanted, form } => {
            print(&list_by_command(socket, wanted.into(), form.into()).await?)
        }
        HostCommand::Cordon { name, reason } => {
            let ask_it = CordonHost::at_with(name.clone(), ReasonRequest { reason });
            ask(socket, ask_it).await?;
            print(&format!("{name} is given no new servers\n"))
        }
        HostCommand::Uncordon { name, reason } => {
            let ask_it = UncordonHost::at_with(name.clone(), ReasonRequest { reason });
            ask(socket, ask_it).await?;
            print(&format!("{name} is given new servers again\n"))
        }
        HostCommand::Release { name, reason } => {
            let ask_it = ReleaseHost::at_with(name.clone(), ReasonRequest { reason });
            ask(socket, ask_it).await?;
            print(&format!("{name} is served again\n"))
        }
        HostCommand::AcceptCapacity { name, reason } => {
            print(&accept_capacity_by_command(socket, &name, reason).await?)
        }
        HostCommand::Revoke {
            name,
            reason,
            confirm,
        } => print(&revoke_by_command(socket, &name, reason, confirmed(confirm)).await?),
        HostCommand::Replace { name, reason } => {
            let ask_it = ReplaceHost::at_with(name, ReasonRequest { reason });
            print(&(ask(socket, ask_it).await?.join_command + "\n"))
        }
        HostCommand::Lost {
            name,
            reason,
            fenced,
            confirm,
        } => {
            let fenced = if fenced { Fenced::Yes } else { Fenced::No };
            let confirmed = confirmed(confirm);
            print(&lose_by_command(socket, &name, reason, fenced, confirmed).await?)
        }
        HostCommand::Fenced {
            name,
            reason,
            confirm,
        } => print(&fence_by_command(socket, &name, reason, confirmed(confirm)).await?),
    }
}

async fn mail(socket: &Path, command: MailsCommand) -> anyhow::Result<String> {
    match command {
        MailsCommand::List {
            state,
            kind,
            owner,
            sort,
            form,
        } => {
            let query = MailListQuery {
                state,
                kind,
                owner,
                sort,
                ..MailListQuery::default()
            };
            mails::list_by_command(socket, query, form.into()).await
        }
        MailsCommand::Retry { mail, reason } => mails::retry_by_command(socket, mail, reason).await,
        MailsCommand::Drop { mail, reason } => mails::drop_by_command(socket, mail, reason).await,
    }
}

async fn order(socket: &Path, command: OrderCommand) -> anyhow::Result<String> {
    match command {
        OrderCommand::Failed {
            owner,
            since,
            sort,
            form,
        } => {
            let query = FailedOrdersQuery {
                owner,
                since,
                sort,
                ..FailedOrdersQuery::default()
            };
            orders::failed_by_command(socket, query, form.into()).await
        }
        OrderCommand::Retry { order, reason } => {
            orders::retry_by_command(socket, order, reason).await
        }
    }
}

async fn server(socket: &Path, command: ServerCommand) -> anyhow::Result<String> {
    let (Deed { server, reason }, action) = match command {
        ServerCommand::List { wanted, form } => {
            return servers::list_by_command(socket, wanted.into(), form.into()).await;
        }
        ServerCommand::Show { server, json } => {
            return servers::show_by_command(socket, server, printed(json)).await;
        }
        ServerCommand::Delete { deed, confirm } => {
            let Deed { server, reason } = deed;
            let confirmed = confirmed(confirm);
            return servers::delete_by_command(socket, server, reason, confirmed).await;
        }
        ServerCommand::Start(deed) => (deed, ServerAction::Start),
        ServerCommand::Shutdown(deed) => (deed, ServerAction::Shutdown),
        ServerCommand::PowerOff(deed) => (deed, ServerAction::PowerOff),
        ServerCommand::Reboot(deed) => (deed, ServerAction::Reboot),
    };
    servers::act_by_command(socket, server, action, reason).await
}

fn printed(is_json: bool) -> Printed {
    if is_json {
        Printed::Json
    } else {
        Printed::Table
    }
}

fn confirmed(is_confirmed: bool) -> Confirmed {
    if is_confirmed {
        Confirmed::Yes
    } else {
        Confirmed::No
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("write to standard output")
}

/// A token that is cancelled by SIGTERM or SIGINT.
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            // Both only wait; a dropped one loses nothing, since one signal is enough.
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        token.cancel();
    });
    Ok(stop)
}
