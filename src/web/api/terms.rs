//! Types of parameters and fields in the OpenAPI document: each once, with the bounds that the reading code checks. A test asks every call with values on both sides of each bound.

use domain::delivery::{Event, Reason, Status as DeliveryStanding};
use domain::lists::entry::{MAX_DAYS, MAX_REASON_CHARS, MAX_VALUE_CHARS};
use domain::lists::{Effect, Kind as ListedKind};
use domain::report::State as ReportStanding;
use domain::report::sheets::Sheet;
use domain::review::decision::MAX_NOTE_LEN;
use domain::review::reversal::{Ending, Resolution, Situation};
use domain::reward::{Status, Step};
use domain::statement::LineState;
use domain::statement::life::{Act, State};
use serde_json::json;
use store::postbacks::list::OutcomeFilter;
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::page::{DEFAULT_LIMIT, MAX_KEY_LEN, MAX_LIMIT, MAX_TEXT_LEN};
use crate::statements::MAX_WORDS_LEN;

/// Any text but one with a NUL, which no database keeps.
const TEXT: &str = r"^[^\u0000]*$";
/// The same with something in it that is no blank.
const WORDS: &str = r"^[^\u0000]*[^\u0000\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000][^\u0000]*$";
/// A place in a list, as `next` says it.
const PLACE: &str = "^[0-9]{1,18}-[0-9]{1,18}$";
/// The same in a list that is in the order of its numbers.
const NUMBER: &str = "^[0-9]{1,18}$";
/// A day as it is written here.
const DATE: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$";
/// An amount that was booked.
const DECIMAL: &str = r"^-?[0-9]+(\.[0-9]{1,6})?$";
/// An amount above zero, below ten thousand million, with at most six decimals.
const PAYMENT: &str = r"^(0*[1-9][0-9]{0,8}(\.[0-9]{1,6})?|0*1000000000(\.0{1,6})?|0+\.(0{0,5}[1-9]|0{0,4}[1-9][0-9]|0{0,3}[1-9][0-9]{2}|0{0,2}[1-9][0-9]{3}|0?[1-9][0-9]{4}|[1-9][0-9]{5}))$";
/// The longest value that is stated: what most networks' ids may have.
const MAX_STATED_LEN: usize = 256;
/// An amount as it is stated: a point may begin or end it, and what is beyond six decimals is rounded.
const STATED_AMOUNT: &str = r"^(0*[0-9]{1,9}(\.[0-9]*)?|0*1000000000(\.0*)?|\.[0-9]+)?$";

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn text(most: usize) -> ObjectBuilder {
    string().max_length(Some(most)).pattern(Some(TEXT))
}

fn words(most: usize) -> ObjectBuilder {
    string().min_length(Some(1)).max_length(Some(most)).pattern(Some(WORDS))
}

fn formatted(format: KnownFormat) -> ObjectBuilder {
    string().format(Some(SchemaFormat::KnownFormat(format)))
}

fn integer() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
}

fn one_of(names: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    string().enum_values(Some(names))
}

/// An instant or a day.
fn instant_or_day() -> AnyOfBuilder {
    let time: Object = formatted(KnownFormat::DateTime).build();
    let day: Object = formatted(KnownFormat::Date).pattern(Some(DATE)).build();
    AnyOfBuilder::new().item(time).item(day)
}

/// Makes types that stand for a term in the document, and nowhere else.
macro_rules! terms {
    ($($(#[doc = $about:literal])+ $name:ident = $schema:expr;)+) => {
        $(
            $(#[doc = $about])+
            #[derive(Debug)]
            pub(crate) enum $name {}

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    Schema::from($schema.description(Some(concat!($($about),+).trim())).build()).into()
                }
            }

            impl ToSchema for $name {}
        )+

        /// Every term under its name.
        pub(crate) fn all() -> Vec<(String, RefOr<Schema>)> {
            vec![$(($name::name().into_owned(), $name::schema())),+]
        }
    };
}

terms! {
    /// Items on a page.
    Limit = integer().minimum(Some(1)).maximum(Some(MAX_LIMIT)).default(Some(DEFAULT_LIMIT.into()));
    /// `next` of the previous page.
    Cursor = string().pattern(Some(PLACE));
    /// `next` of the previous page: a number.
    NumberCursor = string().pattern(Some(NUMBER));
    /// `next` of the previous page: a day.
    DayCursor = formatted(KnownFormat::Date).pattern(Some(DATE));
    /// RFC 3339, or a date in the configured time zone.
    Instant = instant_or_day();
    /// RFC 3339, in UTC.
    Time = formatted(KnownFormat::DateTime);
    /// A business day.
    Day = formatted(KnownFormat::Date).pattern(Some(DATE));
    /// A numeric id.
    Id = integer().minimum(Some(1)).maximum(Some(i64::MAX));
    /// A name or an id, compared exactly.
    Text = text(MAX_TEXT_LEN);
    /// The id of a user, as the network sends it.
    UserId = text(MAX_TEXT_LEN).min_length(Some(1));
    /// A reason, not only blanks.
    Note = words(MAX_NOTE_LEN);
    /// A reason; may be empty.
    OptionalNote = text(MAX_NOTE_LEN);
    /// A reason for finance, not only blanks.
    Words = words(MAX_WORDS_LEN);
    /// An idempotency key, not only blanks.
    Key = words(MAX_KEY_LEN);
    /// An idempotency key, in characters that a header allows.
    HeaderKey = string().min_length(Some(1)).max_length(Some(MAX_KEY_LEN)).pattern(Some("^[!-~]([ -~]*[!-~])?$"));
    /// The subject of a difference.
    Subject = words(MAX_KEY_LEN);
    /// `none`, or ids separated by commas.
    Superseded = string().max_length(Some(MAX_TEXT_LEN)).pattern(Some("^(none|[0-9]{1,18}(,[0-9]{1,18})*)$"));
    /// In USD, above zero: digits, one point, at most six decimals.
    Paid = string().max_length(Some(64)).pattern(Some(PAYMENT));
    /// A value that the network could have sent; may be empty. The definition of the network may allow less.
    StatedText = string().max_length(Some(MAX_STATED_LEN)).pattern(Some(r"^[^\u0000-\u001F\u007F-\u009F]*$"));
    /// An amount with digits and at most one point, up to 1,000,000,000; may be empty.
    StatedAmount = string().max_length(Some(64)).pattern(Some(STATED_AMOUNT));
    /// The bytes of a file.
    File = string().min_length(Some(1));
    /// A table of a report.
    SheetName = one_of(Sheet::NAMES);
    /// A decimal with at most six decimals.
    Decimal = string().pattern(Some(DECIMAL));
    /// The status of a reward.
    RewardStatus = one_of(Status::ALL.map(Status::name));
    /// A change of status.
    RewardStepName = one_of(Step::ALL.map(Step::name));
    /// The decision of a verdict.
    DecisionName = one_of(["credit", "hold"]);
    /// The family of a signal.
    FamilyName = one_of(["data", "time", "geo", "velocity", "sharing", "money", "record", "list"]);
    /// How the country sent by the network compares with the country of the address.
    GeoResult = one_of(["match", "compatible", "mismatch", "unknown", "invalid"]);
    /// The outcome of a postback.
    Outcome = one_of(OutcomeFilter::ALL.map(OutcomeFilter::name));
    /// The event of a delivery.
    DeliveryEvent = one_of(Event::ALL.map(Event::name));
    /// The reason of that event.
    DeliveryReason = one_of(Reason::ALL.map(Reason::name));
    /// The status of a delivery.
    DeliveryStatus = one_of(DeliveryStanding::ALL.map(DeliveryStanding::name));
    /// A status from which deliveries can be resent.
    ResendStatus = one_of([DeliveryStanding::Failed.name(), DeliveryStanding::Delivered.name()]);
    /// Open cases wait for a person.
    CaseState = one_of(["open", "ended"]);
    /// Why a reversal cannot be booked automatically.
    CaseSituation = one_of(Situation::ALL.map(Situation::name));
    /// The decision on a case that has ended.
    CaseEnding = one_of(Ending::ALL.map(Ending::name));
    /// A decision on a case.
    CaseResolution = one_of(Resolution::ALL.map(Resolution::name));
    /// A final report does not change.
    ReportState = one_of([ReportStanding::Preliminary.name(), ReportStanding::Final.name()]);
    /// The state of a statement.
    StatementState = one_of(State::ALL.map(State::name));
    /// An action on a statement.
    StatementAct = one_of(Act::ALL.map(Act::name));
    /// How a line compares with the ledger.
    LineStateName = one_of(LineState::ALL.map(LineState::name));
    /// The kind of a postback.
    KindName = one_of(["", "credit", "reversal"]);
    /// The result of entering values.
    StateResult = one_of(["preview", "stated", "proposed", "confirmed"]);
    /// An action of a person.
    ActName = one_of(["stated", "proposed", "confirmed", "declined", "set_aside", "taken_up"]);
    /// What an entry of a list names.
    ListKind = one_of(ListedKind::ALL.map(ListedKind::name));
    /// What an entry does: block holds every reward, watch adds points, trust takes points off.
    ListEffect = one_of(Effect::ALL.map(Effect::name));
    /// Whether an entry decides now: ended ones were removed or replaced, or have expired.
    ListStateName = one_of(["in_force", "ended", "all"]);
    /// What an entry names, without control characters.
    ListValue = string().min_length(Some(1)).max_length(Some(MAX_VALUE_CHARS)).pattern(Some(r"^[^\u0000-\u001F\u007F-\u009F]*$"));
    /// Why, not only blanks.
    ListReason = words(MAX_REASON_CHARS);
    /// Days until an entry ends.
    ListDays = integer().minimum(Some(1)).maximum(Some(MAX_DAYS));
    /// The kind of an error.
    ErrorCode = one_of(super::error::CODES);
}

impl ListDays {
    /// The days that are taken.
    pub(super) const RANGE: std::ops::RangeInclusive<i64> = 1..=MAX_DAYS;
}

/// Schema of [`StateRequest`](super::quarantine::StateRequest) as a whole: a reason unless it is a preview, and at least
/// one value.
pub(super) fn state_request() -> serde_json::Value {
    let has =
        |name: &str, what: serde_json::Value| json!({ "required": [name], "properties": { name: what } });
    let words = json!({ "pattern": WORDS });
    let filled = json!({ "minLength": 1 });
    json!([
        { "anyOf": [has("reason", words.clone()), has("preview", json!({ "enum": [true] }))] },
        { "anyOf": [
            has("user_id", words.clone()),
            has("tx_id", words),
            has("status", filled.clone()),
            has("reward", filled.clone()),
            has("payout", filled),
        ] },
    ])
}
