//! A definition as JSON, for people's scripts: what `networks show NAME --json` prints.

use serde_json::{Map, Value, json};

use crate::postback::networks::answers::Answer;
use crate::postback::networks::signature::{Message, Place, Proof, SecretPlace};
use crate::postback::networks::{Definition, Field, Method};
use crate::postback::signature::SignatureForm;

impl Definition {
    /// Everything a script needs, with stable keys. A network without a signature has null in `signature.digest`,
    /// `encoding` and `at`.
    pub fn to_json(&self) -> Value {
        let sent = self.fields.iter().filter(|field| field.fixed.is_none());
        let fields = sent.map(|field| {
            let value = json!({ "macro": field.placeholder(), "parameter": field.parameter });
            (field.field.name().to_owned(), value)
        });
        let rows = self.kinds.rows.iter().map(|row| (row.written.clone(), row.kind.name().into()));
        let by: Vec<_> = self.kinds.by.iter().map(|by| by.name()).collect();
        let by = if by.is_empty() { vec!["constant"] } else { by };
        let answers = &self.answers;
        json!({
            "name": self.name,
            "title": self.title,
            "documentation": self.documentation,
            "confirmed": self.confirmed.name(),
            "methods": self.methods.iter().copied().map(Method::name).collect::<Vec<_>>(),
            "parameters": self.parameters.name(),
            "query": self.query_template(),
            "fields": fields.collect::<Map<_, _>>(),
            "kinds": { "by": by, "values": rows.collect::<Map<String, Value>>() },
            "signature": self.signature_json(),
            "covers": self.coverage().covered().map(Field::name).collect::<Vec<_>>(),
            "answers": {
                "recorded": answer(&answers.recorded),
                "repeat": answer(&answers.repeat),
                "refused": answer(&answers.refused),
                "invalid": answer(&answers.invalid),
                "later": answer(&answers.later),
            },
            "horizon_minutes": self.retries.horizon_minutes,
            "ips": self.callers.ips.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }

    fn signature_json(&self) -> Value {
        let confirmed = self.signature.confirmed.name();
        match &self.signature.proof {
            Proof::Signed(scheme) => json!({
                "message": scheme.message.words(),
                "digest": scheme.digest.name(),
                "encoding": scheme.encoding.name(),
                "at": place(&scheme.at),
                "confirmed": confirmed,
            }),
            Proof::SharedSecret(at) => json!({
                "message": "shared_secret",
                "digest": null,
                "encoding": null,
                "at": match at {
                    SecretPlace::At(at) => place(at),
                    SecretPlace::PathEnd => json!({ "path": "last" }),
                },
                "confirmed": confirmed,
            }),
            Proof::Nothing => {
                json!({ "message": "none", "digest": null, "encoding": null, "at": null, "confirmed": confirmed })
            }
        }
    }
}

impl Message {
    /// The message in one word or two, e.g. `url cut`.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Url(SignatureForm::Cut) => "url cut",
            Self::Url(SignatureForm::Empty) => "url empty",
            Self::QueryBeforeSignature => "query before_signature",
            Self::Sorted(_) => "sorted",
            Self::Concat(_) => "concat",
            Self::Body => "body",
            Self::TimestampBody(_) => "timestamp_body",
        }
    }
}

fn place(place: &Place) -> Value {
    match place {
        Place::Query(name) => json!({ "query": name }),
        Place::Form(name) => json!({ "form": name }),
        Place::Json(path) => json!({ "json": path }),
        Place::Header { name, part: None } => json!({ "header": name }),
        Place::Header { name, part: Some(part) } => json!({ "header": name, "part": part }),
    }
}

fn answer(answer: &Answer) -> Value {
    json!({ "status": answer.status, "body": answer.body.text() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postback::networks::shipped;

    #[test]
    fn the_json_of_a_network_has_stable_keys() {
        let bitlabs = shipped::definition("bitlabs").expect("it ships").expect("no fault").to_json();
        assert_eq!(bitlabs["fields"]["user_id"], json!({ "macro": "[%USER:UID%]", "parameter": "uid" }));
        assert_eq!(bitlabs["kinds"]["by"], json!(["state"]));
        assert_eq!(bitlabs["kinds"]["values"]["RECONCILIATION"], "reversal");
        assert_eq!(
            bitlabs["signature"],
            json!({ "message": "url cut", "digest": "hmac-sha1", "encoding": "hex", "at": { "query": "hash" },
                "confirmed": "documented" })
        );
        assert_eq!(bitlabs["answers"]["recorded"], json!({ "status": 200, "body": "OK" }));
        assert_eq!(bitlabs["ips"][0], "20.76.54.40/29");
        assert!(
            bitlabs["query"].as_str().is_some_and(|query| query.starts_with("uid=[%USER:UID%]&tx=[%TX%]&"))
        );
        for name in shipped::names() {
            let shown = shipped::definition(name).expect("it ships").expect("no fault").to_json();
            assert_eq!(shown["name"], name);
        }
    }
}
