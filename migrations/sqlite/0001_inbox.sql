-- What networks sent, exactly as received. Recording a postback is enqueueing it: this table is the inbox.
CREATE TABLE postbacks (
    -- never used again, even after old rows are purged: rewards and steps point here
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    source       TEXT    NOT NULL,
    received_at  INTEGER NOT NULL,
    method       TEXT    NOT NULL,
    -- path and query, byte for byte: what the signature covers
    target       TEXT    NOT NULL,
    -- percent-encoded, so that any bytes survive; null if there was none
    body         TEXT,
    remote_ip    TEXT    NOT NULL,
    -- received, processed, repeat or quarantined
    outcome      TEXT    NOT NULL DEFAULT 'received',
    reason       TEXT,
    reward_id    INTEGER,
    processed_at INTEGER
) STRICT;

-- What waits: workers take from its lower end.
CREATE INDEX postbacks_inbox ON postbacks (id) WHERE outcome = 'received';
CREATE INDEX postbacks_reward ON postbacks (reward_id) WHERE reward_id IS NOT NULL;
-- The outcome stands in front although it is always the same: only then does SQLite's planner see that the index
-- serves both the filter and the order.
CREATE INDEX postbacks_repeat ON postbacks (outcome, id) WHERE outcome = 'repeat';
CREATE INDEX postbacks_quarantined ON postbacks (outcome, id) WHERE outcome = 'quarantined';

-- Calls whose signature did not verify. Apart from the postbacks and bounded in number: anyone can send them.
CREATE TABLE refused (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    source      TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    method      TEXT    NOT NULL,
    target      TEXT    NOT NULL,
    body        TEXT,
    remote_ip   TEXT    NOT NULL,
    reason      TEXT    NOT NULL
) STRICT;
