// @ts-check
// The imports of a folder: their order, changed by buttons or by dragging, and deleting one.
import { all, around, ed, find, get, post } from "./page.js";
import { open } from "./dialogs.js";

/** @param {Record<string, unknown>} values @param {string} [action] */
function update(values, action = "") {
  const strip = get("#ed-imports");
  return post(`${ed.dataset.in}imports/${action}`, values, strip, "outerHTML", strip);
}
document.body.addEventListener("ed-imports", () => update({}));

/** @param {HTMLElement} row @param {number} position */
async function move(row, position) {
  await update({ import: row.dataset.import, position }, "move/");
  find(`[data-import="${row.dataset.import}"] [data-moves]`)?.focus();
}

document.addEventListener("click", (event) => {
  const row = around(event.target, "[data-import]");
  if (!row) return;
  const button = around(event.target, "[data-moves]");
  if (button) move(row, Number(row.dataset.at) + Number(button.dataset.moves));
  if (around(event.target, "[data-drops-import]")) open("imports/delete", { import: row.dataset.import });
});

/** @type {HTMLElement | null} */
let dragged = null;
document.addEventListener("dragstart", (event) => {
  dragged = around(event.target, "[data-import]");
  if (dragged && event.dataTransfer) event.dataTransfer.effectAllowed = "move";
});
document.addEventListener("dragover", (event) => {
  const over = dragged && around(event.target, "[data-import]");
  all(".is-over").forEach((row) => row.classList.remove("is-over"));
  if (!over) return;
  event.preventDefault();
  if (over !== dragged) over.classList.add("is-over");
});
document.addEventListener("drop", (event) => {
  const over = dragged && around(event.target, "[data-import]");
  if (dragged && over && over !== dragged) {
    event.preventDefault();
    move(dragged, Number(over.dataset.at));
  }
  dragged = null;
});
