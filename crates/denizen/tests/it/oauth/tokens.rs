//! Codes, refresh tokens, revocation: used once, and dead when they should be.

use serde_json::json;

use crate::support::{App, NewApp, PASSWORD, Person, Server};

on_both_engines! {
    /// Each refresh gives a new token; an old one betrays a thief, and the whole family goes.
    async fn a_reused_refresh_token_revokes_its_family(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        let user = api.create_person("family@example.com").await;
        let first = app.sign_in(&Person::new(), "family@example.com", PASSWORD).await;
        let unrelated = app.sign_in(&Person::new(), "family@example.com", PASSWORD).await;

        let second = app.refresh(&first.str("refresh_token")).await.expect(200);
        let third = app.refresh(&second.str("refresh_token")).await.expect(200);
        assert_ne!(second.str("refresh_token"), third.str("refresh_token"));
        assert!(!api.has_event(&user, "user.token.reused").await);

        let reused = app.refresh(&first.str("refresh_token")).await.expect(400);
        assert_eq!(reused.str("error"), "invalid_grant");
        app.refresh(&third.str("refresh_token")).await.expect(400);
        assert!(api.has_event(&user, "user.token.reused").await);
        app.refresh(&unrelated.str("refresh_token")).await.expect(200);
        server.verify_audit();
    }

    /// Two requests with one token at the same moment: at most one wins.
    async fn a_refresh_token_is_good_for_one_of_many_at_once(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        api.create_person("race@example.com").await;
        let token = app.sign_in(&Person::new(), "race@example.com", PASSWORD).await.str("refresh_token");
        let attempts: Vec<_> = (0..8)
            .map(|_| {
                let (app, token) = (app.clone(), token.clone());
                tokio::spawn(async move { app.refresh(&token).await.status })
            })
            .collect();
        let mut won = 0;
        for attempt in attempts {
            let status = attempt.await.unwrap();
            assert!(matches!(status, 200 | 400), "{status}");
            won += usize::from(status == 200);
        }
        assert!(won <= 1, "{won} requests won");
    }

    /// A code works once; the second use takes back what the first one got.
    async fn a_replayed_code_revokes_its_tokens(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        let user = api.create_person("replay@example.com").await;
        let attempt = app.begin();
        let came_back = Person::new().sign_in(&attempt.url, "replay@example.com", PASSWORD).await.left();
        let code = app.code(&attempt, &came_back);
        let tokens = app.exchange(&code, &attempt.verifier).await.expect(200);
        let replayed = app.exchange(&code, &attempt.verifier).await.expect(400);
        assert_eq!(replayed.str("error"), "invalid_grant");
        app.refresh(&tokens.str("refresh_token")).await.expect(400);
        assert!(api.has_event(&user, "user.token.reused").await);
    }

    /// A code is bound to its client, its redirect URI and its verifier; a wrong attempt does not burn it.
    async fn a_code_is_for_whom_it_was_issued(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let issuer = server.issuer("main");
        let app = App::register(&api, &issuer, NewApp::default()).await;
        let thief = App::register(&api, &issuer, NewApp::default()).await;
        api.create_person("bound@example.com").await;
        let attempt = app.begin();
        let came_back = Person::new().sign_in(&attempt.url, "bound@example.com", PASSWORD).await.left();
        let code = app.code(&attempt, &came_back);
        let other_verifier = app.begin().verifier;
        for (who, verifier) in [(&thief, &attempt.verifier), (&app, &other_verifier)] {
            let refused = who.exchange(&code, verifier).await.expect(400);
            assert_eq!(refused.str("error"), "invalid_grant");
        }
        let elsewhere = App { redirect_uri: "http://127.0.0.1:9/elsewhere".into(), ..app.clone() };
        elsewhere.exchange(&code, &attempt.verifier).await.expect(400);
        app.exchange("no-such-code", &attempt.verifier).await.expect(400);
        app.exchange(&code, &attempt.verifier).await.expect(200);
    }

    /// RFC 7009: a client gives tokens back.
    async fn a_revoked_token_is_dead(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let issuer = server.issuer("main");
        let app = App::register(&api, &issuer, NewApp::default()).await;
        let other = App::register(&api, &issuer, NewApp::default()).await;
        api.create_person("giveback@example.com").await;
        let person = Person::new();
        let tokens = app.sign_in(&person, "giveback@example.com", PASSWORD).await;
        let (access, refresh) = (tokens.str("access_token"), tokens.str("refresh_token"));

        other.revoke(&refresh).await.expect(200);
        assert_eq!(app.introspect(&refresh).await["active"], true, "another client's token is not theirs to revoke");
        app.revoke(&access).await.expect(200);
        assert_eq!(app.introspect(&access).await["active"], false);
        app.userinfo(&access).await.expect(401);
        app.revoke(&refresh).await.expect(200);
        assert_eq!(app.introspect(&refresh).await["active"], false);
        app.refresh(&refresh).await.expect(400);
        app.revoke("not a token at all").await.expect(200);
        assert_eq!(app.introspect("not a token at all").await["active"], false);
    }

    /// An administrator ends a session: its refresh tokens are dead at the next request, others live on.
    async fn a_revoked_session_takes_its_refresh_tokens_with_it(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        let user = api.create_person("sessions@example.com").await;
        let (person, elsewhere) = (Person::new(), Person::new());
        let tokens = app.sign_in(&person, "sessions@example.com", PASSWORD).await;
        let kept = app.sign_in(&elsewhere, "sessions@example.com", PASSWORD).await;
        let session = app.claims(&tokens.str("id_token")).await["sid"].as_str().unwrap().to_owned();

        let sessions = api.get(&format!("/realms/main/users/{user}/sessions")).await.expect(200).json();
        assert_eq!(sessions["items"].as_array().unwrap().len(), 2, "{sessions}");
        api.delete(&format!("/realms/main/users/{user}/sessions/{session}")).await.succeed();
        app.refresh(&tokens.str("refresh_token")).await.expect(400);
        assert_eq!(app.introspect(&tokens.str("access_token")).await["active"], false);
        assert!(person.open(&app.begin().url).await.page().asks_for("identifier"));
        let kept = app.refresh(&kept.str("refresh_token")).await.expect(200);
        assert!(api.has_event(&user, "user.session.revoked").await);

        api.delete(&format!("/realms/main/users/{user}/sessions")).await.succeed();
        app.refresh(&kept.str("refresh_token")).await.expect(400);
        assert!(elsewhere.open(&app.begin().url).await.page().asks_for("identifier"));
    }

    /// Groups and organizations stand in tokens; who left a group is out of it with the next refresh.
    async fn groups_and_organizations_are_in_tokens_until_somebody_leaves(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        let user = api.create_person("member@example.com").await;
        let mut groups = Vec::new();
        for name in ["Night shift", "beta"] {
            let group = api.post("/realms/main/groups", &json!({ "name": name })).await.expect(201).str("id");
            api.post(&format!("/realms/main/groups/{group}/members"), &json!({ "user_ids": [user] })).await.expect(200);
            groups.push(group);
        }
        let acme = json!({ "name": "Acme", "domains": ["acme.example"] });
        let acme = api.post("/realms/main/organizations", &acme).await.expect(201).str("id");
        let memberships = format!("/realms/main/users/{user}/memberships");
        api.post(&memberships, &json!({ "organization_id": acme })).await.expect(204);

        let tokens = app.sign_in(&Person::new(), "member@example.com", PASSWORD).await;
        let organizations = json!([{ "id": acme, "name": "Acme", "roles": [], "permissions": [] }]);
        let access = app.claims(&tokens.str("access_token")).await;
        assert_eq!(access["roles"], json!([]));
        assert_eq!(access["groups"], json!(["beta", "Night shift"]), "by name");
        assert_eq!(access["organizations"], organizations);
        let known = app.introspect(&tokens.str("access_token")).await;
        assert_eq!((&known["groups"], &known["organizations"]), (&access["groups"], &organizations));

        api.delete(&format!("/realms/main/users/{user}/groups/{}", groups[0])).await.expect(204);
        api.delete(&format!("{memberships}/{acme}")).await.expect(204);
        let next = app.refresh(&tokens.str("refresh_token")).await.expect(200);
        let access = app.claims(&next.str("access_token")).await;
        assert_eq!((&access["groups"], &access["organizations"]), (&json!(["beta"]), &json!([])));
        for kind in ["user.group.changed", "user.membership.changed"] {
            assert!(api.has_event(&user, kind).await, "{kind}");
        }
        server.verify_audit();
    }

    /// A machine's own token, and what it may not do.
    async fn a_client_gets_tokens_on_its_own_behalf(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let issuer = server.issuer("main");
        let machine = App::register(&api, &issuer, NewApp { grants: &["client_credentials"], ..NewApp::default() }).await;
        let answer = machine.post("token_endpoint", &[("grant_type", "client_credentials")]).await.expect(200);
        let claims = machine.claims(&answer.str("access_token")).await;
        assert_eq!(claims["client_id"], machine.client_id);
        assert!(["roles", "groups", "organizations"].iter().all(|name| claims.get(name).is_none()), "{claims}");
        assert!(answer.json().get("refresh_token").is_none_or(serde_json::Value::is_null));
        assert_eq!(machine.introspect(&answer.str("access_token")).await["active"], true);
        machine.userinfo(&answer.str("access_token")).await.expect(401);

        let app = App::register(&api, &issuer, NewApp::default()).await;
        let refused = app.post("token_endpoint", &[("grant_type", "client_credentials")]).await.expect(400);
        assert_eq!(refused.str("error"), "unauthorized_client");
        // Disabled: the next request is refused.
        api.patch(&format!("/realms/main/clients/{}", machine.row), &json!({ "enabled": false })).await.succeed();
        machine.post("token_endpoint", &[("grant_type", "client_credentials")]).await.expect(401);
    }
}
