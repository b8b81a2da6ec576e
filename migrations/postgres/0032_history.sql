-- What is remembered of a user: the newest rewards and counts by periods, see domain::history. NULL while nothing is.
ALTER TABLE users ADD COLUMN memory TEXT;

-- Who was seen at an address, and who took exactly so long for an offer: see domain::history::sightings. The first bits of a
-- key are a day, so that the lists of one time stand together and old ones are deleted together.
CREATE TABLE sightings (
    key     BIGINT PRIMARY KEY,
    -- the newest first
    entries TEXT NOT NULL
);
-- Rewritten with every reward: room on each page keeps the rewriting within it.
ALTER TABLE sightings SET (fillfactor = 70);
ALTER TABLE users SET (fillfactor = 80);
