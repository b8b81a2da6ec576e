//! JSON bodies: fields by dotted path, in the order of the definition.

use domain::postback::networks::Field;
use domain::postback::networks::signature::Place;

/// A member of an object: a value as JSON text, or an object.
enum Node {
    Value(String),
    Object(Vec<(String, Self)>),
}

/// The object with the `members`, each a dotted path and its field, and with the objects around the signature at `at`.
pub(super) fn object(
    members: &[(String, Field)],
    value: &impl Fn(Field) -> String,
    at: Option<&Place>,
) -> Vec<u8> {
    let mut root = Vec::new();
    for (path, field) in members {
        put(&mut root, path, Node::Value(text(*field, &value(*field))));
    }
    if let Some(Place::Json(path)) = at
        && let Some((parents, _)) = path.rsplit_once('.')
    {
        put(&mut root, parents, Node::Object(Vec::new()));
    }
    written(&root).into_bytes()
}

/// Adds `node` at `path`; an object that is there already stays.
fn put(members: &mut Vec<(String, Node)>, path: &str, node: Node) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let at = members.iter().position(|(own, _)| own == name);
    match (rest, at) {
        (Some(rest), Some(at)) => {
            if let Node::Object(inner) = &mut members[at].1 {
                put(inner, rest, node);
            }
        }
        (Some(rest), None) => {
            let mut inner = Vec::new();
            put(&mut inner, rest, node);
            members.push((name.to_owned(), Node::Object(inner)));
        }
        (None, None) => members.push((name.to_owned(), node)),
        (None, Some(_)) => {}
    }
}

/// Amounts and times are numbers, everything else is text: an id with a leading zero is not a number.
fn text(field: Field, value: &str) -> String {
    let is_number = matches!(field, Field::Reward | Field::Payout | Field::ClickedAt | Field::ConvertedAt);
    if is_number && is_json_number(value) { value.to_owned() } else { serde_json::json!(value).to_string() }
}

fn is_json_number(value: &str) -> bool {
    value.ends_with(|last: char| last.is_ascii_digit())
        && value.starts_with(|first: char| first.is_ascii_digit() || first == '-')
        && serde_json::from_str::<serde_json::Number>(value).is_ok()
}

fn written(members: &[(String, Node)]) -> String {
    let texts = members.iter().map(|(name, node)| {
        let value = match node {
            Node::Value(text) => text.clone(),
            Node::Object(inner) => written(inner),
        };
        format!("{}:{value}", serde_json::json!(name))
    });
    format!("{{{}}}", texts.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_paths_become_objects_and_the_signature_has_room() {
        let members = [("user.id".to_owned(), Field::UserId), ("user.ip".to_owned(), Field::Ip)];
        let at = Place::Json("meta.sig".into());
        let text = object(&members, &|field| field.name().to_owned(), Some(&at));
        assert_eq!(String::from_utf8_lossy(&text), r#"{"user":{"id":"user_id","ip":"ip"},"meta":{}}"#);
    }

    #[test]
    fn amounts_are_numbers_and_ids_are_text() {
        assert_eq!(text(Field::Reward, "-1.50"), "-1.50");
        assert_eq!(text(Field::Reward, ""), "\"\"");
        assert_eq!(text(Field::ClickedAt, "2026-01-02 14:55:00"), "\"2026-01-02 14:55:00\"");
        assert_eq!(text(Field::TxId, "007"), "\"007\"");
    }
}
