//! WebVTT and HTML are what browsers read.

use std::fs;

use divita_shotlist::ShotListOptions;

use crate::films::{film, many_shots, written};
use crate::programs::{is_installed, output, python};

#[test]
fn ffmpeg_reads_a_cue_for_each_shot() {
    if !is_installed("ffprobe", "-version") {
        return;
    }
    let mut film = film(25.0, &many_shots(2000));
    film.notice = Some("a --> b".into());
    film.shots[0].genres = vec![("<b>a</b> --> & b\n\n00:00.000 --> 00:01.000".into(), 0.5)];
    let folder = tempfile::tempdir().unwrap();
    let (list, text) = written(&film, "webvtt", &ShotListOptions::default());
    fs::write(folder.path().join("list.vtt"), &text).unwrap();
    let arguments = ["-v", "error", "-show_entries", "packet=pts_time,duration_time", "-of", "csv=p=0", "list.vtt"];
    let cues = output("ffprobe", &arguments, folder.path());
    let expected: Vec<String> =
        list.shots().iter().map(|shot| format!("{:.6},{:.6}", shot.start_s, shot.end_s - shot.start_s)).collect();
    // Some versions end lines with a comma, or write empty lines.
    let cues = cues.lines().map(|line| line.trim_end_matches(',')).filter(|line| !line.is_empty());
    assert_eq!(cues.collect::<Vec<_>>(), expected);
    assert!(text.contains("\nShot 2 · fantasy 0.81\n"));
    assert_eq!(text.matches("-->").count(), list.shots().len());
}

#[test]
fn a_page_is_valid_html() {
    let Some(python) = python("DIVITA_OTIO_PYTHON", "html5lib") else { return };
    let mut film = film(29.97, &many_shots(2000));
    film.name = "<i>'\"&amp;\n]]>.mp4".into();
    film.shots[0].genres = vec![("<script>alert(1)</script>".into(), 0.5)];
    let folder = tempfile::tempdir().unwrap();
    let (list, text) = written(&film, "html", &ShotListOptions::default());
    fs::write(folder.path().join("list.html"), &text).unwrap();
    let check = "import html5lib\n\
        page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(open('list.html').read())\n\
        assert page.get('lang') == 'en' and not list(page.iter('script'))\n\
        for row in page.iter('tr'): print('|'.join(''.join(cell.itertext()) for cell in row))";
    let rows = output(&python, &["-c", check], folder.path());
    let rows: Vec<&str> = rows.lines().collect();
    assert_eq!(rows.len(), list.shots().len() + 1);
    assert_eq!(
        rows[1],
        "1|00:00:00;00|00:00:00;20|20 frames|00:00:00.000|start of the film|<script>alert(1)</script> 0.50"
    );
}
