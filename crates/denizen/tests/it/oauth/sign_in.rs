//! From an application's link to tokens, by the hosted pages.

use serde_json::json;

use crate::support::{App, NewApp, PASSWORD, Person, Server};

on_both_engines! {
    /// Identifier, password, code, tokens; what they say; who the user is.
    async fn a_person_signs_in_to_an_application(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let issuer = server.issuer("main");
        let app = App::register(&api, &issuer, NewApp::default()).await;
        let user = api.create_person("josé@example.com").await;
        let role = api.post("/realms/main/roles", &json!({ "name": "editor" })).await.expect(201).str("id");
        api.put(&format!("/realms/main/users/{user}/roles/{role}"), &json!({})).await.succeed();

        let person = Person::new();
        let attempt = app.begin();
        let came_back = person.sign_in(&attempt.url, "JOSÉ@example.com", PASSWORD).await.left();
        assert!(came_back.query_pairs().any(|(key, value)| key == "iss" && value == issuer), "RFC 9207: {came_back}");
        let code = app.code(&attempt, &came_back);
        let tokens = app.exchange(&code, &attempt.verifier).await.expect(200);
        assert_eq!(tokens.headers["cache-control"], "no-store");
        assert_eq!(tokens.str("token_type"), "Bearer");

        let id_token = app.claims(&tokens.str("id_token")).await;
        assert_eq!(id_token["iss"], issuer);
        assert_eq!(id_token["sub"], user);
        assert_eq!(id_token["nonce"], attempt.nonce);
        assert_eq!(id_token["aud"], app.client_id);
        let access = app.claims(&tokens.str("access_token")).await;
        assert_eq!(access["iss"], issuer);
        assert_eq!(access["sub"], user);
        assert_eq!(access["client_id"], app.client_id);
        assert_eq!(access["roles"], json!(["editor"]));

        let info = app.userinfo(&tokens.str("access_token")).await.expect(200).json();
        assert_eq!(info["sub"], user);
        assert_eq!(info["email"], "josé@example.com");
        assert_eq!(info["name"], "Test Person");
        let known = app.introspect(&tokens.str("access_token")).await;
        assert_eq!(known["active"], true);
        assert_eq!(known["sub"], user);

        let seen = api.get(&format!("/realms/main/users/{user}")).await.expect(200).json();
        assert!(seen["last_sign_in_at"].is_string(), "{seen}");
        for kind in ["user.sign-in.succeeded", "user.session.created"] {
            assert!(api.has_event(&user, kind).await, "{kind}");
        }
        server.verify_audit();
    }

    /// The session carries over to the next application; `prompt` and `max_age` decide otherwise.
    async fn somebody_signed_in_is_not_asked_again(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let issuer = server.issuer("main");
        let app = App::register(&api, &issuer, NewApp::default()).await;
        let other = App::register(&api, &issuer, NewApp::default()).await;
        api.create_person("once@example.com").await;
        let person = Person::new();
        app.sign_in(&person, "once@example.com", PASSWORD).await;

        let attempt = other.begin();
        let came_back = person.open(&attempt.url).await.left();
        let code = other.code(&attempt, &came_back);
        other.exchange(&code, &attempt.verifier).await.expect(200);

        for (name, value) in [("prompt", "login"), ("max_age", "0")] {
            let page = person.open(&other.begin().with(name, Some(value))).await.page();
            assert!(page.asks_for("identifier"), "{name}={value} asks again");
        }
        let stranger = Person::new();
        let refused = stranger.open(&other.begin().with("prompt", Some("none"))).await.left();
        assert!(refused.as_str().contains("error=login_required"), "{refused}");
    }

    /// A wrong password, an unknown address and a machine get one answer, and each leaves its event.
    async fn a_wrong_password_tells_nothing(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        let user = api.create_person("known@example.com").await;
        let machine = json!({ "kind": "machine", "name": "Robot", "username": "robot" });
        api.post("/realms/main/users", &machine).await.expect(201);

        let mut answers = Vec::new();
        for identifier in ["known@example.com", "unknown@example.com", "robot"] {
            let page = Person::new().sign_in(&app.begin().url, identifier, "not the password").await.page();
            assert_eq!(page.status, 422);
            answers.push(page.text().replace(identifier, "…"));
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0], answers[2]);
        assert!(answers[0].contains("do not match"), "{}", answers[0]);
        assert!(api.has_event(&user, "user.sign-in.failed").await);
        let seen = api.get(&format!("/realms/main/users/{user}")).await.json();
        assert_eq!(seen["failed_password_attempts"], 1);

        // The same page takes the right password.
        let person = Person::new();
        let attempt = app.begin();
        let page = person.sign_in(&attempt.url, "known@example.com", "wrong").await.page();
        let came_back = person.submit(&page, &[("password", PASSWORD)]).await.left();
        app.code(&attempt, &came_back);
        let seen = api.get(&format!("/realms/main/users/{user}")).await.json();
        assert_eq!(seen["failed_password_attempts"], 0);
    }

    /// A temporary password leads to a new one before the destination.
    async fn a_temporary_password_is_replaced_on_the_way(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        let user = api.create_person("temporary@example.com").await;
        let issued = api.post(&format!("/realms/main/users/{user}/temporary-password"), &json!({})).await.succeed();
        let temporary = issued.str("temporary_password");

        let person = Person::new();
        let attempt = app.begin();
        let page = person.sign_in(&attempt.url, "temporary@example.com", &temporary).await.page();
        assert!(page.asks_for("password_again"), "{}", page.text());
        let again = person.submit(&page, &[("password", &temporary), ("password_again", &temporary)]).await.page();
        assert_eq!(again.status, 422, "the old one is not a new one");
        let again = person.submit(&again, &[("password", "a brand new password"), ("password_again", "another")]).await.page();
        assert_eq!(again.status, 422, "the two differ");
        let values = [("password", "a brand new password"), ("password_again", "a brand new password")];
        let came_back = person.submit(&again, &values).await.left();
        app.code(&attempt, &came_back);
        assert!(api.has_event(&user, "user.password.reset-completed").await);

        // The page that was used leads nowhere now, and the temporary password is gone.
        let page = person.submit(&page, &values).await.page();
        assert!(page.status >= 400, "{}", page.text());
        let page = Person::new().sign_in(&app.begin().url, "temporary@example.com", &temporary).await.page();
        assert_eq!(page.status, 422);
        app.sign_in(&Person::new(), "temporary@example.com", "a brand new password").await;
    }

    /// Disabled: refused, sessions and refresh tokens dead at once. Enabled: back.
    async fn a_disabled_user_is_out_everywhere(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        let user = api.create_person("out@example.com").await;
        let person = Person::new();
        let tokens = app.sign_in(&person, "out@example.com", PASSWORD).await;

        api.post(&format!("/realms/main/users/{user}/disable"), &json!({ "reason": "left the company" })).await.succeed();
        let refused = app.refresh(&tokens.str("refresh_token")).await.expect(400);
        assert_eq!(refused.str("error"), "invalid_grant");
        assert_eq!(app.introspect(&tokens.str("access_token")).await["active"], false);
        app.userinfo(&tokens.str("access_token")).await.expect(401);
        assert!(person.open(&app.begin().url).await.page().asks_for("identifier"), "the session is gone");
        let page = person.sign_in(&app.begin().url, "out@example.com", PASSWORD).await.page();
        assert_eq!(page.status, 422, "{}", page.text());

        api.post(&format!("/realms/main/users/{user}/enable"), &json!({})).await.succeed();
        app.sign_in(&person, "out@example.com", PASSWORD).await;
        for kind in ["user.deactivated", "user.reactivated", "user.sign-in.failed"] {
            assert!(api.has_event(&user, kind).await, "{kind}");
        }
    }

    /// What happens in one realm means nothing in another.
    async fn realms_do_not_see_each_other(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        api.post("/realms", &json!({ "slug": "other", "display_name": "Other" })).await.expect(201);
        let here = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        let there = App::register(&api, &server.issuer("other"), NewApp { realm: "other", ..NewApp::default() }).await;
        api.create_person("here@example.com").await;
        let person = Person::new();
        let tokens = here.sign_in(&person, "here@example.com", PASSWORD).await;

        assert!(person.open(&there.begin().url).await.page().asks_for("identifier"), "no session there");
        let page = Person::new().sign_in(&there.begin().url, "here@example.com", PASSWORD).await.page();
        assert_eq!(page.status, 422, "no such user there");
        there.userinfo(&tokens.str("access_token")).await.expect(401);
        assert_eq!(there.introspect(&tokens.str("access_token")).await["active"], false, "wrong issuer");
        there.refresh(&tokens.str("refresh_token")).await.expect(400);
        let mixed = App { metadata: there.metadata.clone(), ..here.clone() };
        mixed.refresh(&tokens.str("refresh_token")).await.expect(401);
    }
}
