// A mail server that asks for a login, and for TLS before it. It prints where it listens, then what it takes: a line of
// JSON each.

import { readFileSync } from "node:fs";
import { SMTPServer } from "smtp-server";

const { WAY, METHOD, NAME, PASSWORD } = process.env;
const say = (what) => console.log(JSON.stringify(what));

const server = new SMTPServer({
  secure: WAY === "tls",
  disabledCommands: WAY === "none" ? ["STARTTLS", "AUTH"] : [],
  authOptional: WAY === "none",
  authMethods: [METHOD],
  key: readFileSync("server.key"),
  cert: readFileSync("server.pem"),
  onAuth({ method, username, password }, session, done) {
    const known = session.secure && username === NAME && password === PASSWORD;
    done(known ? null : new Error("Who are you?"), { user: `${method} ${username}` });
  },
  onData(stream, session, done) {
    let text = "";
    stream.setEncoding("utf8").on("data", (piece) => (text += piece));
    stream.on("end", () => {
      const to = session.envelope.rcptTo.map((recipient) => recipient.address);
      say({ to, text, secure: session.secure, user: session.user ?? null });
      done();
    });
  },
});
server.on("error", (error) => console.error(error.message));
server.listen(0, "127.0.0.1", () => say({ port: server.server.address().port }));
