//! The calls of libvirt that the `virt` crate does not offer safely: statistics of many domains at once.
//!
//! JUSTIFICATION: `virt` 0.5's `all_domain_stats` gives records without accessors and leaks them, with a
//! reference on each domain. A bulk call is the cheapest way to measure guests, so it is made through
//! `virt-sys` here. The only file of the project that may hold `unsafe`.

#![expect(unsafe_code, reason = "libvirt's statistics have no safe binding")]

use std::{ffi::CStr, ptr};

use innkeeper_wire::id::ServerId;
use uuid::Uuid;
use virt::{connect::Connect, domain::Domain as VirtDomain, error::Error};
use virt_sys as sys;

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

/// Asks for the statistics of those domains of a share that bear a server's name and UUID.
///
/// # Errors
/// When libvirt refuses or can't be reached.
pub(super) fn statistics(
    connection: &Connect,
    share: Share,
) -> Result<Vec<DomainStatistics>, Error> {
    if share.of == 1 {
        return all(connection);
    }
    let mut domains = connection.list_all_domains(0)?;
    domains.retain(|domain| share.holds(domain));
    if domains.is_empty() {
        return Ok(Vec::new());
    }
    some(&domains)
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
