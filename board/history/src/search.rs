//! Searches films and shots.

use std::collections::BTreeMap;
use std::rc::Rc;

use rusqlite::types::{Type, Value};
use rusqlite::{Connection, Error as SqliteError, Row, params_from_iter};

use crate::condition::{Conditions, Subject};
use crate::database::Database;
use crate::error::{Error, Result};
use crate::query::{Comparison, Query};
use crate::rows::{FilmRow, Probabilities, RunRow, ShotRow};
use crate::run::find_genre;
use crate::stored;
use crate::suggestion::nearest;

/// Returns the error of a value that this crate never writes.
pub(crate) fn foreign(column: usize, what: &str) -> SqliteError {
    SqliteError::FromSqlConversionFailure(column, Type::Null, format!("{what} is out of range").into())
}

/// Returns a count, which is never negative.
pub(crate) fn count(row: &Row, column: usize) -> rusqlite::Result<u64> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|_| foreign(column, "a count"))
}

/// Returns a count that may be missing.
fn optional_count(row: &Row, column: usize) -> rusqlite::Result<Option<u64>> {
    row.get::<_, Option<i64>>(column)?.map(|_| count(row, column)).transpose()
}

/// Returns a time of the clock that may be missing, in RFC 3339.
pub(crate) fn optional_time(row: &Row, column: usize) -> rusqlite::Result<Option<String>> {
    let time = row.get::<_, Option<i64>>(column)?;
    time.map(|time| stored::rfc3339(time).ok_or_else(|| foreign(column, "a time"))).transpose()
}

/// Returns a time of the clock, in RFC 3339.
fn time(row: &Row, column: usize) -> rusqlite::Result<String> {
    optional_time(row, column)?.ok_or_else(|| foreign(column, "a time"))
}

/// A label of a bundle: the number and the name of the genre.
pub(crate) type Label = (i64, String);

/// Returns the labels of a bundle, in its order.
pub(crate) fn labels(connection: &Connection, bundle: Option<i64>) -> rusqlite::Result<Vec<Label>> {
    let labels = "SELECT genre.id, genre.name FROM label JOIN genre ON genre.id = label.genre
         WHERE label.bundle = ?1 ORDER BY label.position";
    let mut labels = connection.prepare_cached(labels)?;
    labels.query_map([bundle], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The labels of the bundles that a search has met.
#[derive(Debug, Default)]
struct Bundles(BTreeMap<Option<i64>, Rc<[Label]>>);

impl Bundles {
    fn labels(&mut self, connection: &Connection, bundle: Option<i64>) -> rusqlite::Result<Rc<[Label]>> {
        if let Some(known) = self.0.get(&bundle) {
            return Ok(Rc::clone(known));
        }
        let labels: Rc<[Label]> = labels(connection, bundle)?.into();
        self.0.insert(bundle, Rc::clone(&labels));
        Ok(labels)
    }
}

/// Returns the probabilities of `genres` in the order of `labels`.
fn in_order(labels: &[Label], mut genres: BTreeMap<i64, f64>) -> Probabilities {
    let ordered = labels.iter().filter_map(|(genre, name)| Some((name.clone(), genres.remove(genre)?)));
    Probabilities(ordered.collect())
}

/// Returns the result of a film.
fn film_probabilities(connection: &Connection, film: i64, labels: &[Label]) -> rusqlite::Result<Probabilities> {
    let mut rows = connection.prepare_cached("SELECT genre, probability FROM film_genre WHERE film = ?1")?;
    let genres = rows.query_map([film], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(in_order(labels, genres))
}

/// Returns the probabilities of a shot.
pub(crate) fn shot_probabilities(
    connection: &Connection,
    shot: i64,
    labels: &[Label],
) -> rusqlite::Result<Probabilities> {
    let mut rows = connection.prepare_cached("SELECT genre, probability FROM shot_genre WHERE shot = ?1")?;
    let rows = rows.query_map([shot], |row| {
        let step: u16 = row.get(1)?;
        Ok((row.get(0)?, stored::probability(step)))
    })?;
    Ok(in_order(labels, rows.collect::<Result<_, _>>()?))
}

/// The columns of [`FilmRow`], then the number of the bundle.
const FILM: &str = "film.id, film.run, film.name, film.live, film.started, film.size, film.width, film.height,
    film.frame_rate, film.duration, film.frames, film.shots, film.clips, film.snippets, film.lost_frames,
    film.dropped_clips, film.fps, film.segmentation, bundle.name, film.task, film.trained, film.notice,
    coalesce(film.state = 1 AND film.complete = 1, FALSE), film.error, run.bundle";

/// The tables of a film after `film` itself.
const RUN_TABLES: &str = "JOIN run ON run.id = film.run LEFT JOIN bundle ON bundle.id = run.bundle";

fn film_row(row: &Row) -> rusqlite::Result<(FilmRow, Option<i64>)> {
    let film = FilmRow {
        film: row.get(0)?,
        run: row.get(1)?,
        name: row.get(2)?,
        live: row.get(3)?,
        started: time(row, 4)?,
        size: optional_count(row, 5)?,
        width: row.get(6)?,
        height: row.get(7)?,
        frame_rate: row.get(8)?,
        duration_s: row.get(9)?,
        frames: optional_count(row, 10)?,
        shots: count(row, 11)?,
        clips: count(row, 12)?,
        snippets: optional_count(row, 13)?,
        lost_frames: optional_count(row, 14)?,
        dropped_clips: optional_count(row, 15)?,
        fps: row.get(16)?,
        segmentation: row.get(17)?,
        bundle: row.get(18)?,
        task: row.get(19)?,
        trained: row.get(20)?,
        notice: row.get(21)?,
        complete: row.get(22)?,
        error: row.get(23)?,
        probabilities: Probabilities::default(),
    };
    Ok((film, row.get(24)?))
}

/// The columns of [`ShotRow`] after the name of the film: number, times, kind, frames.
pub(crate) const SHOT: &str = "shot.id, shot.film, shot.number, shot.time, shot.start, shot.length, shot.kind,
    shot.first_frame, shot.frames";

/// Returns a shot and its key; `name` is the name of its film.
pub(crate) fn shot_row(row: &Row, name: String) -> rusqlite::Result<(ShotRow, i64)> {
    let (start, length): (i64, i64) = (row.get(4)?, row.get(5)?);
    let shot = ShotRow {
        film: row.get(1)?,
        name,
        index: row.get(2)?,
        time: optional_time(row, 3)?,
        start_s: stored::seconds(start),
        end_s: stored::seconds(start.saturating_add(length)),
        kind: row.get(6)?,
        first_frame: count(row, 7)?,
        frames: count(row, 8)?,
        probability: None,
        probabilities: Probabilities::default(),
    };
    Ok((shot, row.get(0)?))
}

/// Returns the numbers of the genres that the query names.
///
/// # Errors
///
/// Returns [`Error::UnknownGenre`] for a genre that no bundle has.
fn genres(database: &Database, query: &Query) -> Result<BTreeMap<String, i64>> {
    let named = query.expression.as_ref().map(|expression| expression.genres()).unwrap_or_default();
    let mut numbers = BTreeMap::new();
    for genre in named {
        let Some(number) = database.read(|connection| find_genre(connection, genre))? else {
            let known = all_genres(database)?;
            let nearest = nearest(genre, known.iter().map(String::as_str)).map(str::to_owned);
            return Err(Error::UnknownGenre { genre: genre.to_owned(), nearest });
        };
        numbers.insert(genre.to_owned(), number);
    }
    Ok(numbers)
}

/// Returns the names of all genres, in the order in which bundles brought them.
pub(crate) fn all_genres(database: &Database) -> Result<Vec<String>> {
    database.read(|connection| {
        let mut names = connection.prepare("SELECT name FROM genre ORDER BY id")?;
        names.query_map([], |row| row.get(0))?.collect()
    })
}

/// Returns the order in which a genre condition wants its films or shots: the best ones first.
fn direction(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Below | Comparison::AtMost => "ASC NULLS LAST",
        _ => "DESC",
    }
}

/// Returns `limit` as SQLite takes it: negative for none.
fn limit_value(limit: Option<usize>) -> Value {
    Value::Integer(limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX)))
}

/// Returns the SQL and the values of a search of films.
pub(crate) fn films_sql(query: &Query, genres: &BTreeMap<String, i64>, limit: Option<usize>) -> (String, Vec<Value>) {
    let Conditions { sql, mut values, .. } = Conditions::new(Subject::Films, query.expression.as_ref(), genres);
    let order = query.sorting().map_or(String::new(), |(genre, comparison)| {
        values.push(Value::Integer(genres.get(genre).copied().unwrap_or(-1)));
        let probability = "(SELECT probability FROM film_genre AS sorted WHERE sorted.film = film.id AND genre = ?)";
        format!("{probability} {}, ", direction(comparison))
    });
    values.push(limit_value(limit));
    let order = format!("{order}film.started DESC, film.id DESC");
    (format!("SELECT {FILM} FROM film {RUN_TABLES} WHERE film.state < 2 AND {sql} ORDER BY {order} LIMIT ?"), values)
}

/// Returns the SQL and the values of a search of shots.
pub(crate) fn shots_sql(query: &Query, genres: &BTreeMap<String, i64>, limit: Option<usize>) -> (String, Vec<Value>) {
    let Conditions { sql, values, .. } = Conditions::new(Subject::Shots, query.expression.as_ref(), genres);
    let (probability, direction) = match query.sorting() {
        Some((_, comparison)) => (
            "(SELECT probability FROM shot_genre AS sorted WHERE sorted.shot = shot.id AND genre = ?)",
            direction(comparison),
        ),
        None => ("NULL", ""),
    };
    // The probability is the first of the columns, so its value comes first.
    let genre = query.sorting().map(|(genre, _)| Value::Integer(genres.get(genre).copied().unwrap_or(-1)));
    let values = genre.into_iter().chain(values).chain([limit_value(limit)]).collect();
    let sql = format!(
        "SELECT {SHOT}, film.name, run.bundle, {probability} AS sorting
         FROM shot JOIN film ON film.id = shot.film {RUN_TABLES} WHERE film.state < 2 AND {sql}
         ORDER BY sorting {direction}, film.started DESC, film.id DESC, shot.number LIMIT ?"
    );
    (sql, values)
}

/// Returns the films that `query` selects.
pub(crate) fn films(database: &Database, query: &Query, limit: Option<usize>) -> Result<Vec<FilmRow>> {
    let genres = genres(database, query)?;
    let (sql, values) = films_sql(query, &genres, limit);
    database.read(|connection| {
        let mut statement = connection.prepare(&sql)?;
        let mut bundles = Bundles::default();
        let rows = statement.query_map(params_from_iter(values), film_row)?;
        rows.map(|row| {
            let (mut film, bundle) = row?;
            let labels = bundles.labels(connection, bundle)?;
            film.probabilities = film_probabilities(connection, film.film, &labels)?;
            Ok(film)
        })
        .collect()
    })
}

/// Returns the shots that `query` selects.
pub(crate) fn shots(database: &Database, query: &Query, limit: Option<usize>) -> Result<Vec<ShotRow>> {
    let genres = genres(database, query)?;
    let (sql, values) = shots_sql(query, &genres, limit);
    database.read(|connection| {
        let mut statement = connection.prepare(&sql)?;
        let mut bundles = Bundles::default();
        let rows = statement.query_map(params_from_iter(values), |row| {
            let (mut shot, key) = shot_row(row, row.get(9)?)?;
            shot.probability = row.get::<_, Option<u16>>(11)?.map(stored::probability);
            Ok((shot, key, row.get(10)?))
        })?;
        rows.map(|row| {
            let (mut shot, key, bundle) = row?;
            let labels = bundles.labels(connection, bundle)?;
            shot.probabilities = shot_probabilities(connection, key, &labels)?;
            Ok(shot)
        })
        .collect()
    })
}

/// Returns all runs, the newest first.
pub(crate) fn runs(database: &Database) -> Result<Vec<RunRow>> {
    database.read(|connection| {
        let runs = "SELECT run.id, command, version, bundle.name, started, ended,
                (SELECT count(*) FROM film WHERE run = run.id AND state < 2)
             FROM run LEFT JOIN bundle ON bundle.id = run.bundle ORDER BY run.id DESC";
        let mut runs = connection.prepare(runs)?;
        let rows = runs.query_map([], |row| {
            Ok(RunRow {
                run: row.get(0)?,
                command: row.get(1)?,
                version: row.get(2)?,
                bundle: row.get(3)?,
                started: time(row, 4)?,
                ended: optional_time(row, 5)?,
                films: count(row, 6)?,
            })
        })?;
        rows.collect()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::parse::tests::expressions;
    use crate::query::{Condition, Expression};
    use crate::{BundleFacts, ClipFacts, FilmFacts, History, ResultFacts, RunFacts, ShotFacts};

    /// Returns a time of November 2026, `seconds` after its beginning in UTC.
    fn time(seconds: i64) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_793_491_200 + seconds).unwrap()
    }

    /// Records 60 films of three runs, with and without results, errors, bundles and shots.
    fn history(folder: &std::path::Path) -> History {
        let history = History::open(folder.join("h.sqlite")).unwrap();
        let mut random = 7u64;
        let mut next = move |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for labels in
            [Some(("demo", vec!["horror", "drama", "sci-fi"])), Some(("other", vec!["drama", "horror"])), None]
        {
            let count = labels.as_ref().map_or(0, |(_, labels)| labels.len());
            let bundle = labels.map(|(name, labels)| BundleFacts {
                name: name.to_owned(),
                labels: labels.into_iter().map(str::to_owned).collect(),
            });
            let (command, version) = (String::new(), String::new());
            let run = history.begin_run(&RunFacts { command, version, bundle, started: time(0) }).unwrap();
            for number in 0..20 {
                let name = format!("film {number}.{}", ["mkv", "mp4"][next(2) as usize]);
                let facts = FilmFacts::new(&name, time(next(2_592_000) as i64)).with_live(next(4) == 0);
                let mut film = run.begin_film(&facts).unwrap();
                let mut probabilities = || (0..count).map(|_| next(21) as f32 / 20.0).collect::<Vec<_>>();
                for index in 0..4 {
                    let [first, second] = [probabilities(), probabilities()];
                    for (clip, probabilities) in (0..).zip([&first, &second][..index as usize % 3].iter()) {
                        film.clip(&ClipFacts {
                            index: index * 2 + clip,
                            shot: index,
                            start_s: 0.0,
                            end_s: 1.0,
                            keyframe_s: 0.5,
                            padded: 0,
                            time: None,
                            probabilities,
                        })
                        .unwrap();
                    }
                    film.shot(&ShotFacts {
                        index,
                        start_s: 0.0,
                        end_s: 1.0,
                        kind: "cut".to_owned(),
                        first_frame: 0,
                        frames: 24,
                        time: None,
                        probabilities: if index % 3 == 0 { &[] } else { &second },
                    })
                    .unwrap();
                }
                let result = probabilities();
                if next(5) > 0 {
                    let (duration_s, complete) = (next(100) as f64, next(2) == 0);
                    let facts = ResultFacts { probabilities: &result, duration_s, complete, ..ResultFacts::default() };
                    film.result(&facts).unwrap();
                }
                if next(5) == 0 {
                    film.error("cannot decode").unwrap();
                }
                if next(5) == 0 {
                    // Of a live source, unfinished; of a file, nothing.
                    film.write_now().unwrap();
                } else {
                    film.finish().unwrap();
                }
            }
        }
        history
    }

    fn holds(comparison: Comparison, left: f64, right: f64) -> bool {
        match comparison {
            Comparison::Above => left > right,
            Comparison::AtLeast => left >= right,
            Comparison::Below => left < right,
            Comparison::AtMost => left <= right,
            Comparison::Equal => left == right,
            Comparison::Unequal => left != right,
        }
    }

    /// Returns whether a film, or one of its shots with `probabilities`, satisfies `expression`.
    fn selects(expression: &Expression, film: &FilmRow, probabilities: &Probabilities) -> bool {
        let condition = match expression {
            Expression::Not(inner) => return !selects(inner, film, probabilities),
            Expression::And(all) => return all.iter().all(|one| selects(one, film, probabilities)),
            Expression::Or(all) => return all.iter().any(|one| selects(one, film, probabilities)),
            Expression::Condition(condition) => condition,
        };
        let started = film.started.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        match condition {
            Condition::Genre(genre, comparison, number) => {
                probabilities.get(genre).is_some_and(|one| holds(*comparison, one, *number))
            }
            Condition::Name(pattern) => match pattern.as_str() {
                "*.mkv" => film.name.ends_with(".mkv"),
                "*a*" => film.name.contains('a'),
                "film 1*" => film.name.starts_with("film 1"),
                "" => film.name.is_empty(),
                "?ilm [2-4].mp4" => ["film 2.mp4", "film 3.mp4", "film 4.mp4"].contains(&film.name.as_str()),
                other => panic!("{other}"),
            },
            Condition::Since(moment) => started >= moment.bounds().unwrap().0,
            Condition::Until(moment) => started <= moment.bounds().unwrap().1,
            Condition::Bundle(name) => film.bundle.as_ref() == Some(name),
            Condition::Duration(comparison, number) => {
                film.duration_s.is_some_and(|duration| holds(*comparison, duration, *number))
            }
            Condition::Error => film.error.is_some(),
            Condition::Incomplete => !film.complete,
            Condition::Live => film.live,
        }
    }

    /// Checks that `probabilities` come in the order that `query` asks for.
    fn check_order(query: &Query, probabilities: &[Option<f64>]) {
        if let Some((_, comparison)) = query.sorting() {
            let ascending = matches!(comparison, Comparison::Below | Comparison::AtMost);
            let known: Vec<f64> = probabilities.iter().copied().map_while(|one| one).collect();
            assert!(known.is_sorted_by(|one, next| if ascending { one <= next } else { one >= next }));
            assert!(probabilities[known.len()..].iter().all(Option::is_none));
        }
    }

    #[test]
    fn a_query_selects_what_a_filter_in_rust_does() {
        let folder = tempfile::tempdir().unwrap();
        let history = history(folder.path());
        let films = history.films(&Query::default(), None).unwrap();
        let shots: Vec<_> =
            films.iter().flat_map(|film| history.shots_of(film.film).unwrap().map(Result::unwrap)).collect();
        assert!(films.len() > 40 && shots.len() == films.len() * 4);
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(600));
        let partial = std::cell::Cell::new(0);
        runner
            .run(&expressions(true), |expression| {
                let query = Query { expression: Some(expression.clone()) };
                let found = history.films(&query, None).unwrap();
                let expected: BTreeSet<i64> = films
                    .iter()
                    .filter(|film| selects(&expression, film, &film.probabilities))
                    .map(|film| film.film)
                    .collect();
                prop_assert_eq!(found.iter().map(|film| film.film).collect::<BTreeSet<_>>(), expected, "{}", query);
                partial.set(partial.get() + i32::from(!found.is_empty() && found.len() < films.len()));
                let sorting = query.sorting().map(|(genre, _)| genre);
                let of_film = |film: &FilmRow| sorting.and_then(|genre| film.probabilities.get(genre));
                check_order(&query, &found.iter().map(of_film).collect::<Vec<_>>());

                let found_shots = history.shots(&query, None).unwrap();
                let film_of = |shot: &ShotRow| films.iter().find(|film| film.film == shot.film).unwrap();
                let expected: BTreeSet<_> = shots
                    .iter()
                    .filter(|shot| selects(&expression, film_of(shot), &shot.probabilities))
                    .map(|shot| (shot.film, shot.index))
                    .collect();
                let keys = found_shots.iter().map(|shot| (shot.film, shot.index));
                prop_assert_eq!(keys.collect::<BTreeSet<_>>(), expected, "{}", query);
                let of_shot = |shot: &ShotRow| sorting.and_then(|genre| shot.probabilities.get(genre));
                prop_assert!(found_shots.iter().all(|shot| shot.probability == of_shot(shot)));
                check_order(&query, &found_shots.iter().map(of_shot).collect::<Vec<_>>());
                prop_assert_eq!(&history.films(&query, Some(3)).unwrap()[..], &found[..found.len().min(3)]);
                Ok(())
            })
            .unwrap();
        assert!(partial.get() > 200, "only {} queries selected some films and not all", partial.get());
    }

    #[test]
    fn a_genre_is_found_by_the_index() {
        let folder = tempfile::tempdir().unwrap();
        let history = history(folder.path());
        drop(history);
        let connection = rusqlite::Connection::open(folder.path().join("h.sqlite")).unwrap();
        let query = Query::parse("genre horror > 0.6").unwrap();
        let genres = BTreeMap::from([("horror".to_owned(), 1)]);
        for ((sql, values), indexes) in [
            (films_sql(&query, &genres, None), ["film_genre_probability", "film USING INTEGER PRIMARY KEY"]),
            (shots_sql(&query, &genres, None), ["shot_genre_probability", "shot USING INTEGER PRIMARY KEY"]),
        ] {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let lines = plan.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
            let plan = lines.map(Result::unwrap).collect::<Vec<_>>().join("\n");
            let scans = plan.lines().filter(|line| line.contains("SCAN") && !line.contains("SCAN block"));
            // The row that begins the list of blocks.
            let scans = scans.filter(|line| !line.contains("CONSTANT ROW"));
            assert!(indexes.iter().all(|index| plan.contains(index)) && scans.count() == 0, "{plan}");
        }
    }

    #[test]
    fn an_unknown_genre_is_an_error_with_the_nearest_one() {
        let folder = tempfile::tempdir().unwrap();
        let history = history(folder.path());
        let error = history.films(&Query::parse("live or not genre horor > 0.6").unwrap(), None).unwrap_err();
        assert_eq!(error.to_string(), "no bundle of the history has the genre \"horor\"; did you mean \"horror\"?");
        let text = "x' OR 1=1; DROP TABLE film; --";
        let query = Query::parse(&format!("name \"{text}\" or bundle \"{text}\"")).unwrap();
        assert!(history.films(&query, None).unwrap().is_empty());
        assert!(!history.films(&Query::default(), None).unwrap().is_empty());
    }
}
