//! A list of the staff's portal: a table that can be searched, narrowed, sorted and paged, all by its address, and taken
//! away as a file (`csv`). What stands in it comes from `lists`.

use std::sync::Arc;

use askama::Template;
use axum::{http::StatusCode, response::Response};
use innkeeper_wire::{
    endpoints::Endpoint as _, endpoints::operators::GetStaffMe, id::AccountId, staff::Role,
    time::Timestamp,
};
use serde::Deserialize;

use super::{
    csv,
    deeds::Button,
    lists::{self, Which},
};
use crate::{
    failure::Failure,
    format::Moment,
    language,
    page::{self, Frame},
    pages::view,
    visit::Visit,
};

/// Lines of a page.
const LINES: usize = 50;
/// Longest text that is searched for, in characters.
const SEARCH_CHARS_MAX: usize = 100;

/// A list as its page is made of it.
pub(super) struct Table {
    /// Where it is.
    pub(super) path: &'static str,
    /// The name of its words.
    pub(super) title: &'static str,
    /// The name of what is said above it.
    pub(super) lead: Option<&'static str>,
    /// Whether one can search in it.
    pub(super) search: Search,
    /// Its columns.
    pub(super) columns: &'static [Heading],
    /// The order in which it comes unless another is asked for.
    pub(super) order: &'static str,
}

/// Whether a list can be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// It can't.
    None,
    /// It can, by a text.
    ByText,
}

/// A column.
pub(super) struct Heading {
    /// The name of its words.
    pub(super) words: &'static str,
    /// The orders in which the list can be by it, each with what it is to readers of screens. A click leads from one to the
    /// next.
    pub(super) orders: &'static [(&'static str, &'static str)],
}

/// A column by which nothing is sorted.
pub(super) const fn plain(words: &'static str) -> Heading {
    Heading { words, orders: &[] }
}

/// A column by which the list can be sorted.
pub(super) const fn sorted(
    words: &'static str,
    orders: &'static [(&'static str, &'static str)],
) -> Heading {
    Heading { words, orders }
}

/// A part of a list.
#[derive(Default)]
pub(super) struct Part {
    pub(super) lines: Vec<Line>,
    /// Where the next one begins.
    pub(super) next: Option<String>,
}

/// A line of a list.
pub(super) struct Line {
    /// The id of what it is about; empty where that has none.
    pub(super) id: String,
    pub(super) cells: Vec<Cell>,
    /// What can be done about it.
    pub(super) buttons: Vec<Button>,
}

/// What stands in a line under a column.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) href: Option<String>,
    pub(super) at: Option<Moment>,
    /// Words of a program, which nobody translates.
    pub(super) is_english: bool,
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    pub(super) fn link(text: impl Into<String>, href: String) -> Self {
        Self {
            href: Some(href),
            ..Self::text(text)
        }
    }

    pub(super) fn at(visit: &Visit, at: Option<Timestamp>) -> Self {
        match at {
            Some(at) => Self::moment(view::moment(visit, at)),
            None => Self::text("–"),
        }
    }

    pub(super) fn moment(at: Moment) -> Self {
        Self {
            at: Some(at),
            ..Self::default()
        }
    }

    pub(super) fn english(text: Option<String>) -> Self {
        Self {
            is_english: text.is_some(),
            ..Self::text(text.unwrap_or_else(|| "–".to_owned()))
        }
    }

    pub(super) fn owner(login_id: Option<String>, account: AccountId) -> Self {
        let text = login_id.unwrap_or_else(|| account.to_string());
        Self::link(text, format!("/accounts/{account}"))
    }

    /// The same as a link, if there is somewhere to go.
    pub(super) fn leading_to(self, href: Option<String>) -> Self {
        Self { href, ..self }
    }

    /// As it stands in a file: times as machines read them.
    pub(super) fn in_a_file(self) -> String {
        self.at.map_or(self.text, |at| at.machine)
    }
}

/// How a list is narrowed and sorted, as its address has it.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) owner: String,
    #[serde(default)]
    pub(super) host: String,
    /// Such as `2026-11`. What is none narrows nothing.
    #[serde(default)]
    pub(super) month: String,
    /// Whether only what is of whoever asks is wanted: anything but nothing.
    #[serde(default)]
    mine: String,
    #[serde(default)]
    pub(super) actor: String,
    /// Day and time of day in the visitor's zone, as its field sends them; so the next.
    #[serde(default)]
    since: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    pub(super) sort: String,
    #[serde(default)]
    pub(super) after: String,
    #[serde(default)]
    pub(super) format: String,
}

impl Asked {
    /// What is searched for.
    pub(super) fn q(&self) -> Option<String> {
        searched(&self.q)
    }

    /// Whether only what is of whoever asks is wanted.
    pub(super) fn wants_mine(&self) -> bool {
        !self.mine.is_empty()
    }

    /// Whose changes are wanted.
    pub(super) fn actor(&self) -> Option<String> {
        searched(&self.actor)
    }

    /// From when on something is wanted. What can't be read narrows nothing, and its field is empty then.
    pub(super) fn since(&self, visit: &Visit) -> Option<Timestamp> {
        visit.zone().instant(&self.since)
    }

    /// Until when, likewise.
    pub(super) fn until(&self, visit: &Visit) -> Option<Timestamp> {
        visit.zone().instant(&self.until)
    }

    /// The fields that narrow the audit trail.
    pub(super) fn trail_filters(&self, visit: &Visit) -> Vec<Filter> {
        let zone = visit.zone().to_string();
        let time = |name, words, at: Option<Timestamp>, text: &str| Filter {
            name,
            kind: "datetime-local",
            word: language::say_with(visit.locale, words, "zone", &zone),
            value: at.map(|_| text.to_owned()).unwrap_or_default(),
        };
        vec![
            Filter {
                name: "actor",
                kind: "text",
                word: visit.say("audit-actor"),
                value: self.actor.clone(),
            },
            time("since", "audit-since", self.since(visit), &self.since),
            time("until", "audit-until", self.until(visit), &self.until),
        ]
    }

    pub(super) fn after(&self) -> Option<String> {
        (!self.after.is_empty()).then(|| self.after.clone())
    }

    /// What this one has changed.
    pub(super) fn of_actor(actor: String) -> Self {
        Self {
            actor,
            ..Self::default()
        }
    }

    /// The same from there on.
    pub(super) fn behind(self, after: String) -> Self {
        Self { after, ..self }
    }

    /// The same as a file, from its beginning.
    pub(super) fn file(self) -> Self {
        Self {
            after: String::new(),
            format: "csv".to_owned(),
            ..self
        }
    }

    pub(super) fn wants_file(&self) -> bool {
        self.format == "csv"
    }

    /// The address of the list so narrowed.
    pub(super) fn address(&self, path: &str) -> String {
        let pairs = [
            ("q", self.q.as_str()),
            ("state", self.state.as_str()),
            ("owner", self.owner.as_str()),
            ("host", self.host.as_str()),
            ("month", self.month.as_str()),
            ("mine", self.mine.as_str()),
            ("actor", self.actor.as_str()),
            ("since", self.since.as_str()),
            ("until", self.until.as_str()),
            ("sort", self.sort.as_str()),
            ("after", self.after.as_str()),
            ("format", self.format.as_str()),
        ];
        let pairs: Vec<_> = pairs
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let query = serde_urlencoded::to_string(pairs).expect("texts only");
        match query.as_str() {
            "" => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }
}

/// A text that is looked for, as far as there is one.
fn searched(text: &str) -> Option<String> {
    let text: String = text.trim().chars().take(SEARCH_CHARS_MAX).collect();
    (!text.is_empty()).then_some(text)
}

/// A field by which a list can be narrowed.
pub(super) struct Filter {
    pub(super) name: &'static str,
    /// What kind of field it is to browsers.
    pub(super) kind: &'static str,
    pub(super) word: String,
    pub(super) value: String,
}

/// A state by which a list can be narrowed.
pub(super) struct Choice {
    pub(super) code: &'static str,
    pub(super) word: String,
}

#[derive(Template)]
#[template(path = "staff_list.html")]
struct List {
    frame: Frame,
    title: &'static str,
    lead: Option<&'static str>,
    path: &'static str,
    /// What is searched for, where one can.
    q: Option<String>,
    /// The states by which it can be narrowed, and the one that is chosen.
    states: Vec<Choice>,
    state: String,
    /// What else it can be narrowed by.
    filters: Vec<Filter>,
    /// What it is narrowed by otherwise, and stays so when it is searched.
    kept: Vec<(&'static str, String)>,
    /// The same without that.
    whole: Option<String>,
    columns: Vec<Column>,
    /// Whether it can be sorted by any.
    is_sorted: bool,
    lines: Vec<Line>,
    /// Whether anything can be done about any line.
    has_deeds: bool,
    buttons: Vec<Button>,
    next: Option<String>,
    first: Option<String>,
    file: String,
}

/// The heading of a column.
pub(super) struct Column {
    pub(super) word: String,
    /// The list sorted by it, or the other way round if it is.
    pub(super) url: Option<String>,
    /// `ascending` or `descending` if the list is sorted by it.
    pub(super) sorted: Option<&'static str>,
}

impl Column {
    /// No link sorts by it.
    pub(super) fn unsort(&mut self) {
        (self.url, self.sorted) = (None, None);
    }
}

/// The page of a list, or the whole of it as a file.
pub(super) async fn answer(
    visit: Arc<Visit>,
    which: Which,
    asked: Asked,
) -> Result<Response, Failure> {
    if asked.wants_file() {
        return csv::answer(visit, which, asked).await;
    }
    let me = visit.ask(GetStaffMe::ask()).await?;
    let part = lists::part(&visit, which, &asked, LINES, me.role).await?;
    let table = which.table();
    let again = Asked {
        after: String::new(),
        ..asked.clone()
    };
    let kept = [
        ("owner", &asked.owner),
        ("host", &asked.host),
        ("sort", &asked.sort),
    ];
    let kept = kept.into_iter().filter(|(_, value)| !value.is_empty());
    let is_of_one = !asked.owner.is_empty() || !asked.host.is_empty();
    let next = part.next.map(|next| asked.clone().behind(next));
    let view = List {
        frame: page::frame(&visit),
        title: table.title,
        lead: table.lead,
        path: table.path,
        q: (table.search == Search::ByText).then(|| asked.q.clone()),
        states: lists::states(&visit, which),
        state: asked.state.clone(),
        filters: lists::filters(&visit, which, &asked),
        kept: kept.map(|(name, value)| (name, value.clone())).collect(),
        whole: is_of_one.then(|| table.path.to_owned()),
        columns: columns(&visit, &table, &again),
        is_sorted: !table.order.is_empty(),
        has_deeds: part.lines.iter().any(|line| !line.buttons.is_empty()),
        lines: part.lines,
        buttons: lists::buttons(&visit, which, me.role),
        next: next.map(|next| next.address(table.path)),
        first: asked.after().map(|_| again.address(table.path)),
        file: asked.file().address(table.path),
    };
    page::render(&visit, StatusCode::OK, &view)
}

/// The headings of a list that is narrowed so.
pub(super) fn columns(visit: &Visit, table: &Table, asked: &Asked) -> Vec<Column> {
    let present = match asked.sort.as_str() {
        "" => table.order,
        sort => sort,
    };
    let headings = table.columns.iter();
    headings
        .map(|heading| column(visit, table.path, heading, asked, present))
        .collect()
}

fn column(visit: &Visit, path: &str, heading: &Heading, asked: &Asked, present: &str) -> Column {
    let by_it = heading.orders.iter().position(|(code, _)| *code == present);
    // One that is sorted by in one way only leads to itself.
    let next = by_it.map_or(0, |at| (at + 1) % heading.orders.len());
    let url = heading.orders.get(next).map(|(code, _)| {
        let sorted = Asked {
            sort: (*code).to_owned(),
            ..asked.clone()
        };
        sorted.address(path)
    });
    Column {
        word: visit.say(heading.words),
        url,
        sorted: by_it.map(|at| heading.orders[at].1),
    }
}

/// What a role sees of a list.
pub(super) fn line(id: impl ToString, cells: Vec<Cell>) -> Line {
    Line {
        id: id.to_string(),
        cells,
        buttons: Vec::new(),
    }
}

impl Line {
    /// The same with what can be done about it.
    pub(super) fn with(self, buttons: Vec<Button>) -> Self {
        Self { buttons, ..self }
    }
}

/// Nobody's role: of files, in which there are no buttons.
pub(super) const NO_BUTTONS: Role = Role::Viewer;
