//! The accept loop, over real sockets on loopback.

use std::sync::Arc;

use innkeeper_listener::{Networks, Places};
use innkeeper_portal_lite::serve;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::support::{self, Noon, ORIGIN, Stub};

fn places() -> Places {
    serve::places(&Networks::default())
}

async fn ask(stream: &mut TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: portal.localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = vec![0; 64 * 1024];
    let count = stream.read(&mut bytes).await.expect("an answer");
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

/// With a key that the API does not take, all customers are one visitor to it: whoever watches must see that.
#[tokio::test]
async fn a_portal_with_a_wrong_key_says_that_it_is_unwell() {
    let refusing = Stub::new().router().layer(axum::middleware::map_response(
        async |mut response: axum::response::Response| {
            let value = axum::http::HeaderValue::from_static("the key is another one");
            let headers = response.headers_mut();
            headers.insert("x-innkeeper-portal-refused", value);
            response
        },
    ));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let api = format!("http://{}/api/v1", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, refusing).await });
    let router = support::portal(ORIGIN, &api, Arc::new(Noon));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(serve::run(
        listener,
        router,
        places(),
        std::future::pending(),
    ));
    let mut stream = TcpStream::connect(address).await.expect("connected");
    assert!(ask(&mut stream, "/healthz").await.ends_with("ok\n"));
    assert!(
        ask(&mut stream, "/sign-in")
            .await
            .contains("HTTP/1.1 200 OK")
    );
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let unwell = ask(&mut stream, "/healthz").await;
    assert!(
        unwell.contains("HTTP/1.1 503") && unwell.contains("key"),
        "{unwell}"
    );
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let api = support::serve(&Stub::new()).await;
    let router = support::portal(ORIGIN, &api, Arc::new(Noon));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (end, ended) = oneshot::channel::<()>();
    let portal = tokio::spawn(serve::run(listener, router, places(), async {
        ended.await.expect("the test ends it");
    }));
    let mut stream = TcpStream::connect(address).await.expect("connected");
    assert!(ask(&mut stream, "/healthz").await.ends_with("ok\n"));
    assert!(
        ask(&mut stream, "/sign-in")
            .await
            .contains("HTTP/1.1 200 OK"),
        "kept alive"
    );
    end.send(()).expect("the portal waits for it");
    portal.await.expect("no panic");
    let mut rest = Vec::new();
    stream
        .read_to_end(&mut rest)
        .await
        .expect("closed in order");
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
}
