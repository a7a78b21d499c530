// The list of users: search as you type, filters, pages and views without a new page; selection.
const $ = (selector, from = document) => from.querySelector(selector);
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
const page = $("[data-list]");
const form = $("[data-search]");
const box = $("input[name=q]", form);
const display = $("#display");

/* Answers: the same address answers the parts that change. */
let pending;

function address(params) {
  for (const [key, value] of [...params]) if (value === "") params.delete(key, value);
  return `${form.getAttribute("action")}${params.size > 0 ? `?${params}` : ""}`;
}

// How: "replace" the address while somebody types, "push" one to come back to, or "keep" the one that is there.
async function load(url, how) {
  pending?.abort();
  const current = new AbortController();
  pending = current;
  const typed = box.value;
  $(".search", form).setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { headers: { "x-partial": "rows" }, signal: current.signal, redirect: "error" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const html = await answer.text();
    if (current.signal.aborted) return;
    const fresh = $("[data-answer]", new DOMParser().parseFromString(html, "text/html"));
    if (!fresh) throw new Error("not the list");
    show(fresh);
    // What was typed meanwhile is not lost; what became a filter leaves the box.
    if (box.value === typed && how !== "typing") box.value = fresh.dataset.q + (fresh.dataset.q && typed.endsWith(" ") ? " " : "");
    if (how === "push") history.pushState(null, "", fresh.dataset.href);
    else if (how !== "keep") history.replaceState(null, "", fresh.dataset.href);
    last = box.value;
  } catch (problem) {
    if (problem.name !== "AbortError") location.assign(url);
  } finally {
    if (pending === current) $(".search", form).removeAttribute("aria-busy");
  }
}

function show(fresh) {
  const focused = document.activeElement;
  const key = focused?.closest("[data-key]")?.dataset.key;
  for (const part of $$("[data-part]", fresh)) $(`[data-part="${part.dataset.part}"]`)?.replaceChildren(...part.childNodes);
  const says = $("[data-summary]");
  if (says.textContent !== fresh.dataset.says) says.textContent = fresh.dataset.says;
  for (const button of $$(".filter-panel .pick")) button.setAttribute("aria-pressed", String(holds(button)));
  for (const input of $$(".filter-panel input")) {
    const held = hidden(input.name)[0]?.value ?? "";
    input.value = input.type === "date" && held.length === 10 ? held : "";
  }
  box.setAttribute("aria-invalid", String(Boolean($(".wrong .error-text"))));
  if (focused && !focused.isConnected) {
    ((key && $(`[data-key="${key}"]`)) ?? $('[data-part="rows"]')).focus({ preventScroll: true });
  }
  $(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  document.dispatchEvent(new Event("denizen:rows"));
  from = null;
  countSelection();
}

/* What the list shows now. */
const hidden = (name) => $$('[data-part="hidden"] input').filter((field) => field.name === name);
const holds = (button) => hidden(button.name).some((field) => field.value === button.value);
function shown(text) {
  const params = new URLSearchParams();
  if (text) params.append("q", text);
  for (const field of $$('[data-part="hidden"] input')) params.append(field.name, field.value);
  return params;
}

/* Search as you type. A filter that is still being typed waits for its end: a blank, or Enter. */
const UNFINISHED = /(^|\s)(attr\.[^\s:"]+|[a-z_]+):("[^"]*|[^\s"]*)$/i;
const FILTER = /(^|\s)(attr\.[^\s:"]+|[a-z_]+):/i;
let last = box.value;
let timer;
function typing() {
  const text = box.value;
  const finished = text.replace(UNFINISHED, "$1").trim();
  load(address(shown(finished)), FILTER.test(finished) ? "replace" : "typing");
}
box.addEventListener("input", (event) => {
  if (event.isComposing || box.value === last) return;
  last = box.value;
  clearTimeout(timer);
  timer = setTimeout(typing, 90);
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(timer);
  const button = event.submitter;
  const params = shown(box.value.trim());
  // Enter in a field of the filters presses the form's first button, too.
  const inside = button?.closest(".filter-row") ?? document.activeElement?.closest(".filter-row");
  if (button?.name) {
    if (holds(button)) params.delete(button.name, button.value);
    else params.append(button.name, button.value);
  } else if (inside) {
    for (const field of $$("input", inside)) {
      if (field.type === "date") params.delete(field.name);
      params.append(field.name, field.value);
    }
  }
  load(address(params), "push");
});

/* Links that lead to another state of this list. */
document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest("a[data-soft]");
  if (!link) return;
  event.preventDefault();
  link.closest("details.menu")?.removeAttribute("open");
  box.value = new URL(link.href).searchParams.get("q") ?? "";
  const turned = link.closest(".pager");
  load(link.href, "push").then(() => turned && scrollTo({ top: 0 }));
});
addEventListener("popstate", () => {
  box.value = new URLSearchParams(location.search).get("q") ?? "";
  load(location.href, "keep");
});

/* Display: order, columns, density. */
function redisplay() {
  load(address(new URLSearchParams(new FormData(display))), "push");
}
$(".display-panel").addEventListener("change", (event) => {
  if (event.target.name !== "sort") return redisplay();
  const params = shown(box.value.trim());
  params.set("sort", event.target.value);
  load(address(params), "push");
});
display.addEventListener("submit", (event) => {
  event.preventDefault();
  const button = event.submitter;
  if (button?.name !== "density") return redisplay();
  page.dataset.density = button.value;
  for (const other of $$(".display-panel .pick")) other.setAttribute("aria-pressed", String(other === button));
  const params = shown(box.value.trim());
  params.set("density", button.value);
  load(address(params), "replace");
});

/* Selection */
let from = null;
const ticks = () => $$("[data-row] [name=ids]");
function countSelection() {
  const boxes = ticks();
  const count = boxes.filter((tick) => tick.checked).length;
  for (const all of $$("[data-select-all]")) {
    all.checked = count > 0 && count === boxes.length;
    all.indeterminate = count > 0 && count < boxes.length;
  }
  const matching = $("[name=all]");
  if (matching && count < boxes.length) matching.checked = false;
  const text = $("[data-selected-count]");
  if (!text) return;
  const many = matching?.checked ? matching.parentElement.textContent.trim().replace(/^Select all (about )?/, "").replace(/ that match$/, "") : String(count);
  text.textContent = `${many} selected`;
}
function tickRange(to, on) {
  const boxes = ticks();
  const [a, b] = [boxes.indexOf(from ?? to), boxes.indexOf(to)].sort((x, y) => x - y);
  for (const tick of boxes.slice(Math.max(a, 0), b + 1)) tick.checked = on;
  from = to;
  countSelection();
}
document.addEventListener("click", (event) => {
  const tick = event.target.closest("[name=ids]");
  if (!tick) return;
  if (event.shiftKey && from) tickRange(tick, tick.checked);
  from = tick;
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-select-all]")) for (const tick of ticks()) tick.checked = event.target.checked;
  if (event.target.matches("[name=ids], [data-select-all], [name=all]")) countSelection();
});
document.addEventListener("reset", () => setTimeout(countSelection));
// All that match are named by the list's query, not one by one.
document.addEventListener("formdata", (event) => {
  if (event.target.matches("[data-selectable]") && event.formData.has("all")) event.formData.delete("ids");
});
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
  if (event.target.closest("input:not([type=checkbox]), textarea, select")) return;
  const tick = $("[data-row][data-current] [name=ids]");
  if (event.key === "X" && tick) {
    event.preventDefault();
    tickRange(tick, true);
  } else if (event.key === "Escape" && ticks().some((one) => one.checked)) {
    event.preventDefault();
    $("[data-selectable]").reset();
  }
});
addEventListener("pageshow", countSelection);
