/** What the terminal showed. */

/** @param {View} view @returns {HTMLElement | null} */
function terminalSection(view) {
  return null;
}
