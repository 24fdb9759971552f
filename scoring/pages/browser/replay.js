/** The trace, to be played. */

/** @param {View} view @returns {HTMLElement | null} */
function replaySection(view) {
  return null;
}
