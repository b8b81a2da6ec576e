-- What a delivery says is fixed when it is first sent: the user's balance moves on, and an id must always carry the
-- same bytes.
ALTER TABLE deliveries ADD COLUMN told_balance_micros BIGINT;
-- Who said that it is not sent any more, and why; null unless its status is given_up.
ALTER TABLE deliveries ADD COLUMN given_up_by TEXT;
ALTER TABLE deliveries ADD COLUMN given_up_why TEXT;
CREATE INDEX deliveries_given_up ON deliveries (status, born_at, id) WHERE status = 'given_up';

-- The users whom an app called gone (410) since it last said yes to anybody: several of them switch it off.
CREATE TABLE gone_users (
    app         TEXT    NOT NULL,
    user_id     TEXT    NOT NULL,
    -- the delivery that it said so of
    delivery_id BIGINT  NOT NULL,
    PRIMARY KEY (app, user_id)
);
