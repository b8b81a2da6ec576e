//! The part of the queue that a page shows: filters, grouping and cluster. The URL and the forms of the page carry it.

use domain::money::Micros;
use domain::review::queue::Grouping;
use domain::time::TimestampMs;
use store::review::holds::{ClusterKey, HoldFilter, HoldRow, HoldSort};

use crate::console::shell::request::Request;

const HOUR_MS: i64 = 3_600_000;

/// The part of the queue that a page shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    pub(crate) rule: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) offer: Option<String>,
    pub(crate) country: Option<String>,
    pub(crate) min: Option<String>,
    pub(crate) hours: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) sort: Option<String>,
    pub(crate) first: Option<String>,
    pub(crate) second: Option<String>,
    /// Excludes rewards newer than this one.
    upto: Option<i64>,
}

impl Scope {
    fn read<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Self {
        let text = |name: &str| get(name).map(str::to_owned);
        Self {
            rule: text("rule"),
            source: text("source"),
            offer: text("offer"),
            country: text("country"),
            min: text("min"),
            hours: text("hours"),
            text: text("q"),
            group: text("group"),
            sort: text("sort"),
            first: text("c1"),
            second: text("c2"),
            upto: get("upto").and_then(|upto| upto.parse().ok()),
        }
    }

    /// From the hidden fields of a form.
    pub(crate) fn of_form(request: &Request) -> Self {
        Self::read(|name| request.field(name)).within(request.fields("c1").next().is_some())
    }

    /// A cluster with an empty key (no offer, no address) is still a cluster, not the whole queue.
    fn within(self, is_cluster: bool) -> Self {
        Self { first: is_cluster.then(|| self.first.clone().unwrap_or_default()), ..self }
    }

    pub(crate) fn of_query(request: &Request) -> Self {
        let is_cluster = request.whole_query().iter().any(|(name, _)| name == "c1");
        Self::read(|name| request.query(name)).within(is_cluster)
    }

    /// From the address of a page of the queue.
    pub(crate) fn of_path(path: &str) -> Self {
        let (_, query) = path.split_once('?').unwrap_or((path, ""));
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
        let find = |name: &str| pairs.iter().find(|(known, _)| known == name);
        Self::read(|name| find(name).map(|(_, value)| value.trim()).filter(|value| !value.is_empty()))
            .within(find("c1").is_some())
    }

    /// The same with nothing but this cluster.
    pub(crate) fn in_cluster(&self, first: &str, second: &str) -> Self {
        Self { first: Some(first.to_owned()), second: Some(second.to_owned()), ..self.clone() }
    }

    /// The same with nothing but the cluster that `row` is in.
    pub(crate) fn in_cluster_of(&self, row: &HoldRow) -> Self {
        match self.grouping() {
            Grouping::Rule => self.in_cluster(&row.rule, &row.offer_id),
            Grouping::Address => self.in_cluster(&row.address_group, ""),
            Grouping::Sub1 => self.in_cluster(&row.sub1, &row.source),
            Grouping::User => self.in_cluster(&row.user_id, &row.app),
        }
    }

    /// The same with every cluster.
    pub(crate) fn all_clusters(self) -> Self {
        Self { first: None, second: None, ..self }
    }

    /// The same without anything newer than the reward `id`.
    pub(crate) fn upto(self, id: i64) -> Self {
        Self { upto: Some(id), ..self }
    }

    pub(crate) fn grouping(&self) -> Grouping {
        self.group.as_deref().and_then(Grouping::parse).unwrap_or(Grouping::Rule)
    }

    pub(crate) fn sort(&self) -> HoldSort {
        match self.sort.as_deref() {
            Some("money") => HoldSort::Money,
            Some("score") => HoldSort::Score,
            _ => HoldSort::Age,
        }
    }

    pub(crate) fn cluster(&self) -> Option<ClusterKey> {
        let first = self.first.clone()?;
        Some(ClusterKey { grouping: self.grouping(), first, second: self.second.clone().unwrap_or_default() })
    }

    /// True if something but the grouping is set.
    pub(crate) fn is_filtered(&self) -> bool {
        let filters =
            [&self.rule, &self.source, &self.offer, &self.country, &self.min, &self.hours, &self.text];
        filters.iter().any(|filter| filter.is_some())
    }

    /// The filter for the store. An invalid number filters nothing.
    pub(crate) fn filter(&self, now: TimestampMs) -> HoldFilter {
        let hours =
            self.hours.as_deref().and_then(|hours| hours.parse::<i64>().ok()).filter(|hours| *hours > 0);
        HoldFilter {
            rule: self.rule.clone(),
            source: self.source.clone(),
            offer_id: self.offer.clone(),
            country: self.country.clone(),
            min_payout: self
                .min
                .as_deref()
                .and_then(|min| Micros::parse(min).ok())
                .map(|parsed| parsed.amount),
            received_before: hours
                .map(|hours| TimestampMs(now.0.saturating_sub(hours.saturating_mul(HOUR_MS)))),
            upto_id: self.upto,
            text: self.text.clone(),
            found: None,
            cluster: self.cluster(),
            ids: None,
        }
    }

    /// The same as hidden fields or as a query.
    pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = Vec::new();
        for (name, value) in [
            ("rule", &self.rule),
            ("source", &self.source),
            ("offer", &self.offer),
            ("country", &self.country),
            ("min", &self.min),
            ("hours", &self.hours),
            ("q", &self.text),
            ("group", &self.group),
            ("sort", &self.sort),
            ("c1", &self.first),
            ("c2", &self.second),
        ] {
            fields.extend(value.clone().map(|value| (name, value)));
        }
        fields.extend(self.upto.map(|upto| ("upto", upto.to_string())));
        fields
    }

    pub(crate) fn url(&self, more: &[(&'static str, String)]) -> String {
        let mut fields = self.fields();
        fields.extend(more.iter().cloned());
        if fields.is_empty() {
            return "/review".into();
        }
        format!("/review?{}", serde_urlencoded::to_string(&fields).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(query: &[(&'static str, &'static str)]) -> Scope {
        Scope::read(|name| query.iter().find(|(known, _)| *known == name).map(|(_, value)| *value))
    }

    #[test]
    fn a_scope_survives_the_way_through_a_url() {
        let pairs =
            [("rule", "T1"), ("min", "2.50"), ("q", "a&b"), ("group", "address"), ("c1", "203.0.113.7")];
        let scope = scope(&pairs);
        assert_eq!(scope.url(&[]), "/review?rule=T1&min=2.50&q=a%26b&group=address&c1=203.0.113.7");
        let filter = scope.filter(TimestampMs(0));
        assert_eq!(filter.min_payout, Some(Micros(2_500_000)));
        assert_eq!(filter.cluster.map(|key| key.grouping), Some(Grouping::Address));
    }

    #[test]
    fn an_invalid_number_filters_nothing() {
        let filter = scope(&[("min", "much"), ("hours", "-3")]).filter(TimestampMs(0));
        assert_eq!((filter.min_payout, filter.received_before), (None, None));
    }
}
