//! The portal, the customers' or the staff's ([`area`]): server-rendered pages, which work without scripts.
//!
//! Owns no data. Everything it shows it asks of the REST API (`api`) on behalf of the visitor, whose API
//! token is in a cookie; everything it remembers is in the visitor's browser. A page is a row of `routes::PAGES`, a form
//! a list of `form::Field`s. The life of a request: `front` (who, which language, which row: a `Visit`) -> `guard`
//! (forms: origin and token) -> a page of `pages` -> `page` (frame and template). A handler that fails returns a
//! `Failure`, of which `front` has a page made.

#![forbid(unsafe_code)]

pub mod api;
pub mod area;
pub mod assets;
pub mod config;
pub mod cookies;
pub mod doctor;
pub mod estimate;
pub mod failure;
pub mod fields;
pub mod footer;
pub mod form;
pub mod format;
pub mod front;
pub mod guard;
pub mod headers;
pub mod host;
pub mod kept;
pub mod language;
pub mod notice;
pub mod page;
pub mod pages;
pub mod portal;
pub mod qr;
pub mod routes;
pub mod serve;
pub mod sitemap;
pub mod visit;
pub mod words;
