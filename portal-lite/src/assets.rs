//! Static files, in the binary: style, script, pictures. Their addresses hold a digest of their content,
//! so browsers keep them for ever and never use an old one.

use axum::{
    extract::Path,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

/// Hex digits of the digest in an address.
const DIGEST_DIGITS: usize = 16;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// Address of the file called `name`.
#[must_use]
pub fn url(name: &str) -> String {
    let digest = Files::get(name).map_or_else(|| "none".to_owned(), |file| digest_of(&file));
    format!("/static/{digest}/{name}")
}

/// Serves a file. With another digest than its own, as after an upgrade, it is served without being kept.
pub async fn serve(Path((digest, name)): Path<(String, String)>) -> Response {
    let Some(file) = Files::get(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let caching = if digest == digest_of(&file) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let mut response = file.data.into_owned().into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(&name)));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    response
}

fn digest_of(file: &rust_embed::EmbeddedFile) -> String {
    let mut digest: String = file
        .metadata
        .sha256_hash()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    digest.truncate(DIGEST_DIGITS);
    digest
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_media_type_and_an_address_of_its_own() {
        let mut urls: Vec<String> = Files::iter().map(|name| url(&name)).collect();
        assert!(urls.len() >= 3);
        assert!(Files::iter().all(|name| media_type(&name) != "application/octet-stream"));
        urls.sort();
        urls.dedup();
        assert_eq!(urls.len(), Files::iter().count());
    }

    #[tokio::test]
    async fn only_the_right_digest_is_kept_for_ever() {
        let right = url("style.css");
        let digest = right
            .split('/')
            .nth(2)
            .expect("/static/<digest>/<name>")
            .to_owned();
        let kept = serve(Path((digest, "style.css".to_owned()))).await;
        assert!(
            kept.headers()[CACHE_CONTROL]
                .to_str()
                .expect("plain")
                .contains("immutable")
        );
        let old = serve(Path(("0000".to_owned(), "style.css".to_owned()))).await;
        assert_eq!(old.headers()[CACHE_CONTROL], "no-cache");
        let absent = serve(Path(("0000".to_owned(), "../Cargo.toml".to_owned()))).await;
        assert_eq!(absent.status(), StatusCode::NOT_FOUND);
    }
}
