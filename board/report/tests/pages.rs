//! Pages as a browser parses them: they show the data, and nothing in the data can break them.
#![allow(clippy::unwrap_used)]

use divita_report::{
    Bundle, Clip, FilmReport, GenreContributions, IndexEntry, Keyframe, LostPictures, PAGE_BYTES, ReportError, Shot,
    ShotShare, Snippet, film_page, index_page,
};
use proptest::prelude::*;
use scraper::{ElementRef, Html, Selector};

mod sample;

fn select<'a>(page: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    page.select(&Selector::parse(selector).unwrap()).collect()
}

fn text(element: &ElementRef) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn texts(page: &Html, selector: &str) -> Vec<String> {
    select(page, selector).iter().map(text).collect()
}

/// Asserts that a page has only the elements and attributes of the templates.
fn assert_sound(source: &str) -> Html {
    let page = Html::parse_document(source);
    assert!(page.errors.is_empty(), "{:?}", page.errors);
    let scripts = select(&page, "script").len();
    assert!(scripts == 2 || (scripts == 0 && select(&page, ".films, .none").len() == 1), "{scripts} scripts");
    assert_eq!(select(&page, "style").len(), 1);
    assert!(select(&page, "iframe, object, embed, link, base, form, video, audio").is_empty());
    for element in select(&page, "*") {
        let element = element.value();
        for (name, value) in element.attrs() {
            assert!(!name.starts_with("on") && name != "style", "<{}> has {name}={value:?}", element.name());
            if matches!(name, "href" | "src") {
                let is_inside = ["#", "./", "data:image/jpeg;base64,"].iter().any(|start| value.starts_with(start));
                assert!(is_inside || value == ".", "<{}> has {name}={value:?}", element.name());
            }
        }
    }
    page
}

#[test]
fn the_page_shows_the_values_of_the_data() {
    let film = sample::film("a film.mp4", 92.5, 31);
    let page = assert_sound(&film_page(&film).unwrap());
    assert_eq!(texts(&page, "h1"), ["a film.mp4"]);
    assert!(texts(&page, ".notice")[0].contains("trained on synthetic trailers"));
    // Final probabilities, from the highest to the lowest.
    let mut genres: Vec<(f32, &str)> =
        film.probabilities.iter().copied().zip(film.labels.iter().map(|s| &**s)).collect();
    genres.sort_by(|one, other| other.0.total_cmp(&one.0));
    let expected: Vec<String> = genres.iter().map(|(value, _)| format!("{:.1}%", 100.0 * f64::from(*value))).collect();
    assert_eq!(texts(&page, "#genres .number"), expected);
    assert_eq!(texts(&page, "#genres .label"), genres.iter().map(|(_, name)| *name).collect::<Vec<_>>());
    // A row for each shot.
    let rows = select(&page, "table.shots tbody tr");
    assert_eq!(rows.len(), film.shots.len());
    for (row, shot) in rows.iter().zip(&film.shots) {
        assert_eq!(row.value().attr("id").unwrap(), format!("s{}", shot.index));
        let shown = text(row);
        for part in [&shot.start_timecode, &shot.end_timecode] {
            assert!(shown.contains(part.as_str()), "{shown}");
        }
        assert!(shown.contains(&format!("{}–{}", shot.first_frame, shot.first_frame + shot.frames - 1)), "{shown}");
        let highest = shot.probabilities.as_ref().unwrap().iter().copied().fold(0.0, f32::max);
        assert!(shown.contains(&format!("{:.1}%", 100.0 * f64::from(highest))), "{shown}");
    }
    // A row for each clip, with the values of the curves.
    assert_eq!(select(&page, "#timeline tbody tr").len(), film.clips.len());
    let cells = texts(&page, "#timeline tbody tr:nth-child(7) td");
    assert_eq!(cells[0], format!("{:.1}%", 100.0 * f64::from(film.clips[6].probabilities[4])));
    // Shares, and the shots that they are of.
    for (article, one) in select(&page, "#why article").iter().zip(&film.contributions) {
        let shares: Vec<&ShotShare> = one.raising.iter().chain(&one.lowering).collect();
        let items: Vec<ElementRef> = article.select(&Selector::parse("li").unwrap()).collect();
        assert_eq!(items.len(), shares.len());
        for (item, share) in items.iter().zip(shares) {
            let sign = if share.logits < 0.0 { '−' } else { '+' };
            let expected = format!("{sign}{:.2} Shot {} ", share.logits.abs(), share.shot);
            assert!(text(item).starts_with(&expected), "{} is not {expected}", text(item));
        }
    }
    assert!(texts(&page, "#damage td").contains(&"11".to_owned()));
    assert_eq!(texts(&page, "#command"), [film.command_line.as_str()]);
    assert!(texts(&page, "#bundle dd").contains(&"1,200 synthetic trailers".to_owned()));
}

#[test]
fn packed_values_are_those_of_the_clips() {
    let film = sample::film("a film.mp4", 92.5, 31);
    let page = Html::parse_document(&film_page(&film).unwrap());
    let data = text(&select(&page, "#data")[0]);
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let unpack = |text: &str| text.chars().fold(0, |sum, c| 64 * sum + digits.find(c).unwrap());
    // The first curve is that of drama.
    let values = data.split("\"values\":[\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(values.len(), 2 * film.clips.len());
    for (at, clip) in film.clips.iter().enumerate() {
        let expected = (f64::from(clip.probabilities[4]) * 1000.0).round() as usize;
        assert_eq!(unpack(&values[2 * at..2 * at + 2]), expected);
    }
    let clips = data.split("\"clips\":\"").nth(1).unwrap().split('"').next().unwrap();
    let last = &clips[clips.len() - 14..];
    let end = (1000.0 * film.clips.last().unwrap().end_s).round() as usize;
    assert_eq!((unpack(&last[5..10]), unpack(&last[10..])), (end, 30));
}

#[test]
fn a_film_of_two_hours_fits_into_a_page() {
    let film = sample::film("long.mkv", 7_200.0, 2_500);
    let source = film_page(&film).unwrap();
    assert!(source.len() <= PAGE_BYTES, "{}", source.len());
    let page = assert_sound(&source);
    assert_eq!(select(&page, "table.shots tbody tr").len(), 2_500);
    let keyframes = select(&page, "image").len();
    assert!(keyframes > 500, "{keyframes} keyframes");
    assert!(texts(&page, "#shots .hint")[0].contains("evenly spread"), "the page does not say what is missing");
    // Each use of a keyframe has its picture.
    let ids: Vec<&str> = select(&page, "image").iter().map(|image| image.value().attr("id").unwrap()).collect();
    for one in select(&page, "use") {
        assert!(ids.contains(&&one.value().attr("href").unwrap()[1..]));
    }
}

#[test]
fn hostile_text_stays_text() {
    let attacks = [
        "<script>alert(1)</script>",
        "\" onload=\"alert(1)",
        "' onload='alert(1)",
        "</title></style></script><b>",
        "]]>",
        "<!-- --!> <![CDATA[",
        "&lt;script&gt;",
        "javascript:alert(1)",
        "\u{202e}evil\u{2066}",
        "{{ 7 * 7 }}",
    ];
    for attack in attacks {
        let mut film = sample::film(attack, 30.0, 5);
        film.labels.iter_mut().for_each(|label| *label = attack.to_owned());
        film.bundle = Bundle {
            name: attack.to_owned(),
            notice: Some(attack.to_owned()),
            trained: false,
            task: attack.to_owned(),
            architecture: attack.to_owned(),
            card: vec![(attack.to_owned(), attack.to_owned())],
            licence: Some(attack.to_owned()),
            provenance: Some(attack.to_owned()),
        };
        film.errors = vec![attack.to_owned()];
        for text in [&mut film.command_line, &mut film.version, &mut film.created, &mut film.segmentation] {
            *text = attack.to_owned();
        }
        for shot in &mut film.shots {
            for text in [&mut shot.kind, &mut shot.start_timecode, &mut shot.end_timecode] {
                *text = attack.to_owned();
            }
        }
        let page = assert_sound(&film_page(&film).unwrap());
        let shown = attack.replace('\u{202e}', "\\u{202e}").replace('\u{2066}', "\\u{2066}");
        assert_eq!(texts(&page, "h1"), [shown.as_str()]);
        assert_eq!(texts(&page, "#command"), [shown.as_str()]);
        assert!(texts(&page, ".notice")[0].contains("Untrained bundle: the results mean nothing."));
        assert!(texts(&page, ".error")[0].contains(&shown));
        assert_eq!(select(&page, "table.shots tbody tr").len(), 5);
        let index = assert_sound(&index_page(&[sample::entry(&film, attack)]).unwrap());
        assert_eq!(texts(&index, ".films h2"), [shown.as_str()]);
    }
}

#[test]
fn a_long_name_is_cut() {
    let film = sample::film(&"x".repeat(10_000), 30.0, 5);
    let page = assert_sound(&film_page(&film).unwrap());
    assert_eq!(texts(&page, "h1")[0].chars().count(), 161);
    assert_eq!(texts(&page, "dl .whole dd")[0].chars().count(), 2_001);
}

#[test]
fn the_policy_permits_the_style_and_the_script_of_the_page_only() {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use sha2::{Digest, Sha256};
    let page = Html::parse_document(&film_page(&sample::film("a", 30.0, 5)).unwrap());
    let policy = select(&page, "meta[http-equiv]")[0].value().attr("content").unwrap();
    let hash = |selector: &str| {
        let content: String = select(&page, selector)[0].text().collect();
        format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(content)))
    };
    let expected = format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        hash("script:not([type])"),
        hash("style")
    );
    assert_eq!(policy, expected);
}

#[test]
fn a_film_without_anything_makes_a_page() {
    let page = assert_sound(&film_page(&FilmReport::default()).unwrap());
    assert_eq!(texts(&page, "h1"), ["unnamed film"]);
    assert!(select(&page, "table.shots").is_empty());
    assert_sound(&index_page(&[]).unwrap());
}

#[test]
fn inconsistent_data_is_refused() {
    let film = || sample::film("a", 30.0, 5);
    let mut short = film();
    short.clips[2].probabilities.pop();
    let error = film_page(&short).unwrap_err();
    assert_eq!(error.to_string(), "clip 2: 9 probabilities for 10 labels");
    let mut twice = film();
    twice.shots[1].index = 0;
    assert!(matches!(film_page(&twice), Err(ReportError::DuplicateShot { index: 0 })));
    let mut unknown = film();
    unknown.contributions[0].label = 10;
    assert!(matches!(film_page(&unknown), Err(ReportError::UnknownLabel { label: 10, labels: 10 })));
}

/// Any 64-bit number, with those that are not finite.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), -1.0..9000.0, Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(0.0)]
}

fn probability() -> impl Strategy<Value = f32> {
    prop_oneof![any::<f32>(), 0.0_f32..1.0, Just(f32::NAN), Just(f32::INFINITY)]
}

prop_compose! {
    fn any_film()(
        words in prop::collection::vec(any::<String>(), 14),
        labels in prop::collection::vec(any::<String>(), 0..4),
    )(
        shots in prop::collection::vec((number(), number(), any::<u64>(), any::<u64>(), any::<String>(), any::<usize>(),
            prop::collection::vec(probability(), labels.len()), any::<Vec<u8>>(), any::<(u32, u32)>()), 0..7),
        clips in prop::collection::vec((number(), number(), any::<usize>(),
            prop::collection::vec(probability(), labels.len())), 0..7),
        probabilities in prop::collection::vec(probability(), labels.len()),
        duration_s in number(),
        rate in number(),
        frames in any::<u64>(),
        share in probability(),
        words in Just(words),
        labels in Just(labels),
    ) -> FilmReport {
        let contributions = (0..labels.len()).map(|label| GenreContributions {
            label,
            raising: vec![ShotShare { shot: label, logits: share }],
            lowering: vec![ShotShare { shot: usize::MAX - label, logits: -share }],
        });
        let contributions = contributions.collect();
        let mut seen = std::collections::HashSet::new();
        let shot = |(start_s, end_s, first_frame, frames, text, index, probabilities, bytes, (width, height))| {
            let (text, index, mut jpeg): (String, usize, Vec<u8>) = (text, index, bytes);
            jpeg.splice(0..0, [0xff, 0xd8, 0xff]);
            seen.insert(index).then(|| Shot {
                index, start_s, end_s, kind: text.clone(), first_frame, frames, start_timecode: text.clone(),
                end_timecode: text, probabilities: Some(probabilities), active: None,
                keyframe: Some(Keyframe { jpeg, width, height }),
            })
        };
        let shots = shots.into_iter().filter_map(shot).collect();
        let clip = |(start_s, end_s, shot, probabilities)| Clip { start_s, end_s, shot, probabilities };
        let clips: Vec<Clip> = clips.into_iter().map(clip).collect();
        let snippet = |Clip { start_s, end_s, probabilities, .. }: &Clip| {
            Snippet { start_s: *start_s, end_s: *end_s, probabilities: probabilities.clone() }
        };
        let word = |at: usize| words[at].clone();
        FilmReport {
            film: word(0),
            duration_s,
            frames,
            frame_rate: Some(rate),
            size: Some((0, u32::MAX)),
            working_rate: rate,
            segmentation: word(1),
            bundle: Bundle {
                name: word(2), notice: Some(word(3)), trained: frames % 2 == 0, task: word(4), architecture: word(5),
                card: vec![(word(6), word(7))], licence: Some(word(8)), provenance: Some(word(9)),
            },
            command_line: word(10),
            version: word(11),
            created: word(12),
            snippets: clips.iter().map(snippet).collect(),
            clips,
            shots,
            labels,
            probabilities,
            contributions,
            lost: vec![LostPictures { at_s: duration_s, end_s: rate, frames }; 2],
            dropped_clips: Vec::new(),
            errors: vec![word(13)],
            complete: frames % 3 == 0,
        }
    }
}

proptest! {
    #[test]
    fn no_data_breaks_the_page(film in any_film()) {
        let source = film_page(&film).unwrap();
        let page = assert_sound(&source);
        prop_assert_eq!(select(&page, "table.shots tbody tr").len(), film.shots.len());
        prop_assert_eq!(select(&page, "#genres li").len(), film.labels.len());
        prop_assert!(!source.contains("NaN") || film_text(&film).contains("NaN"));
        for path in select(&page, "path") {
            let path = path.value().attr("d").unwrap();
            prop_assert!(path.chars().all(|c| "MVHhvz -.0123456789".contains(c)), "{}", path);
        }
        let genres = vec![(film.film.clone(), film.duration_s as f32)];
        let entry = IndexEntry { genres, ..sample::entry(&film, &film.command_line) };
        assert_sound(&index_page(&[entry]).unwrap());
    }
}

fn film_text(film: &FilmReport) -> String {
    format!("{:?}", (&film.film, &film.labels, &film.bundle, &film.errors, &film.command_line, &film.shots))
}
