use super::*;

/// The example with a secret that exists everywhere.
fn example() -> String {
    EXAMPLE.replace("env:TARGO_SECRET", "env:PATH")
}

fn faults(text: &str) -> String {
    Settings::parse(text, Environment::Ignored).expect_err("faulty").join("\n")
}

#[test]
fn the_example_loads_and_shows_the_defaults() {
    let example = Settings::parse(&example(), Environment::Ignored).expect("the example is valid");
    let least = "public_url = \"https://gw.example.com\"\n[[sources]]\nname = \"targo-main\"\n\
                 network = \"targo\"\nsecret = \"env:PATH\"\ncurrency = \"coins\"";
    let least = Settings::parse(least, Environment::Ignored).expect("valid");
    assert_eq!(format!("{example:?}"), format!("{least:?}"));
}

#[test]
fn all_faults_are_listed_at_once_each_with_its_key() {
    let faults = faults(
        "listen = \"here\"\npublic_url = \"gw.example.com\"\ntimezone = \"Mars\"\nbatch = \"many\"\n\
         database_url = \"mysql://x\"\ntrusted_proxies = 99\nspeed = 1\npolicy = \"missing.toml\"\n\
         [[sources]]\nname = \"Targo\"\nnetwork = \"other\"\nsecret = \"hunter2\"\ncurrency = \"\"\n\
         app = \"second\"\nsignature_form = \"both\"\n\
         [[sources]]\nname = \"b\"\nnetwork = \"targo\"\nsecret = [\"env:NOT_SET_ANYWHERE\", \"file:/not/there\"]\n\
         currency = \"coins\"\nparams = { userid = \"uid\" }\n\
         [[sources]]\nname = \"c\"\nnetwork = \"targo\"\nsecret = \"env:PATH\"\ncurrency = \"coins\"\n\
         plus = \"blank\"\nstatuses = { reversed = \"reversal\", REVERSED = \"credit\" }\n\
         [[sources]]\nname = \"d\"\nnetwork = \"targo\"\nsecret = \"env:PATH\"\ncurrency = \"coins\"\n\
         statuses = { reversed = \"undone\" }",
    );
    for fault in [
        "`listen` must be an address",
        "`public_url` must be http(s)://HOST",
        "`timezone` must be a name",
        "`batch` must be",
        "`database_url` must start with",
        "`trusted_proxies` must be between 0 and 16 hops",
        "`speed` is not a setting",
        "`policy` cannot be read",
        "`sources.0.name` must have",
        "`sources.0.network`",
        "`sources.0.secret` must be \"env:NAME\" or \"file:PATH\"",
        "`sources.0.currency` must have",
        "`sources.0.app` names `second`",
        "`sources.0.signature_form`",
        "`sources.1.secret` refers to the environment variable NOT_SET_ANYWHERE",
        "`sources.1.secret` refers to /not/there",
        "`sources.1.params` is invalid: `userid` is not a macro",
        "`sources.2.plus`",
        "`sources.2.statuses` names `reversed` twice, with different meanings",
        "`sources.3.statuses`",
    ] {
        assert!(faults.contains(fault), "{fault} is not in:\n{faults}");
    }
    assert!(!faults.contains("hunter2"), "a secret was repeated:\n{faults}");
}

#[test]
fn a_source_may_have_several_secrets_and_needs_a_unique_name() {
    let source = |name: &str| {
        format!(
            "[[sources]]\nname = \"{name}\"\nnetwork = \"targo\"\nsecret = [\"env:PATH\", \"env:HOME\"]\ncurrency = \"c\"\n"
        )
    };
    let text = |second: &str| format!("public_url = \"https://x/\"\n{}{}", source("a"), source(second));
    let settings = Settings::parse(&text("b"), Environment::Ignored).expect("valid");
    assert_eq!((settings.sources[0].keys.secrets.len(), settings.public_url.as_str()), (2, "https://x"));
    assert!(faults(&text("a")).contains("`sources.1.name` `a` is used twice"));
}

#[test]
fn nothing_secret_is_shown() {
    let text = example().replace("sqlite://rewardgate.db", "postgres://me:hunter2@host/db");
    let shown = format!("{:?}", Settings::parse(&text, Environment::Ignored).expect("valid"));
    let path = std::env::var("PATH").expect("set everywhere");
    assert!(!shown.contains("hunter2") && !shown.contains(&path), "{shown}");
}

/// The example with `[apps.forward]` in it, and these lines instead of those with the same keys.
fn forwarding(lines: &[&str]) -> Result<Settings, Vec<String>> {
    let (head, tail) = EXAMPLE.split_once("# [apps.forward]\n").expect("it is shown");
    let key = |line: &str| line.split(" = ").next().unwrap_or_default().to_owned();
    let is_key = |line: &str| {
        let plain = |key: &str| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        line.split_once(" = ").is_some_and(|(key, _)| plain(key))
    };
    let shown = tail.lines().map(|line| line.trim_start_matches("# ")).filter(|line| is_key(line));
    let shown = shown.filter(|line| !lines.iter().any(|other| key(other) == key(line)));
    let given = lines.iter().copied().filter(|line| !line.ends_with(" = "));
    let section = shown.chain(given).collect::<Vec<_>>().join("\n");
    let text = format!("{head}[apps.forward]\n{section}\n");
    let text = text.replace("env:TARGO_SECRET", "env:PATH").replace("env:APP_SECRET", "env:PATH");
    Settings::parse(&text, Environment::Ignored)
}

#[test]
fn the_forward_section_of_the_example_loads_and_shows_the_defaults() {
    let shown = forwarding(&["rate_per_second = "]).expect("valid");
    let defaults = [
        "form = ",
        "hash = ",
        "schedule = ",
        "also = ",
        "concurrency = ",
        "rate_per_second = ",
        "timeout_seconds = ",
    ];
    let least = forwarding(&defaults).expect("valid");
    assert_eq!(format!("{shown:?}"), format!("{least:?}"));
    assert_eq!(shown.forwards.len(), 1);
    assert!(forwarding(&[]).is_ok_and(|settings| settings.forwards[0].target.rate_per_second == Some(50)));
}

#[test]
fn what_cannot_be_forwarded_is_a_fault_with_its_key() {
    for (line, says) in [
        ("url = \"app.example.com\"", "`apps.0.forward.url` must begin with https://"),
        (
            "url = \"https://a.example/p?u={user_id}&t={tx_id}&r={reward}\"",
            "`apps.0.forward.url` lacks `{status}`",
        ),
        ("secret = \"hunter2\"", "never the secret itself"),
        ("secret = [\"env:PATH\", \"env:PATH\"]", "`apps.0.forward.secret` must be one"),
        ("form = \"carrier-pigeon\"", "`apps.0.forward.form`"),
        ("form = \"standard-webhooks\"", "`apps.0.forward.secret` must be `whsec_` and base64"),
        ("schedule = \"often\"", "`apps.0.forward.schedule` must be"),
        ("schedule = []", "`apps.0.forward.schedule` must be"),
        ("schedule = [-1]", "`apps.0.forward.schedule` must be"),
        ("schedule = [604801]", "`apps.0.forward.schedule` must be"),
        ("concurrency = 0", "`apps.0.forward.concurrency` must be between 1 and 256"),
        ("rate_per_second = 0", "`apps.0.forward.rate_per_second` must be between"),
        ("timeout_seconds = 61", "`apps.0.forward.timeout_seconds` must be between 1 and 60"),
        ("also = [\"credited\"]", "`apps.0.forward.also`"),
        ("speed = 1", "`apps.0.forward.speed` is not a setting"),
    ] {
        let faults = forwarding(&[line]).expect_err(line).join("\n");
        assert!(faults.contains(says), "{line}: {faults}");
    }
}

/// The proxies of both listeners with `line` in the settings.
fn proxies(line: &str) -> Result<(String, String), Vec<String>> {
    let source = "[[sources]]\nname = \"a\"\nnetwork = \"targo\"\nsecret = \"env:PATH\"\ncurrency = \"c\"\n";
    let text = format!("public_url = \"https://x\"\n{line}\n{source}");
    let settings = Settings::parse(&text, Environment::Ignored)?;
    Ok((settings.trusted_proxies.to_string(), settings.admin_trusted_proxies.to_string()))
}

#[test]
fn proxies_are_named_by_address_hops_or_both_and_for_each_listener() {
    const NONE: &str = "no forwarding header is believed";
    for (line, public, admin) in [
        ("", NONE, NONE),
        ("trusted_proxies = 0", NONE, NONE),
        ("trusted_proxies = []", NONE, NONE),
        ("trusted_proxies = 2", "X-Forwarded-For is believed from whoever connects, 2 from its end", NONE),
        (
            "trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]",
            "X-Forwarded-For is believed from 127.0.0.1/32, 10.0.0.0/8",
            NONE,
        ),
        (
            "trusted_proxies = { from = [\"10.0.0.7\"], hops = 2 }\nadmin_listen = \"127.0.0.1:1\"",
            "X-Forwarded-For is believed from 10.0.0.7/32, 2 from its end",
            NONE,
        ),
        (
            "admin_trusted_proxies = \"::1\"\nadmin_listen = \"127.0.0.1:1\"",
            NONE,
            "X-Forwarded-For is believed from ::1/128",
        ),
    ] {
        assert_eq!(proxies(line), Ok((public.to_owned(), admin.to_owned())), "{line}");
    }
}

#[test]
fn faults_of_proxies_name_their_key_and_the_cure() {
    for (line, fault) in [
        ("trusted_proxies = -1", "`trusted_proxies` must be between 0 and 16 hops"),
        ("trusted_proxies = true", "`trusted_proxies` must be a list of the proxies' addresses"),
        (
            "trusted_proxies = [\"gw.example.com\"]",
            "`trusted_proxies` holds `gw.example.com`, which is neither",
        ),
        ("trusted_proxies = [\"0.0.0.0/0\"]", "`trusted_proxies` holds `0.0.0.0/0`, which is every address"),
        ("trusted_proxies = [1]", "`trusted_proxies` must be a list of the proxies' addresses"),
        ("trusted_proxies = { hops = 1 }", "`trusted_proxies` needs `from`"),
        ("trusted_proxies = { from = [\"::1\"], hops = 0 }", "`trusted_proxies` holds `hops`, which must be"),
        (
            "trusted_proxies = { from = [\"::1\"], hop = 1 }",
            "`trusted_proxies` holds `hop`; known here: from, hops",
        ),
        ("admin_trusted_proxies = [\"::1\"]", "`admin_trusted_proxies` is set without `admin_listen`"),
    ] {
        let faults = proxies(line).expect_err(line).join("\n");
        assert!(faults.contains(fault), "{line}: {faults}");
    }
}

#[test]
fn the_statement_settings_of_a_source_lie_over_those_of_its_network_key_by_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mine.toml");
    let own = "name = \"mine\"\ntitle = \"Mine\"\ndocumentation = \"https://example.com\"\nconfirmed = \"documented\"\n\
               extends = \"targo\"\n[statement]\ndelimiter = \";\"\nzone = \"Europe/Berlin\"\ndecimal_comma = true\n\
               columns = { tx_id = \"ID\", amount = \"Sum\" }\n";
    std::fs::write(&file, own).expect("room for a definition");
    let text = format!(
        "public_url = \"https://x\"\nnetworks = [{file:?}]\n[[sources]]\nname = \"a\"\nnetwork = \"mine\"\n\
         secret = \"env:PATH\"\ncurrency = \"c\"\n[sources.statement]\nzone = \"UTC\"\n\
         columns = {{ amount = \"Payout\", status = \"\" }}\n"
    );
    let settings = Settings::parse(&text, Environment::Ignored).expect("valid");
    let format = &settings.sources[0].statements.format;
    assert_eq!((format.delimiter, format.decimal_comma), (';', true), "of the network");
    assert_eq!((format.zone.as_str(), format.time.as_str()), ("UTC", "rfc3339"), "of the source, of nobody");
    assert!(format.reversals.iter().any(|word| word == "chargeback"), "of the definition it extends");
    let columns: Vec<_> =
        format.columns.iter().map(|(field, name)| (field.as_str(), name.as_str())).collect();
    assert_eq!(columns, [("amount", "Payout"), ("status", ""), ("tx_id", "ID")]);
    let faults = faults(&text.replace("zone = \"UTC\"", "zone = \"CEST\""));
    assert!(
        faults.contains(
            "`sources.0.statement.zone` is `CEST`, which is not a time zone; write a name such as UTC"
        ),
        "{faults}"
    );
}
