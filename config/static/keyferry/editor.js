// The secrets editor in the browser: keyboard navigation, editing in place, dialogs, files, completion.
// The server renders everything. Every request is a POST, so that no URL ever contains a name or a value.
(() => {
    "use strict";
    htmx.config.historyCacheSize = 0; // no copy of a page with revealed values is stored by the browser
    const ed = document.getElementById("ed");
    if (!ed) return;
    const dialog = document.getElementById("ed-dialog");
    const inside = document.getElementById("ed-dialog-in");
    const HIDE_AFTER = 60_000; // milliseconds until a revealed value is hidden

    // -- requests ---------------------------------------------------------------------------------------------

    const inEnv = (env) => `${ed.dataset.editor}in/${env}/`;

    function post(url, values, target, swap, source) {
        return htmx.ajax("POST", url, { source: source || ed, target, swap, values: { path: ed.dataset.path, ...values } });
    }

    function notify(message, isError) {
        const line = document.createElement("p");
        line.textContent = message;
        if (isError) { line.className = "is-bad"; line.setAttribute("role", "alert"); }
        document.getElementById("ed-toasts").append(line);
        setTimeout(() => line.remove(), isError ? 12_000 : 4_000);
    }

    document.body.addEventListener("ed-message", (event) => event.detail.value && notify(event.detail.value));
    document.body.addEventListener("ed-refused", (event) => {
        const form = event.target.closest("form") || (dialog.open ? dialog.querySelector("form") : null);
        const slot = form && form.querySelector("[data-problem]");
        if (slot) slot.textContent = event.detail.value;
        else notify(event.detail.value, true);
    });
    document.body.addEventListener("htmx:responseError", (event) => {
        const { status } = event.detail.xhr;
        const denied = document.cookie.includes("csrftoken=") ? ed.dataset.denied : ed.dataset.out; // all cookies were deleted
        notify(status === 404 ? ed.dataset.gone : status === 403 ? denied : ed.dataset.failed, true);
    });
    document.body.addEventListener("htmx:sendError", () => notify(ed.dataset.failed, true));
    document.body.addEventListener("ed-grid", refresh);

    let isOutdated = false; // the grid is not refreshed while a cell is being edited

    function refresh() {
        isOutdated = document.querySelector("#ed-grid [data-save]") !== null;
        if (!isOutdated) htmx.ajax("GET", location.pathname + location.search, { source: "#ed-grid", target: "#ed-grid", swap: "outerHTML" });
    }
    document.body.addEventListener("ed-feeds", feeds);
    document.body.addEventListener("ed-close", () => dialog.close());

    function feeds() {
        const strip = document.getElementById("ed-feeds");
        if (strip) post(`${ed.dataset.in}feeds/`, {}, strip, "outerHTML", strip);
    }

    let timer;
    function poll() { // refresh the syncs while one of them is running
        clearTimeout(timer);
        if (document.querySelector("#ed-feeds[data-running]") && !document.hidden) timer = setTimeout(feeds, 1500);
    }
    document.addEventListener("visibilitychange", poll);

    // -- unsaved input ----------------------------------------------------------------------------------------

    let downloading = false; // an export does not leave the page, although the browser fires beforeunload

    const hasInput = (within) => [...within.querySelectorAll("textarea, input:not([type=file])")].some(
        (one) => one.closest("[data-save], #ed-dialog") && one.value !== one.defaultValue,
    );
    const mayDrop = (within) => !hasInput(within) || confirm(ed.dataset.unsaved);

    window.addEventListener("beforeunload", (event) => { if (!downloading && hasInput(ed)) event.preventDefault(); });
    document.body.addEventListener("htmx:beforeRequest", (event) => { // paging or filtering replaces the grid
        if (event.detail.target.id === "ed-grid" && !mayDrop(event.detail.target)) event.preventDefault();
    });

    document.addEventListener("kf-signed-out", (event) => {
        if (!hasInput(ed)) return;
        event.preventDefault();
        notify(ed.dataset.out, true);
    });
    document.body.addEventListener("htmx:configRequest", (event) => { // signing in in another tab changes the token
        const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
        if (token) event.detail.headers["X-CSRFToken"] = token[1];
    });

    // -- the grid ---------------------------------------------------------------------------------------------

    const stops = (row) => [...row.querySelectorAll("[data-stop]")].filter((one) => one.offsetParent);

    function roam(to) { // one stop of the grid is in the tab order; arrow keys reach the others
        document.querySelectorAll("#ed-grid [data-stop][tabindex='0']").forEach((one) => { one.tabIndex = -1; });
        if (to) to.tabIndex = 0;
    }

    function settle() {
        const grid = document.getElementById("ed-grid");
        if (!grid) return;
        const focus = grid.querySelector("[data-focus]") || null;
        if (!grid.querySelector("[data-stop][tabindex='0']")) {
            roam(grid.querySelector("td:not(.ed-check) [data-stop]") || grid.querySelector("[data-stop]"));
        }
        if (focus) {
            focus.removeAttribute("data-focus");
            focus.focus();
            if (focus.matches("textarea")) focus.setSelectionRange(focus.value.length, focus.value.length);
        }
        grid.querySelectorAll("[data-grows]").forEach(grow);
        grid.querySelectorAll("[data-save]").forEach(fit);
        grid.querySelectorAll("td[data-hides]").forEach((cell) => {
            cell.removeAttribute("data-hides");
            setTimeout(() => cell.isConnected && act(cell, "show"), HIDE_AFTER);
        });
        chosen();
        poll();
        if (isOutdated) refresh();
    }
    document.body.addEventListener("htmx:afterSwap", settle);

    function fit(form) { // a form wider than its cell extends to the left instead of out of sight
        const right = form.closest(".ed-scroll").getBoundingClientRect().right - 2;
        form.style.marginLeft = "";
        form.style.marginLeft = `${Math.min(0, right - form.getBoundingClientRect().right)}px`;
    }

    function act(from, what, values = {}) {
        const cell = from.closest("td, th");
        const env = from.dataset.env || cell.dataset.env;
        const key = from.closest("tr").dataset.key;
        if (what === "details") return open("details", { key }, env);
        if (what === "copy") {
            const text = cell.querySelector(".ed-value").textContent;
            return navigator.clipboard.writeText(text).then(() => notify(ed.dataset.copied), () => notify(ed.dataset.failed, true));
        }
        return post(`${inEnv(env)}cell/${what}/`, { key, ...values }, cell, "outerHTML", cell);
    }

    document.addEventListener("click", (event) => {
        const button = event.target.closest("[data-do]");
        if (!button || !ed.contains(button)) return;
        if (button.dataset.loaded && !mayDrop(button.closest("td"))) return;
        act(button, button.dataset.do, button.dataset.loaded ? { loaded: "1" } : {});
    });

    document.addEventListener("submit", (event) => {
        const form = event.target;
        if (form.matches("[data-save]")) {
            event.preventDefault();
            const values = Object.fromEntries(new FormData(form));
            const cell = form.closest("td");
            form.querySelector("[data-problem]").textContent = "";
            post(`${inEnv(cell.dataset.env)}cell/save/`, { key: form.closest("tr").dataset.key, ...values }, cell, "outerHTML", form);
        }
    });

    document.addEventListener("keydown", (event) => {
        const at = event.target;
        if (completing(event)) return;
        const editing = at.closest && at.closest("[data-save]");
        if (editing) {
            if (event.key === "Escape") { event.preventDefault(); act(at, "show"); }
            const plain = event.key === "Enter" && !event.isComposing && at.matches("textarea");
            if (plain && (event.ctrlKey || event.metaKey || (!event.shiftKey && !at.value.includes("\n")))) {
                event.preventDefault();
                editing.requestSubmit();
            }
            return;
        }
        if (at.closest && at.closest("[data-stop]") && ed.contains(at)) return moving(event, at.closest("[data-stop]"));
        const typing = at.closest && at.closest("input, textarea, select, [contenteditable], dialog");
        if (typing || event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
        if (event.key === "/" && ed.contains(at) | at === document.body) {
            event.preventDefault();
            document.getElementById("ed-q").focus();
        }
    });

    function moving(event, at) {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const row = at.closest("tr");
        const line = stops(row);
        const index = line.indexOf(at);
        const rows = [...row.parentElement.rows];
        const go = (to) => { if (to) { event.preventDefault(); roam(to); to.focus(); } };
        const across = (other) => {
            if (!other) return null;
            const column = at.closest("td, th").cellIndex;
            return stops(other).find((one) => one.closest("td, th").cellIndex === column) || stops(other)[index];
        };
        const cell = at.closest("td.ed-cell");
        const button = (what) => cell && cell.querySelector(`[data-do="${what}"]`);
        switch (event.key) {
        case "ArrowRight": return go(line[index + 1]);
        case "ArrowLeft": return go(line[index - 1]);
        case "ArrowDown": return go(across(rows[rows.indexOf(row) + 1]));
        case "ArrowUp": return go(across(rows[rows.indexOf(row) - 1]));
        case "Home": return go(line[0]);
        case "End": return go(line[line.length - 1]);
        case "v": case "V": { const one = button("reveal") || button("show"); if (one) one.click(); return; }
        case "c": case "C": { const one = button("copy"); if (one) one.click(); return; }
        case "d": case "D": { const one = button("details") || row.querySelector(".ed-keyname"); if (one) one.click(); return; }
        case "n": case "N": { const one = document.querySelector("[data-open='new']"); if (one) one.click(); return; }
        case "/": event.preventDefault(); document.getElementById("ed-q").focus(); return;
        case "Escape": { const one = button("show"); if (one) one.click(); return; }
        case " ": {
            const box = row.querySelector("[name=keys]");
            if (box && at !== box) { event.preventDefault(); box.click(); }
        }
        }
    }

    document.addEventListener("focusin", (event) => {
        const at = event.target.closest && event.target.closest("#ed-grid [data-stop]");
        if (at && at.tabIndex !== 0) roam(at);
    });

    const menu = document.querySelector(".ed-menu");
    document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
    menu.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && menu.open) { menu.open = false; menu.querySelector("summary").focus(); }
    });

    // -- selecting rows ---------------------------------------------------------------------------------------

    const boxes = () => [...document.querySelectorAll("#ed-grid [name=keys]")];

    function chosen() {
        const bar = document.getElementById("ed-bulk");
        if (!bar) return;
        const picked = boxes().filter((box) => box.checked).length;
        bar.hidden = picked === 0;
        bar.querySelector("[data-count]").textContent = picked;
        const all = document.querySelector("[data-all]");
        if (all) {
            all.checked = picked > 0 && picked === boxes().length;
            all.indeterminate = picked > 0 && picked < boxes().length;
        }
    }

    document.addEventListener("change", (event) => {
        if (event.target.matches("[data-all]")) boxes().forEach((box) => { box.checked = event.target.checked; });
        if (event.target.matches("[data-all], [name=keys]")) chosen();
    });
    document.addEventListener("click", (event) => {
        if (event.target.closest("[data-none]")) { boxes().forEach((box) => { box.checked = false; }); chosen(); }
    });

    // -- dialogs ----------------------------------------------------------------------------------------------

    document.body.addEventListener("ed-imports", () => {
        const strip = document.getElementById("ed-imports");
        post(`${ed.dataset.in}imports/`, {}, strip, "outerHTML", strip);
    });

    let focusedBefore = null; // the element that had the focus when the dialog opened

    function open(what, values = {}, env = ed.dataset.env) {
        if (!dialog.open) focusedBefore = document.activeElement;
        return post(`${inEnv(env)}${what}/`, values, inside, "innerHTML").then(() => {
            if (!inside.firstElementChild) return;
            const look = inside.firstElementChild.dataset.look || "";
            dialog.className = `ed-dialog ${look ? `is-${look}` : ""}`;
            if (!dialog.open) dialog.showModal();
            const focus = inside.querySelector("[data-focus]");
            if (focus) focus.focus();
            inside.querySelectorAll("[data-grows]").forEach(grow);
        });
    }

    document.addEventListener("click", (event) => {
        const opener = event.target.closest("[data-open]");
        if (opener) {
            const keys = opener.hasAttribute("data-chosen") ? { keys: boxes().filter((box) => box.checked).map((box) => box.value) } : {};
            if (opener.dataset.keys) keys.keys = [opener.dataset.keys];
            open(opener.dataset.open, { ...keys, ...(opener.dataset.values ? JSON.parse(opener.dataset.values) : {}) }, opener.dataset.env);
        }
        const closer = event.target.closest("[data-close]");
        if (closer && !closer.matches(".ed-icon")) dialog.close(); // "Cancel" discards input without asking
        else if ((closer || event.target === dialog) && mayDrop(dialog)) dialog.close();
    });
    dialog.addEventListener("cancel", (event) => { if (event.target === dialog && !mayDrop(dialog)) event.preventDefault(); });

    dialog.addEventListener("close", () => {
        inside.replaceChildren(); // no value stays in the page
        if (focusedBefore && focusedBefore.isConnected) focusedBefore.focus();
    });

    document.addEventListener("submit", (event) => {
        const form = event.target;
        if (!form.matches("[data-post]")) return;
        event.preventDefault();
        const values = {};
        const data = new FormData(form, event.submitter);
        for (const name of new Set(data.keys())) {
            const all = data.getAll(name);
            values[name] = all.length > 1 ? all : all[0];
        }
        const slot = form.querySelector("[data-problem]");
        if (slot) slot.textContent = "";
        const env = form.dataset.env || ed.dataset.env;
        const storing = event.submitter && event.submitter.name === "digest";
        const target = form.dataset.target && !storing ? form.querySelector(form.dataset.target) : inside;
        post(`${inEnv(env)}${form.dataset.post}/`, values, target, "innerHTML", form).then(() => {
            if (dialog.open && !inside.firstElementChild) dialog.close();
            inside.querySelectorAll("[data-grows]").forEach(grow);
        });
    });

    document.addEventListener("submit", (event) => {
        if (!event.target.matches("[data-downloads]")) return;
        downloading = true;
        setTimeout(() => { downloading = false; dialog.close(); }, 500);
    });

    document.addEventListener("click", (event) => {
        const button = event.target.closest("[data-version]");
        if (!button) return;
        const slot = button.closest("li").querySelector("[data-slot]");
        if (slot.firstChild) return slot.replaceChildren();
        const key = button.closest("[data-key]").dataset.key;
        post(`${inEnv(slot.dataset.env)}details/version/`, { key, version: button.dataset.version }, slot, "innerHTML", slot);
    });

    // -- files ------------------------------------------------------------------------------------------------

    // A file is read in the browser and put into the form; it is sent with the preview.
    async function read(file) {
        const area = document.getElementById("ed-text");
        area.value = await file.text();
        clearPreview(area.form);
        area.form.requestSubmit(area.form.querySelector("[data-first] .ed-primary"));
    }

    function clearPreview(form) { // it belongs to another text
        form.querySelector("#ed-preview").replaceChildren();
    }
    document.addEventListener("input", (event) => {
        const form = event.target.closest("form[data-post='file']");
        if (form) clearPreview(form);
    });
    document.addEventListener("change", (event) => {
        if (event.target.matches("[data-file]") && event.target.files[0]) read(event.target.files[0]);
    });
    document.addEventListener("click", (event) => {
        const to = event.target.closest("[data-line]");
        if (!to) return;
        const area = document.getElementById("ed-text");
        const lines = area.value.split("\n");
        const start = lines.slice(0, to.dataset.line - 1).join("\n").length + (to.dataset.line > 1 ? 1 : 0);
        area.focus();
        area.setSelectionRange(start, start + lines[to.dataset.line - 1].length);
        area.scrollTop = (to.dataset.line - 3) * parseFloat(getComputedStyle(area).lineHeight);
    });

    const hasFile = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
    const acceptsFiles = () => document.querySelector("[data-open='file']") || document.getElementById("ed-text");
    document.addEventListener("dragover", (event) => {
        if (!hasFile(event) || !acceptsFiles()) return;
        event.preventDefault();
        ed.classList.add("is-dropping");
    });
    document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) ed.classList.remove("is-dropping"); });
    document.addEventListener("drop", async (event) => {
        ed.classList.remove("is-dropping");
        if (!hasFile(event) || !acceptsFiles()) return;
        event.preventDefault();
        const [file] = event.dataTransfer.files;
        if (!document.getElementById("ed-text")) await open("file");
        if (file) read(file);
    });

    // -- imports ----------------------------------------------------------------------------------------------

    function reorder(row, position) {
        const strip = document.getElementById("ed-imports");
        return post(`${ed.dataset.in}imports/move/`, { import: row.dataset.import, position }, strip, "outerHTML", strip).then(() => {
            const moved = document.querySelector(`[data-import="${row.dataset.import}"] [data-moves]`);
            if (moved) moved.focus();
        });
    }
    document.addEventListener("click", (event) => {
        const row = event.target.closest("[data-import]");
        if (!row) return;
        const moves = event.target.closest("[data-moves]");
        if (moves) reorder(row, Number(row.dataset.at) + Number(moves.dataset.moves));
        if (event.target.closest("[data-drops-import]")) open("imports/delete", { import: row.dataset.import });
    });
    let dragged = null;
    document.addEventListener("dragstart", (event) => {
        dragged = event.target.closest && event.target.closest("[data-import]");
        if (dragged) event.dataTransfer.effectAllowed = "move";
    });
    document.addEventListener("dragover", (event) => {
        const over = dragged && event.target.closest && event.target.closest("[data-import]");
        document.querySelectorAll(".is-over").forEach((one) => one.classList.remove("is-over"));
        if (!over) return;
        event.preventDefault();
        if (over !== dragged) over.classList.add("is-over");
    });
    document.addEventListener("drop", (event) => {
        const over = dragged && event.target.closest && event.target.closest("[data-import]");
        if (over && over !== dragged) { event.preventDefault(); reorder(dragged, Number(over.dataset.at)); }
        dragged = null;
    });

    // -- inputs -----------------------------------------------------------------------------------------------

    function grow(area) {
        area.style.height = "auto";
        area.style.height = `${Math.min(area.scrollHeight + 2, window.innerHeight * 0.6)}px`;
    }
    document.addEventListener("input", (event) => {
        if (event.target.matches("[data-grows]")) grow(event.target);
        if (event.target.matches("[data-completes]")) complete(event.target);
    });

    // References: all names are loaded once; input is matched in the browser.
    let names = null;
    let list = null;
    let index = 0;

    function loadNames() {
        names ||= (async () => {
            const body = new URLSearchParams({ path: ed.dataset.path });
            const headers = JSON.parse(ed.getAttribute("hx-headers"));
            const response = await fetch(`${ed.dataset.in}names/`, { method: "POST", headers, body });
            return response.ok ? (await response.json()).names : [];
        })();
        return names;
    }

    const started = (area) => area.value.slice(0, area.selectionStart).match(/\$\{([A-Za-z0-9_.@-]*)$/);

    async function complete(area) {
        if (!started(area)) return shut();
        const all = await loadNames();
        const start = started(area); // the input may have changed in the meantime
        if (!start) return shut();
        const typed = start[1].toLowerCase();
        const matches = all.filter((name) => name.toLowerCase().includes(typed)).slice(0, 50);
        if (!matches.length || document.activeElement !== area) return shut();
        shut();
        list = document.createElement("ul");
        list.className = "ed-names";
        list.id = "ed-names";
        list.setAttribute("role", "listbox");
        list.setAttribute("aria-label", "${");
        matches.forEach((name, at) => {
            const item = document.createElement("li");
            item.id = `ed-name-${at}`;
            item.setAttribute("role", "option");
            item.textContent = name;
            item.addEventListener("mousedown", (event) => { event.preventDefault(); take(area, name); });
            list.append(item);
        });
        const box = area.getBoundingClientRect();
        const home = area.closest("dialog") || ed;
        const origin = home.getBoundingClientRect();
        home.style.position ||= home === ed ? "relative" : "";
        list.style.left = `${box.left - origin.left + home.scrollLeft}px`;
        list.style.top = `${box.bottom - origin.top + home.scrollTop + 2}px`;
        home.append(list);
        area.setAttribute("aria-controls", list.id);
        mark(area, 0);
    }

    function mark(area, to) {
        index = (to + list.children.length) % list.children.length;
        [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === index)));
        list.children[index].scrollIntoView({ block: "nearest" });
        area.setAttribute("aria-activedescendant", list.children[index].id);
    }

    function take(area, name) {
        const end = area.selectionStart;
        const start = area.value.lastIndexOf("${", end - 1);
        area.setRangeText(`\${${name}}`, start, area.value[end] === "}" ? end + 1 : end, "end");
        shut();
        area.focus();
        grow(area);
    }

    function shut() {
        if (list) list.remove();
        list = null;
        document.querySelectorAll("[aria-activedescendant]").forEach((one) => {
            one.removeAttribute("aria-activedescendant");
            one.removeAttribute("aria-controls");
        });
    }
    document.addEventListener("focusout", shut);

    function completing(event) { // whether the list handled the key
        if (!list || !event.target.matches("[data-completes]")) return false;
        if (event.key === "ArrowDown") mark(event.target, index + 1);
        else if (event.key === "ArrowUp") mark(event.target, index - 1);
        else if (event.key === "Enter" || event.key === "Tab") take(event.target, list.children[index].textContent);
        else if (event.key === "Escape") { shut(); event.stopPropagation(); }
        else return false;
        event.preventDefault();
        return true;
    }

    if (matchMedia("(max-width: 64rem)").matches) document.querySelector(".ed-folders").open = false;
    settle();
})();
