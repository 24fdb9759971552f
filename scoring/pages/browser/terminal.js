/** What the terminal showed. */

/** @param {View} view @returns {HTMLElement | null} */
function terminalSection(view) {
  const { terminal } = view.page;
  if (!terminal) return section("terminal", "Terminal", absent(view.page.reasons.terminal ?? "It was not recorded."));
  const begins = terminal.start_ms;
  const told = `${terminal.columns} columns, ${terminal.rows} rows; recorded from t = ${moment(begins)} for ${duration(terminal.duration_ms)}.`;
  const about = element("p.quiet", {}, told, terminal.note ? ` Of the recording: ${terminal.note}.` : null);
  return section("terminal", "Terminal", about, clockControls(view, "terminal"), terminalScreen(view, terminal));
}

/** The screen, which follows the clock. @param {View} view @param {Terminal} terminal */
function terminalScreen(view, terminal) {
  const frames = new TerminalFrames(terminal);
  const lines = Array.from({ length: terminal.rows }, () => element("div.line"));
  const cursor = element("div.cursor", { "aria-hidden": "true" });
  const label = "Screen of the terminal at the moment of the clock";
  const screen = element("div.screen", { role: "group", "aria-label": label, tabindex: 0 }, lines, cursor);
  const grid = element("div.terminal", {}, screen);
  grid.style.setProperty("--columns", String(terminal.columns));

  const shown = new Int32Array(terminal.rows).fill(-1);
  let shownPlace = NaN;
  view.clock.events.set("terminal", frames.moments.map((at) => at + terminal.start_ms));
  followAs(view, "terminal", (now) => {
    const place = frames.placeAt(now - terminal.start_ms);
    if (place === shownPlace) return;
    shownPlace = place;
    frames.rowsAt(place).forEach((line, row) => {
      if (shown[row] === line) return;
      shown[row] = line;
      lines[row].replaceChildren(...(line < 0 ? [] : terminalLine(terminal.lines[line], terminal.styles)));
    });
    placeCursor(cursor, terminal.pictures[place]?.cursor ?? null);
  });
  return grid;
}

/** @param {HTMLElement} cursor @param {[number, number] | null} at row and column */
function placeCursor(cursor, at) {
  cursor.hidden = at === null;
  if (at === null) return;
  cursor.style.top = `calc(${at[0]} * var(--line-height))`;
  cursor.style.left = `${at[1]}ch`;
}
