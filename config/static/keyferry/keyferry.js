// Shows exact times in the viewer's time zone on hover, and reloads a page whose session has ended, which leads to the
// sign-in page. Everything else works without this script.
(() => {
  "use strict";
  const exact = new Intl.DateTimeFormat(document.documentElement.lang || undefined, { dateStyle: "full", timeStyle: "long" });
  const local = (root) => {
    for (const time of root.querySelectorAll("time.kf-when")) {
      time.title = exact.format(new Date(time.dateTime));
    }
  };
  document.addEventListener("DOMContentLoaded", () => local(document));
  document.addEventListener("htmx:load", (event) => local(event.target));
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { responseURL } = event.detail.xhr;
    if (!responseURL || !new URL(responseURL).pathname.endsWith("/login/")) return;
    event.detail.shouldSwap = false; // the sign-in page would replace a cell or a run
    if (document.dispatchEvent(new CustomEvent("kf-signed-out", { cancelable: true }))) location.reload();
  });
})();
