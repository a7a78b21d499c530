//! Requests that cannot be trusted: an error a person understands, or an error the client gets, and never a
//! redirect to an address that is not registered.

use reqwest::Method;

use crate::support::{Answer, App, NewApp, PASSWORD, Person, Server};

on_both_engines! {
    /// No redirect where the client or the address is unknown.
    async fn an_untrusted_request_ends_on_an_error_page(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        let person = Person::new();
        let attempt = app.begin();
        let nowhere = attempt.url.replace("/realms/main/", "/realms/nowhere/");
        for (url, status, text) in [
            (attempt.with("client_id", Some("no-such-client")), 400, "not known here"),
            (attempt.with("client_id", None), 400, "not known here"),
            (attempt.with("redirect_uri", Some("http://127.0.0.1:9/callback/more")), 400, "not set up correctly"),
            (attempt.with("redirect_uri", Some("https://evil.example/callback")), 400, "not set up correctly"),
            (attempt.with("redirect_uri", None), 400, "not set up correctly"),
            (format!("{}&client_id=another", attempt.url), 400, "not complete"),
            (nowhere, 404, "nothing at this address"),
        ] {
            let page = person.open(&url).await.page();
            assert_eq!(page.status, status, "{url}: {}", page.text());
            assert!(page.text().contains(text), "{url}: {}", page.text());
        }
    }

    /// The client is told what is wrong, at its own address.
    async fn a_faulty_request_goes_back_to_its_client(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        let person = Person::new();
        let attempt = app.begin();
        for (name, value, error) in [
            ("response_type", Some("token"), "unsupported_response_type"),
            ("code_challenge", None, "invalid_request"),
            ("code_challenge_method", Some("plain"), "invalid_request"),
            ("code_challenge", Some("too-short"), "invalid_request"),
            ("max_age", Some("soon"), "invalid_request"),
            ("state", Some("with \0 inside"), "invalid_request"),
        ] {
            let went = person.open(&attempt.with(name, value)).await.left();
            assert!(went.as_str().starts_with(&app.redirect_uri), "{went}");
            assert!(went.as_str().contains(&format!("error={error}")), "{name}: {went}");
        }
    }

    /// Wrong credentials, grants and parameters at the endpoints that clients call.
    async fn a_client_must_prove_itself(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let issuer = server.issuer("main");
        let app = App::register(&api, &issuer, NewApp::default()).await;
        api.create_person("proof@example.com").await;
        let tokens = app.sign_in(&Person::new(), "proof@example.com", PASSWORD).await;
        let (access, refresh) = (tokens.str("access_token"), tokens.str("refresh_token"));

        let guess = App { secret: Some("dzc_guess".into()), ..app.clone() };
        let silent = App { secret: None, ..app.clone() };
        for pretender in [&guess, &silent] {
            let refused = pretender.refresh(&refresh).await.expect(401);
            assert_eq!(refused.str("error"), "invalid_client");
            pretender.post("introspection_endpoint", &[("token", &access)]).await.expect(401);
            pretender.revoke(&refresh).await.expect(401);
        }
        let public = App::register(&api, &issuer, NewApp { confidential: false, ..NewApp::default() }).await;
        assert!(public.secret.is_none());
        public.post("introspection_endpoint", &[("token", &access)]).await.expect(401);
        public.refresh(&refresh).await.expect(400);
        let unknown = app.post("token_endpoint", &[("grant_type", "password")]).await.expect(400);
        assert_eq!(unknown.str("error"), "unsupported_grant_type");
        app.post("token_endpoint", &[]).await.expect(400);
        app.refresh("dzr_forged").await.expect(400);
        let other_realm = reqwest::get(server.url("/realms/nowhere/.well-known/openid-configuration")).await.unwrap();
        assert_eq!(other_realm.status(), 404);
        // None of it harmed the session.
        app.refresh(&refresh).await.expect(200);
    }

    /// A token that was altered, or signed by somebody else, is worth nothing.
    async fn a_forged_token_is_refused(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        api.create_person("forged@example.com").await;
        let tokens = app.sign_in(&Person::new(), "forged@example.com", PASSWORD).await;
        let access = tokens.str("access_token");
        let (head, rest) = access.split_once('.').unwrap();
        let (claims, _) = rest.split_once('.').unwrap();
        // {"alg":"none","typ":"at+jwt"}
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{claims}.");
        let other_signature = format!("{head}.{claims}.{}", "A".repeat(86));
        for forged in [unsigned, other_signature, tokens.str("id_token"), String::from("a.b.c")] {
            app.userinfo(&forged).await.expect(401);
            assert_eq!(app.introspect(&forged).await["active"], false, "{forged}");
            api.with_key(&forged).get("/realms/main/users").await.expect(401);
        }
        // A user's token opens the admin API only for administrators.
        let refused = api.with_key(&access).get("/realms/main/users").await;
        assert!(matches!(refused.status, 401 | 403), "{}", refused.status);
    }

    /// A form that was posted from another site's page is refused.
    async fn another_site_cannot_post_for_a_person(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        let page = Person::new().open(&app.begin().url).await.page();
        let mut fields = page.fields();
        fields.push(("identifier".into(), "victim@example.com".into()));
        let request = reqwest::Client::new().request(Method::POST, page.action()).form(&fields);
        let sent = request.header("origin", "https://evil.example").header("sec-fetch-site", "cross-site").send().await.unwrap();
        let answer = Answer::read(sent).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
    }
}
