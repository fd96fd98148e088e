//! Engineers are let in by grants alone, for as long as those last, and live sessions end with them: the keeper, the
//! kernel, and TCP sessions in both families.
//!
//! The engineer is behind the world, which forwards for him: 192.0.2.9 and 2001:db8:e::9.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use innkeeper_agent::{
    access::{Answer, Keeper, Seen},
    desired::{Desired, Wanted},
    metrics::AgentMetrics,
    network::rules::grants::Held,
};
use innkeeper_wire::{
    digest::Digest,
    host::{Access, AccessTerms, ObservedAccess},
    id::GrantId,
    size::Bytes,
    time::{Clock as _, SystemClock},
    vm::{BaseImage, ImageFormat, Power, PowerTarget, ServerSpec},
};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    cloud::{Cloud, Host, cloud, pause},
    *,
};

const ENGINEER: [&str; 2] = ["192.0.2.9", "2001:db8:e::9"];
const SSH: u16 = 22;
/// A port of guests that sends without being asked, and one that sends much.
const TICKS: u16 = 2_000;
const MUCH: u16 = 2_001;
const MUCH_BYTES: usize = 300_000;
/// A port of the engineer.
const HIS: u16 = 4_000;
/// How soon a session is dead once it may not live.
const AT_ONCE: Duration = Duration::from_secs(2);
/// The lease of these tests.
const LEASE: Duration = Duration::from_secs(4);
const HOUR_S: u32 = 3_600;

/// What the control plane's clock shows as long as it is right: as much as the machine is up.
fn theirs() -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000).after(SystemClock.monotonic())
}

fn spec(guest: &Guest) -> ServerSpec {
    ServerSpec {
        server: guest.network.server,
        hostname: "web".parse().expect("a name"),
        vcpus: 1,
        memory: Bytes::mib(256),
        disk: Bytes::gib(1),
        image: BaseImage {
            digest: Digest::of(b"image"),
            format: ImageFormat::Raw,
            file_size: Bytes::mib(17),
            virtual_size: Bytes::mib(17),
        },
        network: guest.network.nic.clone(),
        ssh_keys: Vec::new(),
        power: Power {
            target: PowerTarget::On,
            serial: 1,
        },
        reboots: 0,
        made_before: false,
    }
}

/// An engineer, and a cloud with a keeper on its first host.
struct Scene {
    cloud: Cloud,
    engineer: Namespace,
    kept: Kept,
}

/// A keeper that runs, as the link and the loop see it.
struct Kept {
    desired: watch::Sender<Arc<Desired>>,
    answers: watch::Sender<Option<Answer>>,
    seen: watch::Receiver<Seen>,
    stop: CancellationToken,
}

impl Kept {
    /// In a thread of the host's.
    fn start(host: &Host, desired: Desired) -> Self {
        let (desired, answers) = (
            watch::Sender::new(Arc::new(desired)),
            watch::Sender::new(None),
        );
        let (seen, stop) = (
            watch::Sender::new(Seen::default()),
            CancellationToken::new(),
        );
        let kept = Self {
            desired: desired.clone(),
            answers: answers.clone(),
            seen: seen.subscribe(),
            stop: stop.clone(),
        };
        let keeper = Keeper {
            table: host.network(),
            clock: Arc::new(SystemClock),
            desired: desired.subscribe(),
            answers: answers.subscribe(),
            seen,
            metrics: AgentMetrics::new(),
            lease: LEASE,
        };
        host.namespace.run(move || {
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(keeper.run(stop));
            });
        });
        kept
    }

    /// The control plane answers a report, with its clock ahead by so much.
    fn hear_ahead(&self, seconds: i64) {
        let engineers = ["192.0.2.8/30", "2001:db8:e::8/125"];
        let terms = AccessTerms {
            now: Timestamp::from_millis(theirs().as_millis() + seconds * 1_000),
            engineers: engineers
                .map(|text| text.parse().expect("a network"))
                .into(),
        };
        let asked_at = SystemClock.monotonic();
        self.answers.send_replace(Some(Answer { asked_at, terms }));
    }

    fn hear(&self) {
        self.hear_ahead(0);
    }

    fn observed(&self) -> Vec<ObservedAccess> {
        self.seen.borrow().by(SystemClock.monotonic())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn scene() -> Option<Scene> {
    let cloud = cloud()?;
    let engineer = Namespace::new();
    let thread = engineer.thread_id;
    for line in [
        format!("link add beyond type veth peer name eth0 netns {thread}"),
        "addr add 192.0.2.1/24 dev beyond".to_owned(),
        "addr add 2001:db8:e::1/64 dev beyond nodad".to_owned(),
        // Packets that are larger get an error: the engineer's own device does not know.
        "link set beyond mtu 1280 up".to_owned(),
    ] {
        cloud.world.ip(&line);
    }
    for line in [
        "addr add 192.0.2.9/24 dev eth0",
        "addr add 2001:db8:e::9/64 dev eth0 nodad",
        "link set eth0 up",
        "route add default via 192.0.2.1",
        "-6 route add default via 2001:db8:e::1",
    ] {
        engineer.ip(line);
    }
    cloud.world.run(|| {
        for setting in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            std::fs::write(Path::new("/proc/sys/net").join(setting), "1").expect("settable");
        }
    });
    // Neighbours are found.
    assert!(cloud.guests[0].namespace.pings(ENGINEER[0]));
    assert!(cloud.guests[0].namespace.pings(ENGINEER[1]));
    engineer.serve(&[HIS]);
    serve_unasked(&cloud.guests[0].namespace);
    let kept = Kept::start(&cloud.hosts[0], Desired::default());
    Some(Scene {
        cloud,
        engineer,
        kept,
    })
}

impl Namespace {
    fn pings(&self, address: &str) -> bool {
        let line = format!("-c 1 -w 5 -q {address}");
        self.run(move || {
            let ping = Command::new("ping").args(line.split(' ')).output();
            // Without the program the tests' own patience does.
            ping.map_or(true, |output| output.status.success())
        })
    }
}

/// Sends a byte every few milliseconds, or very many at once, to whoever comes.
fn serve_unasked(guest: &Namespace) {
    guest.run(|| {
        for (port, count, often) in [(TICKS, 1, true), (MUCH, MUCH_BYTES, false)] {
            let listener = TcpListener::bind(("::", port)).expect("a free port");
            std::thread::spawn(move || {
                for mut stream in listener.incoming().flatten() {
                    std::thread::spawn(move || {
                        while stream.write_all(&vec![b'x'; count]).is_ok() && often {
                            pause(200);
                        }
                    });
                }
            });
        }
    });
}

impl Scene {
    fn host(&self) -> &Host {
        &self.cloud.hosts[0]
    }

    fn addresses(&self) -> [String; 2] {
        [
            self.cloud.guests[0].v4.clone(),
            self.cloud.guests[0].v6.clone(),
        ]
    }

    fn grant(&self, number: u8, port: u16, seconds: u32) -> Access {
        Access {
            grant: GrantId::from_uuid(uuid_v7(Timestamp::from_millis(1), [number; 10])),
            server: self.cloud.guests[0].network.server,
            port,
            until: theirs().after(Duration::from_secs(seconds.into())),
            seconds,
        }
    }

    fn desired(&self, access: Vec<Access>) -> Desired {
        let servers = self.cloud.guests[..2].iter().map(|guest| {
            let spec = spec(guest);
            (spec.server, Wanted::Present(Box::new(spec)))
        });
        Desired {
            servers: servers.collect(),
            access,
            ..Desired::default()
        }
    }

    fn want(&self, access: Vec<Access>) {
        let desired = self.desired(access);
        self.kept.desired.send_replace(Arc::new(desired));
    }

    fn held_if_there(&self) -> Option<Held> {
        self.host()
            .with(async |network| network.access().await.expect("readable"))
    }

    fn held(&self) -> Held {
        self.held_if_there().expect("it is there")
    }

    /// Waits until the kernel holds as many open doors.
    fn until_open(&self, doors: usize) -> Duration {
        let began = Instant::now();
        while self.held().open.len() != doors {
            assert!(
                began.elapsed() < AT_ONCE,
                "never {doors}: {:?}",
                self.held()
            );
            pause(5);
        }
        began.elapsed()
    }

    /// Lets the engineer in for an hour, and opens a session in each family.
    fn let_in(&self, port: u16) -> [Session; 2] {
        self.kept.hear();
        self.want(vec![self.grant(1, port, HOUR_S)]);
        self.until_open(2);
        let sessions = self
            .addresses()
            .map(|to| Session::open(&self.engineer, &to, port));
        for session in &sessions {
            assert!(session.lives(), "the control");
        }
        sessions
    }

    fn assert_kept_out(&self, port: u16) {
        for address in self.addresses() {
            assert!(
                self.engineer.is_kept_from(&address, port),
                "{address} {port}"
            );
        }
    }
}

/// A connection over which bytes come all the time, those that were sent or others.
struct Session {
    last: Arc<Mutex<Instant>>,
    ended: Arc<AtomicBool>,
}

impl Session {
    fn open(from: &Namespace, address: &str, port: u16) -> Self {
        let to = SocketAddr::new(address.parse().expect("an address"), port);
        let last = Arc::new(Mutex::new(Instant::now()));
        let ended = Arc::new(AtomicBool::new(false));
        let session = Self {
            last: Arc::clone(&last),
            ended: Arc::clone(&ended),
        };
        from.run(move || {
            let mut stream = connect(to);
            stream.set_nodelay(true).expect("settable");
            let patience = Some(Duration::from_millis(20));
            stream.set_read_timeout(patience).expect("settable");
            std::thread::spawn(move || {
                let mut buffer = [0; 64];
                while !ended.load(Ordering::Relaxed) {
                    stream.write_all(b"x").ok();
                    if stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                        *last.lock().expect("no panics") = Instant::now();
                        pause(5);
                    }
                }
            });
        });
        session
    }

    fn last_byte(&self) -> Instant {
        *self.last.lock().expect("no panics")
    }

    /// Whether bytes still come, within a while.
    fn lives(&self) -> bool {
        let (began, before) = (Instant::now(), self.last_byte());
        while self.last_byte() == before {
            if began.elapsed() > PATIENCE {
                return false;
            }
            pause(5);
        }
        true
    }
}

fn connect(to: SocketAddr) -> TcpStream {
    let mut tries = (0..TRIES).filter_map(|_| TcpStream::connect_timeout(&to, PATIENCE).ok());
    let connected = tries.next();
    connected.unwrap_or_else(|| panic!("{to} is out of reach"))
}

impl Drop for Session {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// T27: nobody is there to take it away.
#[test]
fn the_kernel_alone_ends_a_session_in_time() {
    let Some(scene) = scene() else { return };
    scene.kept.hear();
    scene.want(vec![
        scene.grant(1, SSH, HOUR_S),
        scene.grant(2, TICKS, HOUR_S),
    ]);
    scene.until_open(4);
    let sessions = [SSH, TICKS].map(|port| {
        let addresses = scene.addresses();
        addresses.map(|to| Session::open(&scene.engineer, &to, port))
    });
    let heard = Instant::now();
    scene.kept.hear();
    pause(300);
    scene.kept.stop.cancel();
    pause(2_000);
    for session in sessions.as_flattened() {
        assert!(session.lives(), "it is not over yet");
    }
    pause(4_500);
    for session in sessions.as_flattened() {
        let lasted = session.last_byte().duration_since(heard);
        println!("with a lease of {LEASE:?} the last byte came after {lasted:?}");
        // What waits for an answer is no more than two seconds of such bytes.
        assert!(lasted < LEASE + AT_ONCE / 2, "{lasted:?}");
    }
    scene.assert_kept_out(SSH);
    let held = scene.held();
    assert_eq!((held.open.len(), held.counted.len()), (0, 4), "{held:?}");
}

#[test]
fn a_withdrawn_grant_ends_a_session_at_once_and_another_one_lets_it_go_on() {
    let Some(scene) = scene() else { return };
    let sessions = scene.let_in(SSH);
    scene.kept.hear();
    let withdrawn = Instant::now();
    scene.want(vec![]);
    scene.until_open(0);
    pause(500);
    for session in &sessions {
        let lasted = session.last_byte().duration_since(withdrawn);
        println!("after a withdrawal the last byte came after {lasted:?}");
        assert!(lasted < AT_ONCE && !session.lives(), "{lasted:?}");
    }
    scene.assert_kept_out(SSH);
    assert_eq!(scene.held().counted, [].into());
    scene.kept.hear();
    scene.want(vec![scene.grant(2, SSH, HOUR_S)]);
    scene.until_open(2);
    // As soon as one side tries again.
    let until = Instant::now() + Duration::from_secs(3);
    for session in &sessions {
        while !session.lives() {
            assert!(Instant::now() < until, "it does not go on");
        }
    }
}

#[test]
fn without_the_control_plane_a_session_ends_with_the_lease() {
    let Some(scene) = scene() else { return };
    let sessions = scene.let_in(SSH);
    // Longer than the lease.
    for _ in 0..6 {
        scene.kept.hear();
        pause(1_000);
        for session in &sessions {
            assert!(session.lives(), "answers keep it");
        }
        let observed = scene.kept.observed();
        assert!(
            observed[0].left_s <= 4 && observed[0].packets > 0,
            "{observed:?}"
        );
    }
    let heard = Instant::now();
    scene.kept.hear();
    pause(6_000);
    for session in &sessions {
        let lasted = session.last_byte().duration_since(heard);
        assert!(lasted < LEASE + AT_ONCE, "{lasted:?}");
        assert!(lasted > Duration::from_secs(2), "{lasted:?}");
    }
    assert_eq!(scene.kept.observed(), []);
    scene.kept.hear();
    scene.until_open(2);
    assert!(scene.kept.seen.has_changed().expect("it runs"));
}

/// A machine that comes up has no tables, and a stored manifest.
#[test]
fn after_a_reboot_nobody_is_let_in_before_the_control_plane_has_told_the_time() {
    let Some(mut scene) = scene() else { return };
    let sessions = scene.let_in(SSH);
    let granted = scene.grant(1, SSH, HOUR_S);
    scene.kept.stop.cancel();
    pause(100);
    scene.host().run("nft", "flush ruleset");
    scene.cloud.hosts[0].restart();
    scene.kept = Kept::start(scene.host(), scene.desired(vec![granted]));
    scene.host().apply(&scene.cloud.first());
    pause(2_500);
    assert_eq!(scene.held(), Held::default(), "nothing of the old is there");
    scene.assert_kept_out(SSH);
    drop(sessions);
    scene.kept.hear();
    scene.until_open(2);
    for address in scene.addresses() {
        assert!(scene.engineer.reaches(&address, SSH), "{address}");
    }
}

/// Another agent over a kernel that went on: what is there stays, and ends by itself.
#[test]
fn a_restarted_agent_leaves_alone_what_it_finds_until_it_was_told_the_time() {
    let Some(mut scene) = scene() else { return };
    let granted = scene.grant(1, SSH, HOUR_S);
    scene.want(vec![granted.clone()]);
    scene.kept.hear();
    scene.until_open(2);
    let before = scene.held();
    scene.kept.stop.cancel();
    scene.cloud.hosts[0].restart();
    scene.kept = Kept::start(scene.host(), scene.desired(vec![granted]));
    scene.host().apply(&scene.cloud.first());
    pause(500);
    let held = scene.held();
    assert_eq!((held.open.len(), &held.engineers), (2, &before.engineers));
    scene.kept.stop.cancel();
    // A rule that somebody changed: the table is made anew, and has its engineers from the start.
    scene
        .host()
        .run("nft", "flush chain inet innkeeper_grants forwarded");
    scene.host().apply(&scene.cloud.first());
    assert_eq!(scene.held().engineers, before.engineers);
    scene.kept = Kept::start(scene.host(), scene.desired(vec![]));
    scene.until_open(0);
}

#[test]
fn a_jump_of_the_control_planes_clock_lets_nobody_in_for_longer() {
    let Some(scene) = scene() else { return };
    let sessions = scene.let_in(SSH);
    // A grant of three seconds, and a clock that goes back by a day.
    let began = Instant::now();
    scene.want(vec![scene.grant(2, SSH, 3)]);
    for _ in 0..5 {
        pause(800);
        scene.kept.hear_ahead(-86_400);
    }
    pause(1_500);
    for session in &sessions {
        let lasted = session.last_byte().duration_since(began);
        assert!(lasted < Duration::from_secs(3) + AT_ONCE, "{lasted:?}");
        assert!(lasted > Duration::from_secs(2), "{lasted:?}");
    }
    scene.assert_kept_out(SSH);
    // One that goes ahead ends a grant at once, and it does not come back with it.
    scene.kept.hear();
    scene.want(vec![scene.grant(3, SSH, HOUR_S)]);
    scene.until_open(2);
    scene.kept.hear_ahead(2 * i64::from(HOUR_S));
    scene.until_open(0);
    scene.kept.hear();
    pause(300);
    assert_eq!(scene.held().open.len(), 0);
}

#[test]
fn rules_that_somebody_flushed_are_back_with_their_grants() {
    let Some(scene) = scene() else { return };
    scene.host().watch();
    pause(200);
    let sessions = scene.let_in(SSH);
    let before = scene.held();
    for damage in [
        "flush ruleset",
        "flush table inet innkeeper_grants",
        "delete table inet innkeeper_grants",
        "flush set inet innkeeper_grants access4",
        "flush set inet innkeeper_grants engineers6",
    ] {
        scene.kept.hear();
        scene.host().run("nft", damage);
        let began = Instant::now();
        // A set that is emptied is found at the next look.
        let is_back = |held: Held| held.open.len() == 2 && held.engineers == before.engineers;
        while !scene.held_if_there().is_some_and(is_back) {
            assert!(began.elapsed() < Duration::from_secs(3), "{damage}");
            pause(10);
        }
        println!(
            "after `nft {damage}` the grants were back within {:?}",
            began.elapsed()
        );
        for session in &sessions {
            assert!(session.lives(), "{damage}");
        }
    }
    scene.kept.hear();
    scene.want(vec![]);
    scene.until_open(0);
    pause(200);
    for session in &sessions {
        assert!(!session.lives(), "withdrawn is withdrawn");
    }
}

#[test]
fn engineers_come_in_by_grants_alone_and_guests_go_out_to_them() {
    let Some(scene) = scene() else { return };
    let guest = &scene.cloud.guests[0].namespace;
    for address in scene.addresses() {
        assert!(scene.engineer.reaches(&address, 80), "he is anybody yet");
    }
    let before = scene
        .addresses()
        .map(|to| Session::open(&scene.engineer, &to, 80));
    scene.kept.hear();
    while scene.held().engineers == Held::default().engineers {
        pause(5);
    }
    pause(100);
    for session in &before {
        assert!(!session.lives(), "not even an old session of an engineer");
    }
    scene.want(vec![scene.grant(1, SSH, HOUR_S)]);
    scene.until_open(2);
    let mine = &scene.addresses();
    for (address, his) in mine.iter().zip(ENGINEER) {
        assert!(scene.engineer.reaches(address, SSH), "{address}");
        assert!(
            scene.engineer.is_kept_from(address, 80),
            "opened to the world"
        );
        assert!(scene.cloud.world.reaches(address, 80), "{address}");
        assert!(scene.cloud.world.is_kept_from(address, SSH), "{address}");
        assert!(guest.reaches(his, HIS), "a guest opens to {his}");
    }
    let neighbour = &scene.cloud.guests[1];
    for address in [&neighbour.v4, &neighbour.v6] {
        assert!(scene.engineer.is_kept_from(address, SSH), "{address}");
        assert!(scene.engineer.is_kept_from(address, 80), "{address}");
        assert!(neighbour.namespace.reaches(ENGINEER[0], HIS));
    }
    // Who is no engineer any more is anybody.
    let engineers = Vec::new();
    let (now, asked_at) = (theirs(), SystemClock.monotonic());
    let terms = AccessTerms { now, engineers };
    let answer = Answer { asked_at, terms };
    scene.kept.answers.send_replace(Some(answer));
    for address in mine {
        assert!(scene.engineer.reaches(address, 80), "{address}");
    }
}

/// The kernel forgets a connection over which nothing passes, and takes any packet for the first one of another: the next
/// one of the guest would make a connection that the guest has opened.
#[test]
fn a_session_that_ended_does_not_begin_anew_from_its_guest() {
    let Some(scene) = scene() else { return };
    scene
        .host()
        .set_sysctl("net/netfilter/nf_conntrack_tcp_timeout_established", "1");
    scene
        .host()
        .set_sysctl("net/netfilter/nf_conntrack_tcp_timeout_max_retrans", "1");
    let sessions = scene.let_in(TICKS);
    scene.want(vec![]);
    scene.until_open(0);
    let withdrawn = Instant::now();
    pause(8_000);
    for session in &sessions {
        let lasted = session.last_byte().duration_since(withdrawn);
        assert!(lasted < AT_ONCE, "a byte came after {lasted:?}");
    }
}

/// Errors of routers on the way pass with the session that they are about.
#[test]
fn what_is_too_large_for_the_way_arrives_all_the_same() {
    let Some(scene) = scene() else { return };
    scene.kept.hear();
    scene.want(vec![scene.grant(1, MUCH, HOUR_S)]);
    scene.until_open(2);
    for address in scene.addresses() {
        let to = SocketAddr::new(address.parse().expect("an address"), MUCH);
        let count = scene.engineer.run(move || {
            let mut stream = connect(to);
            stream.set_read_timeout(Some(AT_ONCE)).expect("settable");
            let mut all = Vec::new();
            let read = stream.read_to_end(&mut all);
            read.map(|_| all.len()).unwrap_or_default()
        });
        assert_eq!(count, MUCH_BYTES, "{address}");
    }
}
