//! Files of users in and out by the command line, and the jobs that go through them.

use std::{fs, path::Path, process::Stdio};

use serde_json::{Value, json};

use crate::{
    cli::{Cli, text, typing},
    support::{Server, eventually},
};

/// A folder with a file in it, and the file's path.
fn file(name: &str, content: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path.to_str().unwrap().to_owned())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

impl Cli {
    /// The emails of whoever is found by a text.
    #[track_caller]
    fn emails(&self, q: &str) -> Vec<String> {
        let found = self.json(&["users", "list", "--q", q, "--sort", "email", "--all"]);
        found["items"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    fn jobs(&self) -> Vec<Value> {
        self.json(&["jobs", "list"])["items"].as_array().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_tried_imported_and_its_refused_lines_are_reported() {
    let (server, cli) = Cli::start().await;
    let (folder, path) = file(
        "people.csv",
        "E-Mail;First;Last;Desk\nana@import.example;Ana;Silva;1\nno address;Bo;Berg;2\ncy@import.example;Cy;Young;3\n",
    );
    let report = folder.path().join("refused.csv");
    let mapped = ["--map", "First=given_name", "--map", "Last=family_name", "--map", "Desk="];
    let words = [&["users", "import", &path, "--report", report.to_str().unwrap()], &mapped[..]].concat();

    let tried = cli.fails(1, &[&words[..], &["--dry-run"]].concat());
    assert!(tried.contains("1 were not done"), "{tried}");
    assert_eq!(cli.emails("import.example"), Vec::<String>::new());
    let refused = fs::read_to_string(&report).unwrap();
    assert!(refused.starts_with("position,subject,name,outcome,message\n"), "{refused}");
    assert!(
        refused.contains("\n3,") && refused.contains("no address,failed,") && refused.contains("E-Mail: "),
        "{refused}"
    );
    assert_eq!(refused.lines().count(), 2, "{refused}");

    fs::remove_file(&report).unwrap();
    cli.fails(1, &words);
    assert_eq!(cli.emails("import.example"), ["ana@import.example", "cy@import.example"]);
    assert_eq!(fs::read_to_string(&report).unwrap(), refused);
    assert_eq!(names(folder.path()), ["people.csv", "refused.csv"]);
    let cy = cli.json(&["users", "show", "cy@import.example"]);
    assert_eq!((&cy["name"], &cy["attributes"]), (&json!("Cy Young"), &json!({})));

    // The jobs: what was tried, what waits to be imported as it was tried, what was imported.
    let jobs = cli.jobs();
    let done = &jobs[0];
    assert_eq!((&done["state"], &done["done"], &done["failed"]), (&json!("done"), &json!(2), &json!(1)), "{done}");
    let id = done["id"].as_str().unwrap();
    assert!(cli.says(&["jobs", "list"]).contains(id));
    let shown = cli.says(&["jobs", "show", id]);
    assert!(shown.contains("state") && shown.contains("done"), "{shown}");
    assert!(cli.fails(1, &["jobs", "show", id, "--wait"]).contains("1 were not done"));
    assert_eq!(cli.says(&["jobs", "report", id]), refused);
    cli.fails(1, &["jobs", "cancel", id]);

    // Again, mended, from standard input: who exists is left alone, or is changed.
    let mended = "{\"email\":\"ana@import.example\",\"given_name\":\"Anna\"}\n{\"email\":\"bo@import.example\"}\n";
    let import = ["users", "import", "-", "--format", "jsonl", "--json"];
    let done = typing(cli.command(&import), mended);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let job: Value = serde_json::from_str(&text(&done.stdout)).unwrap();
    assert_eq!((&job["done"], &job["skipped"], &job["failed"]), (&json!(1), &json!(1), &json!(0)), "{job}");
    assert_eq!(cli.json(&["users", "show", "ana@import.example"])["given_name"], "Ana");
    let done = typing(cli.command(&[&import[..], &["--mode", "upsert"]].concat()), mended);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert_eq!(cli.json(&["users", "show", "ana@import.example"])["given_name"], "Anna");
    assert_eq!(cli.emails("import.example").len(), 3);
    server.verify_audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_import_says_what_is_wrong_and_changes_nothing() {
    let (server, cli) = Cli::start().await;
    let (folder, path) = file("people.csv", "email,Shoe\nana@import.example,38\n");
    assert!(cli.fails(1, &["users", "import", "/nowhere/people.csv"]).contains("/nowhere/people.csv"));
    let unnamed = folder.path().join("people.txt");
    fs::copy(&path, &unnamed).unwrap();
    assert!(cli.fails(2, &["users", "import", unnamed.to_str().unwrap()]).contains("--format"));
    let wrong = cli.fails(1, &["users", "import", &path, "--mode", "replace"]);
    assert!(wrong.contains("mode") && wrong.contains("upsert"), "{wrong}");
    let wrong = cli.fails(1, &["users", "import", &path, "--map", "Shoe=size"]);
    assert!(wrong.contains("size"), "{wrong}");
    let wrong = cli.fails(1, &["users", "import", &path, "--map", "Hat=email"]);
    assert!(wrong.contains("Hat"), "{wrong}");
    cli.fails(2, &["users", "import", &path, "--map", "Shoe"]);
    cli.fails(2, &["users", "import", &path, "--no-wait", "--report", "x.csv"]);
    assert_eq!(cli.emails("import.example"), Vec::<String>::new());
    assert_eq!(cli.jobs(), Vec::<Value>::new());
    server.verify_audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_is_left_to_run_and_cancelled() {
    let (server, cli) = Cli::start().await;
    let mut people = "email\n".to_owned();
    people.extend((0..40_000).map(|at| format!("p{at}@import.example\n")));
    let (_folder, path) = file("people.csv", &people);
    let begun = cli.json(&["users", "import", &path, "--no-wait"]);
    let id = begun["id"].as_str().unwrap();
    assert!(matches!(begun["state"].as_str(), Some("queued" | "running")), "{begun}");
    let waiting = cli.command(&["jobs", "show", id, "--wait"]).stderr(Stdio::piped()).spawn().unwrap();
    cli.says(&["jobs", "cancel", id]);
    let waited = waiting.wait_with_output().unwrap();
    assert_eq!(waited.status.code(), Some(1), "{}", text(&waited.stderr));
    assert!(text(&waited.stderr).contains("cancelled after"), "{}", text(&waited.stderr));
    let job = cli.json(&["jobs", "show", id]);
    assert_eq!(job["state"], "cancelled");
    let made = cli.emails("import.example").len();
    assert_eq!(Some(made as u64), job["done"].as_u64(), "what was done stays, and is counted");
    assert!(made < 40_000);
    server.verify_audit();
}

async fn with_people() -> (Server, Cli) {
    let (server, cli) = Cli::start().await;
    let people = "email,given_name,family_name,reference,enabled\n\
        cy@export.example,Cy,Young,=1+1,true\nana@export.example,Ana,Silva,c-1,true\nbo@export.example,Bo,Berg,c-2,false\n";
    let (_folder, path) = file("people.csv", people);
    cli.says(&["users", "import", &path]);
    (server, cli)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_exported_as_the_list_shows_them() {
    let (server, cli) = with_people().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let view = ["--q", "export.example", "--sort", "-email"];
    let export = |words: &[&str]| cli.says(&[&["users", "export"], &view[..], words].concat());

    assert_eq!(export(&["--columns", "email,name,reference", "--output", &path("all.csv")]), "");
    let written = fs::read_to_string(path("all.csv")).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(
        lines,
        [
            "email,name,reference",
            "cy@export.example,Cy Young,'=1+1",
            "bo@export.example,Bo Berg,c-2",
            "ana@export.example,Ana Silva,c-1"
        ]
    );
    assert_eq!(export(&["--columns", "email,name,reference"]), written, "to standard output");

    // By the file's name; whole objects.
    export(&["--status", "disabled", "--output", &path("disabled.jsonl")]);
    let disabled: Value = serde_json::from_str(&fs::read_to_string(path("disabled.jsonl")).unwrap()).unwrap();
    assert_eq!((&disabled["email"], &disabled["enabled"]), (&json!("bo@export.example"), &json!(false)));
    let jsonl = export(&["--format", "jsonl", "--columns", "email"]);
    assert_eq!(jsonl.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>().len(), 3);

    // What is wrong leaves no file, and one that is there as it is.
    for wrong in [["--filter", "colour=red"], ["--columns", "email,shoe"]] {
        let said = cli.fails(1, &[&["users", "export", "--output", &path("all.csv")], &wrong[..]].concat());
        assert!(said.contains("colour") || said.contains("shoe"), "{said}");
    }
    assert!(cli.fails(1, &["users", "export", "--output", "/nowhere/all.csv"]).contains("cannot write"));
    assert_eq!(fs::read_to_string(path("all.csv")).unwrap(), written);
    assert_eq!(names(folder.path()), ["all.csv", "disabled.jsonl"]);
    server.verify_audit();
}

/// Neither half a file nor its beginnings are left when the server dies in the middle; nor is a failure silent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_is_cut_off_leaves_no_file() {
    let (mut server, cli) = Cli::start().await;
    // More than what lies between the two can hold.
    let note = "far more than fits ".repeat(3000);
    let mut people = "email,attributes.note\n".to_owned();
    people.extend((0..600).map(|at| format!("p{at}@export.example,{note}\n")));
    let (folder, path) = file("people.csv", &people);
    cli.says(&["users", "import", &path]);
    let out = folder.path().join("all.jsonl");
    let part = folder.path().join("all.jsonl.part");
    // A pipe by the part's name lets nothing be written before it is read: the export is under way and cannot end.
    let made = std::process::Command::new("mkfifo").arg(&part).status().unwrap();
    assert!(made.success());
    let mut export = cli.command(&["users", "export", "--output", out.to_str().unwrap()]);
    let export = export.stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = fs::File::open(&part).unwrap();
    let mut beginning = [0; 1000];
    std::io::Read::read_exact(&mut pipe, &mut beginning).unwrap();
    server.kill();
    std::io::copy(&mut pipe, &mut std::io::sink()).unwrap();
    let ended = export.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{}", text(&ended.stderr));
    eventually("nothing is left", || async { names(folder.path()) == ["people.csv"] }).await;
}
