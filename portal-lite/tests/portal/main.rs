//! The portal's router against a REST API of canned answers, in this process.

mod support;
