-- What names the URL of a postback whose body is kept: its signature does not cover the body, so one call can be repeated
-- with any number of them. Null where no body is kept.
ALTER TABLE postbacks ADD COLUMN body_of TEXT;
-- Why a body that came is not kept; null where one is, or none came.
ALTER TABLE postbacks ADD COLUMN body_left_out TEXT;
CREATE INDEX postbacks_bodies ON postbacks (body_of) WHERE body_of IS NOT NULL;

-- How much of such bodies was kept of a source in an hour.
CREATE TABLE body_tallies (
    source TEXT   NOT NULL,
    -- since 1970, in UTC
    hour   INTEGER NOT NULL,
    bytes  INTEGER NOT NULL,
    PRIMARY KEY (source, hour)
) STRICT, WITHOUT ROWID;

-- Who shares the room for refused calls: the source, empty for all that are not in the settings; the network of the
-- caller; and what kind of refusal it was.
ALTER TABLE refused ADD COLUMN share TEXT NOT NULL DEFAULT '';
ALTER TABLE refused ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE refused ADD COLUMN kind TEXT NOT NULL DEFAULT '';
UPDATE refused SET share = source WHERE reason NOT LIKE 'there is no source%';
CREATE INDEX refused_room ON refused (share, network, kind, id);
