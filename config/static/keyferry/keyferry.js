// @ts-check
// Shows exact times in the viewer's time zone on hover, and reloads a page whose session has ended, which leads to the
// sign-in page. Everything else works without this script.
(() => {
  "use strict";
  const language = document.documentElement.lang || undefined;
  const exact = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" });

  /** @param {ParentNode} root */
  const addTitles = (root) => {
    for (const time of /** @type {NodeListOf<HTMLTimeElement>} */ (root.querySelectorAll("time.kf-when"))) {
      time.title = exact.format(new Date(time.dateTime));
    }
  };
  document.addEventListener("DOMContentLoaded", () => addTitles(document));
  document.addEventListener("htmx:load", (event) => {
    if (event.target instanceof Element) addTitles(event.target);
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { detail } = /** @type {CustomEvent} */ (event);
    const { responseURL } = detail.xhr;
    if (!responseURL || !new URL(responseURL).pathname.endsWith("/login/")) return;
    detail.shouldSwap = false; // the sign-in page would replace a cell or a run
    if (document.dispatchEvent(new CustomEvent("kf-signed-out", { cancelable: true }))) location.reload();
  });
})();
