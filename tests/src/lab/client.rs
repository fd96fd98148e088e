//! A small HTTP client for the REST API and the metrics, through the forwarders at the loopback.

use std::time::Duration;

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, body::Bytes, header};
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Serialize, de::DeserializeOwned};

/// Longest that one request may take.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Talks to one base address, as a signed-in customer once [`Client::sign_in`] was called.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    token: Option<String>,
    portal_key: Option<String>,
    host: Option<String>,
    http: HyperClient<HttpConnector, Full<Bytes>>,
}

impl Client {
    /// A client of `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn new(port: u16) -> Self {
        Self {
            base: format!("http://127.0.0.1:{port}"),
            token: None,
            portal_key: None,
            host: None,
            http: HyperClient::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Shows with every further request that it is a portal.
    #[must_use]
    pub fn as_portal(mut self, key: String) -> Self {
        self.portal_key = Some(key);
        self
    }

    /// Asks for this host, as a browser does, in place of the address.
    #[must_use]
    pub fn at_host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// Sends `token` with every further request.
    pub fn sign_in(&mut self, token: String) {
        self.token = Some(token);
    }

    /// Status and text of a page.
    pub async fn page(&self, path: &str) -> anyhow::Result<(StatusCode, String)> {
        self.send(Method::GET, path, None, Vec::new()).await
    }

    /// Gets a JSON document.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let answer = self.send(Method::GET, path, None, Vec::new()).await?;
        understand(path, &answer)
    }

    /// Posts a JSON document and reads the answer.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let body = serde_json::to_vec(body).context("write the request")?;
        let answer = self.send(Method::POST, path, None, body).await?;
        understand(path, &answer)
    }

    /// Puts a JSON document and reads the answer.
    pub async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let body = serde_json::to_vec(body).context("write the request")?;
        let answer = self.send(Method::PUT, path, None, body).await?;
        understand(path, &answer)
    }

    /// Posts a JSON document under an idempotency key and reads the answer.
    pub async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let body = serde_json::to_vec(body).context("write the request")?;
        let answer = self.send(Method::POST, path, Some(key), body).await?;
        understand(path, &answer)
    }

    /// Deletes what is at `path`.
    pub async fn delete(&self, path: &str) -> anyhow::Result<()> {
        let (status, text) = self.send(Method::DELETE, path, None, Vec::new()).await?;
        ensure!(status.is_success(), "{path} answered {status}: {text}");
        Ok(())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        idempotency_key: Option<&str>,
        body: Vec<u8>,
    ) -> anyhow::Result<(StatusCode, String)> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = &self.portal_key {
            request = request.header("x-innkeeper-portal-key", key);
        }
        if let Some(host) = &self.host {
            request = request.header(header::HOST, host);
        }
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .context("build the request")?;
        let exchange = async {
            let answer = self
                .http
                .request(request)
                .await
                .with_context(|| format!("ask {}{path}", self.base))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await
                .map_err(|error| anyhow::anyhow!("read the answer of {path}: {error}"))?;
            let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            Ok((status, text))
        };
        tokio::time::timeout(REQUEST_LIMIT, exchange)
            .await
            .with_context(|| format!("{path} took too long"))?
    }
}

fn understand<T: DeserializeOwned>(path: &str, answer: &(StatusCode, String)) -> anyhow::Result<T> {
    let (status, text) = answer;
    ensure!(status.is_success(), "{path} answered {status}: {text}");
    let text = if text.is_empty() { "null" } else { text };
    serde_json::from_str(text).with_context(|| format!("understand {path}: {text}"))
}
