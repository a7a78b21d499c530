//! The command line as a client of the admin API, as a script and as a person use it.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::support::{Database, Server, denizen, free_port, unique};

/// The command line with a key.
pub(crate) struct Cli {
    url: String,
    key: String,
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

impl Cli {
    pub(crate) async fn start() -> (Server, Self) {
        let server = Server::start(Database::sqlite()).await;
        let made = server.run(&["key", "create", "--name", "command line", "--role", "owner"]);
        assert!(made.status.success(), "{}", text(&made.stderr));
        let key = text(&made.stdout).trim().to_owned();
        let cli = Self { url: server.own(""), key };
        (server, cli)
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = denizen(words);
        command.env("DENIZEN_URL", &self.url).env("DENIZEN_KEY", &self.key);
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What it prints when it succeeds.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) -> String {
        let done = self.run(words);
        assert_eq!(done.status.code(), Some(0), "{words:?}: {}", text(&done.stderr));
        text(&done.stdout)
    }

    #[track_caller]
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let said = self.says(&[words, &["--json"]].concat());
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// What it says on standard error when it ends with this code.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, words: &[&str]) -> String {
        let done = self.run(words);
        assert_eq!(done.status.code(), Some(code), "{words:?}: {}{}", text(&done.stdout), text(&done.stderr));
        text(&done.stderr)
    }
}

/// Runs a command that reads `typed` from standard input.
pub(crate) fn typing(mut command: Command, typed: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_made_shown_disabled_enabled_and_deleted() {
    let (server, cli) = Cli::start().await;
    let email = format!("{}@example.com", unique("jane-"));
    let made = cli.json(&[
        "users",
        "create",
        "--email",
        &email,
        "--given-name",
        "Jane",
        "--family-name",
        "Doe",
        "--reference",
        "c-17",
        "--attribute",
        "floor=3",
        "--attribute",
        "team=blue",
        "--temporary-password",
    ]);
    assert_eq!(made["attributes"], serde_json::json!({"floor": 3, "team": "blue"}));
    assert!(made["temporary_password"].as_str().unwrap().len() >= 8);
    let id = made["id"].as_str().unwrap();

    let shown = cli.says(&["users", "show", &email]);
    for part in [id, "Jane Doe", "c-17", "attributes.floor", "must be changed", "unverified", "active"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert_eq!(cli.json(&["users", "show", id])["email"], email.as_str());

    let listed = cli.says(&["users", "list", "--q", &email]);
    assert!(listed.starts_with("ID") || listed.starts_with(" ID"), "{listed}");
    assert!(listed.contains(id) && listed.contains("never") | listed.contains('–'), "{listed}");

    assert!(cli.says(&["users", "disable", id, "--reason", "left"]).contains(&email));
    let disabled = cli.json(&["users", "show", id]);
    assert_eq!((&disabled["enabled"], &disabled["disabled_reason"]), (&false.into(), &"left".into()));
    assert_eq!(cli.json(&["users", "list", "--status", "disabled"])["items"][0]["id"], id);
    assert_eq!(cli.json(&["users", "list", "--filter", "status=disabled"])["items"].as_array().unwrap().len(), 1);
    cli.says(&["users", "enable", id]);
    assert_eq!(cli.json(&["users", "list", "--status", "disabled"])["items"], serde_json::json!([]));

    assert!(cli.fails(2, &["users", "delete", id]).contains("--yes"));
    assert!(cli.says(&["users", "delete", &email, "--yes"]).contains("Deleted"));
    let gone = cli.fails(1, &["users", "show", id]);
    assert!(gone.starts_with("denizen: ") && !gone.contains('{'), "{gone}");
    assert!(cli.fails(1, &["users", "show", &email]).contains("there is no user"));
    server.verify_audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_read_and_a_machine_gets_its_key_shown_once() {
    let (_server, cli) = Cli::start().await;
    let email = format!("{}@example.com", unique("pw-"));
    let create = cli.command(&["users", "create", "--email", &email, "--password"]);
    let short = typing(create, "short\n");
    assert_eq!(short.status.code(), Some(1));
    assert!(text(&short.stderr).contains("password: "), "the field is named: {}", text(&short.stderr));
    let create = cli.command(&["users", "create", "--email", &email, "--password"]);
    let made = typing(create, "correct horse battery staple\n");
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    assert!(!text(&made.stdout).contains("correct horse"));

    let machine = cli.says(&["users", "create", "--machine", "--name", "Nightly"]);
    let key = machine.split_whitespace().find(|word| word.starts_with("dzk_")).unwrap();
    let mut as_machine = cli.command(&["users", "list"]);
    let refused = as_machine.env("DENIZEN_KEY", key).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "a machine without an admin role may not list");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_walk_their_pages() {
    let (_server, cli) = Cli::start().await;
    for at in 0..7 {
        cli.says(&["users", "create", "--email", &format!("p{at}@pages.example")]);
    }
    let first = cli.json(&["users", "list", "--q", "pages.example", "--limit", "3", "--sort", "email"]);
    assert_eq!(first["items"].as_array().unwrap().len(), 3);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = cli.json(&["users", "list", "--q", "pages.example", "--sort", "email", "--all", "--cursor", cursor]);
    let emails: Vec<&str> =
        rest["items"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap()).collect();
    assert_eq!(emails, ["p3@pages.example", "p4@pages.example", "p5@pages.example", "p6@pages.example"]);
    assert!(rest["next_cursor"].is_null());
    let newest = cli.json(&["users", "list", "--sort", "-created_at", "--limit", "1"]);
    assert_eq!(newest["items"][0]["email"], "p6@pages.example");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_readable_and_have_their_exit_codes() {
    let (_server, cli) = Cli::start().await;
    let wrong = cli.fails(1, &["users", "create", "--email", "no address", "--phone", "12"]);
    assert!(wrong.contains("\n  email: ") && wrong.contains("\n  phone: "), "{wrong}");
    assert!(cli.fails(1, &["users", "list", "--filter", "colour=red"]).contains("colour"));
    assert!(cli.fails(1, &["users", "list", "--realm", "nowhere"]).contains("realm"));
    cli.fails(2, &["users", "list", "--limit", "0"]);
    cli.fails(2, &["users", "list", "--filter", "nonsense"]);
    cli.fails(2, &["users", "frobnicate"]);
    cli.fails(2, &["users", "list", "--url", "not an address"]);
    assert!(cli.fails(1, &["users", "list", "--key", "dzk_wrong"]).to_lowercase().contains("denizen: "));
    let nobody = format!("http://127.0.0.1:{}", free_port());
    assert!(cli.fails(1, &["users", "list", "--url", &nobody]).contains("cannot reach"));
    let mixed = cli.fails(1, &["users", "disable", "nobody@example.com", "else@example.com"]);
    assert!(mixed.contains("2 of 2 failed"), "{mixed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn realms_and_clients_are_listed() {
    let (_server, cli) = Cli::start().await;
    assert!(cli.says(&["realms", "list"]).contains("main"));
    assert_eq!(cli.json(&["realms", "list"])["items"][0]["slug"], "main");
    assert!(cli.json(&["clients", "list"])["items"].is_array());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_keeps_the_key_for_its_server_alone_and_unread_by_others() {
    let (_server, cli) = Cli::start().await;
    let home = tempfile::tempdir().unwrap();
    let at_home = |words: &[&str]| {
        let mut command = denizen(words);
        command.env("XDG_CONFIG_HOME", home.path());
        command
    };
    let before = at_home(&["users", "list"]).output().unwrap();
    assert_eq!(before.status.code(), Some(2), "{}", text(&before.stderr));

    let refused = typing(at_home(&["login", "--url", &cli.url]), "dzk_wrong\n");
    assert_eq!(refused.status.code(), Some(1));
    assert!(!home.path().join("denizen/login.json").exists(), "a wrong key is not kept");

    let done = typing(at_home(&["login", "--url", &cli.url]), &format!("{}\n", cli.key));
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert!(!text(&done.stderr).contains(&cli.key) && done.stdout.is_empty());
    let file = home.path().join("denizen/login.json");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    let listed = at_home(&["users", "list", "--json"]).output().unwrap();
    assert_eq!(listed.status.code(), Some(0), "{}", text(&listed.stderr));
    let elsewhere = at_home(&["users", "list", "--url", "http://127.0.0.1:9"]).output().unwrap();
    assert_eq!(elsewhere.status.code(), Some(2), "the key does not go to another server");
    assert_eq!(at_home(&["logout"]).output().unwrap().status.code(), Some(0));
    assert!(!file.exists());
}
