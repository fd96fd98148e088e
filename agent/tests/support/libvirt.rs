//! A libvirtd of its own, in namespaces of its own, and a server to make there: for the tests that drive a real
//! hypervisor.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use innkeeper_agent::{
    hypervisor::{accelerator::AcceleratorPolicy, libvirt::HostConfig},
    image::ImageSource,
    network::NetworkConfig,
};
use innkeeper_wire::{
    digest::Digest,
    id::{ServerId, uuid_v7},
    size::Bytes,
    time::{Clock, SystemClock},
    vm::{BaseImage, ImageFormat, MacAddress, Nic, Opening, Power, PowerTarget, ServerSpec},
};
use tokio::io::AsyncRead;

/// A folder with one image in it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl ImageSource for Folder {
    async fn open(&self, _digest: Digest) -> io::Result<Box<dyn AsyncRead + Send + Unpin>> {
        Ok(Box::new(tokio::fs::File::open(&self.0).await?))
    }
}

/// A libvirtd that nobody else sees, in the network namespace of the calling thread.
pub(crate) struct PrivateLibvirt {
    process: Child,
    /// Where its files are.
    pub(crate) folder: tempfile::TempDir,
}

/// The laboratory's private libvirt: one script, so that both find the same traps.
const SCRIPT: &str = include_str!("../../../tests/src/lab/hypervisor.sh");

impl PrivateLibvirt {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let process = Command::new("unshare")
            .args([
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "--uts",
                "--ipc",
            ])
            .args(["tini", "-g", "--", "bash", "-c", SCRIPT, "hypervisor.sh"])
            .arg(folder.path())
            .arg("libvirt-test")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("unshare is there");
        Self { process, folder }
    }

    pub(crate) fn uri(&self) -> String {
        let socket = self.folder.path().join("run/libvirt-sock");
        format!("qemu+unix:///system?socket={}", socket.display())
    }

    /// How a host keeps its servers here, with its own files in `state_dir`.
    pub(crate) fn host(&self, state_dir: PathBuf) -> HostConfig {
        HostConfig {
            libvirt_uri: self.uri(),
            accelerator: AcceleratorPolicy::TcgAllowed,
            emulator: "/usr/bin/qemu-system-x86_64".into(),
            state_dir,
            memory_reserved_mib: 0,
            disk_reserved_gib: 0,
            network: NetworkConfig::default(),
            gaps: Vec::new(),
        }
    }
}

impl Drop for PrivateLibvirt {
    fn drop(&mut self) {
        // unshare takes its child with it, and that is pid 1 of everything inside.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

pub(crate) fn missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("not root".to_owned());
    }
    let programs = [
        "libvirtd",
        "qemu-system-x86_64",
        "tini",
        "nft",
        "ip",
        "unshare",
    ];
    let paths: Vec<PathBuf> = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .map(PathBuf::from)
        .to_vec();
    let absent = programs
        .into_iter()
        .find(|program| !paths.iter().any(|path| path.join(program).exists()));
    absent.map(|program| format!("{program} is not installed"))
}

pub(crate) fn spec(image: BaseImage) -> ServerSpec {
    let now = SystemClock.now();
    let server = ServerId::from_uuid(uuid_v7(now, rand::random()));
    ServerSpec {
        server,
        hostname: "web-1".parse().expect("a host name"),
        vcpus: 1,
        memory: Bytes::mib(192),
        disk: Bytes::gib(1),
        image,
        network: Nic {
            mac: MacAddress::of(server),
            addresses: vec!["198.51.100.130".parse().expect("an address")],
            subnets: Vec::new(),
            openings: vec![
                Opening::Icmp,
                Opening::Tcp {
                    first: 22,
                    last: 22,
                },
            ],
            cut: false,
        },
        ssh_keys: vec![
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                .to_owned(),
        ],
        power: Power {
            target: PowerTarget::On,
            serial: 1,
        },
        reboots: 0,
        made_before: false,
    }
}

/// The laboratory's guest, or an empty disk.
pub(crate) fn test_image(folder: &Path) -> (PathBuf, BaseImage, bool) {
    if let Some(path) = std::env::var_os("INNKEEPER_GUEST_IMAGE").map(PathBuf::from) {
        let bytes = std::fs::read(&path).expect("INNKEEPER_GUEST_IMAGE can be read");
        let size: [u8; 8] = bytes[24..32].try_into().expect("8 bytes");
        let image = BaseImage {
            digest: Digest::of(&bytes),
            format: ImageFormat::Qcow2,
            file_size: Bytes(u64::try_from(bytes.len()).expect("fits")),
            virtual_size: Bytes(u64::from_be_bytes(size)),
        };
        return (path, image, true);
    }
    let (path, image) = empty_disk(folder);
    (path, image, false)
}

/// A disk from which nothing boots.
pub(crate) fn empty_disk(folder: &Path) -> (PathBuf, BaseImage) {
    let path = folder.join("empty.raw");
    let bytes = vec![0; 1 << 20];
    std::fs::write(&path, &bytes).expect("writable");
    let image = BaseImage {
        digest: Digest::of(&bytes),
        format: ImageFormat::Raw,
        file_size: Bytes::mib(1),
        virtual_size: Bytes::mib(1),
    };
    (path, image)
}
