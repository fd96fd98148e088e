//! The portal's router against a REST API of canned answers, in this process.

mod billing_profile;
mod calculator;
mod crawler;
mod footer;
mod forms;
mod jobs;
mod kept;
mod ordering;
mod pages;
mod profile;
mod second_factor;
mod security;
mod servers;
mod serving;
mod sign_ups;
mod staff;
mod staff_api;
mod staff_deeds;
mod style;
mod support;
mod suspended;
mod texts;
mod tokens;
mod two_step;
mod ways;
mod ways_back;
