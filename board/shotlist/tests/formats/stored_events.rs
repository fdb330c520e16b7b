//! Stored events become films.

use divita_shotlist::{FrameRate, ShotList, ShotListOptions, StoredEventsError, read_films};

const SHOT: &str =
    r#""event":"shot","index":0,"start_s":1.333333333,"end_s":4.958333333,"kind":"fade","first_frame":32,"frames":87"#;

fn error(text: &str) -> StoredEventsError {
    read_films(text.as_bytes()).unwrap_err()
}

#[test]
fn each_source_gives_a_film() {
    let events = format!(
        r#"{{"schema":2,"source":"b.mp4","event":"opened","width":1280,"height":720,"frame_rate":24.0,"duration_s":52.2,"frames":1250,"live":false}}

{{"schema":2,"source":"a.mp4",{SHOT},"active":{{"x":0,"y":44,"width":640,"height":272}},"probabilities":{{"war":0.2,"drama":0.7}}}}
{{"schema":2,"source":"b.mp4",{SHOT},"new":[1]}}
{{"schema":2,"source":"b.mp4","event":"invented","frames":"many"}}
{{"schema":2,"source":"b.mp4","event":"result","probabilities":{{"war":0.2}},"frames":1253,"duration_s":52.208333334,"notice":"drawings"}}
{{"schema":2,"source":"c.mp4","event":"error","message":"cannot open"}}
"#
    );
    let films = read_films(events.as_bytes()).unwrap();
    assert_eq!(films.iter().map(|film| film.name.as_str()).collect::<Vec<_>>(), ["b.mp4", "a.mp4", "c.mp4"]);
    let film = &films[0];
    assert_eq!((film.width, film.height, film.frame_rate), (Some(1280), Some(720), Some(24.0)));
    assert_eq!((film.frames, film.duration_s), (Some(1253), Some(52.208333334)));
    assert_eq!(film.notice.as_deref(), Some("drawings"));
    assert_eq!((film.shots[0].first_frame, film.shots[0].frames), (32, 87));
    assert_eq!(films[1].shots[0].genres, [("war".to_owned(), 0.2), ("drama".to_owned(), 0.7)]);
    assert!(films[2].shots.is_empty());
}

#[test]
fn shots_of_schema_1_tell_their_frame_rate() {
    let events = format!(r#"{{"schema":1,"source":"a.mp4",{SHOT}}}"#);
    let films = read_films(events.as_bytes()).unwrap();
    let list = ShotList::new(&films[0], &ShotListOptions::default()).unwrap();
    assert_eq!(Some(list.rate()), FrameRate::new(24, 1));
    assert_eq!(list.shots()[0].frames, 32..119);
}

#[test]
fn a_source_that_was_read_twice_gives_two_films() {
    let shot = format!(r#"{{"schema":1,"source":"a.mp4",{SHOT}}}"#);
    let result = r#"{"schema":1,"source":"a.mp4","event":"result","frames":119}"#;
    for events in [[&shot, result, &shot].join("\n"), [&shot, shot.as_str()].join("\n")] {
        let films = read_films(events.as_bytes()).unwrap();
        assert_eq!(films.iter().map(|film| film.shots.len()).collect::<Vec<_>>(), [1, 1]);
    }
}

#[test]
fn an_error_after_a_result_belongs_to_the_same_film() {
    let events = format!(
        "{{\"schema\":1,\"source\":\"a.mp4\",{SHOT}}}\n\
        {{\"schema\":1,\"source\":\"a.mp4\",\"event\":\"result\"}}\n\
        {{\"schema\":1,\"source\":\"a.mp4\",\"event\":\"error\",\"message\":\"cut off\"}}\n"
    );
    assert_eq!(read_films(events.as_bytes()).unwrap().len(), 1);
}

#[test]
fn errors_name_the_line() {
    let good = format!("{{\"schema\":1,\"source\":\"a.mp4\",{SHOT}}}\n");
    for bad in ["{", "[]", "null", "a,b", r#"{"schema":1}"#, r#"{"schema":1,"source":"a","event":"shot","index":-1}"#] {
        let error = error(&format!("{good}\n{bad}"));
        assert!(matches!(error, StoredEventsError::NotAnEvent { line: 3, .. }), "{bad}: {error}");
        assert!(error.to_string().starts_with("line 3: ") && !error.to_string().contains("line 1"), "{error}");
    }
    let newer = error(&format!("{good}{{\"schema\":3,\"source\":\"a\",\"event\":\"shot\"}}"));
    assert!(matches!(newer, StoredEventsError::UnknownSchema { line: 2, schema: 3 }));
    let bytes = [good.as_bytes(), b"\xff\n"].concat();
    assert!(matches!(read_films(&bytes[..]), Err(StoredEventsError::Read { line: 2, .. })));
    assert!(read_films(&b""[..]).unwrap().is_empty());
}
