//! The arithmetic of the vault, without files and without randomness of its own: what is derived from the
//! installation's key, how bytes are sealed to one place, and how a text becomes a name that only we can find.

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;
/// Bytes of a nonce: so many that random ones do not meet.
pub(super) const NONCE_BYTES: usize = 24;
/// First byte of everything sealed, so that the cipher can be changed.
const FORMAT: u8 = 1;

/// A key in memory; overwritten when it is dropped.
pub(super) type Secret = Zeroizing<[u8; KEY_BYTES]>;

/// Where sealed bytes belong. They open nowhere else: not in another record, not as another field.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Key of the record.
    pub record: &'a str,
    /// What of it, with the version of its form.
    pub field: &'a str,
}

impl Place<'_> {
    /// Unambiguous: the length says where the record's key ends.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend(
            u64::try_from(self.record.len())
                .unwrap_or(u64::MAX)
                .to_be_bytes(),
        );
        bytes.extend(self.record.as_bytes());
        bytes.extend(self.field.as_bytes());
        bytes
    }
}

/// A key for one purpose, from a uniformly random one: one block of HKDF's expansion (RFC 5869).
pub(super) fn derive(key: &Secret, purpose: &str) -> Secret {
    let mut mac = keyed(key);
    mac.update(purpose.as_bytes());
    mac.update(&[1]);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// A name for `text` in lists of `kind` that nobody can guess without the key.
pub(super) fn name_of(key: &Secret, kind: &str, text: &str) -> [u8; 32] {
    let mut mac = keyed(key);
    mac.update(kind.as_bytes());
    mac.update(&[0]);
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn keyed(key: &Secret) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.as_slice()).expect("HMAC takes keys of any length")
}

/// Seals `plain` to `place`. A nonce must never be used twice with one key.
pub(super) fn seal(
    key: &Secret,
    nonce: [u8; NONCE_BYTES],
    place: Place<'_>,
    plain: &[u8],
) -> Vec<u8> {
    let aad = place.bytes();
    let payload = Payload {
        msg: plain,
        aad: &aad,
    };
    let sealed = cipher(key).encrypt(&XNonce::from(nonce), payload);
    let sealed = sealed.expect("only more than 256 GiB can't be sealed");
    [&[FORMAT], nonce.as_slice(), &sealed].concat()
}

/// What was sealed to `place` with this key; `None` when it was not, or was changed since.
pub(super) fn open(key: &Secret, place: Place<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (&FORMAT, rest) = sealed.split_first()? else {
        return None;
    };
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
    let aad = place.bytes();
    let payload = Payload {
        msg: sealed,
        aad: &aad,
    };
    let plain = cipher(key).decrypt(&XNonce::from(*nonce), payload);
    plain.ok().map(Zeroizing::new)
}

fn cipher(key: &Secret) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.as_slice().try_into().expect("a key has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: Place<'static> = Place {
        record: "acc/1",
        field: "person",
    };

    fn key(byte: u8) -> Secret {
        Zeroizing::new([byte; KEY_BYTES])
    }

    fn opened(key: &Secret, place: Place<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
        open(key, place, sealed).map(|plain| plain.to_vec())
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_in_its_place_and_nowhere_else(
            plain in prop::collection::vec(any::<u8>(), 0..300),
            nonce in any::<[u8; NONCE_BYTES]>(),
            bit in any::<prop::sample::Index>(),
        ) {
            let sealed = seal(&key(1), nonce, PLACE, &plain);
            prop_assert_eq!(opened(&key(1), PLACE, &sealed), Some(plain));
            prop_assert_eq!(opened(&key(2), PLACE, &sealed), None);
            let elsewhere = Place { record: "acc/2", ..PLACE };
            prop_assert_eq!(opened(&key(1), elsewhere, &sealed), None);
            let otherwise = Place { field: "keys", ..PLACE };
            prop_assert_eq!(opened(&key(1), otherwise, &sealed), None);
            // The border between the two is part of what is sealed.
            let shifted = Place { record: "acc/1p", field: "erson" };
            prop_assert_eq!(opened(&key(1), shifted, &sealed), None);

            let mut flipped = sealed.clone();
            let bit = bit.index(sealed.len() * 8);
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(opened(&key(1), PLACE, &flipped), None);
            let cut = &sealed[..bit / 8];
            prop_assert_eq!(opened(&key(1), PLACE, cut), None);
        }
    }

    /// Worked out with another implementation of HMAC. They never change: a store can't be read with others.
    #[test]
    fn derived_keys_and_names_stay_what_they_are() {
        let hex =
            |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
        insta::assert_snapshot!(hex(derive(&key(7), "lookup").as_slice()), @"b8491be7b3c5542fececb034e762909af9aa5a14d093117dc7c12abadb8a0155");
        insta::assert_snapshot!(hex(&name_of(&key(7), "login", "minji90")), @"f46280299b58d48c8728455c8cf3bcdc83a3cfda9112681ed649617dd5294668");
        assert_ne!(derive(&key(7), "lookup"), derive(&key(7), "wrap"));
        assert_ne!(
            name_of(&key(7), "login", "minji90"),
            name_of(&key(7), "email", "minji90")
        );
    }

    /// The cipher is the published one, not a neighbour of it: the vector of draft-irtf-cfrg-xchacha-03, A.3.1.
    #[test]
    fn the_cipher_is_the_published_one() {
        let text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let aad = [
            0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7,
        ];
        let mut bytes = [0u8; KEY_BYTES];
        for (byte, value) in bytes.iter_mut().zip(0x80u8..) {
            *byte = value;
        }
        let mut nonce = [0u8; NONCE_BYTES];
        for (byte, value) in nonce.iter_mut().zip(0x40u8..) {
            *byte = value;
        }
        let sealed = cipher(&Zeroizing::new(bytes))
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: text,
                    aad: &aad,
                },
            )
            .expect("short");
        assert_eq!(sealed[..4], [0xbd, 0x6d, 0x17, 0x9d]);
        let tag = [
            0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a,
            0xcf, 0x49,
        ];
        assert_eq!(sealed[text.len()..], tag);
    }
}
