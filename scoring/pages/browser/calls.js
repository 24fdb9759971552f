/** The calls to the model. */

/** @param {View} view @returns {HTMLElement | null} */
function callsSection(view) {
  return null;
}
