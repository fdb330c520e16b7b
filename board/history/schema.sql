-- The tables of a history, version 1. Every statement here makes a new file.
--
-- Times of the clock are milliseconds since 1970 in UTC. Times of a video are microseconds of
-- presentation time. Probabilities of films are exact. Those of shots and clips are whole
-- ten-thousandths (0 to 10000), which takes a quarter of the space.

-- One row for each genre name of any bundle.
CREATE TABLE genre (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- One row for each bundle: a name and its labels. Another list of labels is another bundle.
CREATE TABLE bundle (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;

-- The labels of a bundle, in its order.
CREATE TABLE label (
    bundle INTEGER NOT NULL REFERENCES bundle (id),
    position INTEGER NOT NULL, -- from 0
    genre INTEGER NOT NULL REFERENCES genre (id),
    PRIMARY KEY (bundle, position)
) STRICT, WITHOUT ROWID;

-- One row for each run of the program. An id is never used again.
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    command TEXT NOT NULL,             -- command line, without credentials
    version TEXT NOT NULL,             -- of the program
    bundle INTEGER REFERENCES bundle (id), -- none for runs that only find shots
    started INTEGER NOT NULL,
    ended INTEGER                      -- none while the run goes on, and after a kill
) STRICT;

-- One row for each source of a run.
CREATE TABLE film (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL REFERENCES run (id),
    name TEXT NOT NULL,                -- as the user wrote it, without credentials
    live INTEGER NOT NULL,             -- 1: an endless source, which is written as it goes on
    state INTEGER NOT NULL,            -- 0: being written, or killed; 1: ended; 2: being deleted
    started INTEGER NOT NULL,
    size INTEGER,                      -- bytes of the file
    width INTEGER,                     -- pixels
    height INTEGER,
    frame_rate REAL,                   -- of the file, frames a second
    duration REAL,                     -- seconds
    frames INTEGER,                    -- decoded frames
    shots INTEGER NOT NULL,            -- recorded, also those that were too old and deleted
    clips INTEGER NOT NULL,
    snippets INTEGER,
    lost_frames INTEGER,               -- lost through damage
    dropped_clips INTEGER,             -- dropped because the board was too slow
    fps REAL,                          -- working rate, frames a second
    segmentation TEXT,
    task TEXT,
    trained INTEGER,                   -- 1: the weights are trained
    notice TEXT,                       -- of the bundle's author
    complete INTEGER,                  -- 1: the whole input was read and no picture was lost
    error TEXT
) STRICT;
CREATE INDEX film_run ON film (run);
CREATE INDEX film_started ON film (started);

-- The result of a film: one row for each label.
CREATE TABLE film_genre (
    film INTEGER NOT NULL REFERENCES film (id),
    genre INTEGER NOT NULL REFERENCES genre (id),
    probability REAL NOT NULL,
    PRIMARY KEY (film, genre)
) STRICT, WITHOUT ROWID;
CREATE INDEX film_genre_probability ON film_genre (genre, probability);

CREATE TABLE shot (
    id INTEGER PRIMARY KEY,
    film INTEGER NOT NULL REFERENCES film (id),
    number INTEGER NOT NULL,           -- from 0
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    kind TEXT NOT NULL,                -- how the shot began: cut, fade, ...
    first_frame INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    time INTEGER,                      -- of the clock; only of live sources
    UNIQUE (film, number)
) STRICT;

-- The probabilities of a shot: one row for each label. None for a shot without clips.
CREATE TABLE shot_genre (
    shot INTEGER NOT NULL REFERENCES shot (id),
    genre INTEGER NOT NULL REFERENCES genre (id),
    probability INTEGER NOT NULL,
    PRIMARY KEY (shot, genre)
) STRICT, WITHOUT ROWID;
-- Sorted within blocks of 256 shots. Sorted as a whole, the shots of a film would change thousands
-- of pages all over the index, which is slow on an SD card and wears it.
CREATE INDEX shot_genre_probability ON shot_genre (shot / 256, genre, probability);

CREATE TABLE clip (
    film INTEGER NOT NULL REFERENCES film (id),
    number INTEGER NOT NULL,           -- from 0
    shot INTEGER NOT NULL,             -- number of its shot
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    keyframe INTEGER NOT NULL,         -- from the start of the clip
    padded INTEGER NOT NULL,           -- black frames at its end
    time INTEGER,                      -- of the clock; only of live sources
    probabilities BLOB NOT NULL,       -- 16 bits a label, little-endian, in the bundle's order
    PRIMARY KEY (film, number)
) STRICT, WITHOUT ROWID;
