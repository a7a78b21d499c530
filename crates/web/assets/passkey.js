// Passkeys: puts the page's question to the browser, and sends its answer with the page's form.
(() => {
  const form = document.querySelector("form[data-passkey]");
  if (!form) return;
  const making = form.dataset.passkey === "make";
  const button = form.querySelector("button[type=submit]");
  const status = form.querySelector("[data-passkey-status]");
  if (!window.PublicKeyCredential || !navigator.credentials) {
    document.querySelector("[data-passkey-missing]")?.removeAttribute("hidden");
    return;
  }

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => {
    let binary = "";
    for (const byte of new Uint8Array(buffer)) binary += String.fromCharCode(byte);
    return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };

  const question = () => {
    const options = JSON.parse(form.dataset.options);
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    for (const one of [...(options.allowCredentials ?? []), ...(options.excludeCredentials ?? [])]) one.id = bytes(one.id);
    return options;
  };

  const written = ({ id, rawId, type, response }, extensions) => {
    const said = { clientDataJSON: text(response.clientDataJSON) };
    if (making) {
      said.attestationObject = text(response.attestationObject);
      said.transports = response.getTransports?.() ?? [];
    } else {
      said.authenticatorData = text(response.authenticatorData);
      said.signature = text(response.signature);
      said.userHandle = response.userHandle ? text(response.userHandle) : null;
    }
    return JSON.stringify({ id, rawId: text(rawId), type, response: said, extensions });
  };

  // One question at a time: a browser refuses a second one.
  let waiting = null;
  const ask = async (mediation) => {
    waiting?.abort();
    const mine = new AbortController();
    waiting = mine;
    const asked = { publicKey: question(), signal: mine.signal };
    if (mediation) asked.mediation = mediation;
    const credential = await navigator.credentials[making ? "create" : "get"](asked);
    const { credProps } = making ? credential.getClientExtensionResults() : {};
    form.elements.answer.value = written(credential, credProps ? { credProps: { rk: credProps.rk } } : {});
    HTMLFormElement.prototype.submit.call(form);
  };

  const autofill = async () => {
    if (!("autofill" in form.dataset) || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
    // Whoever chooses nothing types their name; there is nothing to tell them.
    await ask("conditional").catch(() => {});
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    status.textContent = "";
    try {
      await ask();
    } catch (error) {
      button.disabled = false;
      status.textContent = error.name === "InvalidStateError" ? form.dataset.known : form.dataset.cancelled;
      autofill();
    }
  });
  // The browser's way back to this page finds the button as it was.
  window.addEventListener("pageshow", () => { button.disabled = false; });

  form.hidden = false;
  autofill();
})();
