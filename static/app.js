// What the pages gain from a script. Every page works without it.

const COPIED_FOR = 2000;
const TOAST_FOR = 6000;
const YEAR = 31536000;

/** Says something to screen readers only. */
function announce(text) {
  const said = document.createElement("span");
  said.className = "visually-hidden";
  said.textContent = text;
  document.getElementById("toasts")?.append(said);
  setTimeout(() => said.remove(), COPIED_FOR);
}

// Copy buttons carry their text, or stand in the figure of a code block.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const text = button.dataset.copy ?? button.closest("figure")?.querySelector("pre")?.textContent ?? "";
  const label = button.querySelector("span");
  const before = label?.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    announce("Copying is not allowed here. Select the text instead.");
    return;
  }
  if (button.classList.contains("is-copied")) return;
  button.classList.add("is-copied");
  if (label) label.textContent = "Copied";
  announce("Copied");
  setTimeout(() => {
    button.classList.remove("is-copied");
    if (label) label.textContent = before;
  }, COPIED_FOR);
});

// A link to the page of a dialog opens the dialog instead.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("a[data-dialog]");
  if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const dialog = document.getElementById(opener.dataset.dialog);
  if (!dialog?.showModal) return;
  event.preventDefault();
  dialog.showModal();
});

// Browsers without invoker commands.
if (!("commandForElement" in HTMLButtonElement.prototype)) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[commandfor]");
    const target = button && document.getElementById(button.getAttribute("commandfor"));
    if (!target) return;
    const command = button.getAttribute("command");
    if (command === "show-modal") target.showModal?.();
    else if (command === "close") target.close?.();
    else if (command.endsWith("-popover")) target[command.replace("-popover", "Popover")]?.();
  });
}

/** Focus goes to what needs it: a summary of errors, or a heading. */
function focusIn(root) {
  const target = root.querySelector?.("[data-focus]");
  if (target) target.focus();
  return Boolean(target);
}

/** Messages leave by themselves, unless somebody reads them. */
function watchToasts() {
  for (const toast of document.querySelectorAll(".toast:not([data-watched])")) {
    toast.dataset.watched = "";
    const leave = () => {
      if (toast.matches(":hover")) return setTimeout(leave, TOAST_FOR);
      toast.classList.add("is-leaving");
      return setTimeout(() => toast.remove(), 300);
    };
    setTimeout(leave, TOAST_FOR);
  }
}

// Leaving a guarded form with unsaved input asks first.
const changed = new Set();
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-guard]");
  if (form) changed.add(form);
  const word = event.target.dataset.confirm;
  if (word !== undefined) {
    event.target.setCustomValidity(event.target.value === word ? "" : `Type ${word} to confirm.`);
  }
});
document.addEventListener("submit", (event) => changed.delete(event.target));
addEventListener("beforeunload", (event) => {
  if ([...changed].some((form) => form.isConnected)) event.preventDefault();
});

// While a call runs, its form shows for how long.
const clocks = new Map();
function startClock(form) {
  const output = form?.querySelector?.("[data-elapsed]");
  if (!output || clocks.has(form)) return;
  const start = performance.now();
  const show = () => {
    output.textContent = `${((performance.now() - start) / 1000).toFixed(1)} s`;
  };
  show();
  clocks.set(form, setInterval(show, 100));
}
function stopClock(form) {
  clearInterval(clocks.get(form));
  clocks.delete(form);
}
document.addEventListener("submit", (event) => startClock(event.target));
// A page that comes back from the browser's cache has no call under way.
addEventListener("pageshow", () => [...clocks.keys()].forEach(stopClock));

const sourceOf = (event) => event.detail?.ctx?.sourceElement ?? event.target;
document.addEventListener("htmx:before:request", (event) => startClock(sourceOf(event).closest?.("form")));
document.addEventListener("htmx:finally:request", (event) => stopClock(sourceOf(event).closest?.("form")));
document.addEventListener("htmx:after:swap", () => {
  watchToasts();
  recall();
  const lost = document.activeElement === document.body;
  if (!focusIn(document.getElementById("main") ?? document) && lost) {
    document.getElementById("main")?.focus({ preventScroll: true });
  }
});

// The language of samples is chosen once for all pages.
function recall() {
  const chosen = /(?:^|; )gw_samples=([a-z]+)/.exec(document.cookie)?.[1];
  if (!chosen) return;
  for (const radio of document.querySelectorAll(`[data-remember][value="${chosen}"]`)) radio.checked = true;
}
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-remember]")) return;
  document.cookie = `gw_samples=${event.target.value}; path=/; max-age=${YEAR}; samesite=lax`;
  recall();
});

// Colours change at once; the server keeps the choice.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-theme-choice]");
  if (!button) return;
  event.preventDefault();
  const { value, form } = button;
  const root = document.documentElement;
  if (value === "system") delete root.dataset.theme;
  else root.dataset.theme = value;
  document.querySelector('meta[name="color-scheme"]').content = value === "system" ? "light dark" : value;
  for (const other of form.querySelectorAll("[data-theme-choice]")) {
    other.setAttribute("aria-pressed", String(other === button));
  }
  await fetch(form.action, { method: "POST", body: new URLSearchParams({ theme: value }), redirect: "manual" });
});

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
  const field = document.querySelector("[data-search]");
  if (!field) return;
  event.preventDefault();
  field.focus();
  field.select();
});

recall();
watchToasts();
focusIn(document);
