// @ts-check
// Importing a file: it is read in the browser and put into the form; nothing is sent before a preview is requested.
import { around, ed, find, get } from "./page.js";
import { open } from "./dialogs.js";

const area = () => /** @type {HTMLTextAreaElement} */ (get("#ed-text"));

/** @param {File} file */
async function read(file) {
  area().value = await file.text();
  const form = area().form;
  if (!form) return;
  clearPreview(form);
  form.requestSubmit(find("[data-first] .ed-primary", form));
}

/** The preview is of another text. @param {Element} form */
const clearPreview = (form) => get("#ed-preview", form).replaceChildren();

document.addEventListener("input", (event) => {
  const form = around(event.target, "form[data-post='file']");
  if (form) clearPreview(form);
});
document.addEventListener("change", (event) => {
  const file = event.target instanceof HTMLInputElement && event.target.matches("[data-file]") && event.target.files?.[0];
  if (file) read(file);
});

document.addEventListener("click", (event) => {
  // From a problem to its line.
  const problem = around(event.target, "[data-line]");
  if (!problem) return;
  const number = Number(problem.dataset.line);
  const text = area();
  const lines = text.value.split("\n");
  const start = lines.slice(0, number - 1).join("\n").length + (number > 1 ? 1 : 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[number - 1] ?? "").length);
  text.scrollTop = (number - 3) * parseFloat(getComputedStyle(text).lineHeight);
});

/** @param {DragEvent} event */
const hasFile = (event) => event.dataTransfer?.types.includes("Files");
const acceptsFile = () => find("[data-open='file']") ?? find("#ed-text");

document.addEventListener("dragover", (event) => {
  if (!hasFile(event) || !acceptsFile()) return;
  event.preventDefault();
  ed.classList.add("is-dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) ed.classList.remove("is-dropping");
});
document.addEventListener("drop", async (event) => {
  ed.classList.remove("is-dropping");
  if (!hasFile(event) || !acceptsFile()) return;
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  if (!find("#ed-text")) await open("file");
  if (file) read(file);
});
