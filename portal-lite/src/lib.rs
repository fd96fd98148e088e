//! The customers' portal: server-rendered pages, which work without scripts.
//!
//! Owns no data. Everything it shows it asks of the REST API (`api`) on behalf of the visitor, whose API
//! token is in a cookie; everything it remembers is in the visitor's browser. The life of a request:
//! `visit` (who, which language) -> `guard` (forms: origin and token) -> a page of `pages` -> `page`
//! (frame and template). A handler that fails returns a `Failure`, which `visit` turns into a page.

#![forbid(unsafe_code)]

pub mod api;
pub mod assets;
pub mod config;
pub mod cookies;
pub mod doctor;
pub mod failure;
pub mod footer;
pub mod form;
pub mod format;
pub mod guard;
pub mod headers;
pub mod language;
pub mod notice;
pub mod page;
pub mod pages;
pub mod portal;
pub mod routes;
pub mod serve;
pub mod visit;
pub mod words;
