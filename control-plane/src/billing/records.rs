//! What of contracts and usage is stored.

use innkeeper_wire::id::{AccountId, ContractId, UsageId};
use serde::{Deserialize, Serialize};

use crate::{
    billing::rules::{
        Contract, UsageInterval,
        freeze::{ClockNote, Freeze, WaitingUsage},
    },
    kernel::record::records,
};

records! {
    Contract, at "ctr/" by ContractId, version 2;
    ContractOf, at "ctrof/" by (AccountId, ContractId), version 1;
    UsageInterval, at "use/" by (ContractId, UsageId), version 2;
    Freeze, at "billing/freeze" by (), version 1;
    ClockNote, at "billing/clock" by (), version 1;
    WaitingUsage, at "usewait/" by ContractId, version 1;
}

/// That a contract is an account's: contracts are found by it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ContractOf {}
