/** What sets the clock: the same in each section that follows it. */

const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16];

/** A moment as the clock shows it. @param {number} now milliseconds */
function moment(now) {
  return now < 1000 ? `${Math.round(now)} ms` : duration(now);
}

/**
 * Follow the clock in the stead of the section of that name that was there before.
 * @param {View} view @param {string} name @param {(now: number) => void} follower
 */
function followAs(view, name, follower) {
  view.state.get(`${name}.unfollow`)?.();
  view.state.set(`${name}.unfollow`, view.clock.follow(follower));
}

/**
 * A button that plays and pauses, a slider for the time, and the time as text.
 * @param {View} view @param {string} name of the section
 */
function clockControls(view, name) {
  const { clock } = view;
  const play = element("button.play", { type: "button", onclick: () => clock.toggle() }, "Play");
  const slider = /** @type {HTMLInputElement} */ (
    element("input.scrubber", {
      type: "range",
      min: 0,
      max: Math.ceil(clock.end),
      step: 1,
      value: 0,
      "aria-label": "Moment of the run",
      oninput: () => clock.set(Number(slider.value)),
    })
  );
  const shown = element("output.moment", { "aria-live": "off" });
  followAs(view, `${name}.controls`, (now) => {
    const text = `t = ${moment(now)} / ${duration(clock.end)}`;
    play.textContent = clock.playing ? "Pause" : "Play";
    slider.value = String(Math.round(now));
    slider.setAttribute("aria-valuetext", text);
    shown.textContent = text;
  });
  return element("div.clock", {}, play, slider, shown);
}

/** How fast it plays. @param {View} view */
function speedControls(view) {
  const { clock } = view;
  const speed = /** @type {HTMLSelectElement} */ (
    element(
      "select",
      { onchange: () => clock.setSpeed(Number(speed.value)) },
      SPEEDS.map((value) => element("option", { value, selected: value === clock.speed }, `${value}×`)),
    )
  );
  const skip = /** @type {HTMLInputElement} */ (
    element("input", { type: "checkbox", checked: clock.skipsIdle, onchange: () => (clock.skipsIdle = skip.checked) })
  );
  return [element("label", {}, "Speed ", speed), element("label", {}, skip, " Skip idle")];
}
