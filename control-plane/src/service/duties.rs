//! The table of all duties.

use std::time::Duration;

use crate::{
    accounts::duties::{Erasures, LapsedSignUps, LostFactors},
    admin,
    authority::{Authority, CertificateRenewal},
    billing::duties::{
        Balances, BillingClock, ContractsOfBefore, Debts, DeletionNotices, MonthCloses,
        SpendingAlerts,
    },
    closing::duties::LostHosts,
    kernel::duty::{Duties, Duty, Turn},
    metrics::Metrics,
    nouns::Nouns,
    providers::mail::Mailer,
    servers::duties::{Suspensions, UnpaidServers, UnseenServers},
    staff::duties::StaffAlerts,
    support::duties::SupportJobs,
    work::{
        outbox::Outbox,
        upkeep::{Checkpoints, ExpiredEntries},
    },
};

/// All duties: how often each has a turn, its name, what it does, and what else wakes it.
pub(super) fn duties(
    nouns: &Nouns,
    authority: &Authority,
    mailer: Mailer,
    metrics: &Metrics,
    driver: &Duties,
) -> Vec<Duty> {
    let (ctx, accounts) = (&nouns.ctx, &nouns.accounts);
    let outbox = Outbox::new(nouns.clone(), mailer, metrics.clone());
    let sign_ups = LapsedSignUps::new(accounts.clone());
    let renewal = CertificateRenewal(authority.clone());
    let alerts = staff_alerts(nouns.clone(), driver.clone());
    let minute = Duration::from_mins(1);
    vec![
        Duty::every(Duration::from_secs(5), "outbox", outbox).woken_by(nouns.mails.watch()),
        Duty::every(minute, "checkpoints", Checkpoints(ctx.clone())),
        Duty::every(minute, "expired_entries", ExpiredEntries(ctx.clone())),
        Duty::every(minute, "lapsed_sign_ups", sign_ups),
        Duty::every(minute, "erasures", Erasures(accounts.clone())),
        Duty::every(
            minute,
            "contracts_of_before",
            ContractsOfBefore::new(nouns.billing.clone()),
        ),
        Duty::every(minute, "lost_factors", LostFactors(accounts.clone())),
        Duty::every(
            minute,
            "unseen_servers",
            UnseenServers::new(nouns.servers.clone()),
        ),
        Duty::every(minute, "lost_hosts", LostHosts(nouns.closing.clone())),
        Duty::every(
            Duration::from_secs(30),
            "billing_clock",
            BillingClock::new(nouns.billing.clone()),
        ),
        Duty::every(minute, "month_closes", MonthCloses(nouns.billing.clone())),
        Duty::every(minute, "debts", Debts(nouns.billing.clone())),
        Duty::every(
            minute * 5,
            "deletion_notices",
            DeletionNotices(nouns.billing.clone()),
        ),
        Duty::every(
            minute * 5,
            "unpaid_servers",
            UnpaidServers(nouns.servers.clone()),
        ),
        Duty::every(
            minute * 5,
            "spending_alerts",
            SpendingAlerts(nouns.billing.clone()),
        ),
        Duty::every(minute, "balances", Balances(nouns.billing.clone())),
        Duty::every(minute, "staff_alerts", alerts),
        Duty::every(minute, "suspensions", Suspensions(nouns.servers.clone()))
            .woken_by(accounts.watch_suspensions()),
        Duty::every(
            Duration::from_secs(2),
            "support_jobs",
            SupportJobs(nouns.support.clone()),
        ),
        Duty::every(minute, "agent_api_certificate", renewal),
    ]
}

/// Tells the staff what needs a person, as far as that is told; what waits is looked at as operators see it.
fn staff_alerts(nouns: Nouns, driver: Duties) -> impl Turn {
    let staff = nouns.staff.clone();
    StaffAlerts::new(staff, move || admin::attention::present(&nouns, &driver))
}
