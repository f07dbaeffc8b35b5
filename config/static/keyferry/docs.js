// @ts-check
// What the documentation pages gain from a script: the theme that was chosen in the admin, a button that changes it,
// and one that copies code. Everything else works without.
(() => {
  "use strict";
  const root = document.documentElement;
  const KEY = "adminTheme"; // as the admin keeps it: "light", "dark" or "auto", as JSON
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");

  /** @returns {string | null} */
  const chosen = () => {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
      return kept === "light" || kept === "dark" ? kept : null;
    } catch {
      return null; // nothing that can be read, or no storage
    }
  };
  const isDark = () => (chosen() ?? (prefersDark.matches ? "dark" : "light")) === "dark";
  const apply = () => {
    root.classList.toggle("dark", isDark());
    root.classList.toggle("light", !isDark());
  };
  apply(); // before anything is painted

  /** @param {HTMLButtonElement} button */
  const themed = (button) => {
    const label = () => {
      button.textContent = (isDark() ? button.dataset.light : button.dataset.dark) ?? "";
    };
    button.hidden = false;
    label();
    button.addEventListener("click", () => {
      try {
        localStorage.setItem(KEY, JSON.stringify(isDark() ? "light" : "dark"));
      } catch {
        return; // without storage there is no choice to keep
      }
      apply();
      label();
    });
    prefersDark.addEventListener("change", () => {
      apply();
      label();
    });
  };

  /** @param {Element} block */
  const copied = (block) => {
    const text = block.querySelector("code")?.textContent ?? "";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "kd-button kd-copy";
    button.textContent = "Copy";
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    block.append(button);
    block.classList.add("has-copy");
  };

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector(".kd-theme");
    if (button instanceof HTMLButtonElement) themed(button);
    if (!navigator.clipboard) return; // only over https or on this machine
    for (const block of document.querySelectorAll('.kd-code:not([data-language="text"])')) copied(block);
  });
})();
