// @ts-check
// The secrets editor's behaviour in the browser.
import "./editor/page.js";
import "./editor/references.js";
import "./editor/dialogs.js";
import "./editor/files.js";
import "./editor/imports.js";
import "./editor/grid.js";
