-- How often the network's data was found wanting, by the hour: written with each batch, read by the day's page.
CREATE TABLE data_tallies (
    -- since 1970, in UTC
    hour   INTEGER NOT NULL,
    source TEXT    NOT NULL,
    -- of a rule about data; empty for every postback that was looked at
    code   TEXT    NOT NULL,
    tally  INTEGER NOT NULL,
    PRIMARY KEY (hour, source, code)
) STRICT, WITHOUT ROWID;

-- Postbacks that nothing follows from, such as events without money, in the lists of the API and the pages.
CREATE INDEX postbacks_information ON postbacks (outcome, id) WHERE outcome = 'information';
