//! The authorities of an installation: the one that signs, and while it is being rolled over a second one. As
//! values and as the one file in which they lie; when which of them may follow is the control plane's to decide.
//!
//! Everything about a roll-over that must not be lost is in that file, so that replacing it is the whole of each
//! step: the authority that signs comes first, with its key. A second one with a key is the next; a second one
//! without a key is the one before, which is trusted and can sign nothing any more.

use std::sync::Arc;

use innkeeper_wire::{digest::Digest, time::Timestamp};
use zeroize::Zeroizing;

use crate::{
    authority::{Ca, CaCertificate, CaError},
    peer::KeyId,
    tls::{Authorities, TlsError},
};

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
const KEY: &str = "-----BEGIN PRIVATE KEY-----";

/// The authorities of an installation.
#[derive(Clone)]
pub struct Succession {
    issuer: Arc<Ca>,
    other: Other,
    trusted_pem: String,
    trusted_digest: Digest,
}

/// The second one, if there is one.
#[derive(Clone)]
pub enum Other {
    /// There is none.
    None,
    /// It is trusted, and will sign.
    Next(Arc<Ca>),
    /// It has signed before. Its key is gone.
    Previous(CaCertificate),
}

impl Succession {
    /// One authority alone.
    #[must_use]
    pub fn of(issuer: Arc<Ca>) -> Self {
        Self::new(issuer, Other::None)
    }

    fn new(issuer: Arc<Ca>, other: Other) -> Self {
        let ours = issuer.certificate_pem();
        // The older one first, whichever signs: switching changes nothing of what hosts trust.
        let trusted_pem = match &other {
            Other::None => ours.to_owned(),
            Other::Next(next) => ours.to_owned() + next.certificate_pem(),
            Other::Previous(previous) => previous.pem().to_owned() + ours,
        };
        Self {
            issuer,
            other,
            trusted_digest: Digest::of(trusted_pem.as_bytes()),
            trusted_pem,
        }
    }

    /// Reads what [`Succession::to_pem`] gave.
    ///
    /// # Errors
    /// When it is damaged, or its authorities are not two of one installation.
    pub fn load(pem: &str) -> Result<Self, CaError> {
        let mut starts = pem.match_indices(CERTIFICATE).map(|(start, _)| start);
        let (first, second) = (starts.next(), starts.next());
        if first.is_none() || starts.next().is_some() {
            return Err(CaError::Damaged("it holds no or too many authorities"));
        }
        let (first, second) = pem.split_at(second.unwrap_or(pem.len()));
        let issuer = Arc::new(Ca::load(first)?);
        let other = if second.is_empty() {
            Other::None
        } else if second.contains(KEY) {
            Other::Next(Arc::new(Ca::load(second)?))
        } else {
            Other::Previous(CaCertificate::from_pem(second)?)
        };
        if let Some(other) = other.certificate()
            && (other.install() != issuer.install() || other.key_id() == issuer.key_id())
        {
            return Err(CaError::Damaged(
                "its authorities are not two of one installation",
            ));
        }
        Ok(Self::new(issuer, other))
    }

    /// All of it, keys too, to be stored where only the control plane can read it.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        let ours = self.issuer.to_pem();
        match &self.other {
            Other::None => ours,
            Other::Next(next) => Zeroizing::new([ours.as_str(), &next.to_pem()].concat()),
            Other::Previous(previous) => Zeroizing::new([&ours, previous.pem()].concat()),
        }
    }

    /// The one that signs.
    #[must_use]
    pub fn issuer(&self) -> &Arc<Ca> {
        &self.issuer
    }

    /// The second one.
    #[must_use]
    pub fn other(&self) -> &Other {
        &self.other
    }

    /// What hosts shall trust.
    #[must_use]
    pub fn trusted_pem(&self) -> &str {
        &self.trusted_pem
    }

    /// What a host tells that trusts exactly this.
    #[must_use]
    pub fn trusted_digest(&self) -> Digest {
        self.trusted_digest
    }

    /// The same for TLS.
    ///
    /// # Errors
    /// None in practice: they were read before.
    pub fn authorities(&self) -> Result<Authorities, TlsError> {
        Authorities::from_pem(&self.trusted_pem)
    }

    /// Whether certificates of this authority are honoured.
    #[must_use]
    pub fn trusts(&self, issuer: KeyId) -> bool {
        let other = self.other.certificate();
        self.issuer.key_id() == issuer || other.is_some_and(|other| other.key_id() == issuer)
    }

    /// With a new authority that is trusted from now on. `None` when there is a second one already.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn begun(&self, now: Timestamp) -> Result<Option<Self>, CaError> {
        let Other::None = self.other else {
            return Ok(None);
        };
        let next = Arc::new(Ca::create(self.issuer.install(), now)?);
        Ok(Some(Self::new(Arc::clone(&self.issuer), Other::Next(next))))
    }

    /// The next one signs, and the present one's key is gone. `None` when there is no next one.
    #[must_use]
    pub fn switched(&self) -> Option<Self> {
        let Other::Next(next) = &self.other else {
            return None;
        };
        let previous = Other::Previous(self.issuer.certificate().clone());
        Some(Self::new(Arc::clone(next), previous))
    }

    /// The one that signs alone: the end of a roll-over, or of one that was not switched. `None` when it is alone.
    #[must_use]
    pub fn alone(&self) -> Option<Self> {
        match self.other {
            Other::None => None,
            Other::Next(_) | Other::Previous(_) => Some(Self::of(Arc::clone(&self.issuer))),
        }
    }
}

impl Other {
    /// Its certificate.
    #[must_use]
    pub fn certificate(&self) -> Option<&CaCertificate> {
        match self {
            Self::None => None,
            Self::Next(next) => Some(next.certificate()),
            Self::Previous(previous) => Some(previous),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn first() -> Succession {
        let install = "demo".parse().expect("a code");
        Succession::of(Arc::new(Ca::create(&install, NOW).expect("an authority")))
    }

    /// What the file says is what was put into it, at each step.
    fn stored(succession: &Succession) -> Succession {
        let read = Succession::load(&succession.to_pem()).expect("it was written whole");
        assert_eq!(read.to_pem(), succession.to_pem());
        assert_eq!(read.trusted_pem(), succession.trusted_pem());
        read
    }

    #[test]
    fn a_roll_over_goes_through_its_file_and_trusts_both_in_between() {
        let settled = stored(&first());
        let old = settled.issuer().key_id();
        let begun = stored(&settled.begun(NOW).expect("random").expect("alone"));
        let Other::Next(next) = begun.other() else {
            unreachable!("a key was written");
        };
        let new = next.key_id();
        assert_eq!(begun.issuer().key_id(), old);
        let switched = stored(&begun.switched().expect("there is a next one"));
        assert_eq!(switched.issuer().key_id(), new);
        assert!(matches!(switched.other(), Other::Previous(_)));
        assert_eq!(switched.to_pem().matches(KEY).count(), 1, "the key is gone");
        assert_eq!(
            switched.trusted_digest(),
            begun.trusted_digest(),
            "hosts need nothing new to be switched"
        );
        for both in [&begun, &switched] {
            assert!(both.trusts(old) && both.trusts(new));
            assert_ne!(both.trusted_digest(), settled.trusted_digest());
            both.authorities().expect("two");
        }
        let finished = stored(&switched.alone().expect("there was another"));
        assert!(finished.trusts(new) && !finished.trusts(old));
        let aborted = stored(&begun.alone().expect("there was another"));
        assert_eq!(aborted.to_pem(), settled.to_pem(), "as if nothing had been");
    }

    #[test]
    fn what_can_not_be_is_not_made() {
        let settled = first();
        let begun = settled.begun(NOW).expect("random").expect("alone");
        let switched = begun.switched().expect("there is a next one");
        assert!(settled.switched().is_none() && settled.alone().is_none());
        assert!(begun.begun(NOW).expect("random").is_none());
        assert!(switched.begun(NOW).expect("random").is_none());
        assert!(switched.switched().is_none());
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let (one, two) = (first(), first());
        let install = "another".parse().expect("a code");
        let foreign = Ca::create(&install, NOW).expect("an authority");
        let pem = one.to_pem().to_string();
        let begun = one.begun(NOW).expect("random").expect("alone");
        let begun = begun.to_pem().to_string();
        for (pem, what) in [
            (String::new(), "empty"),
            (one.trusted_pem().to_owned(), "no key"),
            (pem.clone() + one.trusted_pem(), "one twice"),
            (pem.clone() + foreign.certificate_pem(), "a foreign one"),
            (begun.clone() + two.trusted_pem(), "three"),
            (begun[..begun.len() / 3].to_owned(), "cut off"),
            (
                begun[..begun.len() - 40].to_owned(),
                "cut off in its last key",
            ),
        ] {
            assert!(Succession::load(&pem).is_err(), "{what}");
        }
    }
}
