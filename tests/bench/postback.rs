//! One honest postback, as the network of the benchmarks sends it.

use std::net::IpAddr;

use domain::postback::signature::{Secret, SignatureForm, sign};

use crate::processes::ORIGIN;

/// Its values; the rest is the same in all.
pub(crate) struct Postback<'p> {
    pub(crate) user: u64,
    pub(crate) tx_id: &'p str,
    pub(crate) offer: u64,
    pub(crate) event: u64,
    /// In USD, as sent.
    pub(crate) payout: &'p str,
    pub(crate) address: IpAddr,
    pub(crate) country: &'p str,
    /// The publisher's own mark, for example a site.
    pub(crate) sub1: &'p str,
    /// Unix seconds.
    pub(crate) clicked_at_s: u64,
}

impl Postback<'_> {
    /// Path and query with every field that the network sends, signed.
    pub(crate) fn target(&self, secret: &Secret) -> String {
        let Self { user, tx_id, offer, event, payout, address, country, sub1, clicked_at_s } = self;
        let target = format!(
            "/pb/bench?user_id=user-{user:06}&tx_id={tx_id}&reward=750&payout={payout}&status=1\
             &offer_id=offer-{offer}&offer_name=Great%20Game&event_id={event}&event_name=Finish%20the%20tutorial\
             &ip={address}&country_code={country}&timestamp={clicked_at_s}&sub1={sub1}&sub2=campaign-7",
        );
        sign(ORIGIN, &target, SignatureForm::Empty, secret)
    }
}
