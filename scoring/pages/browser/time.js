/** Where the time went, and the tokens. */

/** @param {View} view @returns {HTMLElement | null} */
function timeSection(view) {
  return null;
}
