//! Where the configuration comes from, what `check` finds in it, and its schema.

use serde_json::Value;

use crate::support::App;
use crate::support::http::{Reply, Server};
use crate::support::rss;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What `check` says of a configuration, and its exit code.
fn checked(app: &App, variables: &[(&str, &str)]) -> (i32, String) {
    let output = app.command(&["check"]).envs(variables.iter().copied()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

#[test]
fn the_configuration_is_found_in_its_places_in_their_order() {
    let app = App::new("");
    std::fs::remove_file(app.path("feeds.toml")).unwrap();
    let of_user = app.path("xdg/courant/feeds.toml");
    let home = app.path("xdg");
    let home = [("XDG_CONFIG_HOME", home.to_str().unwrap())];
    let (code, said) = checked(&app, &home);
    assert_eq!(code, 2);
    for place in
        ["feeds.toml", of_user.to_str().unwrap(), "/etc/courant/feeds.toml", "courant init", "COURANT_CONFIG"]
    {
        assert!(said.contains(place), "{place} is not in {said}");
    }
    app.write("xdg/courant/feeds.toml", "version = 1\n");
    assert!(checked(&app, &home).1.contains("xdg/courant/feeds.toml is valid"));
    app.write("feeds.toml", "version = 1\n");
    assert!(checked(&app, &home).1.starts_with("feeds.toml is valid"));
    app.write("named.toml", "version = 1\n");
    let named = [home[0], ("COURANT_CONFIG", "named.toml")];
    assert!(checked(&app, &named).1.starts_with("named.toml is valid"));
    let output = app.command(&["--config", "feeds.toml", "check"]).envs(named).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("feeds.toml is valid"));
}

#[test]
fn variables_of_the_environment_set_keys() {
    let server = Server::always(Reply::ok(rss(&[("a", "The bridge is open", 12, "text")])));
    let mut app = App::new("[[source]]\nid = \"town-news\"\nurl = \"https://nowhere.example/\"\n");
    assert!(checked(&app, &[]).1.contains("(1 enabled)"));
    assert!(checked(&app, &[("COURANT_SOURCE__TOWN_NEWS__ENABLED", "false")]).1.contains("(0 enabled)"));
    assert!(checked(&app, &[("COURANT_SOURCE__0__ENABLED", "false")]).1.contains("(0 enabled)"));
    app.set([
        ("COURANT_CHANNEL__TITLE", "Town & country".to_owned()),
        ("COURANT_SOURCE__TOWN_NEWS__URL", server.url("/feed")),
        ("COURANT_SOURCE__TOWN_NEWS__TAGS", "[\"bridges\"]".to_owned()),
        ("COURANT_PUBLISH__DIR", "elsewhere".to_owned()),
        ("COURANT_DEFAULTS__INTERVAL", "1800".to_owned()),
        ("COURANT_NEWSLETTER__TITLE__EN", "Letters".to_owned()),
    ]);
    app.ok(&["run"]);
    let atom = app.read("elsewhere/atom.xml");
    assert!(
        atom.contains("<title>Town &amp; country</title>") && atom.contains("The bridge is open"),
        "{atom}"
    );
}

#[test]
fn the_demo_leaves_alone_what_variables_name() {
    let app = App::new("");
    let elsewhere = format!("sqlite:{}", app.path("own.db").display());
    let mut command = app.command(&["demo"]);
    let ran =
        command.env("COURANT_STORE__URL", elsewhere).env("COURANT_PUBLISH__DIR", "own").output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(!app.path("own.db").exists() && app.path("courant-demo/public/index.html").exists());
}

#[test]
fn a_variable_that_names_no_key_is_a_fault_by_its_name() {
    let app = App::new(
        "[[source]]\nid = \"town\"\nurl = \"https://x.example/\"\n[[source]]\nid = \"post\"\nkind = \"mail\"\nurl = \"imaps://n@x.example/INBOX\"\npassword = \"env:COURANT_MAIL_PASSWORD\"\n",
    );
    // A secret is no key, whatever it is called.
    let secret = ("COURANT_MAIL_PASSWORD", "geheim");
    assert_eq!(checked(&app, &[secret]).0, 0, "{}", checked(&app, &[secret]).1);
    for (name, value, wanted) in [
        (
            "COURANT_MAIL__FORM",
            "x",
            "COURANT_MAIL__FORM: [mail]: unknown key \"form\": did you mean \"from\"?",
        ),
        (
            "COURANT_MAEL__FROM",
            "x",
            "COURANT_MAEL__FROM: the file: unknown key \"mael\": did you mean \"mail\"?",
        ),
        (
            "COURANT_MAIL_FROM",
            "x",
            "COURANT_MAIL_FROM: two underscores stand between a table and its key: did you mean COURANT_MAIL__FROM?",
        ),
        ("COURANT_SOURCE__TOWM__URL", "x", "no [[source]] is called so: did you mean \"town\"?"),
        (
            "COURANT_FETCH__PER_HOST",
            "many",
            "COURANT_FETCH__PER_HOST: [fetch]: per_host must be a whole number",
        ),
        (
            "COURANT_MAIL__FROM",
            "nobody",
            "COURANT_MAIL__FROM: [mail]: from: \"nobody\" is not a valid mail address",
        ),
        (
            "COURANT_BRAND",
            "{}",
            "COURANT_BRAND: it names a table: set its keys one by one, such as COURANT_BRAND__KEY",
        ),
        ("COURANT_MAIL____FROM", "x", "a part of the name is empty"),
    ] {
        let (code, said) = checked(&app, &[secret, (name, value)]);
        assert!(code == 2 && said.contains(wanted), "{name}: {code} {said}");
    }
}

#[test]
fn files_of_conf_d_add_sources_and_their_faults_have_their_own_place() {
    let app = App::new("[[source]]\nid = \"one\"\nurl = \"https://one.example/\"\n");
    app.write("conf.d/20-two.toml", "[[source]]\nid = \"two\"\nurl = \"https://two.example/\"\n[[topic]]\nid = \"water\"\nkeywords = { en = [\"river\"] }\n");
    app.write(
        "conf.d/10-three.toml",
        "[[source]]\nid = \"three\"\nurl = \"https://three.example/\"\n[source.keep]\ntopic = \"water\"\n",
    );
    app.write("conf.d/notes.txt", "no configuration");
    let (code, said) = checked(&app, &[]);
    assert!(code == 0 && said.contains("3 sources (3 enabled), 1 topic"), "{said}");
    let listed = app.ok(&["sources"]);
    let order: Vec<usize> = ["one", "three", "two"].map(|id| listed.find(id).unwrap()).to_vec();
    assert!(order.is_sorted(), "{listed}");
    // Variables reach them as well.
    assert!(checked(&app, &[("COURANT_SOURCE__TWO__ENABLED", "false")]).1.contains("(2 enabled)"));
    app.write("conf.d/20-two.toml", "\n[[source]]\nid = \"one\"\nurl = \"ftp://two.example/\"\n");
    app.write("conf.d/30-mail.toml", "# ours\n[mail]\nfrom = \"a@example.org\"\n");
    app.write("conf.d/40-broken.toml", "\n\n[[source\n");
    let (code, said) = checked(&app, &[]);
    assert_eq!(code, 2);
    for wanted in [
        "conf.d/20-two.toml:2: [[source]] \"one\": the id \"one\" is taken by an earlier source",
        "conf.d/20-two.toml:4: [[source]] \"one\": url:",
        "conf.d/30-mail.toml:2: only [[source]], [[topic]], [[feed]], [[digest]] can stand in conf.d",
        "conf.d/40-broken.toml:3: ",
    ] {
        assert!(said.contains(wanted), "{wanted} is not in {said}");
    }
}

#[test]
fn check_finds_what_only_a_run_would_find() {
    let app = App::new("");
    app.write("none.pem", "this is no key");
    app.write("file", "no folder");
    for (rest, wanted) in [
        (
            "[[mail.dkim]]\ndomain = \"x.example\"\nselector = \"s\"\nkey = \"file:none.pem\"\n",
            "[[mail.dkim]]: ",
        ),
        ("[publish]\ndir = \"file/public\"\n", "[publish] dir: "),
        ("[store]\nurl = \"sqlite:file/courant.db\"\n", "[store]: "),
        ("[classify]\nmodel = \"none.model\"\n", "[classify] model: "),
        ("ca_file = \"gone.pem\"\n", "[fetch]: "),
        ("ca_file = \"none.pem\"\n", "none.pem: it holds no certificate in PEM"),
        (
            "[[source]]\nid = \"s\"\nurl = \"https://x.example/\"\nlang = \"gr\"\n",
            "there is no language \"gr\": did you mean \"el\"?",
        ),
        ("[[topic]]\nid = \"t\"\nkeywords = { xx = [\"x\"] }\n", "there is no language \"xx\""),
        ("[[digest]]\nid = \"d\"\nschedule = \"0 8 31 4 *\"\n", "\"0 8 31 4 *\" is never due"),
    ] {
        app.configure(rest);
        let (code, said) = checked(&app, &[]);
        assert!(code == 2 && said.contains(wanted), "{rest}\n{code} {said}");
        assert!(!app.path("courant.db").exists(), "check stores nothing");
    }
    app.configure("");
    for (name, value, wanted) in [
        ("COURANT_MAIL__TRANSPORT", "file:file/outbox", "[mail] transport: "),
        ("COURANT_CHANNEL__URL", "https://x.example/n%20ews", "in another spelling"),
        ("COURANT_CHANNEL__URL", "https://x.example/a//b", "in another spelling"),
        ("COURANT_CHANNEL__URL", "https://x.example/?page=1", "ends with ? or #"),
    ] {
        let (code, said) = checked(&app, &[(name, value)]);
        assert!(code == 2 && said.contains(wanted), "{value}\n{code} {said}");
    }
    app.write("templates/planet/index.html", "{% if %}");
    assert!(checked(&app, &[]).1.contains("templates/planet/index.html"));
    std::fs::remove_dir_all(app.path("templates")).unwrap();
    app.write("feeds.toml", "[mail]\ntransport = \"smtp://mail.example.org\"\n");
    assert!(checked(&app, &[]).1.contains("feeds.toml:1: [mail]: from is missing"));
    app.write("feeds.toml", " \n");
    let (code, said) = checked(&app, &[]);
    assert!(code == 2 && said.contains("feeds.toml:1: is empty"), "{said}");
}

#[test]
fn check_names_what_is_allowed_and_probably_not_meant() {
    let app = App::new(concat!(
        "proxy = \"http://me:geheim@proxy.example:3128\"\n",
        "[[digest]]\nid = \"d\"\nschedule = \"Mon 08:00\"\n",
        "[[source]]\nid = \"one\"\nurl = \"https://x.example/feed\"\n",
        "[[source]]\nid = \"two\"\nurl = \"https://X.example/feed\"\n",
    ));
    let (code, said) =
        checked(&app, &[("COURANT_MAIL__TRANSPORT", "smtp://me:geheim@mail.example.org?tls=required")]);
    assert_eq!(code, 0, "{said}");
    for wanted in [
        "feeds.toml:12: note: [fetch]: proxy: the password stands here in clear text",
        "note: [[digest]] \"d\": schedule: it names no time zone, so it is in UTC",
        "note: [[source]] \"two\": url: the source \"one\" reads this address already",
    ] {
        assert!(said.contains(wanted), "{wanted} is not in {said}");
    }
    assert_eq!(said.matches("clear text").count(), 1, "the environment is a place for secrets: {said}");
    assert!(!said.contains("geheim"), "{said}");
}

#[test]
fn check_names_files_of_secrets_that_everybody_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let app = App::new(
        "[[source]]\nid = \"post\"\nkind = \"mail\"\nurl = \"imaps://n@x.example/INBOX\"\npassword = \"file:secret\"\n",
    );
    app.write("secret", "geheim");
    for (mode, is_named) in [(0o644, true), (0o640, false), (0o600, false)] {
        std::fs::set_permissions(app.path("secret"), std::fs::Permissions::from_mode(mode)).unwrap();
        let (code, said) = checked(&app, &[]);
        assert_eq!(code, 0, "{said}");
        let note = "note: [[source]] \"post\": password: everybody on this machine may read ";
        assert_eq!(said.contains(note), is_named, "{mode:o}: {said}");
    }
}

/// What a schema refuses in a value: a small part of JSON Schema, but all that ours uses.
fn refused(schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let own = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::Null => "null",
    };
    if !types.is_empty() && !types.contains(&own) {
        return vec![format!("{place} is of type {own}")];
    }
    let mut faults = Vec::new();
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        faults.push(format!("{place} cannot be {value}"));
    }
    let number = value.as_u64();
    if number.is_some_and(|number| {
        schema["minimum"].as_u64().is_some_and(|least| number < least)
            || schema["maximum"].as_u64().is_some_and(|most| number > most)
    }) {
        faults.push(format!("{place} is out of range"));
    }
    for item in value.as_array().into_iter().flatten() {
        faults.extend(refused(&schema["items"], item, &format!("{place}[]")));
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(key).is_none() {
            faults.push(format!("{place} lacks {key}"));
        }
    }
    for (key, item) in value.as_object().into_iter().flatten() {
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => faults.push(format!("{place} has no {key}")),
            (Value::Null, other) => faults.extend(refused(other, item, &format!("{place}.{key}"))),
            (known, _) => faults.extend(refused(known, item, &format!("{place}.{key}"))),
        }
    }
    faults
}

#[test]
fn the_schema_accepts_the_configurations_that_ship_and_refuses_what_check_refuses() {
    let app = App::new("");
    let schema: Value = serde_json::from_str(&app.ok(&["schema"])).unwrap();
    let refused = |text: &str| {
        let table: toml::Table = text.parse().unwrap();
        refused(&schema, &serde_json::to_value(table).unwrap(), "the file")
    };
    for name in ["feeds.toml", "src/config/starter.toml", "demo/feeds.toml"] {
        let text = std::fs::read_to_string(format!("{ROOT}/{name}")).unwrap();
        assert_eq!(refused(&text), Vec::<String>::new(), "{name}");
    }
    for (text, wanted) in [
        ("[chanel]\n", "has no chanel"),
        ("[mail]\nfrom = 3\n", "mail.from is of type integer"),
        ("[publish]\nimages = \"some\"\n", "publish.images cannot be \"some\""),
        ("[fetch]\nper_host = 0\n", "fetch.per_host is out of range"),
        ("[[source]]\nid = \"a\"\n", "lacks url"),
        (
            "[[source]]\nid = \"a\"\nurl = \"x\"\n[source.select]\ntitle = \"h2\"\n",
            "source[].select lacks item",
        ),
        ("[[topic]]\nid = \"t\"\nkeywords = { en = \"x\" }\n", "keywords.en is of type string"),
        ("[[mail.dkim]]\ndomain = \"x\"\nselector = \"s\"\n", "mail.dkim[] lacks key"),
    ] {
        let faults = refused(text).join(", ");
        assert!(faults.contains(wanted), "{text}: {faults}");
        app.write("feeds.toml", text);
        assert_eq!(app.run(&["check"]).code, 2, "{text}");
    }
}

/// The keys below a schema that say nothing of what they mean.
fn undescribed(schema: &Value, place: &str) -> Vec<String> {
    let schema = if schema["items"]["properties"].is_object() { &schema["items"] } else { schema };
    let mut found = Vec::new();
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}.{key}");
        if value["description"].as_str().is_none_or(|text| text.len() < 2) {
            found.push(place.clone());
        }
        found.extend(undescribed(value, &place));
    }
    found
}

#[test]
fn the_schema_says_of_each_key_what_it_means_as_the_reference_does() {
    let schema: Value = serde_json::from_str(&App::new("").ok(&["schema"])).unwrap();
    assert_eq!(undescribed(&schema, ""), Vec::<String>::new());
    for (place, wanted) in [
        ("/properties/channel/properties/url", "public address of the published folder. Without it,"),
        ("/properties/channel/properties/url", "Default: none; \"http://localhost:8080\" in feeds."),
        ("/properties/source/items/properties/partner", "name that readers see. Default: the id."),
        ("/properties/source/items/properties/select/properties/next", "courant follows five at most."),
        ("/properties/source/items/properties/drop/properties/author", "name of an author."),
        ("/properties/mail/properties/dkim/items/properties/selector", "selector of the DNS record."),
        ("/properties/feed/items/properties/pinned", "only stories that editors pinned, once"),
    ] {
        let said = schema.pointer(place).unwrap()["description"].as_str().unwrap();
        assert!(said.contains(wanted) && !said.contains(['`', '[']), "{place}: {said}");
    }
}
