//! Typical mistakes, one at a time, with the whole message.

use super::*;

/// What is replaced in the good definition, by what, and everything that is said of it.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "methods = [",
        "metods = [",
        "mine.toml:1: methods: is missing; add methods = [\"GET\"]\n\
             mine.toml:5: metods: is not a key of a definition; did you mean methods? remove it; known here: name, title, \
             documentation, confirmed, methods, parameters, extends, fields, kinds, identity, signature, answers, retries, \
             callers, statement",
    ),
    (
        "name = \"mine\"",
        "name = \"My Network\"",
        "mine.toml:1: name: `My Network` is not a name; use at most 64 lower-case letters, digits and hyphens",
    ),
    (
        "\"https://example.com/postback\"",
        "\"their PDF\"",
        "mine.toml:3: documentation: `their PDF` is not a URL; write the address of the page, with https://",
    ),
    (
        "confirmed = \"documented\"",
        "confirmed = \"yes\"",
        "mine.toml:4: confirmed: `yes` is not a degree of confirmation; write one of: documented, integrators, unproven",
    ),
    (
        "[\"GET\"]",
        "[\"GET\", \"get\"]",
        "mine.toml:5: methods[1]: `get` is not a method; did you mean GET? write one of: GET, POST",
    ),
    (
        "parameters = \"query\"",
        "parameters = \"json\"",
        "mine.toml:5: methods: has GET, which has no body, and parameters are in JSON; write methods = [\"POST\"]",
    ),
    (
        "user_id = {",
        "userid = {",
        "mine.toml:7: fields.user_id: is missing; add user_id = { macro = \"{user_id}\", parameter = \"uid\" }\n\
             mine.toml:8: fields.userid: is not a field; did you mean user_id? fields are: user_id, tx_id, ref_tx_id, \
             click_id, reward, payout, status, state, type, test, reason, offer_id, offer_name, event_id, event_name, ip, \
             country_code, clicked_at, converted_at, sub1, sub2, sub3, sub4, sub5\n\
             mine.toml:21: signature.message.concat.parts[0]: `user_id` is not one of [fields]; add it there, write { \
             parameter = \"…\" }, or use one of: tx_id, reward, payout, status, secret, second_secret",
    ),
    (
        "parameter = \"tx\"",
        "parameter = \"uid\"",
        "mine.toml:9: fields.tx_id: reads `uid`, as user_id does; give each field a parameter of its own",
    ),
    (
        "unit = \"usd\"",
        "unit = \"cents\"",
        "mine.toml:11: fields.payout.unit: `cents` is not a unit; write usd, usd_cents or e.g. currency:EUR",
    ),
    (
        "by = [\"status\"]",
        "by = [\"state\"]",
        "mine.toml:14: kinds.by[0]: `state` is not one of [fields]; name a field that is there, \"sign\" or \"constant\"",
    ),
    (
        "2 = \"reversal\"",
        "2 = \"chargeback\"",
        "mine.toml:16: kinds.2: `chargeback` is not a kind; write one of: credit, reversal, pending, ignore, test",
    ),
    (
        "2 = \"reversal\"",
        "01 = \"reversal\"",
        "mine.toml:16: kinds.01: is there twice: case, blanks and zeros around a number are ignored; keep one of them",
    ),
    (
        "event = \"{tx_id}\"",
        "event = \"{transaction}\"",
        "mine.toml:18: identity.event: names {transaction}, which is not a field; use one of user_id, tx_id, reward, \
             payout, status",
    ),
    (
        "event = \"{tx_id}\"",
        "event = \"{tx_id}{status}\"",
        "mine.toml:18: identity.event: has two fields without a colon between them: different values could make the same \
             id; write e.g. \"{tx_id}:{state}\"",
    ),
    (
        "\"reward\", \"secret\"]",
        "\"reward\"]",
        "mine.toml:21: signature.message: has no place for the secret, and md5 has no key: anybody could compute it; add \
             \"secret\" to the parts of a concat, or write digest = \"hmac-md5\"",
    ),
    (
        "\"tx_id\", \"reward\"",
        "\"tx_id\", \"offer_id\"",
        "mine.toml:21: signature.message.concat.parts[2]: `offer_id` is not one of [fields]; add it there, write { \
             parameter = \"…\" }, or use one of: user_id, tx_id, reward, payout, status, secret, second_secret",
    ),
    (
        "digest = \"md5\"",
        "digest = \"sha512\"",
        "mine.toml:22: signature.digest: `sha512` is not a digest; write one of: md5, sha1, sha256, \
             hmac-md5, hmac-sha1, hmac-sha256, ecdsa-p256-sha256",
    ),
    (
        "encoding = \"hex\"",
        "encoding = \"HEX\"",
        "mine.toml:23: signature.encoding: `HEX` is not an encoding; did you mean hex? write one of: hex, base64, \
             base64url",
    ),
    (
        "at = { query = \"sig\" }",
        "at = { query = \"status\" }",
        "mine.toml:24: signature.at: names `status`, which is status already; name the parameter of the signature",
    ),
    (
        "body = \"OK\"",
        "body = \"{event_id}:OK\"",
        "mine.toml:26: answers.recorded.body: names {event_id}, which is not one of [fields]; add it there, or use one of \
             user_id, tx_id, reward, payout, status",
    ),
    (
        "body = \"OK\"",
        "body = \"OK\\n\"",
        "mine.toml:26: answers.recorded.body: ends with a line break; remove it: networks compare the exact body",
    ),
    (
        "status = 200, body",
        "status = 404, body",
        "mine.toml:26: answers.recorded.status: is 404; write a number from 200 to 299",
    ),
    (
        "horizon_minutes = 60",
        "horizon_minutes = \"1h\"",
        "mine.toml:28: retries.horizon_minutes: is text; write a whole number from 0 to 129600",
    ),
    (
        "203.0.113.0/24",
        "203.0.113.0/33",
        "mine.toml:30: callers.ips[0]: `203.0.113.0/33` is neither an address nor a network; write e.g. 203.0.113.7 or \
             203.0.113.0/24",
    ),
    (
        "delimiter = \";\"",
        "delimitr = \";\"",
        "mine.toml:32: statement.delimitr: is not a key of a definition; did you mean delimiter? remove it; known here: \
             confirmed, delimiter, header, decimal_comma, amounts, time, zone, columns, daily_sums, controls, credits, \
             reversals",
    ),
    (
        "delimiter = \";\"",
        "delimiter = \"tab\"",
        "mine.toml:32: statement.delimiter: is `tab`, which is more than one character; write one, e.g. \";\" or \"\\t\"",
    ),
    (
        "delimiter = \";\"",
        "delimiter = \"x\"",
        "mine.toml:32: statement.delimiter: is `x`, which does not separate fields; write one ASCII character that is \
             neither a letter, a digit nor a quotation mark",
    ),
    (
        "header = true",
        "header = false",
        "mine.toml:37: statement.columns: names `ID` for tx_id, and header is false; write the number of the column, from 1",
    ),
    (
        "\"%d.%m.%Y\"",
        "\"dd.mm.yyyy\"",
        "mine.toml:34: statement.time: is `dd.mm.yyyy`, which is not a format of times; write rfc3339, unix, unix_ms, \
             unix_us, excel, or a pattern such as %d.%m.%Y %H:%M",
    ),
    (
        "Europe/Berlin",
        "CET/CEST",
        "mine.toml:35: statement.zone: is `CET/CEST`, which is not a time zone; write a name such as UTC or Europe/Berlin",
    ),
    (
        "[\"currency_sign\"]",
        "[\"sign\"]",
        "mine.toml:36: statement.amounts[0]: `sign` is not a form of amounts; write one of: parentheses, trailing_minus, \
             currency_sign, currency_code, blank_groups, apostrophe_groups",
    ),
    (
        "{ tx_id = \"ID\"",
        "{ transaction = \"ID\"",
        "mine.toml:37: statement.columns: has no field `transaction`; fields are tx_id, status, user_id, offer_id, event_id, \
             amount, currency, time, count",
    ),
    (
        "{ total = \"Sum\" }",
        "{ balance = \"Sum\" }",
        "mine.toml:38: statement.controls: has no name `balance`; names are opening, closing, total, credits, reversals, \
             lines",
    ),
    (
        "[\"charged back\"]",
        "[\"charged back\", \"Paid\"]",
        "mine.toml:40: statement.reversals: has `paid`, which is a credit and a reversal; keep one of them",
    ),
];

#[test]
fn each_typical_mistake_names_file_line_key_and_cure() {
    assert!(MISTAKES.len() >= 20);
    for (good, bad, message) in MISTAKES {
        assert_eq!(with(good, bad), *message, "{bad}");
    }
}
