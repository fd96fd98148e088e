//! Where everything stands: a sheet becomes pages of marks. Measures are in points (1/72 inch), from the upper left corner.

use innkeeper_wire::locale::Locale;

use super::{
    Cell, Fact, Party, Sheet, Side,
    fonts::{Cut, Typeface},
    text::{Shaped, shape, wrap},
};

/// A4.
pub(super) const WIDTH: f32 = 595.28;
/// A4.
pub(super) const HEIGHT: f32 = 841.89;
/// White at each side.
pub(super) const MARGIN: f32 = 48.0;
const CONTENT: f32 = WIDTH - 2.0 * MARGIN;
/// Where the content of a page ends.
const BOTTOM: f32 = HEIGHT - 64.0;
/// Where the line of the foot stands.
const FOOT: f32 = HEIGHT - 36.0;
/// Room between columns.
const GUTTER: f32 = 8.0;
/// What lies between lines, in parts of the size.
const LEADING: f32 = 1.4;
/// Where the letters of a line stand below its top, in parts of the size.
const BASELINE: f32 = 1.05;
/// Room above and below a row.
const ROW_PAD: f32 = 3.5;

/// How large and how dark a text is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    /// Points.
    pub(super) size: f32,
    pub(super) is_bold: bool,
    /// 0 is black.
    pub(super) grey: u8,
}

const HEADING: Style = Style {
    size: 20.0,
    is_bold: true,
    grey: 0,
};
const BODY: Style = Style {
    size: 9.0,
    is_bold: false,
    grey: 0,
};
const STRONG: Style = Style {
    is_bold: true,
    ..BODY
};
const SMALL: Style = Style {
    size: 7.5,
    is_bold: false,
    grey: 80,
};
const LABEL: Style = Style {
    size: 8.0,
    is_bold: true,
    grey: 80,
};

/// What a text is to those who have the document read to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing: it is there for the eye, or is said elsewhere.
    Artifact,
    /// The heading.
    Heading,
    /// A part of this paragraph.
    Paragraph(usize),
    /// A part of the cell at this row and column; row 0 has the headings.
    Cell(usize, usize),
}

/// Something on a page.
#[derive(Debug, Clone)]
pub(super) enum Mark {
    /// A line of text.
    Text {
        x: f32,
        baseline: f32,
        style: Style,
        line: Shaped,
        place: Place,
    },
    /// A line from margin to margin, or a part of it.
    Rule { from: f32, y: f32, weight: f32 },
}

pub(super) type Page = Vec<Mark>;

/// Puts a sheet onto pages.
pub(super) fn layout(typeface: &Typeface<'_>, sheet: &Sheet) -> Vec<Page> {
    let mut pen = Pen {
        typeface,
        pages: vec![Page::new()],
        y: MARGIN,
        paragraphs: 0,
    };
    pen.text(MARGIN, CONTENT, &sheet.heading, HEADING, Side::Left, |_| {
        Place::Heading
    });
    pen.y += 14.0;
    head(&mut pen, sheet);
    pen.y += 18.0;
    table(&mut pen, sheet);
    sums(&mut pen, &sheet.sums);
    notes(&mut pen, &sheet.notes);
    feet(&mut pen, sheet);
    pen.pages
}

/// Puts one thing below the other.
struct Pen<'a> {
    typeface: &'a Typeface<'a>,
    pages: Vec<Page>,
    y: f32,
    paragraphs: usize,
}

impl<'a> Pen<'a> {
    fn cut(&self, style: Style) -> &'a Cut<'a> {
        if style.is_bold {
            &self.typeface.bold
        } else {
            &self.typeface.regular
        }
    }

    fn put(&mut self, mark: Mark) {
        let page = self.pages.last_mut().expect("there is a first page");
        page.push(mark);
    }

    fn paragraph(&mut self) -> Place {
        self.paragraphs += 1;
        Place::Paragraph(self.paragraphs)
    }

    fn lines(&self, text: &str, width: f32, style: Style) -> Vec<Shaped> {
        wrap(self.cut(style), text, width / style.size)
    }

    /// One line below the other, from `self.y` on.
    fn set(&mut self, x: f32, width: f32, lines: Vec<Shaped>, how: (Style, Side), place: Place) {
        let (style, side) = how;
        for line in lines {
            let x = match side {
                Side::Left => x,
                Side::Right => x + width - line.width * style.size,
            };
            let baseline = self.y + style.size * BASELINE;
            self.y += style.size * LEADING;
            self.put(Mark::Text {
                x,
                baseline,
                style,
                line,
                place,
            });
        }
    }

    fn text(
        &mut self,
        x: f32,
        width: f32,
        text: &str,
        style: Style,
        side: Side,
        place: impl FnOnce(&mut Self) -> Place,
    ) {
        let place = place(self);
        let lines = self.lines(text, width, style);
        self.set(x, width, lines, (style, side), place);
    }

    fn next_page(&mut self) {
        self.pages.push(Page::new());
        self.y = MARGIN;
    }
}

/// The parties at the left, the facts at the right.
fn head(pen: &mut Pen<'_>, sheet: &Sheet) {
    let half = (CONTENT - 3.0 * GUTTER) / 2.0;
    let top = pen.y;
    for party in &sheet.parties {
        one_party(pen, half, party);
        pen.y += 8.0;
    }
    let left = pen.y;
    pen.y = top;
    for fact in &sheet.facts {
        pair(pen, MARGIN + CONTENT - half, half, fact, 0.36);
    }
    pen.y = pen.y.max(left);
}

fn one_party(pen: &mut Pen<'_>, width: f32, party: &Party) {
    pen.text(
        MARGIN,
        width,
        &party.heading,
        LABEL,
        Side::Left,
        Pen::paragraph,
    );
    for (index, line) in party.lines.iter().enumerate() {
        let style = if index == 0 { STRONG } else { BODY };
        pen.text(MARGIN, width, line, style, Side::Left, Pen::paragraph);
    }
}

/// A word and its value beside it; the word has this part of the width.
fn pair(pen: &mut Pen<'_>, x: f32, width: f32, fact: &Fact, part: f32) {
    let style = if fact.is_strong { STRONG } else { BODY };
    let (called, said) = (pen.paragraph(), pen.paragraph());
    let of_name = width * part;
    let of_value = width - of_name - GUTTER;
    let names = pen.lines(&fact.name, of_name, style);
    let values = pen.lines(&fact.value, of_value, style);
    let top = pen.y;
    pen.set(x, of_name, names, (style, Side::Left), called);
    let named = pen.y;
    pen.y = top;
    let right = x + of_name + GUTTER;
    pen.set(right, of_value, values, (style, Side::Right), said);
    pen.y = pen.y.max(named) + 2.0;
}

/// The lines of a cell, with their style.
type Lines = Vec<(Shaped, Style)>;

fn table(pen: &mut Pen<'_>, sheet: &Sheet) {
    headings(pen, sheet, true);
    for (number, row) in sheet.rows.iter().enumerate() {
        let cells: Vec<Lines> = columns(sheet)
            .zip(row)
            .map(|((_, width, _), cell)| cell_lines(pen, cell, width))
            .collect();
        let height = cells.iter().map(height_of).fold(0.0, f32::max);
        if pen.y + height + 2.0 * ROW_PAD > BOTTOM {
            pen.next_page();
            headings(pen, sheet, false);
        }
        pen.y += ROW_PAD;
        let top = pen.y;
        for (index, ((x, width, side), lines)) in columns(sheet).zip(cells).enumerate() {
            pen.y = top;
            for (line, style) in lines {
                let place = Place::Cell(number + 1, index);
                pen.set(x, width, vec![line], (style, side), place);
            }
        }
        pen.y = top + height + ROW_PAD;
        let y = pen.y;
        pen.put(Mark::Rule {
            from: MARGIN,
            y,
            weight: 0.25,
        });
    }
}

/// What stands above the columns; on later pages it is there for the eye alone.
fn headings(pen: &mut Pen<'_>, sheet: &Sheet, is_first: bool) {
    let top = pen.y;
    let mut bottom = top;
    for (index, (x, width, side)) in columns(sheet).enumerate() {
        pen.y = top;
        let place = if is_first {
            Place::Cell(0, index)
        } else {
            Place::Artifact
        };
        let heading = &sheet.columns[index].heading;
        pen.text(x, width, heading, LABEL, side, |_| place);
        bottom = bottom.max(pen.y);
    }
    pen.y = bottom + 3.0;
    let y = pen.y;
    pen.put(Mark::Rule {
        from: MARGIN,
        y,
        weight: 0.75,
    });
}

/// Where columns begin, how wide they are, and to which side they are set.
fn columns(sheet: &Sheet) -> impl Iterator<Item = (f32, f32, Side)> {
    let room = CONTENT + GUTTER;
    sheet.columns.iter().scan(MARGIN, move |x, column| {
        let width = room * f32::from(column.width) / 1_000.0;
        let begin = *x;
        *x += width;
        Some((begin, width - GUTTER, column.side))
    })
}

fn cell_lines(pen: &Pen<'_>, cell: &Cell, width: f32) -> Lines {
    let styled = |texts: &[String], style: Style| -> Lines {
        let lines = texts.iter().flat_map(|text| pen.lines(text, width, style));
        lines.map(|line| (line, style)).collect()
    };
    let mut lines = styled(&cell.lines, BODY);
    lines.extend(styled(&cell.remarks, SMALL));
    lines
}

fn height_of(lines: &Lines) -> f32 {
    lines.iter().map(|(_, style)| style.size * LEADING).sum()
}

/// At the right, all on one page.
fn sums(pen: &mut Pen<'_>, sums: &[Fact]) {
    let width = CONTENT * 0.55;
    let x = MARGIN + CONTENT - width;
    let rows = u16::try_from(sums.len()).unwrap_or(u16::MAX);
    let height = f32::from(rows) * (BODY.size * LEADING + 8.0) + 12.0;
    if pen.y + height > BOTTOM {
        pen.next_page();
    }
    pen.y += 10.0;
    for sum in sums {
        if sum.is_strong {
            let y = pen.y + 1.0;
            pen.put(Mark::Rule {
                from: x,
                y,
                weight: 0.75,
            });
            pen.y += 5.0;
        }
        pair(pen, x, width, sum, 0.6);
    }
}

fn notes(pen: &mut Pen<'_>, notes: &[String]) {
    pen.y += 14.0;
    for note in notes {
        let lines = pen.lines(note, CONTENT, BODY);
        let lines: Lines = lines.into_iter().map(|line| (line, BODY)).collect();
        if pen.y + height_of(&lines) > BOTTOM {
            pen.next_page();
        }
        let place = pen.paragraph();
        for (line, style) in lines {
            pen.set(MARGIN, CONTENT, vec![line], (style, Side::Left), place);
        }
        pen.y += 4.0;
    }
}

/// The foot of each page, now that it is known how many there are.
fn feet(pen: &mut Pen<'_>, sheet: &Sheet) {
    let cut = pen.cut(SMALL);
    let pages = pen.pages.len();
    let left = wrap(cut, &sheet.foot, CONTENT * 0.7 / SMALL.size).swap_remove(0);
    for (index, page) in pen.pages.iter_mut().enumerate() {
        let number = shape(cut, &page_of(sheet.locale, index + 1, pages));
        let right = MARGIN + CONTENT - number.width * SMALL.size;
        for (x, line) in [(MARGIN, left.clone()), (right, number)] {
            page.push(Mark::Text {
                x,
                baseline: FOOT,
                style: SMALL,
                line,
                place: Place::Artifact,
            });
        }
    }
}

fn page_of(locale: Locale, page: usize, pages: usize) -> String {
    match locale {
        Locale::En => format!("Page {page} of {pages}"),
        Locale::Ko => format!("{page} / {pages}쪽"),
        Locale::ZhHant => format!("第 {page} 頁，共 {pages} 頁"),
    }
}
