// A small web application whose users sign in with `openid-client`. What it is asked for comes in the environment.
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";
import * as oidc from "openid-client";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT } = process.env;
const origin = `http://127.0.0.1:${PORT}`;
// The issuer is on this machine, where there is nobody to listen in.
const config = await oidc.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET, undefined, { execute: [oidc.allowInsecureRequests] });
const browsers = new Map();

const routes = {
  async "/"(user) {
    return { html: user.claims ? `<p id="user">${user.claims.email ?? user.claims.sub}</p><a href="/logout">Sign out</a>` : `<p id="nobody">Nobody</p><a href="/login">Sign in</a>` };
  },
  async "/login"(user) {
    user.checks = { pkceCodeVerifier: oidc.randomPKCECodeVerifier(), expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce() };
    const to = oidc.buildAuthorizationUrl(config, {
      redirect_uri: `${origin}/callback`,
      scope: "openid profile email",
      state: user.checks.expectedState,
      nonce: user.checks.expectedNonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(user.checks.pkceCodeVerifier),
      code_challenge_method: "S256",
    });
    return { to };
  },
  async "/callback"(user, url) {
    user.tokens = await oidc.authorizationCodeGrant(config, url, user.checks);
    const id = user.tokens.claims();
    user.claims = await oidc.fetchUserInfo(config, user.tokens.access_token, id.sub);
    return { to: "/" };
  },
  async "/refresh"(user) {
    user.tokens = await oidc.refreshTokenGrant(config, user.tokens.refresh_token);
    user.claims = await oidc.fetchUserInfo(config, user.tokens.access_token, user.claims.sub);
    return { json: { claims: user.claims, introspection: await oidc.tokenIntrospection(config, user.tokens.access_token) } };
  },
  async "/give-back"(user) {
    await oidc.tokenRevocation(config, user.tokens.refresh_token);
    return { json: await oidc.tokenIntrospection(config, user.tokens.refresh_token) };
  },
  async "/logout"(user) {
    const hint = user.tokens.id_token;
    user.tokens = user.claims = undefined;
    return { to: oidc.buildEndSessionUrl(config, { post_logout_redirect_uri: `${origin}/`, id_token_hint: hint }) };
  },
};

createServer(async (request, response) => {
  const url = new URL(request.url, origin);
  const known = /(?:^|; )rp=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
  const id = browsers.has(known) ? known : randomUUID();
  if (!browsers.has(id)) browsers.set(id, {});
  response.setHeader("set-cookie", `rp=${id}; Path=/; HttpOnly; SameSite=Lax`);
  try {
    const route = routes[url.pathname];
    if (!route) return response.writeHead(404).end();
    const { html, json, to } = await route(browsers.get(id), url);
    if (to) return response.writeHead(303, { location: String(to) }).end();
    if (json) return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(json));
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(`<!doctype html><title>Application</title><link rel="icon" href="data:,"><body>${html}`);
  } catch (problem) {
    console.error(problem);
    response.writeHead(500, { "content-type": "application/json" }).end(JSON.stringify({ error: String(problem), code: problem.code, cause: problem.cause }));
  }
}).listen(Number(PORT), "127.0.0.1");
