//! What of contracts and usage is stored.

use innkeeper_wire::id::{AccountId, ContractId, UsageId};
use serde::{Deserialize, Serialize};

use crate::{
    billing::rules::{Contract, UsageInterval},
    kernel::record::records,
};

records! {
    Contract, at "ctr/" by ContractId, version 2;
    ContractOf, at "ctrof/" by (AccountId, ContractId), version 1;
    UsageInterval, at "use/" by (ContractId, UsageId), version 2;
}

/// That a contract is an account's: contracts are found by it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ContractOf {}
