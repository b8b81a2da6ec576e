//! The OpenAPI document, made from the handlers and shapes of this module.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{Modify, OpenApi, ToSchema};

use super::answers::EveryAnswer;
use super::error::{ErrorBody, ErrorDetail};
use super::quarantine::StateRequest;
use super::{
    deliveries, ledger, lists, postbacks, quarantine, reports, reversals, reviews, rewards, statements,
    terms, users,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "RewardGate",
        description = "Rewards that offerwall networks reported: checked, recorded, booked. Money is a decimal string \
                       without trailing zeros; times are RFC 3339 in UTC.",
        license(name = "MIT OR Apache-2.0"),
    ),
    paths(
        rewards::list,
        rewards::one,
        reviews::release,
        reviews::reject,
        reviews::undo,
        reversals::list,
        reversals::resolve,
        users::balance,
        postbacks::list,
        postbacks::one,
        postbacks::replay,
        quarantine::state,
        quarantine::confirm,
        quarantine::decline,
        quarantine::set_aside,
        quarantine::take_up,
        deliveries::list,
        deliveries::resend_one,
        deliveries::resend,
        deliveries::give_up,
        deliveries::apps,
        deliveries::enable,
        lists::list,
        lists::one,
        lists::add,
        lists::import::import,
        lists::remove,
        reports::list,
        reports::one,
        reports::csv,
        reports::xlsx,
        reports::sign_off,
        statements::intake::upload,
        statements::list,
        statements::one,
        statements::xlsx,
        statements::lines::lines,
        statements::lines::missing_csv,
        statements::lines::missing_text,
        statements::lines::lines_file,
        statements::lines::accept,
        statements::payments::paid,
        statements::payments::payments,
        statements::payments::take_back,
        statements::intake::import,
        statements::discard,
        statements::restore,
        ledger::proof,
    ),
    components(schemas(ErrorBody, ErrorDetail)),
    modifiers(&BearerToken, &EveryTerm, &EveryAnswer),
    security(("token" = [])),
)]
struct Document;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// Parameters name terms, too, and nobody else says what those are.
struct EveryTerm;

impl Modify for EveryTerm {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let schemas = &mut openapi.components.get_or_insert_default().schemas;
        schemas.extend(terms::all());
        if let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(StateRequest::name().as_ref()) {
            let whole = [("allOf".to_owned(), terms::state_request())];
            object.extensions.get_or_insert_default().merge(whole.into_iter().collect());
        }
    }
}

/// The document.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}
