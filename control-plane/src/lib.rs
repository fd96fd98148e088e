//! The control plane: keeps accounts, orders and servers in a durable store, answers the REST API of
//! customers and the mutual-TLS API of agents, and places servers on hosts. See ARCHITECTURE.md.
//!
//! Arrows: `api`, `agent_api`, `admin` -> `app` -> {`domain`, `store`}; `work` -> {`app`, `domain`,
//! `store`, `providers`}; `store` -> `domain`; `domain` -> the wire crate only.

#![forbid(unsafe_code)]

pub mod app;
pub mod domain;
pub mod store;
