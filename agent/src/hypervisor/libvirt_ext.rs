//! The calls of libvirt that the `virt` crate does not offer safely: statistics of many domains at once, whether a QEMU
//! owes libvirt an answer, what is wrong with a domain's disks, and what it tells once: who ended a domain, and that one
//! was reset.
//!
//! JUSTIFICATION: `virt` 0.5's `all_domain_stats` gives records without accessors and leaks them, with a
//! reference on each domain. A bulk call is the cheapest way to measure guests, so it is made through
//! `virt-sys` here. Of disk errors and events it knows nothing. The only file of the project that may hold `unsafe`.

#![expect(
    unsafe_code,
    reason = "libvirt's statistics, disk errors and events have no safe binding"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{CStr, c_int, c_void},
    ptr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use innkeeper_wire::{id::ServerId, time::Timestamp};
use uuid::Uuid;
use virt::{
    connect::Connect,
    domain::Domain as VirtDomain,
    error::{Error, ErrorNumber},
};
use virt_sys as sys;

use super::Rebooting;

/// Statistics of one domain of ours. Names and units are those of `virsh domstats`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainStatistics {
    /// Whose domain it is.
    pub server: ServerId,
    /// The whole numbers among them; there is nothing else in the groups that are asked for but names.
    pub values: Vec<(String, u64)>,
}

/// Groups of statistics that are asked for.
const GROUPS: u32 = sys::VIR_DOMAIN_STATS_STATE
    | sys::VIR_DOMAIN_STATS_CPU_TOTAL
    | sys::VIR_DOMAIN_STATS_BALLOON
    | sys::VIR_DOMAIN_STATS_VCPU
    | sys::VIR_DOMAIN_STATS_INTERFACE
    | sys::VIR_DOMAIN_STATS_BLOCK;
/// All domains; one that is busy is left out of what only QEMU can tell, instead of being waited for.
const FLAGS: u32 = sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT;

/// One of the parts into which domains are divided, to be measured at the same time: libvirt goes through the
/// domains of one call one after the other, and waits for each QEMU's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    /// Which part, counted from 0.
    pub(super) number: usize,
    /// How many parts there are.
    pub(super) of: usize,
}

impl Share {
    /// Whether a domain is in it. The end of a UUID is random, and the same in every list.
    fn holds(self, domain: &VirtDomain) -> bool {
        let last = domain.uuid().map(|uuid| uuid.as_bytes()[15]);
        // One without a UUID has just gone.
        last.is_ok_and(|last| usize::from(last) % self.of == self.number)
    }
}

/// How it is between libvirt and a domain's QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// QEMU can be asked.
    Free,
    /// There is none.
    Off,
    /// QEMU was asked so long ago and has not answered yet.
    Owes(Duration),
    /// QEMU runs, and there is no way to ask it any more.
    Broken,
}

/// Asks for the statistics of those domains of a share that bear a server's name and UUID, but for `without`.
///
/// # Errors
/// When libvirt refuses or can't be reached.
pub(super) fn statistics(
    connection: &Connect,
    share: Share,
    without: &BTreeSet<ServerId>,
) -> Result<Vec<DomainStatistics>, Error> {
    if share.of == 1 && without.is_empty() {
        return all(connection);
    }
    let mut domains = connection.list_all_domains(0)?;
    let left_out =
        |domain: &VirtDomain| server_of(domain).is_some_and(|server| without.contains(&server));
    domains.retain(|domain| share.holds(domain) && !left_out(domain));
    if domains.is_empty() {
        return Ok(Vec::new());
    }
    some(&domains)
}

/// Asks for the statistics of one server's domain; nothing when there is none.
///
/// # Errors
/// As [`statistics`].
pub(super) fn statistics_of(
    connection: &Connect,
    server: ServerId,
) -> Result<Vec<DomainStatistics>, Error> {
    match connection.lookup_domain_by_uuid(server.uuid()) {
        Ok(domain) => some(&[domain]),
        Err(error) if error.code().is(ErrorNumber::NoDomain) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// How it is between libvirt and the servers' domains of a share. No QEMU is asked for it.
///
/// # Errors
/// As [`statistics`].
pub(super) fn control(
    connection: &Connect,
    share: Share,
) -> Result<Vec<(ServerId, Control)>, Error> {
    let domains = connection.list_all_domains(0)?;
    let ours = domains.iter().filter(|domain| share.holds(domain));
    let ours = ours.filter_map(|domain| Some((server_of(domain)?, domain)));
    ours.map(|(server, domain)| Ok((server, control_of(domain)?)))
        .collect()
}

fn control_of(domain: &VirtDomain) -> Result<Control, Error> {
    let mut info = sys::virDomainControlInfo {
        state: 0,
        details: 0,
        stateTime: 0,
    };
    // SAFETY: the domain is alive while `domain` is borrowed, and `info` while it is written.
    let outcome = unsafe { sys::virDomainGetControlInfo(domain.as_ptr(), &raw mut info, 0) };
    if outcome < 0 {
        let error = Error::last_error();
        let off = [ErrorNumber::OperationInvalid, ErrorNumber::NoDomain];
        return match off.into_iter().any(|number| error.code().is(number)) {
            true => Ok(Control::Off),
            false => Err(error),
        };
    }
    Ok(match info.state {
        sys::VIR_DOMAIN_CONTROL_OCCUPIED => Control::Owes(Duration::from_millis(info.stateTime)),
        sys::VIR_DOMAIN_CONTROL_ERROR => Control::Broken,
        // Free, or at work on a long job of which it tells by itself.
        _ => Control::Free,
    })
}

/// The server whose name and UUID a domain bears. libvirt is not asked for either.
fn server_of(domain: &VirtDomain) -> Option<ServerId> {
    let server: ServerId = domain.name().ok()?.parse().ok()?;
    (domain.uuid().ok()? == server.uuid()).then_some(server)
}

fn all(connection: &Connect) -> Result<Vec<DomainStatistics>, Error> {
    let mut records: *mut sys::virDomainStatsRecordPtr = ptr::null_mut();
    // SAFETY: the connection is alive while `connection` is borrowed; `records` is written only on success,
    // and then belongs to us until it is freed below.
    let count = unsafe {
        sys::virConnectGetAllDomainStats(connection.as_ptr(), GROUPS, &raw mut records, FLAGS)
    };
    read(records, count)
}

/// Asks for the statistics of these; there is at least one.
fn some(domains: &[VirtDomain]) -> Result<Vec<DomainStatistics>, Error> {
    // SAFETY: the pointers are used below only, while `domains` is borrowed.
    let pointer = |domain: &VirtDomain| unsafe { domain.as_ptr() };
    let mut pointers: Vec<sys::virDomainPtr> = domains.iter().map(pointer).collect();
    pointers.push(ptr::null_mut());
    let mut records: *mut sys::virDomainStatsRecordPtr = ptr::null_mut();
    // SAFETY: the domains are alive while `domains` is borrowed, and of one connection; their list ends with a
    // null pointer. `records` is as above.
    let count = unsafe {
        sys::virDomainListGetStats(pointers.as_mut_ptr(), GROUPS, &raw mut records, FLAGS)
    };
    read(records, count)
}

fn read(
    records: *mut sys::virDomainStatsRecordPtr,
    count: std::ffi::c_int,
) -> Result<Vec<DomainStatistics>, Error> {
    let Ok(count) = usize::try_from(count) else {
        return Err(Error::last_error());
    };
    let list = Records { records, count };
    Ok(list.read())
}

/// The list that libvirt allocated; freed when dropped, with the references on domains that it holds.
struct Records {
    records: *mut sys::virDomainStatsRecordPtr,
    count: usize,
}

impl Drop for Records {
    fn drop(&mut self) {
        if !self.records.is_null() {
            // SAFETY: the list came from libvirt, was not freed before, and nobody keeps a pointer into it.
            unsafe { sys::virDomainStatsRecordListFree(self.records) };
        }
    }
}

impl Records {
    fn read(&self) -> Vec<DomainStatistics> {
        if self.records.is_null() {
            return Vec::new();
        }
        // SAFETY: libvirt returned `count` records, ended by a null pointer that is not counted.
        let records = unsafe { std::slice::from_raw_parts(self.records, self.count) };
        records
            .iter()
            .filter_map(|record| read_record(*record))
            .collect()
    }
}

fn read_record(record: sys::virDomainStatsRecordPtr) -> Option<DomainStatistics> {
    // SAFETY: each entry of the list points to a record that lives as long as the list.
    let record = unsafe { record.as_ref() }?;
    let mut bytes = [0u8; 16];
    // SAFETY: the record holds a reference on its domain; a raw UUID has 16 bytes.
    if unsafe { sys::virDomainGetUUID(record.dom, bytes.as_mut_ptr()) } < 0 {
        return None;
    }
    // SAFETY: as above; the name belongs to the domain and is copied before the list is freed.
    let name = unsafe {
        let name = sys::virDomainGetName(record.dom);
        if name.is_null() {
            None
        } else {
            CStr::from_ptr(name).to_str().ok()
        }
    };
    let server: ServerId = name?.parse().ok()?;
    if server.uuid() != Uuid::from_bytes(bytes) {
        return None;
    }
    let count = usize::try_from(record.nparams).ok()?;
    let parameters = if count == 0 || record.params.is_null() {
        &[]
    } else {
        // SAFETY: `params` points to `nparams` parameters that live as long as the record.
        unsafe { std::slice::from_raw_parts(record.params, count) }
    };
    Some(DomainStatistics {
        server,
        values: parameters.iter().filter_map(read_parameter).collect(),
    })
}

fn read_parameter(parameter: &sys::virTypedParameter) -> Option<(String, u64)> {
    let kind = u32::try_from(parameter.type_).ok()?;
    // SAFETY: `type_` says which member of the union libvirt has written.
    let value = unsafe {
        match kind {
            sys::VIR_TYPED_PARAM_INT => u64::try_from(parameter.value.i).ok()?,
            sys::VIR_TYPED_PARAM_UINT => u64::from(parameter.value.ui),
            sys::VIR_TYPED_PARAM_LLONG => u64::try_from(parameter.value.l).ok()?,
            sys::VIR_TYPED_PARAM_ULLONG => parameter.value.ul,
            sys::VIR_TYPED_PARAM_BOOLEAN => u64::from(parameter.value.b != 0),
            _ => return None,
        }
    };
    // SAFETY: `field` is an array of 80 characters that libvirt ends by a null.
    let name = unsafe { CStr::from_ptr(parameter.field.as_ptr()) };
    Some((name.to_string_lossy().into_owned(), value))
}

/// What is wrong with a domain's disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DiskTrouble {
    /// QEMU names nothing.
    None,
    /// Reading or writing failed.
    Failed,
    /// There was no room for a write.
    Full,
}

/// More disks than a server of ours has.
const DISKS_MAX: usize = 8;

/// Asks QEMU about the disks of a domain. Waits for it.
///
/// # Errors
/// When libvirt refuses or can't be reached.
pub(super) fn disk_trouble(domain: &VirtDomain) -> Result<DiskTrouble, Error> {
    let empty = sys::virDomainDiskError {
        disk: ptr::null_mut(),
        error: 0,
    };
    let mut errors = [empty; DISKS_MAX];
    let max = sys_len(DISKS_MAX);
    // SAFETY: the domain is alive while `domain` is borrowed, and libvirt writes at most `max` entries.
    let count =
        unsafe { sys::virDomainGetDiskErrors(domain.as_ptr(), errors.as_mut_ptr(), max, 0) };
    let Ok(count) = usize::try_from(count) else {
        return Err(Error::last_error());
    };
    let mut trouble = DiskTrouble::None;
    for error in errors.iter().take(count) {
        // SAFETY: libvirt allocated the name for us with malloc; it is freed once, and used nowhere.
        unsafe { nix::libc::free(error.disk.cast()) };
        let is_full = u32::try_from(error.error) == Ok(sys::VIR_DOMAIN_DISK_ERROR_NO_SPACE);
        trouble = match (trouble, is_full) {
            (_, true) | (DiskTrouble::Full, false) => DiskTrouble::Full,
            (DiskTrouble::None | DiskTrouble::Failed, false) => DiskTrouble::Failed,
        };
    }
    Ok(trouble)
}

fn sys_len(count: usize) -> u32 {
    u32::try_from(count).expect("a small constant")
}

/// What libvirt says in an event, once. Who was not connected then never knows.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// Domains that ended because QEMU was told to from the host, by a signal. Afterwards libvirt calls them shut down
    /// like those whose guest did that itself.
    killed: Mutex<BTreeSet<Uuid>>,
    /// Domains whose guests were asked to reboot.
    reboots: Mutex<BTreeMap<Uuid, Reboot>>,
    /// The registration of [`on_reset`] on the present connection.
    reset_callback: AtomicI32,
}

#[derive(Debug, Clone, Copy)]
enum Reboot {
    Asked,
    /// The machine was reset; when that was first looked at.
    Reset(Option<Timestamp>),
}

impl Events {
    /// A guest is about to be asked to reboot.
    pub(super) fn note_asked(&self, server: ServerId) {
        self.reboots().insert(server.uuid(), Reboot::Asked);
    }

    /// How far that is.
    pub(super) fn rebooting(&self, server: ServerId, now: Timestamp) -> Rebooting {
        match self.reboots().get_mut(&server.uuid()) {
            None => Rebooting::No,
            Some(Reboot::Asked) => Rebooting::Asked,
            Some(Reboot::Reset(seen_at)) => Rebooting::Reset {
                seen_at: *seen_at.get_or_insert(now),
            },
        }
    }

    fn reboots(&self) -> MutexGuard<'_, BTreeMap<Uuid, Reboot>> {
        self.reboots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_reset(&self, domain: Uuid) {
        if let Some(reboot @ Reboot::Asked) = self.reboots().get_mut(&domain) {
            *reboot = Reboot::Reset(None);
        }
    }

    /// Whether the last end of the server's domain came from the host.
    pub(super) fn was_killed(&self, server: ServerId) -> bool {
        self.killed().contains(&server.uuid())
    }

    fn killed(&self) -> MutexGuard<'_, BTreeSet<Uuid>> {
        self.killed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, domain: Uuid, event: c_int, detail: c_int) {
        let is = |number: c_int, constant: u32| u32::try_from(number) == Ok(constant);
        // Not *shut down*: libvirt lets a guest do that for a reboot, and resets it then.
        let is_new_life = [
            sys::VIR_DOMAIN_EVENT_STARTED,
            sys::VIR_DOMAIN_EVENT_STOPPED,
            sys::VIR_DOMAIN_EVENT_UNDEFINED,
        ];
        if is_new_life.into_iter().any(|one| is(event, one)) {
            self.reboots().remove(&domain);
        }
        if is(event, sys::VIR_DOMAIN_EVENT_SHUTDOWN)
            && is(detail, sys::VIR_DOMAIN_EVENT_SHUTDOWN_HOST)
        {
            self.killed().insert(domain);
        } else if is(event, sys::VIR_DOMAIN_EVENT_SHUTDOWN)
            || is(event, sys::VIR_DOMAIN_EVENT_STARTED)
            || is(event, sys::VIR_DOMAIN_EVENT_UNDEFINED)
        {
            self.killed().remove(&domain);
        }
    }
}

/// Has `events` told how domains end and that they are reset, for as long as the connection lasts and until
/// [`unwatch`].
///
/// # Errors
/// When libvirt refuses or can't be reached.
pub(super) fn watch(connection: &Connect, events: &Arc<Events>) -> Result<(), Error> {
    // What came of earlier requests may have been told to nobody.
    events.reboots().clear();
    watch_resets(connection, events)?;
    let opaque = Arc::into_raw(Arc::clone(events)).cast_mut().cast();
    // SAFETY: the connection is alive while `connection` is borrowed. `opaque` is a reference of its own on what
    // `on_event` expects; libvirt gives it back through `release` once the callback is no more.
    let outcome = unsafe {
        sys::virConnectDomainEventRegister(
            connection.as_ptr(),
            Some(on_event),
            opaque,
            Some(release),
        )
    };
    if outcome < 0 {
        let error = Error::last_error();
        // SAFETY: libvirt did not take the reference.
        unsafe { release(opaque) };
        return Err(error);
    }
    Ok(())
}

fn watch_resets(connection: &Connect, events: &Arc<Events>) -> Result<(), Error> {
    let opaque = Arc::into_raw(Arc::clone(events)).cast_mut().cast();
    let kind = c_int::try_from(sys::VIR_DOMAIN_EVENT_ID_REBOOT).expect("it is 1");
    // SAFETY: as in `watch`; callbacks for this kind of event have the signature of `on_reset`.
    let callback = unsafe {
        sys::virConnectDomainEventRegisterAny(
            connection.as_ptr(),
            ptr::null_mut(),
            kind,
            Some(on_reset),
            opaque,
            Some(release),
        )
    };
    if callback < 0 {
        let error = Error::last_error();
        // SAFETY: libvirt did not take the reference.
        unsafe { release(opaque) };
        return Err(error);
    }
    events.reset_callback.store(callback, Ordering::Relaxed);
    Ok(())
}

/// Ends [`watch`]: a connection with a callback would never be freed. Errors are of no interest, since it is broken.
pub(super) fn unwatch(connection: &Connect, events: &Events) {
    let callback = events.reset_callback.load(Ordering::Relaxed);
    // SAFETY: the connection is alive while `connection` is borrowed.
    unsafe {
        sys::virConnectDomainEventDeregister(connection.as_ptr(), Some(on_event));
        sys::virConnectDomainEventDeregisterAny(connection.as_ptr(), callback);
    }
}

unsafe extern "C" fn on_reset(
    _connection: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    opaque: *mut c_void,
) {
    let mut bytes = [0u8; 16];
    // SAFETY: as in `on_event`.
    if unsafe { sys::virDomainGetUUID(domain, bytes.as_mut_ptr()) } == 0 {
        // SAFETY: as in `on_event`.
        let events = unsafe { &*opaque.cast_const().cast::<Events>() };
        events.note_reset(Uuid::from_bytes(bytes));
    }
}

unsafe extern "C" fn on_event(
    _connection: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    event: c_int,
    detail: c_int,
    opaque: *mut c_void,
) -> c_int {
    let mut bytes = [0u8; 16];
    // SAFETY: libvirt holds a reference on the domain during the call; a raw UUID has 16 bytes.
    if unsafe { sys::virDomainGetUUID(domain, bytes.as_mut_ptr()) } == 0 {
        // SAFETY: `opaque` is the reference that `watch` gave; it is not released before the last call has ended.
        let events = unsafe { &*opaque.cast_const().cast::<Events>() };
        events.note(Uuid::from_bytes(bytes), event, detail);
    }
    0
}

unsafe extern "C" fn release(opaque: *mut c_void) {
    // SAFETY: it is the reference that `watch` gave away, and it is given back once.
    drop(unsafe { Arc::from_raw(opaque.cast_const().cast::<Events>()) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ended_a_domain_is_known_until_it_starts_or_ends_otherwise() {
        let events = Events::default();
        let server = ServerId::from_uuid(innkeeper_wire::id::uuid_v7(
            innkeeper_wire::time::Timestamp::from_millis(0),
            [1; 10],
        ));
        let note = |event: u32, detail: u32| {
            let number = |constant| c_int::try_from(constant).expect("small");
            events.note(server.uuid(), number(event), number(detail));
            events.was_killed(server)
        };
        assert!(!events.was_killed(server));
        let from_host = sys::VIR_DOMAIN_EVENT_SHUTDOWN_HOST;
        assert!(note(sys::VIR_DOMAIN_EVENT_SHUTDOWN, from_host));
        assert!(note(sys::VIR_DOMAIN_EVENT_STOPPED, 0), "that follows it");
        assert!(!note(sys::VIR_DOMAIN_EVENT_STARTED, 0));
        assert!(note(sys::VIR_DOMAIN_EVENT_SHUTDOWN, from_host));
        let by_guest = sys::VIR_DOMAIN_EVENT_SHUTDOWN_GUEST;
        assert!(!note(sys::VIR_DOMAIN_EVENT_SHUTDOWN, by_guest));
    }

    #[test]
    fn a_reboot_is_seen_by_its_reset_and_forgotten_with_the_machine() {
        let (events, now) = (Events::default(), Timestamp::from_millis(1_000));
        let later = Timestamp::from_millis(9_000);
        let server = ServerId::from_uuid(innkeeper_wire::id::uuid_v7(now, [1; 10]));
        let note = |event: u32| {
            let number = c_int::try_from(event).expect("small");
            events.note(server.uuid(), number, 0);
            events.rebooting(server, now)
        };
        // A guest that reboots by itself: nobody has asked.
        events.note_reset(server.uuid());
        assert_eq!(events.rebooting(server, now), Rebooting::No);
        events.note_asked(server);
        assert_eq!(note(sys::VIR_DOMAIN_EVENT_SHUTDOWN), Rebooting::Asked);
        events.note_reset(server.uuid());
        let seen = Rebooting::Reset { seen_at: now };
        assert_eq!(events.rebooting(server, now), seen);
        events.note_reset(server.uuid());
        assert_eq!(events.rebooting(server, later), seen, "the first look");
        assert_eq!(note(sys::VIR_DOMAIN_EVENT_STOPPED), Rebooting::No);
        events.note_asked(server);
        assert_eq!(note(sys::VIR_DOMAIN_EVENT_STARTED), Rebooting::No);
    }
}
