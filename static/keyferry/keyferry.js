// Moments in the viewer's zone, on hover. Everything else works without a script.
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
})();
