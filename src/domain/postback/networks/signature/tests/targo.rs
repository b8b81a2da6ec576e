//! TarGo as a definition gives the verdict of the code that it is to replace.

use proptest::prelude::*;

use super::*;
use crate::postback::signature::{self, BadSignature, SignatureForm};

fn today(target: &str, form: SignatureForm) -> Result<(), BadSignature> {
    signature::verify(ORIGIN, target, form, &test_keys().secrets)
}

fn defined(target: &str, form: SignatureForm) -> Result<(), BadSignature> {
    let text = definitions::text("targo").expect("it ships");
    let text = match form {
        SignatureForm::Empty => text.to_owned(),
        SignatureForm::Cut => text.replace("{ url = \"empty\" }", "{ url = \"cut\" }"),
    };
    let definition = Definition::parse("targo.toml", &text).unwrap_or_else(|faults| panic!("{faults}"));
    match verify(&definition, target, &test_keys()) {
        Ok(_) => Ok(()),
        Err(Refusal::Missing(_)) => Err(BadSignature::Missing),
        Err(Refusal::Wrong) => Err(BadSignature::Wrong),
        Err(_) => Err(BadSignature::Malformed),
    }
}

#[test]
fn the_definition_accepts_and_refuses_what_the_code_does() {
    const TARGET: &str = "/pb/targo?uid=abc123&tx=T-1&reward=500&payout=1.00&status=1";
    const EMPTY: &str = "be5b54b732274ab3cec8a049180c94560a782826";
    const CUT: &str = "3a99d7d440d365d1035c22e7113ade39396de9fd";
    let targets = [
        format!("{TARGET}&hash={EMPTY}"),
        format!("{TARGET}&hash={CUT}"),
        format!("{TARGET}&hash={}", EMPTY.to_uppercase()),
        format!("{TARGET}&hash={EMPTY}&"),
        format!("{TARGET}&hash={EMPTY}&x=1"),
        format!("{TARGET}&hash={EMPTY}&hash={EMPTY}"),
        format!("{TARGET}&%68ash=1&hash={EMPTY}"),
        format!("{TARGET}&hash=%62{}", &EMPTY[1..]),
        format!("/pb/targo?hash={EMPTY}"),
        format!("/pb/targo?hash={EMPTY}&status=1"),
        format!("{TARGET}&hash=dbcd6bb892842a52b4fca9bec36cd4b"),
        format!("{TARGET}&hash="),
        format!("{TARGET}&hash"),
        format!("{TARGET}&xhash={EMPTY}"),
        format!("{TARGET}?hash={EMPTY}"),
        format!("/pb/targo&hash={EMPTY}"),
        "/pb/targo".to_owned(),
        String::new(),
    ];
    for target in targets {
        for form in [SignatureForm::Empty, SignatureForm::Cut] {
            assert_eq!(defined(&target, form), today(&target, form), "{target}");
        }
    }
}

proptest! {
    #[test]
    fn random_targets_get_the_same_verdict(
        path in "/pb/[a-z]{0,4}",
        pairs in prop::collection::vec("(hash|%68ash|uid|xhash|)=?[0-9a-fA-F%+]{0,3}", 0..4),
        digits in "[0-9a-f]{39,41}|be5b54b732274ab3cec8a049180c94560a782826",
        after in "(&|&x=1|&hash=|\\?|&amp;)?",
    ) {
        let target = format!("{path}?{}&hash={digits}{after}", pairs.join("&"));
        for form in [SignatureForm::Empty, SignatureForm::Cut] {
            prop_assert_eq!(defined(&target, form), today(&target, form), "{}", target);
        }
    }

    #[test]
    fn what_either_signs_the_other_accepts(query in "[a-z]=[a-z%0-9&=+]{0,20}", cut in any::<bool>()) {
        prop_assume!(!query.contains("hash="));
        let target = format!("/pb/targo?{query}");
        let form = if cut { SignatureForm::Cut } else { SignatureForm::Empty };
        let signed = signature::sign(ORIGIN, &target, form, &test_keys().secrets[1]);
        prop_assert_eq!(defined(&signed, form), Ok(()));
    }
}
