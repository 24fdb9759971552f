/** How to run it again. */

/** @param {View} view @returns {HTMLElement | null} */
function rerunSection(view) {
  return null;
}
