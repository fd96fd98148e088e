//! Whether a refused sign-in tells by its time that there is such an ID (T32): 2,000 wrong passwords for an ID that is there
//! and 2,000 for one that is not, in turn, each from another network and an hour after the last one, so that nothing is locked.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use anyhow::{Context as _, ensure};
use innkeeper_control_plane::{
    kernel::{Actor, Caller, Error},
    nouns::Nouns,
    store::{Options, Store},
    vault::Vault,
    work::outbox::compose,
};
use innkeeper_wire::{
    api::{Locale, SessionRequest, SignupRequest},
    id::RequestId,
    member::MemberKind,
    time::{Clock, SystemClock},
};
use tokio::time::Instant;

use super::{
    Figure, median,
    orders::{self, RandomIds, Stopped},
};

/// Names of the figures.
pub const NAMES: [&str; 4] = [
    "sign_in_unknown_ms",
    "sign_in_known_ms",
    "sign_in_difference_ms",
    "sign_in_welch_t",
];
const SAMPLES: u32 = 2_000;
const KNOWN: &str = "customer1";
const UNKNOWN: &str = "customer2";

/// Measures in a folder below `scratch`; takes some minutes, since each guess costs a password's hash.
///
/// # Errors
/// When the product answers otherwise than that it was wrong.
pub async fn figures(scratch: &Path) -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir_in(scratch).context("make a folder")?;
    let (store, _) =
        Store::open(folder.path(), &Options::new(rand::random())).context("open a store")?;
    let vault = Vault::create(&folder.path().join("keys")).context("make a vault")?;
    let clock = Arc::new(Stopped::at(SystemClock.now()));
    let of_app = Arc::clone(&clock) as Arc<dyn Clock>;
    let nouns = Nouns::new(
        store,
        vault,
        of_app,
        Arc::new(RandomIds),
        orders::settings(),
    );
    sign_up(&nouns).await?;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for number in 0..SAMPLES {
        // Who is first may be slower or faster for that alone.
        let in_turn = if number % 2 == 0 {
            [KNOWN, UNKNOWN]
        } else {
            [UNKNOWN, KNOWN]
        };
        for login in in_turn {
            clock.0.fetch_add(3_600_000, Ordering::SeqCst);
            let took = guess(&nouns, login, number).await?;
            let times = if login == KNOWN {
                &mut known
            } else {
                &mut unknown
            };
            times.push(took);
        }
    }
    nouns.ctx.store().clone().close().await;
    let t = welch(&known, &unknown);
    let (known, unknown) = (median(known), median(unknown));
    let figure = |at: usize, value, unit| Figure {
        name: NAMES[at],
        value,
        unit,
    };
    Ok(vec![
        figure(0, unknown, "ms"),
        figure(1, known, "ms"),
        figure(2, (known - unknown).abs(), "ms"),
        figure(3, t.abs(), "t"),
    ])
}

async fn guess(nouns: &Nouns, login: &str, number: u32) -> anyhow::Result<f64> {
    let request = SessionRequest {
        login: login.to_owned(),
        password: "a wrong password of length".to_owned(),
        device: None,
        client: None,
    };
    let caller = caller(number);
    let begun = Instant::now();
    let answer = nouns.accounts.sign_in(&caller, &request).await;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    let Err(error) = answer else {
        anyhow::bail!("a wrong password signed {login} in");
    };
    ensure!(matches!(error, Error::BadCredentials), "{login}: {error}");
    Ok(took)
}

async fn sign_up(nouns: &Nouns) -> anyhow::Result<()> {
    let request = SignupRequest {
        kind: MemberKind::Individual,
        company: None,
        mobile: None,
        accepted_personal_data: None,
        login_id: KNOWN.to_owned(),
        name: "Bench".to_owned(),
        email: "bench@example.net".to_owned(),
        password: "correct horse battery staple".to_owned(),
        accepted_terms: "1".to_owned(),
        locale: Locale::En,
        plan: None,
    };
    nouns.accounts.sign_up(&caller(0), &request).await?;
    let mails = nouns.mails.queued(1)?;
    let mail = mails.first().context("a mail is queued")?;
    let ready = compose(nouns, mail)
        .await?
        .context("there is something to send")?;
    let (_, rest) = ready.letter.body.split_once("token=").context("no link")?;
    let token = rest.split_whitespace().next().context("no token")?;
    nouns.accounts.confirm_email(&caller(0), token).await?;
    Ok(())
}

/// Welch's t of two samples: above 4.5 they differ by more than chance (T32).
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let [(mean, spread), (other_mean, other_spread)] = [one, other].map(|values| {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2));
        (mean, squares.sum::<f64>() / (count - 1.0) / count)
    });
    (mean - other_mean) / (spread + other_spread).sqrt()
}

fn caller(number: u32) -> Caller {
    let [_, _, high, low] = number.to_be_bytes();
    Caller {
        actor: Actor::Visitor,
        address: IpAddr::V4(Ipv4Addr::new(10, high, low, 1)),
        request: RequestId::new(&RandomIds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_that_differ_by_more_than_chance_have_a_large_t() {
        let noise = |number: u32| f64::from(number % 7) * 0.1;
        let one: Vec<_> = (0..1_000).map(noise).collect();
        let same: Vec<_> = (0..1_000).map(|number| noise(number + 3)).collect();
        let later: Vec<_> = one.iter().map(|value| value + 0.1).collect();
        assert!(welch(&one, &same).abs() < 4.5);
        assert!(welch(&one, &later).abs() > 4.5);
    }
}
