//! Who has a connection, since when, and who has to go. Pure: the time is a parameter, closing is somebody else's.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    time::Duration,
};

use tokio::time::Instant;

/// What a listener allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Of these, from one client: an address, in IPv6 a /64.
    pub per_address: usize,
    /// From the connection's beginning to the end of its first request's header.
    pub first_request: Duration,
    /// Without a request after that.
    pub idle: Duration,
    /// From a request's header to the end of its answer.
    pub answer: Duration,
}

/// Why a connection is refused or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its client has too many.
    Address,
    /// There are too many.
    Full,
    /// No request came in time.
    NoRequest,
    /// No further request came in time.
    Idle,
    /// An answer was not taken in time.
    Answer,
}

impl Reason {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Address,
        Self::Full,
        Self::NoRequest,
        Self::Idle,
        Self::Answer,
    ];

    /// As metrics and logs call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Full => "full",
            Self::NoRequest => "no_request",
            Self::Idle => "idle",
            Self::Answer => "answer",
        }
    }
}

/// The connections, each with what closes it.
#[derive(Debug)]
pub(crate) struct Table<C> {
    next: u64,
    seats: HashMap<u64, Seat<C>>,
    by_client: HashMap<IpAddr, usize>,
    /// Those for whom nothing is worked: they, not we, are waited for. By when that began.
    waiting: BTreeSet<(u64, u64)>,
    waiting_of: BTreeSet<(IpAddr, u64, u64)>,
}

#[derive(Debug)]
struct Seat<C> {
    client: IpAddr,
    closer: C,
    state: State,
    /// Requests that have come whole and are not answered yet.
    working: usize,
    since: Instant,
    /// Orders those that wait.
    order: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No request yet.
    Fresh,
    /// Between requests.
    Idle,
    /// So many requests at the same time.
    Busy(usize),
}

/// A connection that has a seat.
#[derive(Debug)]
pub(crate) struct Entered<C> {
    pub(crate) number: u64,
    /// Who had to go for it, and why.
    pub(crate) displaced: Option<(C, Reason)>,
}

impl<C> Default for Table<C> {
    fn default() -> Self {
        Self {
            next: 0,
            seats: HashMap::new(),
            by_client: HashMap::new(),
            waiting: BTreeSet::new(),
            waiting_of: BTreeSet::new(),
        }
    }
}

impl<C> Table<C> {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.seats.len()
    }

    /// Seats a connection of `client`, of which there may be `of_client`. When that is too much, the one for which nothing
    /// was done for longest goes: of this client, or of all. If all are worked for the new one is refused.
    pub(crate) fn enter(
        &mut self,
        client: IpAddr,
        of_client: usize,
        connections: usize,
        closer: C,
        now: Instant,
    ) -> Result<Entered<C>, Reason> {
        let crowded = if self
            .by_client
            .get(&client)
            .is_some_and(|count| *count >= of_client)
        {
            let mut waiting = self.waiting_of.range((client, 0, 0)..);
            let oldest = waiting.next().filter(|(of, ..)| *of == client);
            Some((Reason::Address, oldest.map(|(.., number)| *number)))
        } else if self.seats.len() >= connections {
            let oldest = self.waiting.first();
            Some((Reason::Full, oldest.map(|(_, number)| *number)))
        } else {
            None
        };
        let displaced = match crowded {
            Some((reason, None)) => return Err(reason),
            Some((reason, Some(oldest))) => self.leave(oldest).map(|closer| (closer, reason)),
            None => None,
        };
        let number = self.number();
        let seat = Seat {
            client,
            closer,
            state: State::Fresh,
            working: 0,
            since: now,
            order: number,
        };
        self.waiting.insert((number, number));
        self.waiting_of.insert((client, number, number));
        self.seats.insert(number, seat);
        *self.by_client.entry(client).or_default() += 1;
        Ok(Entered { number, displaced })
    }

    /// A request's header has come.
    pub(crate) fn begin(&mut self, number: u64, now: Instant) {
        let Some(seat) = self.seats.get_mut(&number) else {
            return;
        };
        seat.since = now;
        seat.state = match seat.state {
            State::Busy(requests) => State::Busy(requests + 1),
            State::Fresh | State::Idle => State::Busy(1),
        };
    }

    /// All of a request has come: from here on its answer is our work.
    pub(crate) fn work(&mut self, number: u64) {
        let Some(seat) = self.seats.get_mut(&number) else {
            return;
        };
        seat.working += 1;
        self.waiting.remove(&(seat.order, number));
        self.waiting_of.remove(&(seat.client, seat.order, number));
    }

    /// An answer is made; whether it is taken is up to the client.
    pub(crate) fn rest(&mut self, number: u64) {
        let order = self.number();
        let Some(seat) = self.seats.get_mut(&number) else {
            return;
        };
        seat.working = seat.working.saturating_sub(1);
        if seat.working == 0 {
            seat.order = order;
            self.waiting.insert((order, number));
            self.waiting_of.insert((seat.client, order, number));
        }
    }

    /// An answer was taken.
    pub(crate) fn end(&mut self, number: u64, now: Instant) {
        let Some(seat) = self.seats.get_mut(&number) else {
            return;
        };
        seat.since = now;
        seat.state = match seat.state {
            State::Busy(requests) if requests > 1 => State::Busy(requests - 1),
            _ => State::Idle,
        };
    }

    /// Takes a connection off the table; what closes it, if it was there.
    pub(crate) fn leave(&mut self, number: u64) -> Option<C> {
        let seat = self.seats.remove(&number)?;
        self.waiting.remove(&(seat.order, number));
        self.waiting_of.remove(&(seat.client, seat.order, number));
        if let Some(count) = self.by_client.get_mut(&seat.client) {
            *count -= 1;
            if *count == 0 {
                self.by_client.remove(&seat.client);
            }
        }
        Some(seat.closer)
    }

    /// Takes those off that were silent for too long.
    pub(crate) fn overdue(&mut self, limits: &Limits, now: Instant) -> Vec<(C, Reason)> {
        let judge = |seat: &Seat<C>| {
            let (limit, reason) = match seat.state {
                State::Fresh => (limits.first_request, Reason::NoRequest),
                State::Idle => (limits.idle, Reason::Idle),
                State::Busy(_) => (limits.answer, Reason::Answer),
            };
            (now.duration_since(seat.since) >= limit).then_some(reason)
        };
        let overdue: Vec<_> = self
            .seats
            .iter()
            .filter_map(|(number, seat)| Some((*number, judge(seat)?)))
            .collect();
        let gone = overdue.into_iter();
        gone.filter_map(|(number, reason)| Some((self.leave(number)?, reason)))
            .collect()
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        connections: 20,
        per_address: 3,
        first_request: Duration::from_secs(10),
        idle: Duration::from_secs(60),
        answer: Duration::from_secs(30),
    };

    /// A table in which connections are closed by their names.
    struct Hall {
        table: Table<String>,
        start: Instant,
    }

    impl Hall {
        fn new() -> Self {
            let (table, start) = (Table::default(), Instant::now());
            Self { table, start }
        }

        fn at(&self, second: u64) -> Instant {
            self.start + Duration::from_secs(second)
        }

        /// Who comes from `client` in this second: his number, and who had to go.
        fn enter(&mut self, client: u8, second: u64) -> Result<(u64, Option<String>), Reason> {
            let address = IpAddr::from([192, 0, 2, client]);
            let (name, now) = (format!("{client} at {second}"), self.at(second));
            let Limits {
                connections,
                per_address,
                ..
            } = LIMITS;
            let entered = self
                .table
                .enter(address, per_address, connections, name, now)?;
            Ok((entered.number, entered.displaced.map(|(name, _)| name)))
        }

        /// A whole request comes to this connection.
        fn asks(&mut self, number: u64, second: u64) {
            let now = self.at(second);
            self.table.begin(number, now);
            self.table.work(number);
        }

        /// It is answered.
        fn hears(&mut self, number: u64, second: u64) {
            let now = self.at(second);
            self.table.rest(number);
            self.table.end(number, now);
        }

        fn comes(&mut self, client: u8, second: u64) -> u64 {
            let (number, displaced) = self.enter(client, second).expect("there is room");
            assert_eq!(displaced, None);
            number
        }
    }

    /// Rows A3, A4 and C9: one client keeps nobody out but himself, and of himself the one that is of least use.
    #[test]
    fn a_client_with_too_many_loses_his_oldest_silent_one() {
        let mut hall = Hall::new();
        let busy = hall.comes(1, 0);
        hall.asks(busy, 1);
        hall.comes(1, 2);
        let third = hall.comes(1, 3);
        hall.comes(2, 0);
        assert_eq!(hall.enter(1, 4), Ok((5, Some("1 at 2".to_owned()))));
        for number in [third, 5] {
            hall.asks(number, 5);
        }
        assert_eq!(hall.enter(1, 6), Err(Reason::Address), "all are busy");
        hall.hears(busy, 7);
        assert_eq!(hall.enter(1, 8), Ok((7, Some("1 at 0".to_owned()))));
        assert_eq!(hall.table.count(), 4);
        hall.comes(2, 9);
    }

    #[test]
    fn a_full_house_loses_whoever_was_silent_longest() {
        let mut hall = Hall::new();
        let numbers: Vec<_> = (0..20).map(|n| hall.comes(n, u64::from(n))).collect();
        // The first one has just been answered.
        hall.asks(numbers[0], 30);
        hall.hears(numbers[0], 31);
        assert_eq!(hall.enter(100, 32), Ok((22, Some("1 at 1".to_owned()))));
        for number in 1..=22 {
            hall.asks(number, 33);
        }
        assert_eq!(hall.enter(101, 34), Err(Reason::Full));
        assert!(hall.table.leave(numbers[5]).is_some());
        hall.comes(101, 35);
    }

    /// Bodies that come byte by byte and answers that nobody takes keep no place from others: headers alone had kept
    /// all places of the REST API for sixteen addresses.
    #[test]
    fn only_our_work_keeps_a_place() {
        let mut hall = Hall::new();
        for client in 0..20 {
            let number = hall.comes(client, 0);
            hall.table.begin(number, hall.at(1));
            if client % 2 == 1 {
                hall.table.work(number);
            }
        }
        assert_eq!(hall.enter(100, 2), Ok((21, Some("0 at 0".to_owned()))));
        hall.asks(21, 2);
        // The second one's answer is made, and not taken.
        hall.table.rest(2);
        for client in [2, 4, 6, 8, 10, 12, 14, 16, 18, 1] {
            let (number, gone) = hall.enter(101 + client, 3).expect("somebody waits");
            assert_eq!(gone, Some(format!("{client} at 0")));
            hall.asks(number, 3);
        }
        assert_eq!(
            hall.enter(200, 4),
            Err(Reason::Full),
            "we owe all an answer"
        );
    }

    #[test]
    fn silence_has_its_limits_and_work_has_another() {
        let mut hall = Hall::new();
        hall.comes(1, 0);
        let (kept, stuck) = (hall.comes(2, 0), hall.comes(3, 0));
        for number in [kept, stuck] {
            hall.table.begin(number, hall.at(1));
        }
        hall.table.begin(kept, hall.at(1));
        hall.table.end(kept, hall.at(5));
        hall.table.end(kept, hall.at(6));
        let overdue = |hall: &mut Hall, second| {
            let now = hall.at(second);
            hall.table.overdue(&LIMITS, now)
        };
        assert_eq!(overdue(&mut hall, 9), []);
        let gone = overdue(&mut hall, 10);
        assert_eq!(gone, [("1 at 0".to_owned(), Reason::NoRequest)]);
        let gone = overdue(&mut hall, 31);
        assert_eq!(gone, [("3 at 0".to_owned(), Reason::Answer)]);
        assert_eq!(overdue(&mut hall, 65), []);
        let gone = overdue(&mut hall, 66);
        assert_eq!(gone, [("2 at 0".to_owned(), Reason::Idle)]);
        // What has gone is gone whole, and what is late of it does no harm.
        hall.table.end(stuck, hall.at(67));
        hall.table.begin(kept, hall.at(67));
        assert_eq!(hall.table.leave(kept), None);
        let table = &hall.table;
        assert_eq!((table.count(), table.by_client.len()), (0, 0));
        assert_eq!((table.waiting.len(), table.waiting_of.len()), (0, 0));
    }
}
