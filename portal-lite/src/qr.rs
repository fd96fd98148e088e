//! A picture of a text that phones scan (QR code), as the parts of an inline SVG: the page's rules load no picture from
//! elsewhere, and a secret must lie in no address.

use qrcode::{Color, EcLevel, QrCode};

/// Modules that stay free on each side (ISO/IEC 18004, 9.1).
const QUIET: usize = 4;

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Modules on each side, with the quiet zone.
    pub size: usize,
    /// The dark modules, as the data of a path: a run of them in a row is a rectangle.
    pub dark: String,
}

/// The picture of a text; none of one that is too long for it.
#[must_use]
pub fn picture(text: &str) -> Option<Picture> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let colors = code.to_colors();
    let mut dark = String::new();
    for (row, modules) in colors.chunks(width).enumerate() {
        let mut column = 0;
        for run in modules.chunk_by(|a, b| a == b) {
            if run[0] == Color::Dark {
                let (x, y, length) = (column + QUIET, row + QUIET, run.len());
                dark += &format!("M{x} {y}h{length}v1h-{length}z");
            }
            column += run.len();
        }
    }
    Some(Picture {
        size: width + 2 * QUIET,
        dark,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The dark modules of a path, by row and column.
    fn modules(picture: &Picture) -> Vec<Vec<bool>> {
        let mut all = vec![vec![false; picture.size]; picture.size];
        for part in picture.dark.split_terminator('z') {
            let part = part.strip_prefix('M').expect("a run begins so");
            let numbers: Vec<usize> = part
                .split(|c: char| !c.is_ascii_digit())
                .filter_map(|number| number.parse().ok())
                .collect();
            let (x, y, length) = (numbers[0], numbers[1], numbers[2]);
            assert_eq!(part, format!("{x} {y}h{length}v1h-{length}"));
            all[y][x..x + length].fill(true);
        }
        all
    }

    #[test]
    fn a_picture_has_the_modules_of_its_code_and_stays_free_around() {
        let text =
            "otpauth://totp/Harbour%20Cloud:mina1?secret=GEZDGNBVGY3TQOJQ&issuer=Harbour%20Cloud";
        let drawn = picture(text).expect("short enough");
        let code = QrCode::with_error_correction_level(text, EcLevel::M).expect("a code");
        assert_eq!(drawn.size, code.width() + 8);
        let inside = QUIET..QUIET + code.width();
        for (y, row) in modules(&drawn).iter().enumerate() {
            for (x, is_dark) in row.iter().enumerate() {
                let is_within = inside.contains(&x) && inside.contains(&y);
                let expected =
                    is_within && code[(x - QUIET.min(x), y - QUIET.min(y))] == Color::Dark;
                assert_eq!(*is_dark, expected, "{x} {y}");
            }
        }
    }

    #[test]
    fn of_a_text_that_is_too_long_there_is_none() {
        assert_eq!(picture(&"a".repeat(3_000)), None);
    }
}
