// @ts-check
// The grid of keys and environments: refreshing, editing in place, moving by arrow keys, choosing rows.
import { all, around, boxes, dialog, ed, find, get, grow, inEnvironment, mayDiscard, notify } from "./page.js";
import { parent, post } from "./page.js";
import { open } from "./dialogs.js";
import { completing } from "./references.js";

const HIDE_AFTER = 60_000; // milliseconds that a revealed value is shown

// -- refreshing -------------------------------------------------------------------------------------------------

let outdated = false; // while a cell is being edited, the grid is not replaced

function refresh() {
  outdated = find("#ed-grid [data-save]") !== null;
  if (outdated) return;
  const address = location.pathname + location.search;
  htmx.ajax("GET", address, { source: "#ed-grid", target: "#ed-grid", swap: "outerHTML" });
}
document.body.addEventListener("ed-grid", refresh);

function refreshFeeds() {
  const strip = find("#ed-feeds");
  if (strip) post(`${ed.dataset.in}feeds/`, {}, strip, "outerHTML", strip);
}
document.body.addEventListener("ed-feeds", refreshFeeds);

/** @type {ReturnType<typeof setTimeout> | undefined} */
let polling;
function poll() {
  // The status of the syncs, while one is running.
  clearTimeout(polling);
  if (find("#ed-feeds[data-running]") && !document.hidden) polling = setTimeout(refreshFeeds, 1500);
}
document.addEventListener("visibilitychange", poll);

/** After every swap. */
function settle() {
  const grid = find("#ed-grid");
  if (!grid) return;
  if (!find("[data-stop][tabindex='0']", grid)) {
    roam(find("td:not(.ed-check) [data-stop]", grid) ?? find("[data-stop]", grid));
  }
  const focus = find("[data-focus]", grid);
  if (focus) {
    focus.removeAttribute("data-focus");
    focus.focus();
    if (focus instanceof HTMLTextAreaElement) focus.setSelectionRange(focus.value.length, focus.value.length);
  }
  all("[data-grows]", grid).forEach(grow);
  all("[data-save]", grid).forEach(fit);
  for (const cell of all("td[data-hides]", grid)) {
    cell.removeAttribute("data-hides");
    setTimeout(() => cell.isConnected && act(cell, "show"), HIDE_AFTER);
  }
  countChosen();
  poll();
  if (outdated) refresh();
}
document.body.addEventListener("htmx:afterSwap", settle);

// -- cells ------------------------------------------------------------------------------------------------------

/** A form wider than its cell extends over the cells on its left. @param {HTMLElement} form */
function fit(form) {
  const right = parent(form, ".ed-scroll").getBoundingClientRect().right - 2;
  form.style.marginLeft = "";
  form.style.marginLeft = `${Math.min(0, right - form.getBoundingClientRect().right)}px`;
}

/** @param {HTMLElement} from @param {string | undefined} action @param {Record<string, unknown>} [values] */
function act(from, action, values = {}) {
  const cell = parent(from, "td, th");
  const env = from.dataset.env || cell.dataset.env;
  const key = parent(from, "tr").dataset.key;
  if (action === "details") return open("details", { key }, env);
  if (action === "copy") {
    const text = get(".ed-value", cell).textContent ?? "";
    return navigator.clipboard.writeText(text).then(
      () => notify(ed.dataset.copied),
      () => notify(ed.dataset.failed, true),
    );
  }
  return post(`${inEnvironment(env)}cell/${action}/`, { key, ...values }, cell, "outerHTML", cell);
}

document.addEventListener("click", (event) => {
  const button = around(event.target, "[data-do]");
  if (!button || !ed.contains(button)) return;
  if (button.dataset.loaded && !mayDiscard(parent(button, "td"))) return;
  act(button, button.dataset.do, button.dataset.loaded ? { loaded: "1" } : {});
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.matches("[data-save]")) return;
  event.preventDefault();
  const cell = parent(form, "td");
  const values = { key: parent(form, "tr").dataset.key, ...Object.fromEntries(new FormData(form)) };
  get("[data-problem]", form).textContent = "";
  post(`${inEnvironment(cell.dataset.env)}cell/save/`, values, cell, "outerHTML", form);
});

// -- keys -------------------------------------------------------------------------------------------------------

/** @param {KeyboardEvent} event */
const hasModifier = (event) => event.ctrlKey || event.metaKey || event.altKey;

document.addEventListener("keydown", (event) => {
  if (completing(event)) return;
  const form = around(event.target, "[data-save]");
  if (form instanceof HTMLFormElement) return editing(event, form);
  const stop = around(event.target, "[data-stop]");
  if (stop && ed.contains(stop)) return moving(event, stop);
  const typing = around(event.target, "input, textarea, select, [contenteditable], dialog");
  if (typing || hasModifier(event) || dialog.open || event.key !== "/") return;
  if (event.target === document.body || (event.target instanceof Node && ed.contains(event.target))) search(event);
});

/** @param {KeyboardEvent} event */
function search(event) {
  event.preventDefault();
  get("#ed-q").focus();
}

/** Enter saves one line; a text of several lines is saved with Ctrl. @param {KeyboardEvent} event @param {HTMLFormElement} form */
function editing(event, form) {
  const field = event.target;
  if (event.key === "Escape") {
    event.preventDefault();
    act(form, "show");
  }
  if (event.key !== "Enter" || event.isComposing || !(field instanceof HTMLTextAreaElement)) return;
  if (event.ctrlKey || event.metaKey || (!event.shiftKey && !field.value.includes("\n"))) {
    event.preventDefault();
    form.requestSubmit();
  }
}

/** What arrow keys stop at. @param {Element} row */
const stops = (row) => all("[data-stop]", row).filter((element) => element.offsetParent);

/** One stop of the grid is in the tab order; arrow keys reach the others. @param {HTMLElement | null} to */
function roam(to) {
  for (const stop of all("#ed-grid [data-stop][tabindex='0']")) stop.tabIndex = -1;
  if (to) to.tabIndex = 0;
}

/** @param {KeyboardEvent} event @param {HTMLElement} stop */
function moving(event, stop) {
  if (hasModifier(event)) return;
  const to = neighbour(event.key, stop);
  if (to) {
    event.preventDefault();
    roam(to);
    to.focus();
    return;
  }
  const row = parent(stop, "tr");
  const cell = around(stop, "td.ed-cell");
  /** @param {string} action */
  const button = (action) => cell && find(`[data-do="${action}"]`, cell);
  switch (event.key.toLowerCase()) {
    case "v": return (button("reveal") ?? button("show"))?.click();
    case "c": return button("copy")?.click();
    case "d": return (button("details") ?? find(".ed-keyname", row))?.click();
    case "n": return find("[data-open='new']")?.click();
    case "/": return search(event);
    case "escape": return button("show")?.click();
    case " ": {
      const box = find("[name=keys]", row);
      if (!box || stop === box) return;
      event.preventDefault();
      box.click();
    }
  }
}

/** Where a key leads from here. @param {string} key @param {HTMLElement} stop @returns {HTMLElement | null | undefined} */
function neighbour(key, stop) {
  const row = /** @type {HTMLTableRowElement} */ (parent(stop, "tr"));
  const line = stops(row);
  const index = line.indexOf(stop);
  const rows = /** @type {HTMLElement[]} */ ([...(row.parentElement?.children ?? [])]);
  /** @param {HTMLElement | undefined} other */
  const across = (other) => other && (stops(other).find((one) => column(one) === column(stop)) ?? stops(other)[index]);
  switch (key) {
    case "ArrowRight": return line[index + 1];
    case "ArrowLeft": return line[index - 1];
    case "ArrowDown": return across(rows[rows.indexOf(row) + 1]);
    case "ArrowUp": return across(rows[rows.indexOf(row) - 1]);
    case "Home": return line[0];
    case "End": return line[line.length - 1];
  }
  return null;
}

/** @param {Element} stop */
const column = (stop) => /** @type {HTMLTableCellElement} */ (parent(stop, "td, th")).cellIndex;

document.addEventListener("focusin", (event) => {
  const stop = around(event.target, "#ed-grid [data-stop]");
  if (stop && stop.tabIndex !== 0) roam(stop);
});

// -- choosing rows ----------------------------------------------------------------------------------------------

function countChosen() {
  const bar = find("#ed-bulk");
  if (!bar) return;
  const count = boxes().filter((box) => box.checked).length;
  bar.hidden = count === 0;
  get("[data-count]", bar).textContent = String(count);
  const every = find("[data-all]");
  if (every instanceof HTMLInputElement) {
    every.checked = count > 0 && count === boxes().length;
    every.indeterminate = count > 0 && count < boxes().length;
  }
}

/** @param {boolean} checked */
function choose(checked) {
  for (const box of boxes()) box.checked = checked;
}

document.addEventListener("change", (event) => {
  const box = event.target;
  if (!(box instanceof HTMLInputElement)) return;
  if (box.matches("[data-all]")) choose(box.checked);
  if (box.matches("[data-all], [name=keys]")) countChosen();
});
document.addEventListener("click", (event) => {
  if (!around(event.target, "[data-none]")) return;
  choose(false);
  countChosen();
});

// -- the sidebar ------------------------------------------------------------------------------------------------

const menu = /** @type {HTMLDetailsElement} */ (get(".ed-menu"));
document.addEventListener("click", (event) => {
  if (event.target instanceof Node && !menu.contains(event.target)) menu.open = false;
});
menu.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !menu.open) return;
  menu.open = false;
  get("summary", menu).focus();
});
if (matchMedia("(max-width: 64rem)").matches) {
  /** @type {HTMLDetailsElement} */ (get(".ed-folders")).open = false;
}

settle();
