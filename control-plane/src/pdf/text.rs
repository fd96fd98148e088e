//! Text as it is set: glyphs one after the other, and where a line ends.

use icu_normalizer::ComposingNormalizerBorrowed;
use krilla::text::{GlyphId, KrillaGlyph};
use skrifa::{
    MetadataProvider as _,
    instance::{LocationRef, Size},
};

use super::fonts::Cut;

/// What stands for a character that the font does not have.
const MISSING: char = '□';
/// From here on are the scripts whose words need no spaces between them, but for Hangul.
const EAST_ASIAN: char = '\u{2E80}';
const HANGUL: std::ops::RangeInclusive<char> = '\u{AC00}'..='\u{D7A3}';
/// What stands at no line's beginning.
const CLOSING: &str = "，。、：；！？）」』】》〉,.;:!?)";
/// What stands at no line's end.
const OPENING: &str = "（「『【《〈(";

/// A line as it is drawn.
#[derive(Debug, Clone)]
pub(super) struct Shaped {
    /// Its text.
    pub(super) text: String,
    /// Its glyphs; advances are parts of the font's size.
    pub(super) glyphs: Vec<KrillaGlyph>,
    /// Its width, in parts of the font's size.
    pub(super) width: f32,
}

/// Sets a text on one line.
pub(super) fn shape(cut: &Cut<'_>, text: &str) -> Shaped {
    let text = ComposingNormalizerBorrowed::new_nfc().normalize(text);
    let characters = cut.measured.charmap();
    let metrics = cut
        .measured
        .glyph_metrics(Size::unscaled(), LocationRef::default());
    let em = cut.font.units_per_em();
    let mut shaped = Shaped {
        text: String::with_capacity(text.len()),
        glyphs: Vec::with_capacity(text.len()),
        width: 0.0,
    };
    for character in text.chars() {
        let character = if character.is_control() {
            ' '
        } else {
            character
        };
        let mapped = characters.map(character).map(|glyph| (character, glyph));
        let missing = || characters.map(MISSING).map(|glyph| (MISSING, glyph));
        let Some((character, glyph)) = mapped.or_else(missing) else {
            continue;
        };
        let advance = metrics.advance_width(glyph).unwrap_or_default() / em;
        let begin = shaped.text.len();
        shaped.text.push(character);
        let range = begin..shaped.text.len();
        let glyph = GlyphId::new(glyph.to_u32());
        let glyph = KrillaGlyph::new(glyph, advance, 0.0, 0.0, 0.0, range, None);
        shaped.glyphs.push(glyph);
        shaped.width += advance;
    }
    shaped
}

/// Sets a text on lines that are not wider than `width`, in parts of the font's size. One line at the least.
pub(super) fn wrap(cut: &Cut<'_>, text: &str, width: f32) -> Vec<Shaped> {
    let mut lines = Vec::new();
    let mut rest = text.trim().to_owned();
    loop {
        let line = shape(cut, &rest);
        if line.width <= width {
            lines.push(line);
            return lines;
        }
        let end = end_of_line(&line, width);
        let (head, tail) = line.text.split_at(end);
        rest = tail.trim_start().to_owned();
        lines.push(broken(
            cut,
            head,
            head.ends_with(' ') || tail.starts_with(' '),
        ));
        if rest.is_empty() {
            return lines;
        }
    }
}

/// A line that goes on in the next one. A space at its end takes no room, and is there for whoever copies the text.
fn broken(cut: &Cut<'_>, text: &str, has_space: bool) -> Shaped {
    let line = shape(cut, text.trim_end());
    if !has_space {
        return line;
    }
    Shaped {
        width: line.width,
        ..shape(cut, &format!("{} ", line.text))
    }
}

/// Behind which byte a line ends: at the last place where it may, else wherever it is full.
fn end_of_line(line: &Shaped, width: f32) -> usize {
    let (mut reached, mut full, mut best) = (0.0, 0, 0);
    for glyph in &line.glyphs {
        reached += glyph.x_advance;
        if reached > width && full > 0 {
            break;
        }
        full = glyph.text_range.end;
        if may_end(&line.text, full) {
            best = full;
        }
    }
    if best > 0 { best } else { full }
}

/// Whether a line may end behind this byte.
fn may_end(text: &str, at: usize) -> bool {
    let (before, behind) = (&text[..at], &text[at..]);
    let (Some(last), Some(next)) = (before.chars().next_back(), behind.chars().next()) else {
        return false;
    };
    let is_free = |character: char| character >= EAST_ASIAN && !HANGUL.contains(&character);
    let is_between = last == ' ' || last == '-' || is_free(last) || is_free(next);
    is_between && next != ' ' && !CLOSING.contains(next) && !OPENING.contains(last)
}
