// Completion: filters in the search box and names in the fields of filters (ARIA combobox with a list).
const NAME = /(?:^|\s)([a-z_.]{2,})$/i;
const VALUE = /(?:^|\s)((attr\.[^\s:"]+|[a-z_]+):(?:"([^"]*)|([^\s"]*)))$/i;
let names;

async function ask(input, name, typed, signal) {
  const query = new URLSearchParams({ name, q: typed });
  const answer = await fetch(`${input.dataset.source}?${query}`, { signal, headers: { "x-partial": "complete" } });
  return answer.ok ? (await answer.json()).items : [];
}

// What is being typed at the caret: a filter's name, or a value of one.
function token(input) {
  const fixed = input.dataset.complete;
  if (fixed) return { name: fixed, typed: input.value, start: 0 };
  if (input.selectionStart !== input.selectionEnd) return null;
  const before = input.value.slice(0, input.selectionStart);
  const value = before.match(VALUE);
  if (value) return { name: value[2].toLowerCase(), typed: value[3] ?? value[4], start: before.length - value[1].length };
  const name = before.match(NAME);
  return name && { name: "", typed: name[1], start: before.length - name[1].length };
}

async function suggest(input, at, signal) {
  names ??= ask(input, "", "").catch(() => []);
  if (at.name) return (await names).some((item) => item.value === at.name) ? ask(input, at.name, at.typed, signal) : [];
  const typed = at.typed.toLowerCase();
  const fits = (item) => item.value.startsWith(typed) || item.label.toLowerCase().split(" ").some((word) => word.startsWith(typed));
  return (await names).filter(fits).slice(0, 6);
}

for (const [number, input] of document.querySelectorAll("input[data-complete]").entries()) {
  const list = document.createElement("div");
  Object.assign(list, { id: `complete-${number}`, className: "complete", role: "listbox", hidden: true });
  list.setAttribute("aria-label", input.dataset.complete ? "Names" : "Filters");
  const says = Object.assign(document.createElement("span"), { className: "sr-only", role: "status" });
  input.after(list, says);
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", list.id]]) input.setAttribute(name, value);
  let items = [];
  let active = -1;
  let at = null;
  let pending;

  const close = () => {
    pending?.abort();
    [items, active, list.hidden] = [[], -1, true];
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    says.textContent = "";
  };
  const mark = (next) => {
    active = next;
    for (const [n, option] of [...list.children].entries()) {
      option.setAttribute("aria-selected", String(n === active));
      if (n === active) option.scrollIntoView({ block: "nearest" });
    }
    if (active < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `${list.id}-${active}`);
  };
  const open = () => {
    list.replaceChildren(...items.map((item, n) => {
      const option = Object.assign(document.createElement("div"), { id: `${list.id}-${n}`, className: "complete-item", role: "option" });
      const label = Object.assign(document.createElement("span"), { textContent: at.name ? item.value : item.text });
      const detail = Object.assign(document.createElement("small"), { textContent: at.name ? item.detail : `${item.label}: ${item.detail}` });
      option.append(label, detail);
      return option;
    }));
    mark(-1);
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    says.textContent = items.length === 1 ? "1 suggestion" : `${items.length} suggestions`;
  };
  const update = async () => {
    pending?.abort();
    pending = new AbortController();
    const { signal } = pending;
    at = token(input);
    if (!at) return close();
    try {
      const found = await suggest(input, at, signal);
      if (signal.aborted || document.activeElement !== input) return;
      // Nothing is offered that stands there already.
      items = found.filter((item) => item.value !== at.typed || found.length > 1);
      if (items.length > 0) open();
      else close();
    } catch {
      if (!signal.aborted) close();
    }
  };
  const accept = (item) => {
    const fixed = input.dataset.complete;
    const named = at.name !== "";
    if (fixed) input.value = item.value;
    else {
      const rest = input.value.slice(input.selectionStart).replace(/^\S*/, "");
      const head = `${input.value.slice(0, at.start)}${item.text}${named && !rest.startsWith(" ") ? " " : ""}`;
      input.value = head + rest;
      input.setSelectionRange(head.length, head.length);
    }
    close();
    if (fixed) input.form.requestSubmit(input.parentElement.querySelector("button"));
    else input.dispatchEvent(new Event("input", { bubbles: true }));
  };

  input.addEventListener("input", (event) => event.isComposing || update());
  input.addEventListener("focus", () => input.dataset.complete && update());
  input.addEventListener("blur", close);
  list.addEventListener("mousedown", (event) => {
    event.preventDefault();
    const option = event.target.closest("[role=option]");
    if (option) accept(items[[...list.children].indexOf(option)]);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing || list.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const count = items.length;
    if (step) mark(active < 0 ? (step > 0 ? 0 : count - 1) : (active + step + count) % count);
    else if (event.key === "Escape") close();
    else if (event.key === "Enter" && active >= 0) accept(items[active]);
    else if (event.key === "Tab" && !event.shiftKey && (active >= 0 || (at.name && !input.dataset.complete && at.typed))) accept(items[Math.max(active, 0)]);
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  });
}
