// @ts-check
// The dialog: what opens it, the forms in it, and that nothing of it stays in the page when it closes.
import { all, around, boxes, dialog, download, ed, find, get, grow, inEnvironment, inside, mayDiscard } from "./page.js";
import { parent, post } from "./page.js";

/** @type {Element | null} */
let focused = null; // when the dialog opened

/** Open a dialog of the server. @param {string} name @param {Record<string, unknown>} [values] @param {string} [env] */
export async function open(name, values = {}, env = ed.dataset.env) {
  if (!dialog.open) focused = document.activeElement;
  await post(`${inEnvironment(env)}${name}/`, values, inside, "innerHTML");
  const content = inside.firstElementChild;
  if (!(content instanceof HTMLElement)) return;
  dialog.className = `ed-dialog ${content.dataset.look ? `is-${content.dataset.look}` : ""}`;
  if (!dialog.open) dialog.showModal();
  find("[data-focus]", inside)?.focus();
  all("[data-grows]", inside).forEach(grow);
}

document.addEventListener("click", (event) => {
  const opener = around(event.target, "[data-open]");
  if (opener) {
    const { keys, values, env, open: name = "" } = opener.dataset;
    const chosen = boxes().filter((box) => box.checked).map((box) => box.value);
    open(
      name,
      {
        ...(keys ? { keys: [keys] } : opener.hasAttribute("data-chosen") ? { keys: chosen } : {}),
        ...(values ? JSON.parse(values) : {}),
      },
      env,
    );
  }
  const closer = around(event.target, "[data-close]");
  if (closer && !closer.matches(".ed-icon")) dialog.close(); // "Cancel" says that it discards the input
  else if ((closer || event.target === dialog) && mayDiscard(dialog)) dialog.close();
});
dialog.addEventListener("cancel", (event) => {
  if (event.target === dialog && !mayDiscard(dialog)) event.preventDefault();
});
dialog.addEventListener("close", () => {
  inside.replaceChildren(); // neither values nor input stay in the page
  if (focused instanceof HTMLElement && focused.isConnected) focused.focus();
});
document.body.addEventListener("ed-close", () => dialog.close());

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.matches("[data-post]")) return;
  event.preventDefault();
  const data = new FormData(form, event.submitter);
  /** @type {Record<string, unknown>} */
  const values = {};
  for (const name of new Set(data.keys())) {
    const every = data.getAll(name);
    values[name] = every.length > 1 ? every : every[0];
  }
  const slot = find("[data-problem]", form);
  if (slot) slot.textContent = "";
  const storing = event.submitter instanceof HTMLButtonElement && event.submitter.name === "digest";
  const target = form.dataset.target && !storing ? get(form.dataset.target, form) : inside;
  const url = `${inEnvironment(form.dataset.env || ed.dataset.env)}${form.dataset.post}/`;
  await post(url, values, target, "innerHTML", form);
  if (dialog.open && !inside.firstElementChild) dialog.close();
  all("[data-grows]", inside).forEach(grow);
});

document.addEventListener("submit", (event) => {
  if (around(event.target, "[data-downloads]") === event.target) download(() => dialog.close());
});

document.addEventListener("click", (event) => {
  // Show the value of a version, or hide it again.
  const button = around(event.target, "[data-version]");
  if (!button) return;
  const slot = get("[data-slot]", parent(button, "li"));
  if (slot.firstChild) {
    slot.replaceChildren();
    return;
  }
  const values = { key: parent(button, "[data-key]").dataset.key, version: button.dataset.version };
  post(`${inEnvironment(slot.dataset.env)}details/version/`, values, slot, "innerHTML", slot);
});
