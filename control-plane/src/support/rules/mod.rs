//! The rules of technical-support jobs: what can be done in which state, business hours, what a form must say, mails.

pub mod calendar;
pub mod form;
pub mod job;
pub mod letters;
