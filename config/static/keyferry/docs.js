// @ts-check
// Adds to the documentation pages: the theme chosen in the admin, a button to change it, and buttons to copy code.
// Everything else works without this script.
(() => {
  "use strict";
  const root = document.documentElement;
  const KEY = "adminTheme"; // as the admin stores it: "light", "dark" or "auto", as JSON
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");

  /** @returns {string | null} */
  const chosen = () => {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
      return kept === "light" || kept === "dark" ? kept : null;
    } catch {
      return null; // unreadable, or storage is disabled
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
        return; // without storage the choice cannot be kept
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
