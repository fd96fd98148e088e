//! Documents on paper: a sheet of words and amounts becomes the bytes of a PDF. Knows nothing of invoices or money; what a
//! sheet says is decided by whoever fills it in.
//!
//! The same sheet and fonts give the same bytes: there is no clock and no chance in it. The PDF is tagged for screen readers
//! (PDF/UA-1), and has of its fonts the glyphs that it shows.
//!
//! Text is set character by character, in Unicode's composed form (NFC): that is right for Latin, Hangul and Han. What the
//! font does not have is shown as an empty box.

use innkeeper_wire::{locale::Locale, time::Timestamp};

pub use self::fonts::{FontError, FontFiles, Fonts};

mod fonts;
mod layout;
mod text;
mod write;

/// What a document says, in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The language.
    pub locale: Locale,
    /// What readers show as its title.
    pub title: String,
    /// What is written large at its head.
    pub heading: String,
    /// Who wrote it.
    pub author: String,
    /// When.
    pub written_at: Timestamp,
    /// Who is party to it: from whom, to whom.
    pub parties: Vec<Party>,
    /// What is to be known of it: what it is, and its value.
    pub facts: Vec<Fact>,
    /// The columns of its table.
    pub columns: Vec<Column>,
    /// The rows of its table: a cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// What stands below the table at its right.
    pub sums: Vec<Fact>,
    /// Paragraphs at its end.
    pub notes: Vec<String>,
    /// What each page has at its foot, before the number of the page.
    pub foot: String,
}

/// A party: what it is to the document, and its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Such as *customer*.
    pub heading: String,
    /// Name, address, numbers.
    pub lines: Vec<String>,
}

/// A word with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether it stands out.
    pub is_strong: bool,
}

/// A column of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What stands above it.
    pub heading: String,
    /// Its part of the width, in thousandths; all together are a thousand.
    pub width: u16,
    /// To which side its cells are set.
    pub side: Side,
}

/// To which side a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A cell: what it says, and remarks in small type below.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    /// Lines of it.
    pub lines: Vec<String>,
    /// Remarks.
    pub remarks: Vec<String>,
}

impl Cell {
    /// A cell of one line.
    #[must_use]
    pub fn of(text: impl Into<String>) -> Self {
        Self {
            lines: vec![text.into()],
            remarks: Vec::new(),
        }
    }
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// The fonts can't be used.
    #[error("the fonts of documents can't be used")]
    Font(#[from] FontError),
    /// It can't be written down as a PDF, which is a mistake of ours.
    #[error("the PDF can't be written: {0}")]
    Write(String),
}

/// Renders a sheet. Takes milliseconds, and some ten for hundreds of rows: nothing for a thread that serves requests.
///
/// # Errors
/// [`PdfError`].
pub fn render(fonts: &Fonts, sheet: &Sheet) -> Result<Vec<u8>, PdfError> {
    let typeface = fonts.typeface(sheet.locale)?;
    let pages = layout::layout(&typeface, sheet);
    write::write(&typeface, sheet, &pages)
}
