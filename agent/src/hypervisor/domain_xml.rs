//! libvirt's domain XML: written from typed values, and read back as far as we wrote it.
//!
//! Called by [`super::libvirt`] only. Every element goes through the XML writer, so no value can become
//! markup (security.md T6, M7). Formats of disks are written down, backing chain included: libvirt and QEMU
//! never probe. What we must remember of a server (power changes, reboots, starts) lies in the domain's
//! own `<metadata>`, in a namespace of ours: it lives and dies with the domain.

use std::{io, path::Path};

use innkeeper_wire::{
    id::ServerId,
    size::Bytes,
    time::Timestamp,
    vm::{ImageFormat, MacAddress},
};
use quick_xml::{
    Writer, XmlVersion,
    events::{BytesStart, BytesText, Event},
    name::ResolveResult,
    reader::NsReader,
};

use crate::layout::format_name;

/// Namespace of our metadata.
pub const METADATA_URI: &str = "https://innkeeper.invalid/domain/1";
/// Its prefix.
pub const METADATA_PREFIX: &str = "innkeeper";

/// What runs the guest's processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor itself.
    Kvm,
    /// QEMU's translator: for tests only; QEMU makes no security promise for it.
    Tcg,
}

/// Everything that a domain is made of.
#[derive(Debug, Clone)]
pub struct DomainDescription<'a> {
    /// Whose domain; gives name and UUID.
    pub server: ServerId,
    /// What runs it.
    pub accelerator: Accelerator,
    /// The QEMU binary.
    pub emulator: &'a Path,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory.
    pub memory: Bytes,
    /// The qcow2 overlay.
    pub disk: &'a Path,
    /// What it lies on.
    pub base: &'a Path,
    /// The base's format.
    pub base_format: ImageFormat,
    /// The cloud-init seed.
    pub seed: &'a Path,
    /// Where the serial console is logged.
    pub console_log: &'a Path,
    /// The guests' bridge.
    pub bridge: &'a str,
    /// Name of the tap device.
    pub tap: &'a str,
    /// Hardware address.
    pub mac: MacAddress,
    /// What to remember.
    pub notes: Notes,
}

/// What the host must remember of a server; kept in the domain's metadata.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    /// The power change carried out last.
    pub power_serial: u32,
    /// Reboots carried out.
    pub reboots: u32,
    /// When it was started last; `None` before the first start.
    pub started_at: Option<Timestamp>,
    /// Boot id of the host at the last start.
    pub started_in_boot: Option<String>,
}

/// What we read in a domain's XML.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DomainRead {
    /// Its name.
    pub name: String,
    /// Its UUID, as libvirt writes it.
    pub uuid: String,
    /// Our metadata; `None` when there are none, or they can't be understood.
    pub notes: Option<Notes>,
    /// A process in the guest holds the guest agent's port open.
    pub guest_agent: bool,
}

impl DomainRead {
    /// The server whose domain this is, if it is one of ours: name, UUID and metadata must say so.
    #[must_use]
    pub fn ours(&self) -> Option<(ServerId, &Notes)> {
        let server: ServerId = self.name.parse().ok()?;
        let same = self.uuid == server.uuid().hyphenated().to_string();
        self.notes
            .as_ref()
            .filter(|_| same)
            .map(|notes| (server, notes))
    }
}

type Xml = Writer<Vec<u8>>;

/// The domain's XML.
#[must_use]
pub fn write(domain: &DomainDescription<'_>) -> String {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    let kind = match domain.accelerator {
        Accelerator::Kvm => "kvm",
        Accelerator::Tcg => "qemu",
    };
    xml.create_element("domain")
        .with_attribute(("type", kind))
        .write_inner_content(|xml| {
            text(xml, "name", &domain.server.to_string())?;
            text(xml, "uuid", &domain.server.uuid().hyphenated().to_string())?;
            xml.create_element("metadata")
                .write_inner_content(|xml| write_notes(xml, &domain.notes))?;
            machine(xml, domain)?;
            xml.create_element("devices")
                .write_inner_content(|xml| devices(xml, domain))?;
            Ok(())
        })
        .expect("writing to memory does not fail");
    String::from_utf8(xml.into_inner()).expect("only text was written")
}

/// The metadata element alone, as `virDomainSetMetadata` wants it: it adds the namespace itself.
#[must_use]
pub fn notes_xml(notes: &Notes) -> String {
    let mut xml = Writer::new(Vec::new());
    let element = with_notes(BytesStart::new("server"), notes);
    xml.write_event(Event::Empty(element))
        .expect("writing to memory does not fail");
    String::from_utf8(xml.into_inner()).expect("only text was written")
}

fn write_notes(xml: &mut Xml, notes: &Notes) -> io::Result<()> {
    let namespace = format!("xmlns:{METADATA_PREFIX}");
    let mut element = BytesStart::new(format!("{METADATA_PREFIX}:server"));
    element.push_attribute((namespace.as_str(), METADATA_URI));
    xml.write_event(Event::Empty(with_notes(element, notes)))
}

fn with_notes<'a>(mut element: BytesStart<'a>, notes: &Notes) -> BytesStart<'a> {
    element.push_attribute(("power-serial", notes.power_serial.to_string().as_str()));
    element.push_attribute(("reboots", notes.reboots.to_string().as_str()));
    if let Some(at) = notes.started_at {
        element.push_attribute(("started-at", at.to_string().as_str()));
    }
    if let Some(boot) = &notes.started_in_boot {
        element.push_attribute(("started-in-boot", boot.as_str()));
    }
    element
}

fn machine(xml: &mut Xml, domain: &DomainDescription<'_>) -> io::Result<()> {
    let cpu_mode = match domain.accelerator {
        Accelerator::Kvm => "host-model",
        Accelerator::Tcg => "maximum",
    };
    xml.create_element("memory")
        .with_attribute(("unit", "MiB"))
        .write_text_content(BytesText::new(&domain.memory.mib_ceil().to_string()))?;
    // Pages are not shared with other customers' guests.
    nested(xml, "memoryBacking", |xml| empty(xml, "nosharepages", &[]))?;
    text(xml, "vcpu", &domain.vcpus.to_string())?;
    nested(xml, "os", |xml| {
        xml.create_element("type")
            .with_attributes([("arch", "x86_64"), ("machine", "q35")])
            .write_text_content(BytesText::new("hvm"))?;
        empty(xml, "boot", &[("dev", "hd")])
    })?;
    nested(xml, "features", |xml| {
        empty(xml, "acpi", &[])?;
        empty(xml, "apic", &[])
    })?;
    empty(xml, "cpu", &[("mode", cpu_mode)])?;
    empty(xml, "clock", &[("offset", "utc")])?;
    text(xml, "on_poweroff", "destroy")?;
    text(xml, "on_reboot", "restart")?;
    text(xml, "on_crash", "destroy")?;
    // A guest that puts itself to sleep could not be told from one that hangs.
    nested(xml, "pm", |xml| {
        empty(xml, "suspend-to-mem", &[("enabled", "no")])?;
        empty(xml, "suspend-to-disk", &[("enabled", "no")])
    })
}

fn devices(xml: &mut Xml, domain: &DomainDescription<'_>) -> io::Result<()> {
    text(xml, "emulator", path_text(domain.emulator))?;
    system_disk(xml, domain)?;
    seed_disk(xml, domain)?;
    empty(xml, "controller", &[("type", "usb"), ("model", "none")])?;
    nested_with(xml, "interface", &[("type", "bridge")], |xml| {
        empty(xml, "mac", &[("address", &domain.mac.to_string())])?;
        empty(xml, "source", &[("bridge", domain.bridge)])?;
        empty(xml, "target", &[("dev", domain.tap)])?;
        empty(xml, "model", &[("type", "virtio")])?;
        empty(xml, "port", &[("isolated", "yes")])
    })?;
    nested_with(xml, "serial", &[("type", "pty")], |xml| {
        let log = path_text(domain.console_log);
        empty(xml, "log", &[("file", log), ("append", "on")])?;
        empty(xml, "target", &[("port", "0")])
    })?;
    nested_with(xml, "channel", &[("type", "unix")], |xml| {
        let port = [("type", "virtio"), ("name", GUEST_AGENT_PORT)];
        empty(xml, "target", &port)
    })?;
    nested(xml, "video", |xml| empty(xml, "model", &[("type", "none")]))?;
    nested_with(xml, "memballoon", &[("model", "virtio")], |xml| {
        empty(xml, "stats", &[("period", "10")])
    })?;
    nested_with(xml, "rng", &[("model", "virtio")], |xml| {
        xml.create_element("backend")
            .with_attribute(("model", "random"))
            .write_text_content(BytesText::new("/dev/urandom"))?;
        Ok(())
    })
}

const GUEST_AGENT_PORT: &str = "org.qemu.guest_agent.0";

fn system_disk(xml: &mut Xml, domain: &DomainDescription<'_>) -> io::Result<()> {
    let file = [("type", "file"), ("device", "disk")];
    nested_with(xml, "disk", &file, |xml| {
        let driver = [
            ("name", "qemu"),
            ("type", "qcow2"),
            ("cache", "none"),
            ("discard", "unmap"),
        ];
        empty(xml, "driver", &driver)?;
        empty(xml, "source", &[("file", path_text(domain.disk))])?;
        nested_with(xml, "backingStore", &[("type", "file")], |xml| {
            empty(xml, "format", &[("type", format_name(domain.base_format))])?;
            empty(xml, "source", &[("file", path_text(domain.base))])?;
            empty(xml, "backingStore", &[])
        })?;
        empty(xml, "target", &[("dev", "vda"), ("bus", "virtio")])
    })
}

/// A virtio disk and not a CD-ROM: Debian's cloud kernel has no driver for q35's SATA.
fn seed_disk(xml: &mut Xml, domain: &DomainDescription<'_>) -> io::Result<()> {
    let file = [("type", "file"), ("device", "disk")];
    nested_with(xml, "disk", &file, |xml| {
        empty(xml, "driver", &[("name", "qemu"), ("type", "raw")])?;
        empty(xml, "source", &[("file", path_text(domain.seed))])?;
        empty(xml, "target", &[("dev", "vdz"), ("bus", "virtio")])?;
        empty(xml, "readonly", &[])
    })
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect(
        "the layout refuses a state directory that is no UTF-8, and so does the configuration",
    )
}

fn text(xml: &mut Xml, name: &str, value: &str) -> io::Result<()> {
    xml.create_element(name)
        .write_text_content(BytesText::new(value))?;
    Ok(())
}

fn empty(xml: &mut Xml, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
    let element = xml.create_element(name);
    element
        .with_attributes(attributes.iter().copied())
        .write_empty()?;
    Ok(())
}

fn nested(
    xml: &mut Xml,
    name: &str,
    content: impl FnOnce(&mut Xml) -> io::Result<()>,
) -> io::Result<()> {
    nested_with(xml, name, &[], content)
}

fn nested_with(
    xml: &mut Xml,
    name: &str,
    attributes: &[(&str, &str)],
    content: impl FnOnce(&mut Xml) -> io::Result<()>,
) -> io::Result<()> {
    let element = xml.create_element(name);
    element
        .with_attributes(attributes.iter().copied())
        .write_inner_content(content)?;
    Ok(())
}

/// Reads a domain's XML as libvirt prints it.
///
/// # Errors
/// When it is no XML.
pub fn read(xml: &str) -> Result<DomainRead, quick_xml::Error> {
    let mut reader = NsReader::from_str(xml);
    let mut found = DomainRead::default();
    let mut path: Vec<String> = Vec::new();
    loop {
        let (namespace, event) = reader.read_resolved_event()?;
        let ours =
            namespace == ResolveResult::Bound(quick_xml::name::Namespace(METADATA_URI.as_bytes()));
        match event {
            Event::Start(element) => {
                found.take(&path, &element, ours)?;
                path.push(local_name(&element));
            }
            Event::Empty(element) => found.take(&path, &element, ours)?,
            Event::End(_) => {
                path.pop();
            }
            Event::Text(content) => {
                let target = match path.join("/").as_str() {
                    "domain/name" => &mut found.name,
                    "domain/uuid" => &mut found.uuid,
                    _ => continue,
                };
                target.push_str(&content.xml_content(XmlVersion::Implicit1_0)?);
            }
            Event::Eof => return Ok(found),
            _ => {}
        }
    }
}

impl DomainRead {
    fn take(
        &mut self,
        path: &[String],
        element: &BytesStart<'_>,
        ours: bool,
    ) -> Result<(), quick_xml::Error> {
        let name = local_name(element);
        match (path.join("/").as_str(), name.as_str()) {
            ("domain/metadata", "server") if ours => {
                self.notes = notes_of(element)?;
            }
            ("domain/devices/channel", "target") => {
                let is_agent = attribute(element, "name")?.as_deref() == Some(GUEST_AGENT_PORT);
                let connected = attribute(element, "state")?.as_deref() == Some("connected");
                self.guest_agent |= is_agent && connected;
            }
            _ => {}
        }
        Ok(())
    }
}

fn notes_of(element: &BytesStart<'_>) -> Result<Option<Notes>, quick_xml::Error> {
    let number = |name| -> Result<Option<u32>, quick_xml::Error> {
        Ok(attribute(element, name)?.and_then(|text| text.parse().ok()))
    };
    let started_at = attribute(element, "started-at")?.and_then(|text| text.parse().ok());
    let started_in_boot = attribute(element, "started-in-boot")?;
    let (Some(power_serial), Some(reboots)) = (number("power-serial")?, number("reboots")?) else {
        return Ok(None);
    };
    Ok(Some(Notes {
        power_serial,
        reboots,
        started_at,
        started_in_boot,
    }))
}

fn local_name(element: &BytesStart<'_>) -> String {
    String::from_utf8_lossy(element.local_name().as_ref()).into_owned()
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, quick_xml::Error> {
    let Some(attribute) = element.try_get_attribute(name)? else {
        return Ok(None);
    };
    Ok(Some(
        attribute
            .normalized_value(XmlVersion::Implicit1_0)?
            .into_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures;

    fn description<'a>(texts: &'a [String; 4], notes: Notes) -> DomainDescription<'a> {
        let spec = fixtures::spec();
        let [disk, base, bridge, tap] = texts;
        DomainDescription {
            server: spec.server,
            accelerator: Accelerator::Tcg,
            emulator: Path::new("/usr/bin/qemu-system-x86_64"),
            vcpus: spec.vcpus,
            memory: spec.memory,
            disk: Path::new(disk),
            base: Path::new(base),
            base_format: ImageFormat::Raw,
            seed: Path::new("/s/seeds/1.img"),
            console_log: Path::new("/s/consoles/1.log"),
            bridge,
            tap,
            mac: spec.network.mac,
            notes,
        }
    }

    fn plain() -> [String; 4] {
        [
            "/s/disks/1.qcow2",
            "/s/images/1.raw",
            "innkeeper0",
            "ik0101",
        ]
        .map(str::to_owned)
    }

    fn notes() -> Notes {
        Notes {
            power_serial: 7,
            reboots: 2,
            started_at: Some(Timestamp::from_millis(1_790_000_000_120)),
            started_in_boot: Some("0c3d".to_owned()),
        }
    }

    #[test]
    fn golden() {
        insta::assert_snapshot!(write(&description(&plain(), notes())));
    }

    #[test]
    fn what_was_written_is_recognised_as_ours() {
        let read = read(&write(&description(&plain(), notes()))).expect("XML");
        assert_eq!(read.ours(), Some((fixtures::server(1), &notes())));
        assert!(!read.guest_agent);
    }

    /// As libvirt prints it, with what it adds.
    fn listed(name: &str, uuid: &str, metadata: &str, agent: &str) -> DomainRead {
        let xml = format!(
            "<domain type='qemu' id='3'><name>{name}</name><uuid>{uuid}</uuid>\
             <metadata><other:server xmlns:other='urn:x' power-serial='9' reboots='9'/>{metadata}</metadata>\
             <devices><channel type='unix'><source mode='bind' path='/x'/>\
             <target type='virtio' name='org.qemu.guest_agent.0' state='{agent}'/></channel></devices>\
             </domain>"
        );
        read(&xml).expect("XML")
    }

    #[test]
    fn strangers_are_not_ours() {
        let (name, uuid) = (
            fixtures::server(1).to_string(),
            fixtures::server(1).uuid().to_string(),
        );
        let ours = "<innkeeper:server xmlns:innkeeper='https://innkeeper.invalid/domain/1' \
                    power-serial='1' reboots='0'/>";
        let other_uuid = fixtures::server(2).uuid().to_string();
        for (name, uuid, metadata, expected) in [
            (name.as_str(), uuid.as_str(), ours, true),
            ("debian", &uuid, ours, false),
            (&name, &other_uuid, ours, false),
            (&name, &uuid, "", false),
            (
                &name,
                &uuid,
                "<server power-serial='1' reboots='0'/>",
                false,
            ),
            (&name, &uuid, &ours.replace("'1'", "'x'"), false),
            (&name, &uuid, &ours.replace("domain/1", "domain/2"), false),
        ] {
            let read = listed(name, uuid, metadata, "disconnected");
            assert_eq!(read.ours().is_some(), expected, "{name} {uuid} {metadata}");
        }
    }

    #[test]
    fn the_guest_agent_is_there_when_its_port_is_open() {
        assert!(listed("a", "b", "", "connected").guest_agent);
        assert!(!listed("a", "b", "", "disconnected").guest_agent);
    }

    /// Every attribute and text of an XML, with its path: markup shows here, text does not.
    fn flatten(xml: &str) -> Vec<(String, String)> {
        let mut reader = NsReader::from_str(xml);
        let (mut path, mut found) = (Vec::new(), Vec::new());
        loop {
            let event = reader.read_event().expect("XML");
            if let Event::Start(element) | Event::Empty(element) = &event {
                path.push(local_name(element));
                for attribute in element.attributes() {
                    let attribute = attribute.expect("an attribute");
                    let key = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
                    let value = attribute
                        .normalized_value(XmlVersion::Implicit1_0)
                        .expect("text");
                    found.push((format!("{}@{key}", path.join("/")), value.into_owned()));
                }
                found.push((path.join("/"), String::new()));
            }
            match event {
                Event::Empty(_) | Event::End(_) => drop(path.pop()),
                Event::Eof => return found,
                _ => {}
            }
        }
    }

    /// Text that XML can carry and that normalisation leaves alone, with plenty of markup in it.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("'/><disk type='file'><source file='/etc/shadow'/></disk><x a='".to_owned()),
            Just("\"]]>&lt;&#0;<!--".to_owned()),
            "[\\PC]{0,20}",
        ];
        prop::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Whatever a name or path holds, the document has the same elements, and the text comes back.
        #[test]
        fn text_never_becomes_markup(
            texts in prop::array::uniform4(hostile()),
            boot in hostile(),
        ) {
            let hostile_notes = Notes { started_in_boot: Some(boot.clone()), ..notes() };
            let xml = write(&description(&texts, hostile_notes.clone()));
            let expected = flatten(&write(&description(&plain(), notes())));
            let found = flatten(&xml);
            let paths = |list: &[(String, String)]| -> Vec<String> {
                list.iter().map(|(path, _)| path.clone()).collect()
            };
            prop_assert_eq!(paths(&found), paths(&expected));
            for text in texts.iter().chain([&boot]) {
                prop_assert!(found.iter().any(|(_, value)| value == text), "{text:?}");
            }
            let read = read(&xml).expect("XML");
            prop_assert_eq!(read.notes, Some(hostile_notes));
        }
    }
}
