// @ts-check
// Completes references while a value is typed. The names are requested once, all of them, and compared here.
import { around, ed, find, grow } from "./page.js";

/** @type {Promise<string[]> | null} */
let names = null;
/** @type {HTMLUListElement | null} */
let list = null;
let index = 0;

function known() {
  names ??= (async () => {
    const body = new URLSearchParams({ path: ed.dataset.path ?? "" });
    const headers = JSON.parse(ed.getAttribute("hx-headers") ?? "{}");
    const response = await fetch(`${ed.dataset.in}names/`, { method: "POST", headers, body });
    return response.ok ? (await response.json()).names : [];
  })();
  return names;
}

/** The part of a name that is typed so far. @param {HTMLTextAreaElement} area @returns {string | undefined} */
const typed = (area) => area.value.slice(0, area.selectionStart).match(/\$\{([A-Za-z0-9_.@-]*)$/)?.[1];

/** @param {HTMLTextAreaElement} area */
async function complete(area) {
  if (typed(area) === undefined) return close();
  const every = await known();
  const part = typed(area)?.toLowerCase(); // it may have changed meanwhile
  if (part === undefined) return close();
  const matching = every.filter((name) => name.toLowerCase().includes(part)).slice(0, 50);
  close();
  if (!matching.length || document.activeElement !== area) return;
  list = document.createElement("ul");
  list.className = "ed-names";
  list.id = "ed-names";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "${");
  list.append(...matching.map((name, number) => option(area, name, number)));
  const box = area.getBoundingClientRect();
  const home = around(area, "dialog") ?? ed;
  const origin = home.getBoundingClientRect();
  home.style.position ||= home === ed ? "relative" : "";
  list.style.left = `${box.left - origin.left + home.scrollLeft}px`;
  list.style.top = `${box.bottom - origin.top + home.scrollTop + 2}px`;
  home.append(list);
  area.setAttribute("aria-controls", list.id);
  mark(area, list, 0);
}

/** @param {HTMLTextAreaElement} area @param {string} name @param {number} number */
function option(area, name, number) {
  const item = document.createElement("li");
  item.id = `ed-name-${number}`;
  item.setAttribute("role", "option");
  item.textContent = name;
  item.addEventListener("mousedown", (event) => {
    event.preventDefault();
    take(area, name);
  });
  return item;
}

/** @param {HTMLTextAreaElement} area @param {HTMLUListElement} within @param {number} to */
function mark(area, within, to) {
  const items = [...within.children];
  index = (to + items.length) % items.length;
  items.forEach((item, number) => item.setAttribute("aria-selected", String(number === index)));
  const item = items[index];
  if (!item) return;
  item.scrollIntoView({ block: "nearest" });
  area.setAttribute("aria-activedescendant", item.id);
}

/** @param {HTMLTextAreaElement} area @param {string} name */
function take(area, name) {
  const end = area.selectionStart;
  const start = area.value.lastIndexOf("${", end - 1);
  area.setRangeText(`\${${name}}`, start, area.value[end] === "}" ? end + 1 : end, "end");
  close();
  area.focus();
  grow(area);
}

function close() {
  list?.remove();
  list = null;
  for (const area of document.querySelectorAll("[aria-activedescendant]")) {
    area.removeAttribute("aria-activedescendant");
    area.removeAttribute("aria-controls");
  }
}
document.addEventListener("focusout", close);
document.addEventListener("input", (event) => {
  const area = event.target;
  if (area instanceof HTMLTextAreaElement && area.matches("[data-completes]")) complete(area);
});

/** Whether the list of names took the key. @param {KeyboardEvent} event */
export function completing(event) {
  const area = event.target;
  if (!list || !(area instanceof HTMLTextAreaElement) || !area.matches("[data-completes]")) return false;
  if (event.key === "ArrowDown") mark(area, list, index + 1);
  else if (event.key === "ArrowUp") mark(area, list, index - 1);
  else if (event.key === "Enter" || event.key === "Tab") take(area, find("[aria-selected=true]", list)?.textContent ?? "");
  else if (event.key === "Escape") {
    close();
    event.stopPropagation();
  } else return false;
  event.preventDefault();
  return true;
}
