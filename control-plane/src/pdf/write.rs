//! Pages as a PDF, with what each mark is to those who have it read to them.

use std::{collections::BTreeMap, num::NonZeroU16};

use innkeeper_wire::time::Timestamp;
use krilla::{
    Document, SerializeSettings,
    color::luma,
    configure::{Accessibility, Configuration, ConfigurationBuilder, ConfigurationError},
    destination::XyzDestination,
    geom::{PathBuilder, Point},
    metadata::{DateTime, Metadata},
    outline::{Outline, OutlineNode},
    page::PageSettings,
    paint::{Fill, Stroke},
    surface::Surface,
    tagging::{
        Artifact, ArtifactType, ContentTag, Identifier, SpanTag, TableHeaderScope, Tag, TagGroup,
        TagKind, TagTree,
    },
};

use super::{
    PdfError, Sheet,
    fonts::Typeface,
    layout::{HEIGHT, MARGIN, Mark, Page, Place, WIDTH},
};

/// How dark lines are; 0 is black.
const RULE_GREY: u8 = 150;

/// Writes pages down.
pub(super) fn write(
    typeface: &Typeface<'_>,
    sheet: &Sheet,
    pages: &[Page],
) -> Result<Vec<u8>, PdfError> {
    let configuration = accessible().map_err(|error| PdfError::Write(format!("{error:?}")))?;
    let mut document = Document::new_with(SerializeSettings {
        configuration,
        ..SerializeSettings::default()
    });
    let mut told = Vec::new();
    for page in pages {
        let size = PageSettings::from_wh(WIDTH, HEIGHT);
        let size = size.ok_or_else(|| PdfError::Write("A4 is no size".to_owned()))?;
        let mut paper = document.start_page_with(size);
        let mut surface = paper.surface();
        for mark in page {
            draw(&mut surface, typeface, mark, &mut told);
        }
        surface.finish();
        paper.finish();
    }
    document.set_metadata(metadata(sheet));
    document.set_outline(outline(sheet));
    document.set_tag_tree(tree(sheet, told));
    let finished = document.finish();
    finished.map_err(|error| PdfError::Write(format!("{error:?}")))
}

fn accessible() -> Result<Configuration, ConfigurationError> {
    ConfigurationBuilder::new()
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
}

/// One entry: PDF/UA wants an outline of every document.
fn outline(sheet: &Sheet) -> Outline {
    let mut outline = Outline::new();
    let top = XyzDestination::new(0, Point::from_xy(0.0, 0.0));
    outline.push_child(OutlineNode::new(sheet.heading.clone(), top));
    outline
}

fn metadata(sheet: &Sheet) -> Metadata {
    Metadata::new()
        .title(sheet.title.clone())
        .authors(vec![sheet.author.clone()])
        .creator("Innkeeper".to_owned())
        .language(sheet.locale.as_str().to_owned())
        .creation_date(date(sheet.written_at))
}

/// An instant in UTC, as PDF has it.
fn date(at: Timestamp) -> DateTime {
    // RFC 3339 in UTC: 2026-11-30T09:41:07.000Z.
    let text = at.to_string();
    let part = |from: usize, until: usize| {
        let digits = text.get(from..until);
        digits.and_then(|digits| digits.parse::<u8>().ok())
    };
    let year = text.get(..4).and_then(|year| year.parse().ok());
    let parts = [
        part(5, 7),
        part(8, 10),
        part(11, 13),
        part(14, 16),
        part(17, 19),
    ];
    let [month, day, hour, minute, second] = parts.map(Option::unwrap_or_default);
    DateTime::new(year.unwrap_or_default())
        .month(month)
        .day(day)
        .hour(hour)
        .minute(minute)
        .second(second)
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}

fn draw(
    surface: &mut Surface<'_>,
    typeface: &Typeface<'_>,
    mark: &Mark,
    told: &mut Vec<(Place, Identifier)>,
) {
    let artifact = ContentTag::Artifact(Artifact::with_kind(ArtifactType::Other));
    match mark {
        Mark::Text {
            x,
            baseline,
            style,
            line,
            place,
        } => {
            let cut = if style.is_bold {
                &typeface.bold
            } else {
                &typeface.regular
            };
            let tag = match place {
                Place::Artifact => artifact,
                _ => ContentTag::Span(SpanTag::empty()),
            };
            let identifier = surface.start_tagged(tag);
            surface.set_fill(Some(Fill {
                paint: luma::Color::new(style.grey).into(),
                ..Fill::default()
            }));
            surface.set_stroke(None);
            let at = Point::from_xy(*x, *baseline);
            let font = cut.font.clone();
            surface.draw_glyphs(at, &line.glyphs, font, &line.text, style.size, false);
            surface.end_tagged();
            if *place != Place::Artifact {
                told.push((*place, identifier));
            }
        }
        Mark::Rule { from, y, weight } => {
            let mut path = PathBuilder::new();
            path.move_to(*from, *y);
            path.line_to(WIDTH - MARGIN, *y);
            surface.start_tagged(artifact);
            surface.set_fill(None);
            surface.set_stroke(Some(Stroke {
                paint: luma::Color::new(RULE_GREY).into(),
                width: *weight,
                ..Stroke::default()
            }));
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
            surface.end_tagged();
        }
    }
}

/// What there is, in the order in which it is read: what stands before the table, its rows, and what stands behind it.
fn tree(sheet: &Sheet, told: Vec<(Place, Identifier)>) -> TagTree {
    let mut groups: Vec<(Place, TagGroup)> = Vec::new();
    for (place, identifier) in told {
        match groups.last_mut() {
            Some((open, parts)) if *open == place => parts.push(identifier),
            _ => {
                let parts = TagGroup::with_children(tag_of(sheet, place), vec![identifier.into()]);
                groups.push((place, parts));
            }
        }
    }
    let mut tree = TagTree::new().with_lang(Some(sheet.locale.as_str().to_owned()));
    let (mut rows, mut behind) = (BTreeMap::new(), Vec::new());
    for (place, group) in groups {
        match place {
            Place::Cell(row, _) => {
                let row = rows.entry(row);
                row.or_insert_with(|| TagGroup::new(Tag::TR)).push(group);
            }
            _ if rows.is_empty() => tree.push(group),
            _ => behind.push(group),
        }
    }
    let mut table = TagGroup::new(Tag::Table);
    for row in rows.into_values() {
        table.push(row);
    }
    tree.push(table);
    for group in behind {
        tree.push(group);
    }
    tree
}

fn tag_of(sheet: &Sheet, place: Place) -> TagKind {
    match place {
        Place::Heading => Tag::Hn(NonZeroU16::MIN, Some(sheet.title.clone())).into(),
        Place::Cell(0, _) => Tag::TH(TableHeaderScope::Column).into(),
        Place::Cell(..) => Tag::TD.into(),
        Place::Paragraph(_) | Place::Artifact => Tag::P.into(),
    }
}
