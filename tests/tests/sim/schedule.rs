//! What is to happen, ordered by simulated time; what happens at the same instant keeps the order in which it
//! was scheduled. The one thing that moves a history on.

use std::collections::BTreeMap;

/// Milliseconds since the history began: the true time, which no clock in it need show.
pub(crate) type Millis = u64;

pub(crate) struct Schedule<E> {
    now: Millis,
    scheduled: u64,
    queue: BTreeMap<(Millis, u64), E>,
}

impl<E> Schedule<E> {
    pub(crate) fn new() -> Self {
        Self {
            now: 0,
            scheduled: 0,
            queue: BTreeMap::new(),
        }
    }

    pub(crate) fn now(&self) -> Millis {
        self.now
    }

    /// Lets `event` happen `delay` from now.
    pub(crate) fn after(&mut self, delay: Millis, event: E) {
        self.scheduled += 1;
        self.queue.insert((self.now + delay, self.scheduled), event);
    }

    /// The next event; the time is then its time, or stays when a leap has gone past it.
    pub(crate) fn next(&mut self) -> Option<E> {
        let ((at, _), event) = self.queue.pop_first()?;
        self.now = self.now.max(at);
        Some(event)
    }

    /// Brings forward whatever is due later than `within` from now.
    pub(crate) fn hasten(&mut self, within: Millis) {
        let latest = self.now + within;
        for ((_, number), event) in self.queue.split_off(&(latest, 0)) {
            self.queue.insert((latest, number), event);
        }
    }

    /// Lets time pass in which nothing happens: what was due meanwhile is late.
    pub(crate) fn leap(&mut self, span: Millis) {
        self.now += span;
    }
}
