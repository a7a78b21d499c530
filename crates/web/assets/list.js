// Lists: search as you type, selection, and the keyboard.
const list = document.querySelector("[data-list]");
const $ = (selector, from = document) => from.querySelector(selector);
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

/* Search as you type: the same address answers the rows alone. */
const form = $("[data-search]");
const holder = $("[data-rows]");
let pending;
let timer;

async function search() {
  pending?.abort();
  const current = new AbortController();
  pending = current;
  const query = new URLSearchParams(new FormData(form));
  for (const [key, value] of [...query]) if (value === "") query.delete(key);
  const url = `${form.getAttribute("action")}${query.size > 0 ? `?${query}` : ""}`;
  form.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { headers: { "x-partial": "rows" }, signal: current.signal, redirect: "error" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const html = await answer.text();
    if (current.signal.aborted) return;
    const fresh = new DOMParser().parseFromString(html, "text/html");
    // A whole page is as good as the parts alone.
    for (const part of ["[data-chips]", "[data-rows]"]) $(part).replaceChildren(...$(part, fresh).childNodes);
    history.replaceState(null, "", url);
    document.dispatchEvent(new Event("denizen:rows"));
    countSelection();
  } catch (problem) {
    if (problem.name !== "AbortError") form.submit();
  } finally {
    if (pending === current) form.removeAttribute("aria-busy");
  }
}

if (form && holder) {
  const box = $("input[name=q]", form);
  let last = box.value;
  box.addEventListener("input", (event) => {
    if (event.isComposing || box.value === last) return;
    last = box.value;
    clearTimeout(timer);
    timer = setTimeout(search, 120);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    search();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      box.blur();
      move(1);
    } else if (event.key === "Escape") box.blur();
  });
}

/* Selection */
function countSelection() {
  const boxes = $$("[name=ids]");
  const count = boxes.filter((box) => box.checked).length;
  const all = $("[data-select-all]");
  if (all) {
    all.checked = count > 0 && count === boxes.length;
    all.indeterminate = count > 0 && count < boxes.length;
  }
  const text = $("[data-selected-count]");
  if (text) text.textContent = `${count} selected`;
}
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-select-all]")) for (const box of $$("[name=ids]")) box.checked = event.target.checked;
  if (event.target.matches("[name=ids], [data-select-all]")) countSelection();
});
document.addEventListener("reset", () => setTimeout(countSelection));

/* Keyboard */
const rows = () => (list ? $$("[data-row]", list) : []);
const currentRow = () => (list ? $("[data-row][data-current]", list) : null);
function move(step) {
  const all = rows();
  if (all.length === 0) return;
  const before = currentRow();
  const at = before ? all.indexOf(before) + step : step > 0 ? 0 : all.length - 1;
  const next = all[Math.max(0, Math.min(all.length - 1, at))];
  before?.removeAttribute("data-current");
  next.setAttribute("data-current", "");
  $("[data-open]", next)?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]")) return;
  if ($("dialog[open]")) return;
  const row = currentRow();
  const act = {
    "/": () => $("[data-search] input[name=q]")?.focus(),
    "?": () => $("#help")?.showModal(),
    j: () => move(1),
    k: () => move(-1),
    x: () => row && $("[name=ids]", row)?.click(),
    ".": () => {
      const summary = row && $(".row-menu > summary", row);
      summary?.click();
      summary?.focus();
    },
    Enter: () => {
      if (row && !event.target.closest("a, button, summary, input")) $("[data-open]", row)?.click();
      else return false;
    },
  }[event.key];
  if (act && act() !== false) event.preventDefault();
});
