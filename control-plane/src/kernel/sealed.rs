//! Sealed values: what a record holds of a person, as bytes that only the vault can open. The type says what
//! is inside, so that nothing else is made of it.

use std::{fmt, marker::PhantomData};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A sealed `T`; base64 in JSON.
pub struct Sealed<T> {
    bytes: Vec<u8>,
    inside: PhantomData<fn() -> T>,
}

impl<T> Sealed<T> {
    /// Bytes that the vault made of a `T`.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            inside: PhantomData,
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self::new(self.bytes.clone())
    }
}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sealed, {} bytes", self.bytes.len())
    }
}

impl<T> Serialize for Sealed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD_NO_PAD.encode(&self.bytes))
    }
}

impl<'de, T> Deserialize<'de> for Sealed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD_NO_PAD.decode(text).map_err(D::Error::custom)?;
        Ok(Self::new(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_travels_as_text_and_does_not_print_itself() {
        let sealed = Sealed::<String>::new(vec![1, 0xff, 0]);
        let json = serde_json::to_string(&sealed).expect("bytes");
        assert_eq!(json, "\"Af8A\"");
        let again: Sealed<String> = serde_json::from_str(&json).expect("the same");
        assert_eq!(again.bytes(), sealed.bytes());
        assert!(serde_json::from_str::<Sealed<String>>("\"plain text\"").is_err());
        assert_eq!(format!("{sealed:?}"), "sealed, 3 bytes");
    }
}
