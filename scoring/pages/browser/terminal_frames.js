/** The pictures of a terminal, to be had at any moment without going through those before. */

const KEYFRAME_EVERY = 64;

class TerminalFrames {
  /** @param {Terminal} terminal */
  constructor(terminal) {
    this.terminal = terminal;
    this.moments = Float64Array.from(terminal.pictures, (picture) => picture.at_ms);
    /** Places of all lines, each so many pictures; -1 is a row that was never written. @type {Int32Array[]} */
    this.keyframes = [];
    const rows = new Int32Array(terminal.rows).fill(-1);
    terminal.pictures.forEach((picture, place) => {
      for (const [row, line] of picture.rows) rows[row] = line;
      if (place % KEYFRAME_EVERY === 0) this.keyframes.push(rows.slice());
    });
  }

  /** The picture that stands at a moment of the recording; -1 before the first. @param {number} moment */
  placeAt(moment) {
    return firstAfter(this.moments, moment) - 1;
  }

  /** The lines' places by row. @param {number} place of a picture */
  rowsAt(place) {
    if (place < 0) return new Int32Array(this.terminal.rows).fill(-1);
    const keyframe = Math.floor(place / KEYFRAME_EVERY);
    const rows = this.keyframes[keyframe].slice();
    for (let next = keyframe * KEYFRAME_EVERY + 1; next <= place; next += 1) {
      for (const [row, line] of this.terminal.pictures[next].rows) rows[row] = line;
    }
    return rows;
  }
}
