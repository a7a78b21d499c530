// The command palette: go anywhere, find any user, run any action.
const dialog = document.querySelector("#palette");
const input = dialog.querySelector("input");
const results = dialog.querySelector(".palette-list");
const icons = document.body.dataset.icons;
const SVG = "http://www.w3.org/2000/svg";
let items = [];
let selected = 0;
let pending;
let timer;

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${icons}#${name}`);
  svg.append(use);
  return svg;
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text) made.textContent = text;
  return made;
}

function select(index) {
  if (items.length === 0) return;
  items[selected]?.setAttribute("aria-selected", "false");
  selected = (index + items.length) % items.length;
  items[selected].setAttribute("aria-selected", "true");
  items[selected].scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", items[selected].id);
}

function show(found) {
  items = [];
  selected = 0;
  input.removeAttribute("aria-activedescendant");
  const nodes = [];
  let group = null;
  let holder = null;
  for (const item of found) {
    if (item.group !== group || !holder) {
      group = item.group;
      holder = element("div", "");
      holder.setAttribute("role", "group");
      holder.setAttribute("aria-label", group);
      const title = element("div", "palette-group", group);
      title.setAttribute("aria-hidden", "true");
      holder.append(title);
      nodes.push(holder);
    }
    const link = element("a", "palette-item");
    link.href = item.href;
    link.id = `palette-${items.length}`;
    link.tabIndex = -1;
    link.setAttribute("role", "option");
    link.setAttribute("aria-selected", "false");
    link.append(icon(item.icon), element("span", "truncate", item.label));
    if (item.detail) link.append(element("small", "", item.detail));
    holder.append(link);
    items.push(link);
  }
  if (items.length === 0) nodes.push(element("p", "palette-group", "Nothing found. Try fewer letters."));
  results.replaceChildren(...nodes);
  select(0);
}

async function search() {
  pending?.abort();
  pending = new AbortController();
  try {
    const answer = await fetch(`${dialog.dataset.source}?q=${encodeURIComponent(input.value)}`, { headers: { accept: "application/json" }, signal: pending.signal });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show((await answer.json()).items);
  } catch (problem) {
    if (problem.name === "AbortError") return;
    items = [];
    results.replaceChildren(element("p", "palette-group", "The search did not answer. Reload the page and try again."));
  }
}

function open() {
  if (dialog.open) return;
  input.value = "";
  dialog.showModal();
  input.focus();
  search();
}

input.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(search, 80);
});
input.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") select(selected + 1);
  else if (event.key === "ArrowUp") select(selected - 1);
  else if (event.key === "Enter" && !event.isComposing) items[selected]?.click();
  else return;
  event.preventDefault();
});
results.addEventListener("mousemove", (event) => {
  const at = items.indexOf(event.target.closest(".palette-item"));
  if (at >= 0 && at !== selected) select(at);
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-palette-open]")) open();
});
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (dialog.open) dialog.close();
    else open();
  }
});
