//! Signing out: by an application (RP-initiated logout), and by the user's own wish.

use reqwest::Url;

use crate::support::{App, NewApp, PASSWORD, Person, Server};

fn logout_url(app: &App, pairs: &[(&str, &str)]) -> String {
    let mut url: Url = app.endpoint("end_session_endpoint").parse().unwrap();
    url.query_pairs_mut().extend_pairs(pairs);
    url.into()
}

on_both_engines! {
    /// The application that holds the session's id token ends it without a question.
    async fn an_application_signs_its_user_out(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        let user = api.create_person("bye@example.com").await;
        let person = Person::new();
        let tokens = app.sign_in(&person, "bye@example.com", PASSWORD).await;
        let id_token = tokens.str("id_token");
        let back = app.post_logout_redirect_uri.clone();

        let page = person.open(&logout_url(&app, &[("id_token_hint", &id_token), ("post_logout_redirect_uri", "https://evil.example/")])).await.page();
        assert_eq!(page.status, 400, "{}", page.text());
        assert_eq!(app.introspect(&tokens.str("access_token")).await["active"], true, "a faulty request ends nothing");

        let went = person.open(&logout_url(&app, &[("id_token_hint", &id_token), ("post_logout_redirect_uri", &back), ("state", "st ate")])).await.left();
        assert!(went.as_str().starts_with(&back), "{went}");
        assert!(went.query_pairs().any(|(key, value)| key == "state" && value == "st ate"), "{went}");
        app.refresh(&tokens.str("refresh_token")).await.expect(400);
        assert_eq!(app.introspect(&tokens.str("access_token")).await["active"], false);
        assert!(person.open(&app.begin().url).await.page().asks_for("identifier"));
        assert!(api.has_event(&user, "user.session.revoked").await);
    }

    /// A request that proves nothing asks first, so that no other site can sign people out.
    async fn a_logout_without_proof_asks_first(database) {
        let mut server = Server::start(database).await;
        let api = server.api();
        let app = App::register(&api, &server.issuer("main"), NewApp::default()).await;
        api.create_person("ask@example.com").await;
        let person = Person::new();
        let tokens = app.sign_in(&person, "ask@example.com", PASSWORD).await;
        let url = logout_url(&app, &[("client_id", &app.client_id), ("post_logout_redirect_uri", &app.post_logout_redirect_uri)]);

        let page = person.open(&url).await.page();
        assert!(page.text().contains("Sign out?"), "{}", page.text());
        person.submit(&page, &[("decision", "stay")]).await.page();
        assert_eq!(app.introspect(&tokens.str("access_token")).await["active"], true);

        let page = person.open(&url).await.page();
        let went = person.submit(&page, &[("decision", "sign_out")]).await.left();
        assert!(went.as_str().starts_with(&app.post_logout_redirect_uri), "{went}");
        assert_eq!(app.introspect(&tokens.str("access_token")).await["active"], false);

        // Without an address to go to, a page says that it is done.
        app.sign_in(&person, "ask@example.com", PASSWORD).await;
        let page = person.open(&logout_url(&app, &[])).await.page();
        let page = person.submit(&page, &[("decision", "sign_out")]).await.page();
        assert!(page.text().contains("signed out"), "{}", page.text());
    }
}
