-- What an accepted difference is about, as keys instead of words: a line by its number, or a booking by its reward and kind.
-- Generated, because accepted differences never change and processes of an earlier version go on writing `subject` alone.
ALTER TABLE statement_accepted ADD COLUMN line INTEGER
    GENERATED ALWAYS AS (CASE WHEN subject LIKE 'line %' THEN CAST(SUBSTR(subject, 6) AS INTEGER) END) VIRTUAL;
ALTER TABLE statement_accepted ADD COLUMN kind TEXT
    GENERATED ALWAYS AS (CASE WHEN subject LIKE 'credit of reward %' THEN 'credit'
                              WHEN subject LIKE 'reversal of reward %' THEN 'reversal' END) VIRTUAL;
ALTER TABLE statement_accepted ADD COLUMN reward_id INTEGER
    GENERATED ALWAYS AS (CASE WHEN subject LIKE 'credit of reward %' THEN CAST(SUBSTR(subject, 18) AS INTEGER)
                              WHEN subject LIKE 'reversal of reward %' THEN CAST(SUBSTR(subject, 20) AS INTEGER) END) VIRTUAL;
