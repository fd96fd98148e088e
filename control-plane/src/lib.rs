//! The control plane: keeps accounts, orders and servers in a durable store, answers the REST API of
//! customers and the mutual-TLS API of agents, and places servers on hosts. See ARCHITECTURE.md.
//!
//! Arrows: `kernel` < `credentials`, `mails`, `addresses` < `accounts` < `billing`, `hosts` < `servers` < `orders` < `continuity` <
//! `intake` < `nouns` < the doors (`api`, `agent_api`, `admin`, `work`, `metrics`) < `service`. `store` and `vault`
//! know none of these. What a noun decides is in its `rules`, pure.

#![forbid(unsafe_code)]

pub mod accounts;
pub mod addresses;
pub mod admin;
pub mod agent_api;
pub mod api;
pub mod attention;
pub mod authority;
pub mod billing;
pub mod blobs;
pub mod catalogue;
pub mod closing;
pub mod config;
pub mod continuity;
pub mod credentials;
pub mod doctor;
#[cfg(test)]
mod golden;
pub mod hosts;
pub mod in_use;
pub mod intake;
pub mod kernel;
pub mod known;
pub mod legal;
pub mod mails;
pub mod maintenance;
pub mod metrics;
pub mod nouns;
pub mod orders;
mod owner;
pub mod pdf;
pub mod ports;
pub mod prices;
pub mod providers;
mod secret_file;
pub mod servers;
pub mod service;
pub mod staff;
mod startup;
pub mod store;
pub mod support;
mod tasks;
pub mod unfit;
pub mod vault;
pub mod witness_key;
pub mod work;
