use super::*;

const EXAMPLE: &str = include_str!("rewardgate.example.toml");

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
                 network = \"targo\"\nsecret = \"env:PATH\"\ncurrency = \"coins\"\nparams = { user_id = \"uid\" }";
    let least = Settings::parse(least, Environment::Ignored).expect("valid");
    assert_eq!(format!("{example:?}"), format!("{least:?}"));
}

#[test]
fn the_example_documents_every_key() {
    let faults = faults(
        "nonsense = 1\n[limits]\nnonsense = 1\n[retention]\nnonsense = 1\n[[sources]]\nnonsense = 1\n[[apps]]\nnonsense = 1",
    );
    let known = faults.lines().filter_map(|line| line.split_once("known here: "));
    let keys: Vec<_> = known.flat_map(|(_, keys)| keys.split(", ")).collect();
    assert!(keys.len() > 20, "{keys:?}");
    for key in keys {
        let documented = EXAMPLE.lines().any(|line| {
            let line = line.trim_start_matches("# ");
            line.starts_with(&format!("{key} = "))
                || line == format!("[[{key}]]")
                || line == format!("[{key}]")
        });
        assert!(documented, "`{key}` is not in the example");
    }
}

#[test]
fn all_faults_are_listed_at_once_each_with_its_key() {
    let faults = faults(
        "listen = \"here\"\npublic_url = \"gw.example.com\"\ntimezone = \"Mars\"\nbatch = \"many\"\n\
         database_url = \"mysql://x\"\ntrusted_proxies = 99\nspeed = 1\npolicy = \"missing.toml\"\n\
         [[sources]]\nname = \"Targo\"\nnetwork = \"other\"\nsecret = \"hunter2\"\ncurrency = \"\"\n\
         app = \"second\"\nsignature_form = \"both\"\n\
         [[sources]]\nname = \"b\"\nnetwork = \"targo\"\nsecret = [\"env:NOT_SET_ANYWHERE\", \"file:/not/there\"]\n\
         currency = \"coins\"\nparams = { userid = \"uid\" }",
    );
    for fault in [
        "`listen` must be an address",
        "`public_url` must be http(s)://HOST",
        "`timezone` must be a name",
        "`batch` must be",
        "`database_url` must start with",
        "`trusted_proxies` must be between 0 and 16",
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
        "`sources.1.params` is faulty: `userid` is not a macro",
    ] {
        assert!(faults.contains(fault), "{fault} is not in:\n{faults}");
    }
    assert!(!faults.contains("hunter2"), "a secret was repeated:\n{faults}");
}

#[test]
fn a_source_may_rotate_its_secrets_and_must_have_a_name_of_its_own() {
    let source = |name: &str| {
        format!(
            "[[sources]]\nname = \"{name}\"\nnetwork = \"targo\"\nsecret = [\"env:PATH\", \"env:HOME\"]\ncurrency = \"c\"\n"
        )
    };
    let text = |second: &str| format!("public_url = \"https://x/\"\n{}{}", source("a"), source(second));
    let settings = Settings::parse(&text("b"), Environment::Ignored).expect("valid");
    assert_eq!((settings.sources[0].secrets.len(), settings.public_url.as_str()), (2, "https://x"));
    assert!(faults(&text("a")).contains("`sources.1.name` `a` stands there twice"));
}

#[test]
fn nothing_secret_is_shown() {
    let text = example().replace("sqlite://rewardgate.db", "postgres://me:hunter2@host/db");
    let shown = format!("{:?}", Settings::parse(&text, Environment::Ignored).expect("valid"));
    let path = std::env::var("PATH").expect("set everywhere");
    assert!(!shown.contains("hunter2") && !shown.contains(&path), "{shown}");
}
