-- What apps are told. A delivery is born in the transaction of its cause; this table is its own queue. A step of a
-- reward tells at most one thing, so reward and step name a delivery, and none is ever born twice.
CREATE TABLE deliveries (
    id        BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reward_id BIGINT  NOT NULL,
    -- the step that caused it
    seq       BIGINT  NOT NULL,
    app       TEXT    NOT NULL,
    user_id   TEXT    NOT NULL,
    -- credited, reversed, held or rejected
    event     TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    -- waiting: the first of its user, sent when it is due; behind: an earlier one of the user comes first;
    -- delivered; failed: waits for a person; withdrawn: never left and never will
    status    TEXT    NOT NULL,
    born_at   BIGINT  NOT NULL,
    -- not sent before; while a worker has it in hand, the end of its lease
    due_at    BIGINT  NOT NULL,
    -- how often a worker took it, from the first time on: fences off a worker whose lease has ended
    tries     BIGINT  NOT NULL,
    -- attempts that count, since it was born or sent again by a person
    attempts  BIGINT  NOT NULL,
    ended_at  BIGINT,
    UNIQUE (reward_id, seq)
);

-- The status stands in front although it is always the same: only then does SQLite's planner see that an index serves
-- both the filter and the order. What is due, by app:
CREATE INDEX deliveries_due ON deliveries (status, app, due_at, id) WHERE status = 'waiting';
-- Whether a user has one on its way, and which comes next:
CREATE INDEX deliveries_first ON deliveries (status, app, user_id) WHERE status = 'waiting';
CREATE INDEX deliveries_behind ON deliveries (status, app, user_id, id) WHERE status = 'behind';
-- Lists run newest first.
CREATE INDEX deliveries_born ON deliveries (born_at, id);
CREATE INDEX deliveries_failed ON deliveries (status, born_at, id) WHERE status = 'failed';
CREATE INDEX deliveries_withdrawn ON deliveries (status, born_at, id) WHERE status = 'withdrawn';

-- Every attempt that was made and survived to be told of: a worker that is killed leaves a number out.
CREATE TABLE attempts (
    delivery_id BIGINT  NOT NULL,
    number      BIGINT  NOT NULL,
    began_at    BIGINT  NOT NULL,
    duration_ms BIGINT  NOT NULL,
    -- delivered, or the class of what went wrong
    result      TEXT    NOT NULL,
    http_status BIGINT,
    -- what went wrong, in a sentence
    detail      TEXT,
    -- the first 1 KiB
    answer      TEXT,
    PRIMARY KEY (delivery_id, number)
);

-- Apps that said they want nothing more (410), until a person switches them on again.
CREATE TABLE disabled_apps (
    app         TEXT    PRIMARY KEY,
    disabled_at BIGINT  NOT NULL,
    why         TEXT    NOT NULL
);
