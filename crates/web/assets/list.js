// Lists of every kind, by keyboard: move, open, the row's menu, help.
const list = document.querySelector("[data-list]");
const $ = (selector, from = document) => from.querySelector(selector);
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

const currentRow = () => (list ? $("[data-row][data-current]", list) : null);
function move(step) {
  const all = list ? $$("[data-row]", list) : [];
  if (all.length === 0) return;
  const before = currentRow();
  const at = before ? all.indexOf(before) + step : step > 0 ? 0 : all.length - 1;
  const next = all[Math.max(0, Math.min(all.length - 1, at))];
  before?.removeAttribute("data-current");
  next.setAttribute("data-current", "");
  $("[data-open]", next)?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

// From the search box down to the rows.
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || !event.target.matches("[data-search] input[name=q]")) return;
  if (event.key === "ArrowDown") {
    event.preventDefault();
    event.target.blur();
    move(1);
  } else if (event.key === "Escape") {
    event.preventDefault();
    event.target.blur();
  }
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]")) return;
  if ($("dialog[open]")) return;
  const row = currentRow();
  const open = (summary) => {
    summary?.click();
    summary?.focus();
  };
  const act = {
    "/": () => $("[data-search] input[name=q]")?.focus(),
    "?": () => $("#help")?.showModal(),
    j: () => move(1),
    k: () => move(-1),
    f: () => open($(".filter-menu > summary")),
    x: () => row && $("[name=ids]", row)?.click(),
    ".": () => row && open($(".row-menu > summary", row)),
    Enter: () => {
      if (row && !event.target.closest("a, button, summary, input")) $("[data-open]", row)?.click();
      else return false;
    },
  }[event.key];
  if (act && act() !== false) event.preventDefault();
});
