//! How much happened: histories in which nothing did would show nothing.

/// What happened, over many histories: a run in which nothing did shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) events: u64,
    pub(crate) orders: u64,
    pub(crate) refusals: u64,
    pub(crate) deletions: u64,
    pub(crate) shared_batches: u64,
    pub(crate) agent_deaths: u64,
    pub(crate) control_deaths: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) restores: u64,
    pub(crate) host_restores: u64,
    /// Requests and reports that were refused because the disk was full.
    pub(crate) without_room: u64,
    pub(crate) suspensions: u64,
    /// Times that the operator had to say that the clock is right.
    pub(crate) freezes: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.events += other.events;
        self.orders += other.orders;
        self.refusals += other.refusals;
        self.deletions += other.deletions;
        self.shared_batches += other.shared_batches;
        self.agent_deaths += other.agent_deaths;
        self.control_deaths += other.control_deaths;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.restores += other.restores;
        self.host_restores += other.host_restores;
        self.without_room += other.without_room;
        self.suspensions += other.suspensions;
        self.freezes += other.freezes;
    }

    /// A run in which nothing happened would show nothing.
    pub(crate) fn check(&self) {
        let all = [
            self.orders,
            self.refusals,
            self.deletions,
            self.shared_batches,
            self.agent_deaths,
            self.control_deaths,
            self.lost,
            self.doubled,
            self.restores,
            self.host_restores,
            self.without_room,
            self.suspensions,
            self.freezes,
        ];
        assert!(all.iter().all(|count| *count > 0), "{self:?}");
    }
}
