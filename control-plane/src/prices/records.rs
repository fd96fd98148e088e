//! What of price lists is stored.

use innkeeper_wire::time::Timestamp;

use super::rules::PriceList;
use crate::kernel::record::records;

records! {
    // By the moment from which on it is valid.
    PriceList, at "pricelist/" by Timestamp, version 1;
}
