// What every console page gets: menus, dialogs, copy buttons, theme, relative times.
const root = document.documentElement;
const $ = (selector, from = document) => from.querySelector(selector);
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

/* Theme */
function showTheme() {
  const current = root.dataset.theme ?? "system";
  for (const button of $$("[data-theme-set]")) button.setAttribute("aria-pressed", String(button.dataset.themeSet === current));
}
function setTheme(theme) {
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem("denizen.theme");
    else localStorage.setItem("denizen.theme", theme);
  } catch { /* lasts for this page only */ }
  showTheme();
}
showTheme();

/* Tabs that do not fit: the open one is in sight. */
for (const tab of $$(".tabs [aria-current]")) {
  const tabs = tab.parentElement;
  if (tabs.scrollWidth > tabs.clientWidth) tab.scrollIntoView({ block: "nearest", inline: "center" });
}

/* Menus: close on a click elsewhere, on Escape, and when focus leaves. */
const openMenus = () => $$("details.menu[open]");
document.addEventListener("click", (event) => {
  // A form's first button is clicked by Enter in any of its fields.
  if (event.detail === 0) return;
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("focusin", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const [menu] = openMenus();
  if (!menu || event.defaultPrevented) return;
  if (event.key === "Escape") {
    event.preventDefault();
    menu.open = false;
    $("summary", menu).focus();
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !event.target.closest("input, select, textarea")) {
    const items = $$("a, button", $(".menu-panel", menu));
    if (items.length === 0) return;
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : -1;
    const at = items.indexOf(document.activeElement);
    items.at(at < 0 ? (step > 0 ? 0 : -1) : (at + step) % items.length).focus();
  }
});

/* The current tab is in view, however many there are. */
$(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

/* Copy */
async function copy(button) {
  const text = button.dataset.copy ?? $(`#${button.dataset.copyFrom}`)?.textContent ?? "";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without the clipboard permission (plain http): the old way.
    const area = document.createElement("textarea");
    area.value = text;
    (button.closest("dialog") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  const use = $("use", button);
  const label = $("span", button);
  const before = { href: use.getAttribute("href"), label: label?.textContent };
  if (button.hasAttribute("data-done")) return;
  button.setAttribute("data-done", "");
  use.setAttribute("href", `${document.body.dataset.icons}#check`);
  if (label) label.textContent = "Copied";
  setTimeout(() => {
    button.removeAttribute("data-done");
    use.setAttribute("href", before.href);
    if (label) label.textContent = before.label;
  }, 1500);
}

/* Dialogs: a link marked data-dialog shows the linked page's dialog content in place. */
const dialog = $("#page-dialog");
async function openDialog(link) {
  try {
    const answer = await fetch(link.href, { headers: { accept: "text/html" }, redirect: "error" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const content = $("[data-dialog-content]", page);
    if (!answer.ok || !content) throw new Error("not a dialog");
    dialog.classList.toggle("dialog-wide", content.hasAttribute("data-dialog-wide"));
    const heading = $("h1", content);
    if (heading) dialog.setAttribute("aria-label", heading.textContent.trim());
    $(".dialog-body", dialog).replaceChildren(content);
    dialog.showModal();
    refreshTimes();
  } catch {
    location.assign(link.href);
  }
}

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const target = event.target.closest("[data-copy], [data-copy-from], [data-dialog], [data-dialog-close], [data-theme-set], [data-help-open]");
  if (!target) return;
  if (target.matches("[data-copy], [data-copy-from]")) copy(target);
  else if (target.matches("[data-theme-set]")) setTheme(target.dataset.themeSet);
  else if (target.matches("[data-help-open]")) $("#help").showModal();
  else if (target.matches("[data-dialog-close]")) {
    const open = target.closest("dialog");
    if (!open) return;
    event.preventDefault();
    open.close();
  } else {
    event.preventDefault();
    openDialog(target);
  }
});
// A click on the backdrop closes.
for (const each of $$("dialog")) {
  each.addEventListener("mousedown", (event) => {
    if (event.target !== each) return;
    const box = each.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) each.close();
  });
}

/* A form is sent once. */
document.addEventListener("submit", (event) => {
  const { submitter, target } = event;
  if (event.defaultPrevented || target.method !== "post" || !submitter || submitter.formTarget) return;
  setTimeout(() => { submitter.disabled = true; });
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) for (const button of $$("button[type=submit]:disabled")) button.disabled = false;
});

/* Times */
const units = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat(root.lang, { numeric: "auto" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const stamp = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(root.lang, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
export function refreshTimes() {
  for (const time of $$("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = exact.format(at);
    if (time.hasAttribute("data-fixed")) {
      time.textContent = (time.classList.contains("event-at") ? clock : stamp).format(at);
      continue;
    }
    const seconds = (at.getTime() - Date.now()) / 1000;
    const unit = units.find(([, size]) => Math.abs(seconds) >= size);
    time.textContent = unit ? relative.format(Math.trunc(seconds / unit[1]), unit[0]) : seconds > 0 ? "in a moment" : "just now";
  }
}

/* The timeline's days are the reader's, not the server's. */
function regroupDays() {
  const days = new Map();
  for (const event of $$(".timeline .event")) {
    const label = dayLabel(new Date($("time", event).dateTime));
    days.set(label, [...(days.get(label) ?? []), event]);
  }
  const [model] = $$(".timeline .day");
  if (!model || days.size === 0) return;
  const sections = [...days].map(([label, events]) => {
    const section = model.cloneNode(true);
    $("h3", section).textContent = label;
    $("ol", section).replaceChildren(...events);
    return section;
  });
  $(".timeline").replaceChildren(...sections);
}
function dayLabel(at) {
  const midnight = (day) => new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime();
  const ago = Math.round((midnight(new Date()) - midnight(at)) / 86_400_000);
  if (ago > 1 || ago < 0) return date.format(at);
  const label = relative.format(-ago, "day");
  return label[0].toUpperCase() + label.slice(1);
}

refreshTimes();
regroupDays();
setInterval(refreshTimes, 60_000);
document.addEventListener("denizen:rows", refreshTimes);

/* Mac keyboards */
if (/Mac|iPhone|iPad/.test(navigator.platform)) for (const key of $$("kbd[data-mod]")) key.textContent = "⌘";
