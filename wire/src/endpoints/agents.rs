//! The hosts' API, over mutual TLS. Hosts that no record knows are heard and told nothing.

use super::Raw;
use crate::{
    digest::Digest,
    host::{
        DesiredQuery, JoinAnswer, JoinRequest, Life, LifeAnswer, Observations, RenewAnswer,
        RenewRequest, ReportAnswer,
    },
};

endpoints! {
    undescribed below "/agent/v1";

    /// Lets an invited host in; the one that needs no certificate.
    Join = "join": Stranger Post "/join", with JoinRequest => 200 JoinAnswer;

    /// A fresh certificate for a host that proves the present one, which may have expired lately.
    Renew = "renew": Host Post "/renew", with RenewRequest => 200 RenewAnswer;

    /// Says that an agent lives; the first thing on each of its connections.
    ShowLife = "life": Host Post "/life", with Life => 200 LifeAnswer;

    /// The desired state, a [`crate::host::Manifest`], once it is newer than what the host has; 204 when the wait is over
    /// before. Raw, since at times there is nothing to read.
    FollowDesired = "desired": Host Get "/desired", by DesiredQuery => 200 Raw;

    /// A [`crate::vm::ServerSpec`] of one of the host's own servers: the bytes that have this digest. Raw, since what
    /// was read and written again may have another one.
    GetSpec = "spec": Host Get "/specs/{digest}", at Digest => 200 Raw;

    /// Takes in what a host observed.
    Report = "observations": Host Post "/observations", with Observations => 200 ReportAnswer;

    /// A base image that one of the host's servers starts from. Raw, since it goes through piece by piece.
    GetBlob = "blob": Host Get "/blobs/{digest}", at Digest => 200 Raw;
}
