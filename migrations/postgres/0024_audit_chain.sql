-- The audit is a chain from here on: who by what means and from where, and a hash over the line and over the line before.
-- What was written before stays as it is, outside the chain.
ALTER TABLE audit ADD COLUMN seq BIGINT;
-- page, token, command or gateway
ALTER TABLE audit ADD COLUMN via TEXT;
-- the name of the token, or the user of the operating system
ALTER TABLE audit ADD COLUMN via_name TEXT;
-- the /24 or /48 of the address
ALTER TABLE audit ADD COLUMN from_network TEXT;
-- SHA-256 of salt and address: the hash covers this and not the address, which leaves at the end of its term
ALTER TABLE audit ADD COLUMN address_digest TEXT;
ALTER TABLE audit ADD COLUMN hash TEXT;

CREATE UNIQUE INDEX audit_seq ON audit (seq);
CREATE INDEX audit_happened ON audit (happened_at);

-- Addresses, while their term lasts.
CREATE TABLE audit_addresses (
    seq      BIGINT  PRIMARY KEY,
    address  TEXT    NOT NULL,
    salt     TEXT    NOT NULL,
    noted_at BIGINT  NOT NULL
);

CREATE INDEX audit_addresses_noted ON audit_addresses (noted_at);

-- How far the chain has come, kept apart, so that a missing end is seen. Its row is the last lock that any transaction
-- takes, right before it commits.
CREATE TABLE audit_head (
    one          BIGINT  PRIMARY KEY CHECK (one = 1),
    number       BIGINT  NOT NULL,
    hash         TEXT    NOT NULL,
    -- how many lines stand outside the chain, being older
    lines_before BIGINT  NOT NULL
);

INSERT INTO audit_head (one, number, hash, lines_before) SELECT 1, 0, '', COUNT(*) FROM audit;

CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF NEW.seq IS NULL OR NEW.hash IS NULL OR NEW.seq <= (SELECT number FROM audit_head) THEN
        RAISE EXCEPTION 'an audit line is only added behind the last one';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_only_grows BEFORE INSERT ON audit
FOR EACH ROW EXECUTE FUNCTION audit_only_grows();
CREATE FUNCTION audit_addresses_are_frozen() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the address of an audit line never changes'; END $$;
CREATE TRIGGER audit_addresses_are_frozen BEFORE UPDATE ON audit_addresses
FOR EACH ROW EXECUTE FUNCTION audit_addresses_are_frozen();
CREATE FUNCTION audit_addresses_are_not_replaced() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF NEW.seq <= (SELECT number FROM audit_head) THEN
        RAISE EXCEPTION 'the address of an audit line never changes';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_addresses_are_not_replaced BEFORE INSERT ON audit_addresses
FOR EACH ROW EXECUTE FUNCTION audit_addresses_are_not_replaced();
CREATE FUNCTION audit_head_goes_forward() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF NEW.number <= OLD.number OR NEW.lines_before <> OLD.lines_before
       OR NOT EXISTS (SELECT 1 FROM audit WHERE seq = NEW.number AND hash = NEW.hash) THEN
        RAISE EXCEPTION 'the end of the audit only goes forward, to a line that is there';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_head_goes_forward BEFORE UPDATE ON audit_head
FOR EACH ROW EXECUTE FUNCTION audit_head_goes_forward();
CREATE FUNCTION audit_head_stays() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit has one end, which is never deleted'; END $$;
CREATE TRIGGER audit_head_is_one BEFORE INSERT ON audit_head
FOR EACH ROW EXECUTE FUNCTION audit_head_stays();
CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_head
FOR EACH ROW EXECUTE FUNCTION audit_head_stays();

-- TRUNCATE asks no trigger for DELETE: not here, and not in anything else that is evidence.
CREATE FUNCTION evidence_stays() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'what stands in % is evidence and is never emptied', TG_TABLE_NAME; END $$;
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit EXECUTE FUNCTION evidence_stays();
CREATE TRIGGER audit_head_is_not_emptied BEFORE TRUNCATE ON audit_head EXECUTE FUNCTION evidence_stays();
CREATE TRIGGER replays_are_not_emptied BEFORE TRUNCATE ON replays EXECUTE FUNCTION evidence_stays();
CREATE TRIGGER reports_are_not_emptied BEFORE TRUNCATE ON reports EXECUTE FUNCTION evidence_stays();
CREATE TRIGGER sign_offs_are_not_emptied BEFORE TRUNCATE ON sign_offs EXECUTE FUNCTION evidence_stays();
CREATE TRIGGER accepted_are_not_emptied BEFORE TRUNCATE ON statement_accepted EXECUTE FUNCTION evidence_stays();
CREATE TRIGGER payments_are_not_emptied BEFORE TRUNCATE ON statement_payments EXECUTE FUNCTION evidence_stays();
CREATE TRIGGER acts_are_not_emptied BEFORE TRUNCATE ON quarantine_acts EXECUTE FUNCTION evidence_stays();
CREATE TRIGGER cases_are_not_emptied BEFORE TRUNCATE ON reversal_cases EXECUTE FUNCTION evidence_stays();
CREATE TRIGGER opinions_are_not_emptied BEFORE TRUNCATE ON opinions EXECUTE FUNCTION evidence_stays();
CREATE TRIGGER decisions_are_not_emptied BEFORE TRUNCATE ON decisions EXECUTE FUNCTION evidence_stays();
CREATE TRIGGER decided_are_not_emptied BEFORE TRUNCATE ON decided EXECUTE FUNCTION evidence_stays();
CREATE TRIGGER verdicts_are_not_emptied BEFORE TRUNCATE ON verdicts EXECUTE FUNCTION evidence_stays();
CREATE TRIGGER steps_are_not_emptied BEFORE TRUNCATE ON steps EXECUTE FUNCTION evidence_stays();
CREATE TRIGGER transfers_are_not_emptied BEFORE TRUNCATE ON transfers EXECUTE FUNCTION evidence_stays();
