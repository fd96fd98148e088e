//! Things of the API as templates show them: everything formatted, nothing to decide but the layout.

use std::{net::IpAddr, time::Duration};

use innkeeper_wire::{
    api::{
        Availability, Catalogue, EndCause, Offered, Order, OrderState, Plan, Server, ServerAction,
        ServerState,
    },
    host::{CreateStep, ServerProblemCode},
    id::Code,
    time::Timestamp,
};

use super::offer::{self, BillView, PriceView, SpecificationView};
use crate::{
    format::{self, Moment},
    language,
    visit::Visit,
    words,
};

/// Actions with a button on the server's page.
const ACTIONS: [ServerAction; 4] = [
    ServerAction::Start,
    ServerAction::Shutdown,
    ServerAction::Reboot,
    ServerAction::PowerOff,
];

/// The picture and colour of a state; a word always goes with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A disc: well.
    Well,
    /// A square: at rest.
    Rest,
    /// A half-filled ring: under way.
    Moving,
    /// A triangle: trouble.
    Trouble,
    /// A question mark: not known.
    Unknown,
    /// A cross: gone.
    Gone,
}

impl Shape {
    /// Its name in style sheet and sprite.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Rest => "rest",
            Self::Moving => "moving",
            Self::Trouble => "trouble",
            Self::Unknown => "unknown",
            Self::Gone => "gone",
        }
    }
}

/// The one badge that a state has everywhere.
#[derive(Debug, Clone)]
pub struct Badge {
    /// The state's stable code.
    pub code: &'static str,
    /// Its word.
    pub word: String,
    /// Its picture.
    pub shape: Shape,
}

/// A plan.
pub struct PlanView {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Virtual processors.
    pub vcpus: String,
    /// Memory.
    pub memory: String,
    /// Disk.
    pub disk: String,
    /// What it costs.
    pub price: PriceView,
    /// Whether it can be had at any data centre.
    pub available: bool,
    /// Codes of the data centres where it can't, with a blank between.
    pub gone_at: String,
    /// What of that can't be: nothing while it can be had everywhere.
    pub unavailable: Option<String>,
}

/// A step of making a server.
pub struct StepView {
    /// Its word.
    pub word: String,
    /// `done`, `current` or `waiting`.
    pub state: &'static str,
}

/// A button.
pub struct ActionView {
    /// The action's stable code.
    pub code: &'static str,
    /// The deed.
    pub word: String,
    /// Whether it is possible now.
    pub allowed: bool,
    /// Whether it is asked about on a page of its own first.
    pub asks: bool,
    /// Whether it loses something.
    pub loses: bool,
}

/// A server.
pub struct ServerView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its state.
    pub badge: Badge,
    /// What the state means.
    pub help: String,
    /// Names of what it was made of.
    pub plan: String,
    /// Operating system.
    pub image: String,
    /// Data centre.
    pub site: String,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory.
    pub memory: String,
    /// Disk.
    pub disk: String,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// How to get in, once there is somebody to answer.
    pub ssh_command: Option<String>,
    /// Nobody knows what it does, so that all that is shown is what was known last.
    pub unknown: bool,
    /// What it costs.
    pub price: PriceView,
    /// When it was ordered.
    pub created: Moment,
    /// When charging began.
    pub ready: Option<Moment>,
    /// When its host was last heard of, if that is longer ago than it should be.
    pub observed: Option<Moment>,
    /// When it was deleted, or could not be made.
    pub ended: Option<Moment>,
    /// Whether it was ever charged.
    pub charged: bool,
    /// Until when the disk of a deleted server is kept aside.
    pub kept_until: Option<Moment>,
    /// The order form with the same choice.
    pub order_again: String,
    /// What is wrong, if anything.
    pub trouble: Option<String>,
    /// When a fault of ours was put right, if that was lately.
    pub restored: Option<Moment>,
    /// Whether the host goes on trying by itself.
    pub retrying: bool,
    /// How far making it is; empty unless it is being made.
    pub steps: Vec<StepView>,
    /// What can be asked.
    pub actions: Vec<ActionView>,
    /// Whether it may be deleted now.
    pub may_delete: bool,
    /// Whether it could not be made, so that nothing is lost with it.
    pub failed: bool,
    /// It is there or on its way, so that addresses and actions mean something.
    pub usable: bool,
    /// Whether it is at rest and charged all the same.
    pub stopped: bool,
    /// Whether something is under way.
    pub changing: bool,
    /// The order it came from.
    pub order: String,
}

/// An order.
pub struct OrderView {
    /// Its id.
    pub id: String,
    /// How far it is.
    pub badge: Badge,
    /// The server's id.
    pub server: String,
    /// The server's name when it was ordered.
    pub server_name: String,
    /// The contract's id.
    pub contract: String,
    /// What was bought.
    pub specification: SpecificationView,
    /// Data centre.
    pub site: String,
    /// The price that comes first.
    pub price: PriceView,
    /// What it costs.
    pub bill: BillView,
    /// When it was placed.
    pub placed: Moment,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// When it failed.
    pub failed: Option<Moment>,
    /// The order form with the same choice.
    pub order_again: String,
}

/// The name of a plan; its code once it is no longer offered. Likewise below.
#[must_use]
pub fn plan_name(visit: &Visit, code: &Code) -> String {
    name_of(visit, code, |all| {
        all.plans
            .iter()
            .find(|plan| plan.code == *code)
            .map(|plan| plan.name.clone())
    })
}

/// The name of an image.
#[must_use]
pub fn image_name(visit: &Visit, code: &Code) -> String {
    name_of(visit, code, |all| {
        all.images
            .iter()
            .find(|image| image.code == *code)
            .map(|image| image.name.clone())
    })
}

/// The name of a data centre.
#[must_use]
pub fn site_name(visit: &Visit, code: &Code) -> String {
    name_of(visit, code, |all| {
        all.sites
            .iter()
            .find(|site| site.code == *code)
            .map(|site| site.name.clone())
    })
}

/// An instant as this visitor reads it.
#[must_use]
pub fn moment(visit: &Visit, at: Timestamp) -> Moment {
    format::moment(visit.locale, at, visit.now, &visit.zone())
}

/// A plan.
#[must_use]
pub fn plan(visit: &Visit, plan: &Plan) -> PlanView {
    let facts = visit.facts.as_ref();
    let offered = facts.map_or(&[][..], |facts| facts.catalogue.availability.as_slice());
    let offered = offered.iter().filter(|offered| offered.plan == plan.code);
    let offered: Vec<_> = offered.collect();
    let missing = offered.iter().copied();
    let missing = missing.filter(|offered| offered.availability != Availability::Available);
    let missing: Vec<_> = missing.collect();
    PlanView {
        code: plan.code.to_string(),
        name: plan.name.clone(),
        vcpus: plan.vcpus.to_string(),
        memory: plan.memory.to_string(),
        disk: plan.disk.to_string(),
        price: offer::price(visit, &plan.prices),
        available: offered.is_empty() || offered.len() > missing.len(),
        gone_at: {
            let sites = missing.iter().map(|offered| offered.site.as_str());
            sites.collect::<Vec<_>>().join(" ")
        },
        unavailable: unavailable(visit, &offered, &missing),
    }
}

impl PlanView {
    /// Whether it can be had at a data centre.
    #[must_use]
    pub fn is_at(&self, site: &str) -> bool {
        self.available && self.gone_at.split(' ').all(|gone| gone != site)
    }
}

/// What can't be had of a plan, and where.
fn unavailable(visit: &Visit, offered: &[&Offered], missing: &[&Offered]) -> Option<String> {
    let worst = missing.first()?;
    let is_sold_out = |offered: &&&Offered| offered.availability == Availability::SoldOut;
    let is_for_a_while = missing.iter().filter(is_sold_out).count() < missing.len();
    if missing.len() == offered.len() {
        let key = if is_for_a_while {
            "plan-not-now"
        } else {
            "plan-sold-out"
        };
        return Some(visit.say(key));
    }
    let key = match worst.availability {
        Availability::NotNow => "plan-not-now-at",
        Availability::SoldOut | Availability::Available => "plan-sold-out-at",
    };
    let sites = missing
        .iter()
        .map(|offered| site_name(visit, &offered.site));
    let sites = sites.collect::<Vec<_>>().join(", ");
    Some(language::say_with(visit.locale, key, "sites", &sites))
}

/// The badge of a server's state.
#[must_use]
pub fn server_badge(visit: &Visit, state: ServerState) -> Badge {
    Badge {
        code: state.as_str(),
        word: visit.say(words::server_state(state)),
        shape: shape(state),
    }
}

/// A server.
#[must_use]
pub fn server(visit: &Visit, server: &Server) -> ServerView {
    let is_unknown = server.state == ServerState::Unknown;
    let was_made = server.ready_at.is_some();
    // What the command is, one wants to know most when nobody knows whether the server runs.
    let has_command = matches!(server.state, ServerState::Running | ServerState::Rebooting)
        || (is_unknown && was_made);
    let is_usable = is_usable(server.state);
    let is_leaving = matches!(server.state, ServerState::Deleting | ServerState::Deleted);
    ServerView {
        id: server.id.to_string(),
        name: server.name.to_string(),
        badge: server_badge(visit, server.state),
        help: visit.say(help(server)),
        plan: plan_name(visit, &server.plan),
        image: image_name(visit, &server.image),
        site: site_name(visit, &server.site),
        vcpus: server.vcpus,
        memory: server.memory.to_string(),
        disk: server.disk.to_string(),
        // Those of a server that was not made, or is gone, are somebody else's soon.
        addresses: server
            .addresses
            .iter()
            .filter(|_| is_usable)
            .map(IpAddr::to_string)
            .collect(),
        ssh_command: server
            .addresses
            .first()
            .filter(|_| has_command)
            .map(|address| format!("ssh {}@{address}", server.login_user)),
        price: offer::price_of(visit, server.hourly, server.monthly_cap),
        created: moment(visit, server.created_at),
        ready: server.ready_at.map(|at| moment(visit, at)),
        unknown: is_unknown,
        observed: server
            .observed_at
            .filter(|_| is_unknown)
            .map(|at| moment(visit, at)),
        ended: server.ended_at.map(|at| moment(visit, at)),
        charged: was_made,
        kept_until: server
            .ended_at
            .filter(|_| is_leaving && was_made && server.end_cause.is_none())
            .and_then(|at| kept_until(visit, at)),
        order_again: order_again(
            &server.site,
            &server.plan,
            &server.image,
            server.name.as_str(),
            &server.ssh_keys,
        ),
        trouble: trouble(server).map(|key| visit.say(key)),
        restored: server.restored_at.map(|at| moment(visit, at)),
        retrying: is_changing(server.state) && server.problem.is_some_and(is_retried),
        steps: steps(visit, server),
        actions: actions(visit, server),
        may_delete: server.allowed_actions.contains(&ServerAction::Delete),
        failed: server.state == ServerState::CreateFailed,
        usable: is_usable,
        stopped: server.state == ServerState::Stopped,
        changing: is_changing(server.state),
        order: server.order.to_string(),
    }
}

fn actions(visit: &Visit, server: &Server) -> Vec<ActionView> {
    let shown = ACTIONS.into_iter().filter(|_| !is_withheld(server));
    shown
        .map(|action| ActionView {
            code: action.as_str(),
            word: visit.say(words::server_action(action)),
            allowed: server.allowed_actions.contains(&action),
            asks: action != ServerAction::Start,
            loses: action == ServerAction::PowerOff,
        })
        .collect()
}

/// Whether nothing may be asked of its power, in whatever state: its account is suspended.
fn is_withheld(server: &Server) -> bool {
    let mut asked = server.allowed_actions.iter();
    match server.state {
        ServerState::Suspended => true,
        ServerState::Running | ServerState::Stopped | ServerState::Paused => {
            asked.all(|action| *action == ServerAction::Delete)
        }
        _ => false,
    }
}

const fn is_usable(state: ServerState) -> bool {
    !matches!(
        state,
        ServerState::CreateFailed | ServerState::Deleting | ServerState::Deleted
    )
}

/// Until when the disk of a server is kept aside that was deleted at this time: at least so long, since its days begin
/// when its host has put it there.
fn kept_until(visit: &Visit, deleted: Timestamp) -> Option<Moment> {
    let days = visit.facts.as_ref()?.installation.tombstone_days;
    let kept = Duration::from_secs(u64::from(days) * 86_400);
    Some(moment(visit, deleted.after(kept)))
}

/// The order form with a choice that was made before.
/// Keys are named by their fingerprints, where they are known.
fn order_again(site: &Code, plan: &Code, image: &Code, name: &str, keys: &[String]) -> String {
    let mut choice = vec![
        ("site", site.as_str()),
        ("image", image.as_str()),
        ("plan", plan.as_str()),
        ("name", name),
    ];
    choice.extend(keys.iter().map(|key| ("ssh_keys", key.as_str())));
    let query = serde_urlencoded::to_string(choice).expect("texts only");
    format!("/servers/new?{query}")
}

impl ServerView {
    /// The same whenever it is looked at while nothing changes: so a script that has it is told just that.
    #[must_use]
    pub fn still(self) -> Self {
        let still = |moment: Option<Moment>| moment.map(Moment::still);
        Self {
            created: self.created.still(),
            observed: still(self.observed),
            restored: still(self.restored),
            ended: still(self.ended),
            kept_until: still(self.kept_until),
            ..self
        }
    }
}

/// What its state means. A server is unknown when its host is not heard of, or when the host hears nothing of it.
fn help(server: &Server) -> &'static str {
    match (server.paused, server.problem) {
        _ if server.end_cause == Some(EndCause::HostLost) => "state-help-host-lost",
        (Some(why), _) => words::pause_reason(why),
        (None, Some(ServerProblemCode::NotAnswering)) if server.state == ServerState::Unknown => {
            "state-help-not-answering"
        }
        (None, _) if server.state == ServerState::Unknown && server.ready_at.is_none() => {
            "state-help-unknown-unmade"
        }
        (None, _) => words::server_state_help(server.state),
    }
}

/// What is wrong with a server, if anything: the reason that it could not be made, a fault of ours, else the trouble
/// that its host names.
fn trouble(server: &Server) -> Option<&'static str> {
    let is_made = server.state != ServerState::Creating;
    match (server.failure, server.outage_since, server.problem) {
        (Some(failure), _, _) => Some(words::create_failure(failure)),
        // Why it is paused says all of it.
        (None, Some(_), _) if server.paused.is_some() => None,
        // What its owner can do comes first.
        (None, _, Some(ServerProblemCode::NotAnswering)) => Some("trouble-not-answering"),
        (None, Some(_), _) => Some(
            server
                .outage_cause
                .map_or("trouble-outage", words::outage_cause),
        ),
        (None, None, Some(ServerProblemCode::NotReachable)) if !is_made => {
            Some("trouble-not-reachable-yet")
        }
        (None, None, problem) => problem.map(words::server_problem),
    }
}

/// An order.
#[must_use]
pub fn order(visit: &Visit, order: &Order) -> OrderView {
    let shape = match order.state {
        OrderState::Provisioning => Shape::Moving,
        OrderState::Completed => Shape::Well,
        OrderState::Failed => Shape::Trouble,
        OrderState::Cancelled => Shape::Gone,
    };
    OrderView {
        id: order.id.to_string(),
        badge: Badge {
            code: order.state.as_str(),
            word: visit.say(words::order_state(order.state)),
            shape,
        },
        server: order.server.to_string(),
        server_name: order.server_name.to_string(),
        contract: order.contract.to_string(),
        specification: offer::specification(visit, &order.specification),
        site: site_name(visit, &order.site),
        price: offer::price(visit, &order.prices),
        bill: offer::bill(visit, &order.prices),
        placed: moment(visit, order.placed_at),
        failure: order
            .failure
            .map(|failure| visit.say(words::create_failure(failure))),
        failed: order.failed_at.map(|at| moment(visit, at)),
        order_again: order_again(
            &order.site,
            &order.plan,
            &order.image,
            order.server_name.as_str(),
            &[],
        ),
    }
}

/// Whether the state is one that ends by itself.
#[must_use]
pub fn is_changing(state: ServerState) -> bool {
    shape(state) == Shape::Moving
}

/// Whether a host that met this trouble tries again without being asked.
const fn is_retried(problem: ServerProblemCode) -> bool {
    match problem {
        ServerProblemCode::ImageUnavailable
        | ServerProblemCode::DiskFailed
        | ServerProblemCode::NetworkFailed
        | ServerProblemCode::StartFailed => true,
        ServerProblemCode::ShutdownIgnored
        | ServerProblemCode::NotReachable
        | ServerProblemCode::RebootFailed
        | ServerProblemCode::DeadlineMissed
        | ServerProblemCode::FeatureMissing
        | ServerProblemCode::DeleteFailed
        | ServerProblemCode::NotAnswering => false,
    }
}

const fn shape(state: ServerState) -> Shape {
    match state {
        ServerState::Running => Shape::Well,
        ServerState::Stopped => Shape::Rest,
        ServerState::Requested
        | ServerState::Creating
        | ServerState::Starting
        | ServerState::Stopping
        | ServerState::Rebooting
        | ServerState::Deleting => Shape::Moving,
        ServerState::CreateFailed | ServerState::Paused | ServerState::Suspended => Shape::Trouble,
        ServerState::Unknown => Shape::Unknown,
        ServerState::Deleted => Shape::Gone,
    }
}

fn steps(visit: &Visit, server: &Server) -> Vec<StepView> {
    if !matches!(server.state, ServerState::Requested | ServerState::Creating) {
        return Vec::new();
    }
    let current = server.step.unwrap_or(CreateStep::Queued);
    CreateStep::ALL
        .iter()
        .map(|step| StepView {
            word: visit.say(match *step < current {
                true => words::create_step_done(*step),
                false => words::create_step(*step),
            }),
            state: match step.cmp(&current) {
                std::cmp::Ordering::Less => "done",
                std::cmp::Ordering::Equal => "current",
                std::cmp::Ordering::Greater => "waiting",
            },
        })
        .collect()
}

fn name_of(visit: &Visit, code: &Code, find: impl Fn(&Catalogue) -> Option<String>) -> String {
    let catalogue = visit.facts.as_ref().map(|facts| &facts.catalogue);
    catalogue.and_then(find).unwrap_or_else(|| code.to_string())
}
