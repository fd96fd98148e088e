//! Every endpoint of the three APIs, once: customers' REST API ([`rest`]), the hosts' API ([`agents`]) and the operators'
//! socket ([`operators`]). Each is a row of a table and a type of its own, which knows what is sent and answered.
//!
//! The control plane mounts handlers by these types, and refuses to compile when a handler lets in others than the row
//! says. Portal, agent and command line ask by them. The OpenAPI document and the authorization matrix walk the rows.
//! Nobody else spells a path of an API.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{RefOr, path::Parameter, schema::Schema},
};

use crate::{api::Scope, staff::Role};

#[macro_use]
mod table;

pub mod agents;
pub mod operators;
pub mod rest;

/// How something is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Changes nothing.
    Get,
    /// Makes or changes something.
    Post,
    /// Says what something is from now on; twice is as good as once.
    Put,
    /// Changes a part of something.
    Patch,
    /// Removes something.
    Delete,
}

impl Method {
    /// As HTTP has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Who may ask. What belongs to somebody else does not exist for whoever may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Anybody, signed in or not.
    Anybody,
    /// Whoever has the token of a customer's session, or an API token that is for it ([`Row::scope`]).
    Customer,
    /// The same, once he has proved within the last ten minutes who he is: by signing in, or by [`rest::Prove`]. Others are
    /// refused with `step-up-required`. Of API tokens the scope is the proof.
    ProvenCustomer,
    /// Somebody on the hosts' port; the request itself holds an invitation's token.
    Stranger,
    /// A host, by its certificate.
    Host,
    /// Whoever can open the operators' socket.
    Operator,
    /// Anybody who comes through the staff's portal, signed in or not.
    StaffVisitor,
    /// Staff of any role, or an operator.
    Viewer,
    /// Staff who look after customers, administrators, or an operator.
    Support,
    /// Staff who do technical-support jobs, administrators, or an operator.
    Engineer,
    /// Staff who look after money, administrators, or an operator.
    Billing,
    /// Administrators among the staff, or an operator.
    Admin,
    /// [`Who::Support`], once they have proved within the last ten minutes who they are: by signing in, or by
    /// [`operators::ProveStaff`]. Others are refused with `step-up-required`. Of operators the socket is the proof.
    ProvenSupport,
    /// The same of [`Who::Billing`].
    ProvenBilling,
    /// The same of [`Who::Admin`].
    ProvenAdmin,
}

impl Who {
    /// The role among the staff that it is for; none of what is for no role.
    #[must_use]
    pub const fn role(self) -> Option<Role> {
        match self {
            Self::Viewer => Some(Role::Viewer),
            Self::Support | Self::ProvenSupport => Some(Role::Support),
            Self::Engineer => Some(Role::Engineer),
            Self::Billing | Self::ProvenBilling => Some(Role::Billing),
            Self::Admin | Self::ProvenAdmin => Some(Role::Admin),
            Self::Anybody
            | Self::Customer
            | Self::ProvenCustomer
            | Self::Stranger
            | Self::Host
            | Self::Operator
            | Self::StaffVisitor => None,
        }
    }

    /// Whether who asks must have proved lately who he is.
    #[must_use]
    pub const fn wants_proof(self) -> bool {
        matches!(
            self,
            Self::ProvenCustomer | Self::ProvenSupport | Self::ProvenBilling | Self::ProvenAdmin
        )
    }
}

/// What an endpoint does not have: parameter, query, body or answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing;

impl Display for Nothing {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl std::str::FromStr for Nothing {
    type Err = std::convert::Infallible;

    fn from_str(_: &str) -> Result<Self, Self::Err> {
        Ok(Self)
    }
}

/// An answer that is bytes, or at times none: whoever asks for it says how it is read.
#[derive(Debug, Clone, Copy)]
pub struct Raw;

/// A header that an endpoint needs or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What its value looks like.
    pub pattern: &'static str,
    /// Most characters of its value; it has one at least.
    pub length_max: usize,
}

/// Schemas by their names.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// A type that is sent or answered.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// The type, as it is written in the table.
    name: &'static str,
    /// Its schema, if it is described.
    pub schema: Option<fn() -> RefOr<Schema>>,
    /// Adds the schemas that it refers to.
    pub collect: fn(&mut Schemas),
    /// The parameters, if it is a query.
    pub parameters: fn() -> Vec<Parameter>,
}

impl Part {
    const fn undescribed(name: &'static str) -> Self {
        Self {
            name,
            schema: None,
            collect: |_| {},
            parameters: Vec::new,
        }
    }

    const fn query<T: IntoParams>(name: &'static str) -> Self {
        let parameters = || T::into_params(|| Some(utoipa::openapi::path::ParameterIn::Query));
        Self {
            parameters,
            ..Self::undescribed(name)
        }
    }

    const fn described<T: ToSchema>(name: &'static str) -> Self {
        Self {
            schema: Some(T::schema),
            collect: T::schemas,
            ..Self::undescribed(name)
        }
    }

    /// What it travels as.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        match self.name {
            "Pdf" => "application/pdf",
            _ => "application/json",
        }
    }

    /// The name of its schema.
    #[must_use]
    pub fn schema_name(&self) -> String {
        self.name.replace('<', "_").replace('>', "")
    }
}

/// An endpoint without its types.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name, unique in its API.
    pub id: &'static str,
    /// What it does: the lines of its comment.
    pub about: &'static [&'static str],
    /// What all paths of its API begin with.
    pub base: &'static str,
    /// The rest of its path; `{name}` stands for the parameter.
    pub path: &'static str,
    /// How it is asked.
    pub method: Method,
    /// Who may.
    pub who: Who,
    /// Under which heading it is described, if it is.
    pub tag: &'static [&'static str],
    /// What an API token must be for, to be taken in place of a session; none is where this is none.
    pub scope: Option<Scope>,
    /// Headers that it needs.
    pub headers: &'static [Header],
    /// Headers that it takes.
    pub optional_headers: &'static [Header],
    /// What the parameter in the path is.
    pub parameter: Option<Part>,
    /// What the query is.
    pub query: Option<Part>,
    /// What the body is.
    pub body: Option<Part>,
    /// The status of success.
    pub status: u16,
    /// What is answered then.
    pub answer: Option<Part>,
}

/// One endpoint. The associated types are [`Nothing`] where its row has none.
pub trait Endpoint: Sized + 'static {
    /// What its path names.
    type Path: Display + std::str::FromStr + Send + Sync;
    /// Its query string.
    type Query: Serialize + DeserializeOwned + Send + Sync;
    /// Its body, JSON.
    type Body: Serialize + DeserializeOwned + Send + Sync;
    /// Its answer, JSON if it is not [`Raw`].
    type Answer;
    /// The row.
    const ROW: Row;

    /// Asks.
    #[must_use]
    fn ask() -> Ask<Self>
    where
        Self: Endpoint<Path = Nothing, Query = Nothing, Body = Nothing>,
    {
        Self::at(Nothing)
    }

    /// Asks about what the path names.
    #[must_use]
    fn at(path: Self::Path) -> Ask<Self>
    where
        Self: Endpoint<Query = Nothing, Body = Nothing>,
    {
        Self::at_with(path, Nothing)
    }

    /// Asks with a body.
    #[must_use]
    fn with(body: Self::Body) -> Ask<Self>
    where
        Self: Endpoint<Path = Nothing, Query = Nothing>,
    {
        Self::at_with(Nothing, body)
    }

    /// Asks about what the path names, with a body.
    #[must_use]
    fn at_with(path: Self::Path, body: Self::Body) -> Ask<Self>
    where
        Self: Endpoint<Query = Nothing>,
    {
        Ask {
            path,
            query: Nothing,
            body,
        }
    }

    /// Asks with a query.
    #[must_use]
    fn by(query: Self::Query) -> Ask<Self>
    where
        Self: Endpoint<Path = Nothing, Body = Nothing>,
    {
        Ask {
            path: Nothing,
            query,
            body: Nothing,
        }
    }
}

/// What is sent to one endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Ask<E: Endpoint> {
    /// What the path names.
    pub path: E::Path,
    /// The query string.
    pub query: E::Query,
    /// The body.
    pub body: E::Body,
}

impl<E: Endpoint> Ask<E> {
    /// Path and query, below the base of the API.
    #[must_use]
    pub fn below_base(&self) -> String {
        let mut path = fill(E::ROW.path, &self.path);
        if E::ROW.query.is_some() {
            let query = serde_urlencoded::to_string(&self.query);
            path.push('?');
            path += &query.expect("a query is a flat structure of plain values");
        }
        path
    }

    /// Path and query.
    #[must_use]
    pub fn target(&self) -> String {
        format!("{}{}", E::ROW.base, self.below_base())
    }

    /// The body as it is sent; nothing where there is none.
    #[must_use]
    pub fn json(&self) -> Vec<u8> {
        if E::ROW.body.is_none() {
            return Vec::new();
        }
        serde_json::to_vec(&self.body).expect("messages have only string keys")
    }
}

/// The path with its parameter filled in, escaped: an operator may write any text.
fn fill(template: &str, parameter: &impl Display) -> String {
    let Some((before, rest)) = template.split_once('{') else {
        return template.to_owned();
    };
    let (_, after) = rest.split_once('}').unwrap_or_default();
    let mut path = before.to_owned();
    for byte in parameter.to_string().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                path.push(char::from(byte));
            }
            _ => path += &format!("%{byte:02X}"),
        }
    }
    path + after
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rows_of_an_api_differ_in_name_and_in_what_is_asked() {
        for all in [rest::ALL, agents::ALL, operators::ALL] {
            let names: BTreeSet<_> = all.iter().map(|row| row.id).collect();
            let asked: BTreeSet<_> = all
                .iter()
                .map(|row| (row.path, row.method.as_str()))
                .collect();
            assert_eq!((names.len(), asked.len()), (all.len(), all.len()));
            for row in all {
                assert_eq!(
                    row.path.contains('{'),
                    row.parameter.is_some(),
                    "{}",
                    row.id
                );
                assert!((200..300).contains(&row.status), "{}", row.id);
            }
        }
    }

    #[test]
    fn a_path_is_filled_in() {
        assert_eq!(fill("/a/b", &Nothing), "/a/b");
        assert_eq!(fill("/a/{id}", &"srv_1:x"), "/a/srv_1:x");
        assert_eq!(fill("/a/{name}/b", &"ho st/é"), "/a/ho%20st%2F%C3%A9/b");
        let query = crate::host::DesiredQuery {
            epoch: 1,
            generation: 2,
            wait_s: 50,
        };
        let asked = agents::FollowDesired::by(query);
        assert_eq!(
            asked.target(),
            "/agent/v1/desired?epoch=1&generation=2&wait_s=50"
        );
        assert!(asked.json().is_empty());
    }
}
