//! What of contracts and usage is stored.

use innkeeper_wire::id::{ContractId, UsageId};

use crate::{
    billing::rules::{Contract, UsageInterval},
    kernel::record::records,
};

records! {
    Contract, at "ctr/" by ContractId, version 2;
    UsageInterval, at "use/" by (ContractId, UsageId), version 2;
}
