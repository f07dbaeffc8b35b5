// Moments in the viewer's zone, on hover; and a page that refreshes itself after its session has ended is loaded anew,
// which asks for the password. Everything else works without a script.
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
    event.detail.shouldSwap = false; // the sign-in would stand where a cell or a run was
    if (document.dispatchEvent(new CustomEvent("kf-signed-out", { cancelable: true }))) location.reload();
  });
})();
