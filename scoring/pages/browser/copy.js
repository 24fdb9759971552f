/** Commands and texts that are there to be taken along. */

/** A button that copies a text. @param {string} what it is called @param {() => string} text */
function copyButton(what, text) {
  const button = element("button.copy", { type: "button", "aria-label": `Copy ${what}` }, "Copy");
  const told = element("span.said", { role: "status" });
  button.addEventListener("click", async () => {
    const done = await copied(text());
    button.textContent = done ? "Copied" : "Not copied";
    told.textContent = done ? `${what} copied` : `${what} could not be copied`;
    setTimeout(() => (button.textContent = "Copy"), 1600);
  });
  return element("span.copying", {}, button, told);
}

/** Whether the text is on the clipboard now. @param {string} text */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedBySelection(text);
  }
}

/** Where the page has no clipboard: not from this machine, and not encrypted. @param {string} text */
function copiedBySelection(text) {
  const field = /** @type {HTMLTextAreaElement} */ (element("textarea.said", { "aria-hidden": "true", tabindex: -1 }));
  field.value = text;
  document.body.append(field);
  const before = document.activeElement;
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}

/** A command or a text as it is, with its button. @param {string} what it is called @param {string} text */
function codeBlock(what, text) {
  return element(
    "div.code-block",
    {},
    element("pre", { tabindex: 0, role: "group", "aria-label": what }, element("code", {}, recorded(text))),
    copyButton(what, () => text),
  );
}
