//! A whole list of staff's as a file for spreadsheets, page by page as the API answers, so that neither side holds all of it.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse as _, Response},
};
use hyper::body::{Bytes, Frame};
use innkeeper_wire::operator::csv::{BYTE_ORDER_MARK, CSV_ROWS_MAX, line};
use tokio::sync::mpsc;
use tracing::warn;

use super::{
    list::{Asked, NO_BUTTONS, Part},
    lists::{self, Which},
};
use crate::{failure::Failure, visit::Visit};

/// Rows that are asked for at a time: the most that the API answers with.
const ROWS_PER_ASK: usize = 200;
/// Pieces that wait for a slow reader.
const PIECES_WAITING: usize = 2;

/// A file that is still being written.
struct Pieces(mpsc::Receiver<io::Result<Bytes>>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = self.0.poll_recv(context);
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// The file. What can't be begun ends at a page that says why; what fails later breaks off, so that nobody takes a part for
/// the whole.
pub(super) async fn answer(
    visit: Arc<Visit>,
    which: Which,
    asked: Asked,
) -> Result<Response, Failure> {
    let asked = asked.behind(String::new());
    let first = lists::part(&visit, which, &asked, ROWS_PER_ASK, NO_BUTTONS).await?;
    let columns = which.table().columns.iter();
    let head = columns.map(|heading| visit.say(heading.words));
    let head = [
        BYTE_ORDER_MARK,
        &line(["id".to_owned()].into_iter().chain(head)),
    ]
    .concat();
    let (pieces, waiting) = mpsc::channel(PIECES_WAITING);
    tokio::spawn(async move {
        let failed = write(&visit, which, asked, head, first, &pieces).await;
        if let Err(failure) = failed {
            warn!(?failure, "a list could not be written to its end");
            let broken = io::Error::other("the list could not be read to its end");
            // Nobody reads any more: then it is told to nobody.
            let _ = pieces.send(Err(broken)).await;
        }
    });
    let mut response = (StatusCode::OK, Body::new(Pieces(waiting))).into_response();
    let name = which.table().path.trim_start_matches('/').replace('/', "-");
    let disposition = format!("attachment; filename=\"{name}.csv\"");
    let headers = response.headers_mut();
    for (header, value) in [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/csv; charset=utf-8"),
        ),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            CONTENT_DISPOSITION,
            HeaderValue::try_from(disposition).map_err(|_| Failure::Internal)?,
        ),
    ] {
        headers.insert(header, value);
    }
    Ok(response)
}

/// Writes part after part, as fast as they are read, until the end or until nobody reads any more.
async fn write(
    visit: &Visit,
    which: Which,
    asked: Asked,
    head: String,
    first: Part,
    pieces: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), Failure> {
    let (mut text, mut part, mut rows) = (head, first, 0);
    loop {
        let lines = part.lines.into_iter().take(CSV_ROWS_MAX - rows);
        for row in lines {
            rows += 1;
            let cells = row.cells.into_iter().map(super::list::Cell::in_a_file);
            text += &line([row.id].into_iter().chain(cells));
        }
        if pieces.send(Ok(Bytes::from(text))).await.is_err() {
            return Ok(());
        }
        let Some(next) = part.next.filter(|_| rows < CSV_ROWS_MAX) else {
            return Ok(());
        };
        let asked = asked.clone().behind(next);
        part = lists::part(visit, which, &asked, ROWS_PER_ASK, NO_BUTTONS).await?;
        text = String::new();
    }
}
