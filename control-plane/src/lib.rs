//! The control plane: keeps accounts, orders and servers in a durable store, answers the REST API of
//! customers and the mutual-TLS API of agents, and places servers on hosts. See ARCHITECTURE.md.
//!
//! Arrows: `api`, `agent_api`, `admin` -> `app` -> {`domain`, `store`, `vault`}; `work` -> {`app`,
//! `domain`, `store`, `providers`}; `store` -> `domain`; `domain` and `vault` -> the wire crate only. `agent_api`
//! and `admin` ask `authority`, which asks `app`. `service` puts all of it together and nothing depends on it.

#![forbid(unsafe_code)]

pub mod admin;
pub mod agent_api;
pub mod api;
pub mod app;
pub mod authority;
pub mod blobs;
pub mod config;
pub mod doctor;
pub mod domain;
pub mod maintenance;
pub mod metrics;
mod owner;
pub mod ports;
pub mod providers;
mod secret_file;
pub mod service;
mod startup;
pub mod store;
mod tasks;
pub mod unfit;
pub mod vault;
pub mod witness_key;
pub mod work;
