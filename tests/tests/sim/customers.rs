//! What customers do: they order, click twice, try again with the same key when no answer comes, and ask this
//! and that of their servers. Whatever is answered goes to the watch.

use innkeeper_control_plane::{
    kernel::{Actor, Error},
    servers::ServerFilter,
};
use innkeeper_wire::{
    api::{OrderRequest, QuoteRequest, ServerAction},
    id::{QuoteId, ServerId},
};
use rand::{Rng as _, seq::IndexedRandom as _};

use crate::{
    control::Done,
    history::History,
    installation::{Installation, KEYS, caller, key},
    network::{Event, Request, Way},
};

/// How long a customer waits for an answer, in milliseconds.
const PATIENCE: u64 = 15_000;

/// A click on *order*, with everything that its repetitions have in common.
#[derive(Debug, Clone)]
pub(crate) struct Click {
    customer: usize,
    quote: QuoteId,
    tries: u32,
    /// An answer came that says what became of it.
    pub(crate) is_settled: bool,
}

impl History {
    /// A customer does one thing.
    pub(crate) fn customer_acts(&mut self) {
        match self.random.random_range(0..100) {
            0..30 => self.order(),
            30..36 => {
                // Several at once, for what room is left.
                for _ in 0..self.random.random_range(2..6) {
                    self.order();
                }
            }
            36..40 => {
                let customer = self.any_customer();
                self.send_as_customer(Request::ChangeKeys { customer });
            }
            _ => self.ask(),
        }
    }

    fn any_customer(&mut self) -> usize {
        self.random
            .random_range(0..Installation::get().customers.len())
    }

    fn order(&mut self) {
        let customer = self.any_customer();
        let Some(nouns) = self.control.nouns().cloned() else {
            return;
        };
        let who = Installation::get().customers[customer];
        let request = QuoteRequest {
            site: "lab".to_owned(),
            plan: "s1".to_owned(),
            image: "tiny".to_owned(),
            name: format!("web-{}", self.clicks.len()),
            ssh_keys: vec![who.key],
        };
        let customer_call = caller(&nouns, Actor::Account(who.account));
        // A quote promises nothing and waits for no commit, so it takes no time here.
        let quoted = self
            .runtime
            .block_on(nouns.orders.quote(&customer_call, &request));
        let Ok(quote) = quoted else {
            return; // the store has stopped, and nobody noticed yet
        };
        self.clicks.push(Click {
            customer,
            quote: quote.id,
            tries: 0,
            is_settled: false,
        });
        let click = self.clicks.len() - 1;
        self.click(click);
        if self.random.random_bool(0.2) {
            self.click(click);
        }
    }

    /// Sends the order, for the first time or again.
    fn click(&mut self, click: usize) {
        self.clicks[click].tries += 1;
        let tries = self.clicks[click].tries;
        self.send_as_customer(Request::Order { click });
        self.schedule
            .after(PATIENCE, Event::AnswerOverdue { click, tries });
    }

    /// Sends it again, with the same key, unless it was answered or sent again meanwhile.
    pub(crate) fn answer_overdue(&mut self, click: usize, tries: u32) {
        if !self.clicks[click].is_settled && self.clicks[click].tries == tries {
            self.click(click);
        }
    }

    pub(crate) fn at_customer(&mut self, click: usize, answer: &Result<ServerId, Error>) {
        match answer {
            // The order may have been made all the same: only trying again tells.
            Err(
                Error::Stopped
                | Error::Busy
                | Error::StorageFull
                | Error::Restoring
                | Error::Starting { .. },
            ) => {}
            Ok(_) | Err(_) => self.clicks[click].is_settled = true,
        }
    }

    fn ask(&mut self) {
        let customer = self.any_customer();
        let Some(nouns) = self.control.nouns().cloned() else {
            return;
        };
        let who = Installation::get().customers[customer];
        let caller = caller(&nouns, Actor::Account(who.account));
        let Ok(page) = nouns
            .servers
            .servers(&caller, &ServerFilter::default(), None, 50)
        else {
            return;
        };
        let Some(server) = page.data.choose(&mut self.random) else {
            return;
        };
        let Some(action) = server.allowed_actions.choose(&mut self.random) else {
            return;
        };
        // Most servers shall live long enough to see something.
        if *action == ServerAction::Delete && self.random.random_range(0..3) > 0 {
            return;
        }
        let (server, action) = (server.id, *action);
        self.send_as_customer(Request::Act {
            customer,
            server,
            action,
        });
    }

    fn send_as_customer(&mut self, request: Request) {
        let now = self.schedule.now();
        let deliveries = self
            .network
            .deliveries(Way::Customers, now, &mut self.random);
        for delay in deliveries {
            self.schedule
                .after(delay, Event::AtControl(request.clone()));
        }
    }

    // ---- at the control plane ----

    pub(crate) fn begin_order(&mut self, click: usize) -> Option<Done> {
        let nouns = self.control.nouns()?.clone();
        let Click {
            customer, quote, ..
        } = self.clicks[click];
        let account = Installation::get().customers[customer].account;
        let caller = caller(&nouns, Actor::Account(account));
        let request = OrderRequest {
            quote,
            accept_cautions: true,
        };
        self.control.begin(async move {
            let key = format!("click-{quote}");
            let placed = nouns.orders.place(&caller, &key, &request).await;
            let result = placed.map(|order| (order.id, order.server));
            Done::Ordered { click, result }
        })
    }

    pub(crate) fn begin_act(
        &mut self,
        customer: usize,
        server: ServerId,
        action: ServerAction,
    ) -> Option<Done> {
        let nouns = self.control.nouns()?.clone();
        let account = Installation::get().customers[customer].account;
        let caller = caller(&nouns, Actor::Account(account));
        let now = self.moment();
        self.watch.asked(server, action, now);
        self.control.begin(async move {
            let result = nouns.servers.act(&caller, server, action).await.map(|_| ());
            Done::Acted {
                server,
                action,
                result,
            }
        })
    }

    pub(crate) fn begin_changing_keys(&mut self, customer: usize) -> Option<Done> {
        let nouns = self.control.nouns()?.clone();
        let account = Installation::get().customers[customer].account;
        let caller = caller(&nouns, Actor::Account(account));
        self.control.begin(async move {
            // Either outcome will do: what counts is that it meets the orders of the same instant.
            let keys = nouns.accounts.ssh_keys(&caller).map(|page| page.data);
            match keys.unwrap_or_default().get(1) {
                Some(second) => nouns
                    .accounts
                    .remove_ssh_key(&caller, second.id)
                    .await
                    .err(),
                None => nouns
                    .accounts
                    .add_ssh_key(&caller, &key(KEYS[1]))
                    .await
                    .err(),
            };
            Done::KeysChanged
        })
    }
}
