/** Who did what with what. */

/** @param {View} view @returns {HTMLElement | null} */
function identitySection(view) {
  return null;
}
