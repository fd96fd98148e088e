//! Strangers on a real port: silent, slow, many.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    routing::{get, post},
};
use innkeeper_listener::{Limits, Networks, Places, descriptors, places::Reason, serve};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);
const LIMITS: Limits = Limits {
    connections: 1_000,
    per_address: 1_000,
    first_request: SHORT,
    idle: SHORT,
    answer: LONG,
};
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/// The beginning of HTTP/2: its preface, and settings that say nothing.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// HTTP/2 with a window of no bytes, and a request for `/`: the answer can never be sent.
const STALLING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
    \0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0\
    \0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a";

/// A server whose path `/slow` is answered when it is let go.
struct Server {
    address: SocketAddr,
    places: Places,
    slow: Arc<Notify>,
    stop: CancellationToken,
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("bound");
        let places = Places::new("test", limits, Networks::default());
        let (slow, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let let_go = Arc::clone(&slow);
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/read", post(|body: String| async { body }))
            .route("/slow", get(|| async move { let_go.notified().await }));
        tokio::spawn(serve(socket, router, places.clone(), LONG, stop.clone()));
        Self {
            address,
            places,
            slow,
            stop,
        }
    }

    async fn connect(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        stream.write_all(bytes).await.expect("sent");
        stream
    }

    /// From an address of loopback of one's own.
    async fn connect_from(&self, number: u32) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        let own = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 0).to_bits() + number);
        socket.bind((own, 0).into()).expect("an address");
        socket.connect(self.address).await.expect("connected")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Everything that comes until the server closes, which it has to do soon.
async fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let closed = timeout(Duration::from_secs(20), async {
        // However the connection is closed.
        stream.read_to_end(&mut bytes).await.ok();
    });
    closed.await.expect("closed in time");
    bytes
}

async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(REQUEST).await.expect("sent");
    let mut bytes = vec![0; 4_096];
    let length = stream.read(&mut bytes).await.expect("an answer");
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// Rows A3 and A4: before it was known which HTTP is spoken there was no deadline at all.
#[tokio::test]
async fn whoever_asks_nothing_is_shown_out_however_he_begins() {
    let server = Server::start(LIMITS).await;
    let beginnings: [&[u8]; 6] = [
        b"",
        b"P",
        b"PRI * HTTP/2.0",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        HTTP2,
        b"\r\n\r\n",
    ];
    let mut strangers = Vec::new();
    for bytes in beginnings {
        strangers.push(server.connect(bytes).await);
    }
    for mut stranger in strangers {
        until_closed(&mut stranger).await;
    }
    let mut kept_alive = server.connect(REQUEST).await;
    let answer = until_closed(&mut kept_alive).await;
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert_eq!(server.places.closed(Reason::NoRequest), 6);
    assert_eq!(server.places.closed(Reason::Idle), 1);
    assert_eq!(server.places.taken(), 0);
}

#[tokio::test]
async fn a_request_that_is_under_way_is_not_cut() {
    let server = Server::start(LIMITS).await;
    let mut poll = server
        .connect(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    // Others come and go for being silent as long as that.
    for _ in 0..2 {
        until_closed(&mut server.connect(b"").await).await;
    }
    server.slow.notify_one();
    let answer = until_closed(&mut poll).await;
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_cut() {
    let server = Server::start(Limits {
        first_request: LONG,
        answer: SHORT,
        ..LIMITS
    })
    .await;
    until_closed(&mut server.connect(STALLING).await).await;
    assert_eq!(server.places.closed(Reason::Answer), 1);
}

/// Bodies that never come and answers that nobody takes: headers alone kept all places of the REST API for sixteen
/// addresses, for as long as their requests lasted.
#[tokio::test]
async fn headers_without_an_end_keep_nobody_out() {
    let slow_body = b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nb";
    for bytes in [slow_body.as_slice(), STALLING] {
        let server = Server::start(Limits {
            connections: 20,
            per_address: 20,
            first_request: LONG,
            idle: LONG,
            answer: LONG,
        })
        .await;
        let poll = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut poll = server.connect(poll).await;
        let mut held = Vec::new();
        for number in 0..40 {
            let mut slow = server.connect_from(number).await;
            slow.write_all(bytes).await.expect("sent");
            held.push(slow);
        }
        // So that all of them have begun.
        sleep(Duration::from_millis(100)).await;
        let mut honest = server.connect(b"").await;
        assert!(ask(&mut honest).await.contains("here"));
        assert_eq!(server.places.taken(), 20);
        // What we owe an answer keeps its place.
        server.slow.notify_one();
        let mut bytes = [0; 15];
        poll.read_exact(&mut bytes).await.expect("an answer");
        assert_eq!(&bytes, b"HTTP/1.1 200 OK");
    }
}

/// One connection brought 64 bodies at a time, four megabytes.
#[tokio::test]
async fn a_connection_may_ask_sixteen_things_at_a_time() {
    let server = Server::start(LIMITS).await;
    let said = until_closed(&mut server.connect(HTTP2).await).await;
    // An entry of the settings, the frame that comes first.
    let streams = said.windows(6).find(|entry| entry[..2] == [0, 3]);
    assert_eq!(streams, Some(&[0, 3, 0, 0, 0, 16][..]), "{said:?}");
}

/// Rows A3 and A4: 2,048 silent connections closed the portal for everybody, 20,000 the API.
#[tokio::test]
async fn many_silent_ones_keep_nobody_out() {
    let silent: u32 = if descriptors::raise() > 5_000 {
        2_000
    } else {
        400
    };
    let limits = Limits {
        connections: 100,
        per_address: 10,
        first_request: LONG,
        idle: LONG,
        answer: LONG,
    };
    let server = Server::start(limits).await;
    let mut honest = server.connect(b"").await;
    assert!(ask(&mut honest).await.contains("here"));
    let mut held = Vec::new();
    let mut slowest = Duration::ZERO;
    for number in 0..silent {
        held.push(server.connect_from(number).await);
        if number % 50 == 0 {
            let begun = Instant::now();
            let mut another = server.connect(b"").await;
            assert!(ask(&mut another).await.contains("here"));
            slowest = slowest.max(begun.elapsed());
        }
    }
    // Connections are accepted in the order in which they came: all were, then.
    assert!(ask(&mut server.connect(b"").await).await.contains("here"));
    println!("the slowest of {} took {slowest:?}", silent / 50);
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    assert!(server.places.taken() <= 100);
    assert!(server.places.closed(Reason::Full) >= u64::from(silent) - 100);

    // One client alone: he displaces but himself.
    let before = server.places.closed(Reason::Full);
    for _ in 0..200 {
        let socket = TcpSocket::new_v4().expect("a socket");
        let greedy = IpAddr::from([127, 2, 0, 1]);
        socket.bind((greedy, 0).into()).expect("an address");
        held.push(socket.connect(server.address).await.expect("connected"));
    }
    assert!(ask(&mut server.connect(b"").await).await.contains("here"));
    assert_eq!(server.places.closed(Reason::Address), 190);
    assert!(server.places.closed(Reason::Full) <= before + 11);
}
