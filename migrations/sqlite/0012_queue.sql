-- Long queues. Each index that the queue is grouped along holds whatever its clusters are filtered by, sorted by and
-- made of, so that a page of it reads no row, whatever is looked for. The names of offers stand in all but that of
-- `sub1`: together they could be longer than an entry of an index may be.
DROP INDEX holds_rule;
DROP INDEX holds_address;
DROP INDEX holds_sub1;
DROP INDEX holds_user;
CREATE INDEX holds_rule ON holds (rule, offer_id, source, country, fired, currency, received_at, payout_micros,
                                  score, reward_micros, user_id, app, offer_name, reward_id);
CREATE INDEX holds_address ON holds (address_group, received_at, payout_micros, score, rule, offer_id, source, country,
                                     fired, currency, reward_micros, user_id, app, offer_name, reward_id);
-- The newest of a `sub1` are looked for too: hence its time first.
CREATE INDEX holds_sub1 ON holds (sub1, source, received_at, payout_micros, score, rule, offer_id, country, fired,
                                  currency, reward_micros, user_id, app, reward_id);
CREATE INDEX holds_user ON holds (user_id, app, received_at, payout_micros, score, rule, offer_id, source, country,
                                  fired, currency, reward_micros, offer_name, reward_id);

-- What else a search looks for. Transactions stand behind the names: an index of their own would cost every hold more
-- than it is worth to a search, which reads all the names anyway.
CREATE INDEX holds_search ON holds (offer_name, tx_id);

-- Whoever asks for an amount asks for most of a queue: nothing is found faster along it.
DROP INDEX holds_money;
