//! The known signatures once more, against the definitions that ship.

use super::*;

const URL: &str = "uid=abc123&tx=T-1&reward=500&payout=1.00&status=1";

#[test]
fn the_definitions_that_ship_verify_the_known_signatures() {
    for (name, query, signature) in [
        ("targo", URL, "hash=be5b54b732274ab3cec8a049180c94560a782826"),
        ("bitlabs", URL, "hash=3a99d7d440d365d1035c22e7113ade39396de9fd"),
        ("notik", URL, "hash=3a99d7d440d365d1035c22e7113ade39396de9fd"),
        ("theoremreach", URL, "hash=OpnX1EDTZdEDXCLnETreOTlt6f0"),
        ("adgem", URL, "verifier=644aeb6748462a3bee1b96b5e603d1775124501ce74d87a8f299347ff2914980"),
        ("cpx-research", "trans_id=1001", "hash=c54809464f517b51819a9b28ef390fb0"),
        ("offertoro", "oid=123&user_id=abc123", "sig=0e07d3554d23e9d164d196615c0001c5"),
        ("md5-family", "subId=abc123&transId=T-1&reward=500", "signature=84710ab87bad524dff9a07beba24bf17"),
        ("wannads", "subId=abc123&transId=T-1&reward=500", "signature=84710ab87bad524dff9a07beba24bf17"),
        ("revlum", "subId=abc123&transId=T-1&reward=500", "signature=84710ab87bad524dff9a07beba24bf17"),
        ("revtoo", "subId=abc123&transId=T-1&reward=500", "signature=84710ab87bad524dff9a07beba24bf17"),
        (
            "sparkwall",
            "user_id=abc123&transaction_id=T-1&payout=1.00",
            "signature=c55f55569990f108f0c6466cdaaa5544",
        ),
        ("kiwiwall", "sub_id=abc123&amount=500", "signature=952322ebdbf62e3e576c488e836edb87"),
        ("tapjoy", "snuid=abc123&currency=500&id=T-1", "verifier=84896f3070b0aff2f874cbc1f2341314"),
        ("superrewards", "id=T-1&new=500&uid=abc123", "sig=7526bfd5027cada71eb41b8801566aca"),
        (
            "levelplay",
            "userId=abc123&rewards=500&eventId=E1&timestamp=202601021455",
            "signature=31b28f9d7bdfc24a06965916237ec8c9",
        ),
        ("pubscale", "user_id=abc123&value=100.9&token=T-1", "signature=803b541befa6fd8cdbabdf8f8b779e66"),
        (
            "digital-turbine",
            "uid=abc123&amount=500&_trans_id_=T-1&pub0=p0&pub1=p1",
            "sid=da30352ad53a093fddd8ba623b62a960bf8e364a",
        ),
        (
            "playtimeads",
            "user_id=abc123&offer_id=9&amount=500",
            "signature=e1b4fb7f7474e5a429babbb43719d17ea853c31f",
        ),
        (
            "timewall",
            "userID=abc123&revenue=1.00",
            "hash=ba260f2044bb2617f375e203972c21f4e0536229ecc70067e08b7b36949b0205",
        ),
        (
            "lootably",
            "userID=abc123&ip=203.0.113.7&revenue=1.00&currencyReward=500",
            "hash=ff870e02bf6a258036fc0c8bd50a18b5fa7c4dd92561351645d81edad8347a1d",
        ),
        (
            "pollfish",
            "cpa=30&device_id=my-device-id&timestamp=1463152452308&tx_id=08f31d41d800cc7a0beb7eb4897639a8ba7fd7db",
            "signature=PmdfJgPmNPYJjIZQCsl0vtUmqzw%3D",
        ),
    ] {
        let keys = Keys { second: Secret::new("appkey").into_iter().collect(), ..test_keys() };
        let target = format!("/pb/targo?{query}&{signature}");
        let definition = shipped_definition(name);
        assert_eq!(verify(&definition, &target, &keys), Ok(Verified::Secret(1)), "{name}");
    }
}

#[test]
fn signatures_in_bodies_and_headers_verify_with_the_definitions_that_ship() {
    let body = b"subId=abc123&transId=T-1&reward=500&signature=84710ab87bad524dff9a07beba24bf17";
    let call = post("/pb/bitcotasks", &[], body);
    assert_eq!(shipped_definition("bitcotasks").verify(&call, &test_keys(), NOW), Ok(Verified::Secret(1)));

    let inbrain = |signature: &str| {
        let body = format!(
            "{{\"PanelistId\":\"abc123\",\"RewardId\":\"T-1\",\"Reward\":5,\"Sig\":\"{signature}\"}}"
        );
        let call = post("/pb/inbrain", &[], body.as_bytes());
        shipped_definition("inbrain").verify(&call, &test_keys(), NOW)
    };
    assert_eq!(inbrain("48f054cefc23aad9b942dfbef43ca596"), Ok(Verified::Secret(1)));
    // What the network's page shows with every sample.
    assert_eq!(inbrain("cd917216cb4cb02648bb96ac77760269"), Err(Refusal::Wrong));

    let value: &[u8] = b"t=1733500000,v1=5a5219d7b4b2ade8f34fb27ebde8d85d3ed6b8bc040eeb6bf3443ce1bf497eed";
    let headers = [("X-MMOLove-Signature", value)];
    let call = post("/pb/mmolove", &headers, br#"{"id":"T-1"}"#);
    assert_eq!(shipped_definition("mmolove").verify(&call, &test_keys(), NOW), Ok(Verified::Secret(1)));

    let target = "/pb/ayet?transaction_id=8ee08f32ae611231b0a49d1bd66e9bf193132561&amount=0.10&payout=1.50\
        &user_id=testuser123456&click_id=1234abcd5678021";
    let headers: [(&str, &[u8]); 1] = [(
        "x-ayetstudios-security-hash",
        b"3191f052846df1beee6c1d42030fee7448ff8fc47a417bf714c2e0a1308fc010",
    )];
    let call = Call { headers: &headers, ..Call::get(ORIGIN, target) };
    let ayet = shipped_definition("ayet-studios");
    let keys = keys("9f2228fea0d8e7ce10b2ac36053db14c");
    assert_eq!(ayet.verify(&call, &keys, NOW), Ok(Verified::Secret(1)));
}
