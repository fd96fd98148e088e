//! To whom an account's invoices are addressed, and what the tax office is told of him (R47, R48, R54).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{country::Country, locale::Locale, time::Timestamp};

/// Longest address, in characters.
pub const ADDRESS_LENGTH_MAX: usize = 300;
/// Longest postal code, in characters.
pub const POSTAL_CODE_LENGTH_MAX: usize = 16;
/// Longest number of a business where nobody knows its form, in characters.
pub const TAX_ID_LENGTH_MAX: usize = 32;
/// Longest telephone number as it is typed, in characters.
pub const TELEPHONE_LENGTH_MAX: usize = 32;
/// Most e-mail addresses that invoices go to.
pub const INVOICE_EMAILS_MAX: usize = 5;

codes! {
    /// As what somebody pays.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    pub enum PayerKind {
        /// A person.
        #[default]
        Individual = "individual",
        /// A business: it has a number, and its invoices have what tax law asks for.
        Corporate = "corporate",
    }
}

/// To whom invoices are addressed. A text that may be left out may be empty as well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BillingDetails {
    /// As what. An account of a company pays as a business.
    pub kind: PayerKind,
    /// The person's name, or the name of the business as it is registered.
    #[schema(max_length = 100)]
    pub name: String,
    /// The country of the address by its code of ISO 3166-1; empty in a proposal that knows of none.
    #[schema(example = "KR", max_length = 2)]
    pub country: String,
    /// The postal code, where the country has them.
    #[schema(max_length = 16)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// The rest of the address, in one line or several.
    #[schema(max_length = 300)]
    pub address: String,
    /// Of a business in Korea its registration number of 10 digits (사업자등록번호), in Taiwan the unified one of 8 digits
    /// (統一編號), both without the hyphens and blanks that are typed; elsewhere its tax number if it has one.
    #[schema(max_length = 32)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_number: Option<String>,
    /// Of a company in Korea its number of 13 digits in the register of companies (법인등록번호), if it has one.
    #[schema(max_length = 32)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corporate_number: Option<String>,
    /// Of a business, who represents it.
    #[schema(max_length = 100)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub representative: Option<String>,
    /// Of a business, who is asked about invoices.
    #[schema(max_length = 100)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The mobile number of the person, or of who is asked. Without the country's code, and with a 0 in front, it is one of
    /// the address' country, Korea or Taiwan.
    #[schema(max_length = 32)]
    pub mobile: String,
    /// His landline number.
    #[schema(max_length = 32)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landline: Option<String>,
    /// Where tax invoices go to, as the export for the tax office names them; one at least. The service's own mails go to the
    /// account's address.
    #[schema(min_items = 1, max_items = 5)]
    pub emails: Vec<String>,
}

/// The billing profile of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BillingProfile {
    /// Counts its changes, from 1 on. Absent as long as none was given: then `details` are proposed, of what is known of
    /// the account, and servers are ordered once they were sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// When it was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// What it says.
    pub details: BillingDetails,
}

/// To whom an invoice was addressed when it was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BillTo {
    /// Which version of the billing profile it was.
    pub version: u64,
    /// As what.
    pub kind: PayerKind,
    /// The person's name, or the registered one of the business.
    pub name: String,
    /// The country by its code of ISO 3166-1.
    pub country: String,
    /// The postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// The rest of the address.
    pub address: String,
    /// The number of the business, in Korea, Taiwan or elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_number: Option<String>,
    /// The number in Korea's register of companies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corporate_number: Option<String>,
    /// Who represents the business.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub representative: Option<String>,
    /// Who is asked about invoices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Where its tax invoice went to.
    pub emails: Vec<String>,
}

impl BillTo {
    /// As an invoice tells it: without telephone numbers, which no invoice needs.
    #[must_use]
    pub fn of(version: u64, details: BillingDetails) -> Self {
        let BillingDetails {
            kind,
            name,
            country,
            postal_code,
            address,
            business_number,
            corporate_number,
            representative,
            contact,
            mobile: _,
            landline: _,
            emails,
        } = details;
        Self {
            version,
            kind,
            name,
            country,
            postal_code,
            address,
            business_number,
            corporate_number,
            representative,
            contact,
            emails,
        }
    }

    /// Line by line, as it stands on an invoice.
    #[must_use]
    pub fn lines(&self, locale: Locale) -> Vec<String> {
        let colon = locale.say(": ", ": ", "：");
        let named = |what: &str, value: String| format!("{what}{colon}{value}");
        let mut lines = vec![self.name.clone()];
        let business = self.business_number.as_ref();
        lines.extend(business.map(|number| match self.country.as_str() {
            "KR" => {
                let what = locale.say(
                    "Business registration number",
                    "사업자등록번호",
                    "事業者登錄號碼",
                );
                named(what, grouped(number, &[3, 2, 5]))
            }
            "TW" => {
                let what = locale.say("Unified business number", "통일번호", "統一編號");
                named(what, number.clone())
            }
            _ => named(
                locale.say("Tax number", "사업자번호", "稅籍編號"),
                number.clone(),
            ),
        }));
        let corporate = self.corporate_number.as_ref();
        lines.extend(corporate.map(|number| {
            let what = locale.say(
                "Corporate registration number",
                "법인등록번호",
                "法人登錄號碼",
            );
            named(what, grouped(number, &[6, 7]))
        }));
        let representative = self.representative.as_ref();
        lines.extend(representative.map(|name| {
            named(
                locale.say("Representative", "대표자", "代表人"),
                name.clone(),
            )
        }));
        lines.extend(self.address.lines().map(str::to_owned));
        let country = Country::of(&self.country).map(|country| country.name(locale));
        let place = [self.postal_code.as_deref(), country];
        let place: Vec<_> = place.into_iter().flatten().collect();
        lines.push(place.join(locale.say(", ", ", ", " ")));
        let contact = self.contact.as_ref();
        lines.extend(
            contact.map(|name| named(locale.say("Contact", "담당자", "聯絡人"), name.clone())),
        );
        lines
    }
}

/// Digits in groups, as people write a number; unchanged when it has another length.
fn grouped(digits: &str, groups: &[usize]) -> String {
    if !digits.is_ascii() || digits.len() != groups.iter().sum::<usize>() {
        return digits.to_owned();
    }
    let mut rest = digits;
    let mut parts = Vec::new();
    for length in groups {
        let (part, behind) = rest.split_at(*length);
        parts.push(part);
        rest = behind;
    }
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(country: &str, business: Option<&str>, corporate: Option<&str>) -> BillingDetails {
        BillingDetails {
            kind: PayerKind::Corporate,
            name: "주식회사 보기".to_owned(),
            country: country.to_owned(),
            postal_code: Some("04524".to_owned()),
            address: "서울특별시 중구\n세종대로 1".to_owned(),
            business_number: business.map(str::to_owned),
            corporate_number: corporate.map(str::to_owned),
            representative: Some("홍길동".to_owned()),
            contact: Some("김민지".to_owned()),
            mobile: "+821012345678".to_owned(),
            landline: None,
            emails: vec!["tax@example.com".to_owned()],
        }
    }

    #[test]
    fn an_invoice_is_addressed_so() {
        let to = BillTo::of(2, details("KR", Some("1248100998"), Some("1301110006246")));
        assert_eq!(
            to.lines(Locale::Ko),
            [
                "주식회사 보기",
                "사업자등록번호: 124-81-00998",
                "법인등록번호: 130111-0006246",
                "대표자: 홍길동",
                "서울특별시 중구",
                "세종대로 1",
                "04524, 대한민국",
                "담당자: 김민지",
            ]
        );
        let to = BillTo::of(2, details("TW", Some("04595257"), None));
        assert_eq!(to.lines(Locale::ZhHant)[1], "統一編號：04595257");
        let to = BillTo::of(2, details("DE", Some("DE 1"), None));
        assert_eq!(to.lines(Locale::En)[1], "Tax number: DE 1");
        let json = serde_json::to_string(&to).expect("plain values");
        assert!(!json.contains("5678"), "{json}");
    }
}
