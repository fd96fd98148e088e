//! The REST API and the agent API over the real router and a real store, with a clock and ids of the test's
//! own. Filed by noun.

mod accounts;
mod addresses;
mod agents;
mod authorization;
mod contract;
mod document;
mod erasure;
mod images;
mod listener;
mod mails;
mod metrics;
mod offer;
mod operators;
mod orders;
mod outbox;
mod personal;
mod prices;
mod profile;
mod reach;
mod recovery;
mod roll_over;
mod second_factor;
mod servers;
mod sessions;
mod setting;
mod sign_up_histories;
mod sign_ups;
mod signing_in;
mod staff;
mod staff_accounts;
mod step_up;
mod texts;
mod tokens;
mod ways_back;
mod witnesses;
