-- What of a call's headers counts: the signature and the content type, one `name: value` in a line. NULL for most networks,
-- which sign the URL.
ALTER TABLE postbacks ADD COLUMN headers TEXT;
ALTER TABLE refused ADD COLUMN headers TEXT;

-- A further outcome is `test`: the network says that it is one, and nothing moves.
CREATE INDEX postbacks_test ON postbacks (outcome, id) WHERE outcome = 'test';
