//! The filters of the queue, as the form above the list shows them.

use store::review::holds::Choice;

use crate::console::review::scope::Scope;
use crate::console::shell::show::{number, rule_name};

pub(super) struct ChoiceView {
    pub(super) value: String,
    pub(super) name: String,
    pub(super) count: String,
    pub(super) chosen: bool,
}

pub(super) struct FilterView {
    pub(super) rules: Vec<ChoiceView>,
    pub(super) sources: Vec<ChoiceView>,
    pub(super) offers: Vec<ChoiceView>,
    pub(super) countries: Vec<ChoiceView>,
    pub(super) groups: Vec<ChoiceView>,
    pub(super) sorts: Vec<ChoiceView>,
    pub(super) min: String,
    pub(super) hours: String,
    pub(super) text: String,
    pub(super) is_set: bool,
}

pub(super) fn filter_view(scope: &Scope, choices: &[Choice]) -> FilterView {
    let of = |filter: &str, chosen: &Option<String>| {
        let found = choices.iter().filter(|choice| choice.filter == filter);
        let mut views: Vec<ChoiceView> = found
            .map(|choice| ChoiceView {
                value: choice.value.clone(),
                name: match filter {
                    "rule" => format!("{} {}", choice.value, rule_name(&choice.value)),
                    _ if choice.name.is_empty() => choice.value.clone(),
                    _ => choice.name.clone(),
                },
                count: number(choice.rewards),
                chosen: chosen.as_ref() == Some(&choice.value),
            })
            .collect();
        // A chosen value stays in the list even if no hold matches it, so that it can be cleared.
        if let Some(value) = chosen
            && !views.iter().any(|view| view.chosen)
        {
            views.push(ChoiceView {
                value: value.clone(),
                name: value.clone(),
                count: "0".into(),
                chosen: true,
            });
        }
        views
    };
    let fixed = |all: &[(&str, &str)], chosen: &str| {
        let view = |(value, name): &(&str, &str)| ChoiceView {
            value: (*value).into(),
            name: (*name).into(),
            count: String::new(),
            chosen: *value == chosen,
        };
        all.iter().map(view).collect()
    };
    FilterView {
        rules: of("rule", &scope.rule),
        sources: of("source", &scope.source),
        offers: of("offer", &scope.offer),
        countries: of("country", &scope.country),
        groups: fixed(
            &[("rule", "rule and offer"), ("address", "address"), ("sub1", "sub1"), ("user", "user")],
            scope.grouping().name(),
        ),
        sorts: fixed(
            &[("age", "due first"), ("money", "highest payout"), ("score", "highest score")],
            scope.sort.as_deref().unwrap_or("age"),
        ),
        min: scope.min.clone().unwrap_or_default(),
        hours: scope.hours.clone().unwrap_or_default(),
        text: scope.text.clone().unwrap_or_default(),
        is_set: scope.is_filtered(),
    }
}
