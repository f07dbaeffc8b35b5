// @ts-check
// What all parts of the secrets editor share: finding elements, requests, messages, and unsaved input.
// The server renders everything. All requests are POSTs, so that no address holds a name or a value.

/** The first match. @param {string} selector @param {ParentNode} [within] @returns {HTMLElement | null} */
export const find = (selector, within = document) => /** @type {HTMLElement | null} */ (within.querySelector(selector));

/** The first match, which the page always has. @param {string} selector @param {ParentNode} [within] */
export function get(selector, within = document) {
  const element = find(selector, within);
  if (!element) throw new Error(`no ${selector}`);
  return element;
}

/** @param {string} selector @param {ParentNode} [within] @returns {HTMLElement[]} */
export const all = (selector, within = document) => [
  .../** @type {NodeListOf<HTMLElement>} */ (within.querySelectorAll(selector)),
];

/** The closest match. @param {EventTarget | null} from @param {string} selector @returns {HTMLElement | null} */
export const around = (from, selector) =>
  from instanceof Element ? /** @type {HTMLElement | null} */ (from.closest(selector)) : null;

/** The closest match, which the page always has. @param {Element} from @param {string} selector */
export function parent(from, selector) {
  const element = around(from, selector);
  if (!element) throw new Error(`no ${selector} around`);
  return element;
}

/** What an event of htmx or of the server carries. @param {Event} event */
export const detail = (event) => /** @type {CustomEvent} */ (event).detail;

/** The boxes that choose keys in the grid. */
export const boxes = () => /** @type {HTMLInputElement[]} */ (all("#ed-grid [name=keys]"));

htmx.config.historyCacheSize = 0; // no copy of a page, revealed values in it, is kept in the browser's storage
export const ed = get("#ed");
export const dialog = /** @type {HTMLDialogElement} */ (get("#ed-dialog"));
export const inside = get("#ed-dialog-in");

// -- requests ---------------------------------------------------------------------------------------------------

/** The address of an environment. @param {string | undefined} env its id */
export const inEnvironment = (env) => `${ed.dataset.editor}in/${env}/`;

/**
 * @param {string} url
 * @param {Record<string, unknown>} values
 * @param {Element} target
 * @param {"innerHTML" | "outerHTML"} swap
 * @param {Element} [source]
 */
export const post = (url, values, target, swap, source = ed) =>
  htmx.ajax("POST", url, { source, target, swap, values: { path: ed.dataset.path, ...values } });

document.body.addEventListener("htmx:configRequest", (event) => {
  // Signing in in another tab made another token.
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  if (token) detail(event).headers["X-CSRFToken"] = token[1];
});

// -- messages ---------------------------------------------------------------------------------------------------

/** Show a message for some seconds. @param {string | undefined} text @param {boolean} [bad] */
export function notify(text, bad = false) {
  const line = document.createElement("p");
  line.textContent = text ?? "";
  if (bad) {
    line.className = "is-bad";
    line.setAttribute("role", "alert");
  }
  get("#ed-toasts").append(line);
  setTimeout(() => line.remove(), bad ? 12_000 : 4_000);
}

document.body.addEventListener("ed-message", (event) => detail(event).value && notify(detail(event).value));
document.body.addEventListener("ed-refused", (event) => {
  const form = around(event.target, "form") ?? (dialog.open ? find("form", dialog) : null);
  const slot = form && find("[data-problem]", form);
  if (slot) slot.textContent = detail(event).value;
  else notify(detail(event).value, true);
});
document.body.addEventListener("htmx:responseError", (event) => {
  const { status } = detail(event).xhr;
  const signedIn = document.cookie.includes("csrftoken="); // signing out deletes every cookie
  const denied = signedIn ? ed.dataset.denied : ed.dataset.out;
  notify(status === 404 ? ed.dataset.gone : status === 403 ? denied : ed.dataset.failed, true);
});
document.body.addEventListener("htmx:sendError", () => notify(ed.dataset.failed, true));

// -- input that is not saved ------------------------------------------------------------------------------------

let downloading = false; // a download leaves the page as it is, though the browser asks as if it were left

/** Let the browser start a download without asking. @param {() => void} done */
export function download(done) {
  downloading = true;
  setTimeout(() => {
    downloading = false;
    done();
  }, 500);
}

/** @param {Element} within */
const hasInput = (within) =>
  /** @type {(HTMLInputElement | HTMLTextAreaElement)[]} */ (all("textarea, input:not([type=file])", within)).some(
    (field) => field.closest("[data-save], #ed-dialog") && field.value !== field.defaultValue,
  );

/** Whether there is no unsaved input, or the person agrees to lose it. @param {Element} within */
export const mayDiscard = (within) => !hasInput(within) || confirm(ed.dataset.unsaved);

window.addEventListener("beforeunload", (event) => {
  if (!downloading && hasInput(ed)) event.preventDefault();
});
document.body.addEventListener("htmx:beforeRequest", (event) => {
  // Another page of keys, or another filter.
  const { target } = detail(event);
  if (target.id === "ed-grid" && !mayDiscard(target)) event.preventDefault();
});
document.addEventListener("kf-signed-out", (event) => {
  if (!hasInput(ed)) return;
  event.preventDefault();
  notify(ed.dataset.out, true);
});

/** Grow a text area to the height of its text. @param {HTMLElement} area */
export function grow(area) {
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight + 2, window.innerHeight * 0.6)}px`;
}
document.addEventListener("input", (event) => {
  if (event.target instanceof HTMLElement && event.target.matches("[data-grows]")) grow(event.target);
});
