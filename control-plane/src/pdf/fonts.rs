//! The fonts of documents: Noto Sans CJK, which has Latin, Hangul and Han in one design. They are files of the machine, from a
//! package of the distribution; the PDFs get the glyphs that they show.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use innkeeper_wire::locale::Locale;
use krilla::text::Font;
use skrifa::{FontRef, MetadataProvider as _, string::StringId};

/// The file of the usual weight.
const REGULAR: &str = "NotoSansCJK-Regular.ttc";
/// The file of the bold weight.
const BOLD: &str = "NotoSansCJK-Bold.ttc";
/// Faces of the collections, which have the same glyphs; where characters differ by country, each has its own country's.
const FACE_KR: u32 = 1;
const FACE_TC: u32 = 3;

/// Why there are no fonts.
#[derive(Debug, thiserror::Error)]
pub enum FontError {
    /// A file can't be read.
    #[error("could not read the font {path}: install `fonts-noto-cjk`, or say where it is")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file is no such font.
    #[error("{path} is no collection of fonts with a face for {language}")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// The language whose face it lacks.
        language: &'static str,
    },
}

/// Where the fonts are. They are read when the first document is made and kept from then on: 40 MB.
#[derive(Clone)]
pub struct FontFiles {
    folder: PathBuf,
    loaded: Arc<Mutex<Option<Arc<Fonts>>>>,
}

/// Fonts in memory.
pub struct Fonts {
    regular: File,
    bold: File,
}

struct File {
    path: PathBuf,
    bytes: Arc<Vec<u8>>,
}

/// The fonts for one language.
pub(super) struct Typeface<'a> {
    pub(super) regular: Cut<'a>,
    pub(super) bold: Cut<'a>,
}

/// A font of one weight: as PDFs take it, and as it is measured.
pub(super) struct Cut<'a> {
    pub(super) font: Font,
    pub(super) measured: FontRef<'a>,
}

impl FontFiles {
    /// The fonts in a folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            loaded: Arc::default(),
        }
    }

    /// Reads them, unless they were read before. Blocks for some ten milliseconds.
    ///
    /// # Errors
    /// [`FontError`]; the next call tries again.
    pub fn load(&self) -> Result<Arc<Fonts>, FontError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fonts) = &*loaded {
            return Ok(Arc::clone(fonts));
        }
        let fonts = Arc::new(Fonts {
            regular: File::read(self.folder.join(REGULAR))?,
            bold: File::read(self.folder.join(BOLD))?,
        });
        for locale in Locale::ALL {
            fonts.typeface(*locale)?;
        }
        Ok(Arc::clone(loaded.insert(fonts)))
    }
}

impl Fonts {
    /// Which font it is that documents in this language are set in, such as `Noto Sans CJK KR, Version 2.004`.
    ///
    /// # Errors
    /// [`FontError`].
    pub fn version(&self, locale: Locale) -> Result<String, FontError> {
        let font = self.typeface(locale)?.regular.measured;
        let said = |id| {
            let told = font.localized_strings(id).english_or_first();
            told.map(|text| text.to_string()).unwrap_or_default()
        };
        let version = said(StringId::VERSION_STRING);
        let version = version.split(';').next().unwrap_or_default();
        Ok(format!("{}, {version}", said(StringId::FAMILY_NAME)))
    }

    pub(super) fn typeface(&self, locale: Locale) -> Result<Typeface<'_>, FontError> {
        Ok(Typeface {
            regular: self.regular.cut(locale)?,
            bold: self.bold.cut(locale)?,
        })
    }
}

impl File {
    fn read(path: PathBuf) -> Result<Self, FontError> {
        match fs::read(&path) {
            Ok(bytes) => Ok(Self {
                path,
                bytes: Arc::new(bytes),
            }),
            Err(source) => Err(FontError::Unreadable { path, source }),
        }
    }

    fn cut(&self, locale: Locale) -> Result<Cut<'_>, FontError> {
        let face = match locale {
            Locale::En | Locale::Ko => FACE_KR,
            Locale::ZhHant => FACE_TC,
        };
        let font = Font::new(Arc::clone(&self.bytes).into(), face);
        let measured = FontRef::from_index(&self.bytes, face).ok();
        let cut = font.zip(measured);
        cut.map(|(font, measured)| Cut { font, measured })
            .ok_or_else(|| FontError::Unfit {
                path: self.path.clone(),
                language: locale.as_str(),
            })
    }
}
