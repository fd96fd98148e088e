//! The whole product under test: the laboratory in which its real programs run, the demo and its check in a
//! browser, and the benches. Depends on all other crates; nothing depends on it.
#![forbid(unsafe_code)]

pub mod bench;
pub mod check;
pub mod demo;
pub mod images;
pub mod lab;
pub mod small_cloud;
