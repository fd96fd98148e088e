//! Invoices on paper: rendered when somebody first asks for one, and the same bytes ever after.
//!
//! ```text
//! (frozen data) --(first download: rendered, kept, named by a record)--> document
//! ```
//!
//! Of two who ask at the same time the first commit wins, and both get its document.

use std::{path::Path, sync::Arc, time::Duration};

use innkeeper_wire::{
    id::{AccountId, InvoiceId},
    invoice::{Invoice, InvoiceNumber},
    locale::Locale,
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use super::{
    Billing,
    records::{NumberedInvoice, RenderedInvoice},
    rules::paper,
};
use crate::{
    kernel::{Caller, Error, Tx},
    pdf::{FontFiles, PdfError, render},
};

/// Renderings at a time: each takes a processor for some ten milliseconds.
const RENDERINGS_MAX: usize = 2;
/// How long somebody waits for a document: less than a request may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// When another try makes sense.
const RETRY_AFTER_S: u64 = 10;
/// The media type of what is rendered.
const MEDIA_TYPE: &str = "application/pdf";

/// What renders.
pub(super) struct Renderer {
    fonts: FontFiles,
    places: Arc<Semaphore>,
}

impl Renderer {
    pub(super) fn new(fonts: &Path) -> Self {
        Self {
            fonts: FontFiles::in_folder(fonts),
            places: Arc::new(Semaphore::new(RENDERINGS_MAX)),
        }
    }
}

/// What was rendered, and with which font.
type Rendered = (Vec<u8>, String);

impl Billing {
    /// One's own invoice as PDF.
    pub async fn own_invoice_pdf(&self, caller: &Caller, id: InvoiceId) -> Result<Vec<u8>, Error> {
        self.invoice_pdf(caller, caller.account()?, id).await
    }

    /// An invoice of anybody as PDF.
    pub async fn any_invoice_pdf(
        &self,
        caller: &Caller,
        number: InvoiceNumber,
    ) -> Result<Vec<u8>, Error> {
        let NumberedInvoice { account, invoice } = self.numbered(number)?;
        self.invoice_pdf(caller, account, invoice).await
    }

    /// An invoice of an account as PDF: as it was rendered first.
    pub async fn invoice_pdf(
        &self,
        caller: &Caller,
        account: AccountId,
        id: InvoiceId,
    ) -> Result<Vec<u8>, Error> {
        let name = (account, id);
        if let Some(rendered) = self.ctx.read::<RenderedInvoice>(&name)? {
            return self.document(&rendered).await;
        }
        let invoice = self.invoice_of(account, id)?;
        let reader = self.accounts.reader_of(account)?;
        let locale = reader.map_or(Locale::En, |reader| reader.locale);
        let (bytes, font) = self.render(invoice, locale).await?;
        let length = bytes.len();
        let store = self.ctx.store().clone();
        // Durable before the commit that names it.
        let kept = spawn_blocking(move || store.documents().keep(&bytes));
        let digest = kept.await.map_err(broken)??;
        let decide = |tx: &mut Tx<'_>| {
            if let Some(first) = tx.get::<RenderedInvoice>(&name)? {
                return Ok(first);
            }
            let rendered = RenderedInvoice {
                document: digest,
                bytes: length,
                media_type: MEDIA_TYPE.to_owned(),
                template: paper::TEMPLATE,
                font: font.clone(),
                locale,
                rendered_at: tx.now(),
            };
            tx.put(&name, &rendered)?;
            Ok(rendered)
        };
        let cause = format!("render {id}");
        let first = self.ctx.commit(caller.actor, &cause, decide).await?;
        self.document(&first).await
    }

    async fn document(&self, rendered: &RenderedInvoice) -> Result<Vec<u8>, Error> {
        let (store, digest) = (self.ctx.store().clone(), rendered.document);
        let read = spawn_blocking(move || store.documents().read(&digest));
        Ok(read.await.map_err(broken)??)
    }

    /// Renders away from the threads that serve requests. Whoever waits too long hears so; what was begun for him ends by
    /// itself, and keeps its place until then.
    async fn render(&self, invoice: Invoice, locale: Locale) -> Result<Rendered, Error> {
        let (fonts, places) = (
            self.renderer.fonts.clone(),
            Arc::clone(&self.renderer.places),
        );
        let portal = &self.mails.stationery().portal_url;
        let link = format!("{portal}/billing/invoices/{}", invoice.summary.id);
        let rendering = async move {
            let place = places.acquire_owned().await.map_err(broken)?;
            let rendered = spawn_blocking(move || {
                let _place = place;
                let fonts = fonts.load()?;
                let sheet = paper::sheet(&invoice, locale, &link);
                Ok((render(&fonts, &sheet)?, fonts.version(locale)?))
            });
            rendered.await.map_err(broken)?.map_err(unrendered)
        };
        let late = Error::Crowded {
            retry_after_s: RETRY_AFTER_S,
        };
        timeout(DEADLINE, rendering).await.map_err(|_| late)?
    }
}

fn broken(error: impl std::error::Error) -> Error {
    Error::Storage(format!("an invoice was not rendered: {error}"))
}

fn unrendered(error: PdfError) -> Error {
    match error {
        PdfError::Font(error) => Error::NoFont(innkeeper_wire::error::chain(&error)),
        PdfError::Write(why) => Error::Storage(format!("an invoice was not rendered: {why}")),
    }
}
