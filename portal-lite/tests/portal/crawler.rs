//! A crawler that opens every row of the table of pages and follows every link from there, as each kind of visitor, in
//! each language: no page fails, no link is dead, no text is missing, and every address that a form is sent to can be
//! opened as well, as a browser does that is told to load the page again.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use innkeeper_portal_lite::{
    routes::PAGES,
    sitemap::{Kind, Row},
};

use innkeeper_wire::api::Order;

use crate::{
    support::{Answer, Browser, Stub, address},
    texts,
};

/// More pages than there are: a crawl that is longer goes in circles.
const PAGES_MAX: usize = 600;

/// Who looks.
#[derive(Debug, Clone, Copy)]
enum Who {
    /// Somebody without an account.
    Stranger,
    /// Somebody who has just signed up and has nothing yet.
    Newcomer,
    /// Somebody with servers in all states.
    Member,
    /// Somebody whose session has ended elsewhere.
    Returning,
}

impl Who {
    const ALL: [Self; 4] = [
        Self::Stranger,
        Self::Newcomer,
        Self::Member,
        Self::Returning,
    ];

    /// Whether there is something for him at an address.
    fn has(self, row: &Row) -> bool {
        match self {
            // Only a page that he does not get asks for its parts.
            Self::Stranger | Self::Returning => row.kind != Kind::Part,
            Self::Newcomer => !row.path.contains("{id}"),
            Self::Member => true,
        }
    }

    async fn browser(self, stub: &Arc<Stub>) -> Browser {
        let browser = Browser::new(stub).await;
        match self {
            Self::Stranger => browser,
            Self::Newcomer => {
                let mut book = stub.book();
                book.servers.clear();
                book.keys.clear();
                book.tokens.clear();
                book.orders.clear();
                book.jobs.clear();
                book.month.lines.clear();
                book.invoices.clear();
                book.statement.entries.clear();
                browser.signed_in()
            }
            Self::Member => {
                let mut book = stub.book();
                let some = book.orders[0].clone();
                // Each server has an order.
                let orders = book.servers.iter().map(|server| Order {
                    id: server.order,
                    server: server.id,
                    ..some.clone()
                });
                book.orders = orders.collect();
                browser.signed_in()
            }
            Self::Returning => {
                let mut browser = browser.signed_in();
                browser.cookies.insert(
                    "innkeeper-session".to_owned(),
                    "inn_of-yesterday".to_owned(),
                );
                browser
            }
        }
    }
}

/// What a page refers to.
#[derive(Debug, Default)]
struct Referred {
    links: BTreeSet<String>,
    /// Where its forms are sent.
    targets: BTreeSet<String>,
}

/// The values of all attributes of this name, as a browser reads them.
fn attributes<'a>(html: &'a str, name: &str) -> impl Iterator<Item = String> + 'a {
    let start = format!(" {name}=\"");
    let parts: Vec<_> = html.split(&start).skip(1).map(str::to_owned).collect();
    parts.into_iter().map(|part| {
        let value = part.split('"').next().unwrap_or_default();
        value.replace("&#38;", "&").replace("&amp;", "&")
    })
}

fn referred(html: &str) -> Referred {
    let mut found = Referred {
        links: attributes(html, "href").collect(),
        targets: BTreeSet::new(),
    };
    for name in ["action", "formaction"] {
        found.targets.extend(attributes(html, name));
    }
    found.links.extend(attributes(html, "src"));
    found
}

/// One visitor's walk through everything that he can reach.
struct Crawl {
    browser: Browser,
    who: String,
    opened: BTreeSet<String>,
    waiting: VecDeque<(String, String)>,
    wrong: Vec<String>,
}

impl Crawl {
    async fn open(&mut self, from: &str, path: &str) -> Answer {
        let answer = self.browser.get(path).await;
        // A language that was chosen on the way is not kept: each crawl is in one.
        self.browser.cookies.remove("innkeeper-language");
        if answer.status >= 400 {
            let status = answer.status;
            self.wrong.push(format!("{path}, from {from}: {status}"));
        }
        self.opened.insert(path.to_owned());
        answer
    }

    fn wait_for(&mut self, from: &str, path: &str) {
        if path.starts_with('/') && !self.opened.contains(path) {
            self.waiting.push_back((from.to_owned(), path.to_owned()));
        }
    }

    async fn whole(mut self) -> BTreeSet<String> {
        while let Some((from, path)) = self.waiting.pop_front() {
            if self.opened.contains(&path) {
                continue;
            }
            assert!(self.opened.len() < PAGES_MAX, "{:?}", self.opened);
            let answer = self.open(&from, &path).await;
            if (300..400).contains(&answer.status) {
                let to = answer.header("location").to_owned();
                self.wait_for(&path, &to);
                continue;
            }
            if answer.header("content-type").starts_with("text/html") {
                self.read(&path, &answer);
            }
        }
        assert!(self.wrong.is_empty(), "{}: {:#?}", self.who, self.wrong);
        self.opened
    }

    /// Takes in what a page refers to.
    fn read(&mut self, path: &str, page: &Answer) {
        for key in texts::untranslated(&page.body) {
            self.wrong.push(format!("{path} says `{key}`"));
        }
        let Referred { links, targets } = referred(&page.body);
        for link in links {
            if let Some(id) = link.strip_prefix('#') {
                let is_part = !page.body.contains("<html");
                if !is_part && !attributes(&page.body, "id").any(|found| found == id) {
                    self.wrong.push(format!("{path} has no #{id}"));
                }
            }
            // The same page in another language was or will be crawled on its own.
            let link = link.split('#').next().unwrap_or_default();
            if !link.contains("lang=") || path == "/" {
                self.wait_for(path, link);
            }
        }
        for target in targets {
            self.wait_for(path, &target);
        }
    }
}

async fn crawl(who: Who, language: &'static str) -> BTreeSet<String> {
    let stub = Stub::new();
    let browser = who.browser(&stub).await.speaking(language);
    let mut crawl = Crawl {
        browser,
        who: format!("{who:?} in {language}"),
        opened: BTreeSet::new(),
        waiting: VecDeque::new(),
        wrong: Vec::new(),
    };
    for row in PAGES {
        if who.has(row) {
            crawl.wait_for("the table", &address(row));
        }
    }
    crawl.whole().await
}

#[tokio::test]
async fn everybody_can_follow_every_link_and_open_every_forms_target() {
    for who in Who::ALL {
        let mut addresses = Vec::new();
        for language in ["en", "ko", "zh-Hant"] {
            let opened = crawl(who, language).await;
            // Each language leads to the other two.
            let pages = opened.into_iter().filter(|path| !path.contains("lang="));
            addresses.push(pages.collect::<Vec<_>>());
        }
        assert!(addresses[0].len() > 20, "{who:?}: {:?}", addresses[0]);
        assert_eq!(addresses[0], addresses[1], "{who:?}");
        assert_eq!(addresses[0], addresses[2], "{who:?}");
    }
}
