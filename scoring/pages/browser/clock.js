/** The clock of the trace, which the timeline and the terminal follow, and which either may set. */

/** Milliseconds without an event that are skipped on request, and how near before the next event it goes on. */
const IDLE = { longest: 2000, before: 400 };
/** Milliseconds between two steps for those who want no motion. */
const CALM_STEP = 500;

class TraceClock {
  /** @param {number} end the run's last moment, in milliseconds since its start */
  constructor(end) {
    this.end = end;
    this.now = 0;
    this.speed = 1;
    this.playing = false;
    this.skipsIdle = false;
    /** @type {((now: number) => void)[]} */
    this.followers = [];
    /** Moments at which something happens, by whose they are, each in order. @type {Map<string, ArrayLike<number>>} */
    this.events = new Map();
  }

  /** The same time for a page that is made anew, which may end later. @param {number} end */
  restarted(end) {
    this.followers = [];
    this.events.clear();
    this.end = end;
    return this;
  }

  /**
   * Be told of every change of the time, of the speed and of whether it runs.
   * @param {(now: number) => void} follower
   * @returns {() => void} to be told no longer
   */
  follow(follower) {
    this.followers.push(follower);
    follower(this.now);
    return () => {
      this.followers = this.followers.filter((other) => other !== follower);
    };
  }

  /** Go to a moment. @param {number} moment */
  set(moment) {
    this.now = Math.min(Math.max(moment, 0), this.end);
    this.tell();
  }

  /** @param {number} speed */
  setSpeed(speed) {
    this.speed = speed;
    this.tell();
  }

  /** Play or pause; from the end it begins again. */
  toggle() {
    this.playing = !this.playing;
    if (this.playing) {
      if (this.now >= this.end) this.now = 0;
      this.run(performance.now());
    }
    this.tell();
  }

  tell() {
    for (const follower of this.followers) follower(this.now);
  }

  /** @param {number} last when the picture before was drawn */
  run(last) {
    requestAnimationFrame((at) => {
      if (!this.playing) return;
      if (at - last < CALM_STEP && matchMedia("(prefers-reduced-motion: reduce)").matches) {
        this.run(last);
        return;
      }
      this.now = Math.min(this.end, this.now + Math.max(at - last, 0) * this.speed);
      if (this.skipsIdle) this.skip();
      this.playing = this.now < this.end;
      this.tell();
      this.run(at);
    });
  }

  /** Go on to shortly before the next event, if that is far. */
  skip() {
    let next = this.end;
    for (const moments of this.events.values()) next = Math.min(next, moments[firstAfter(moments, this.now)] ?? this.end);
    if (next - this.now > IDLE.longest) this.now = next - IDLE.before;
  }
}

/** The place of the first number of some in order that is greater. @param {ArrayLike<number>} sorted @param {number} value */
function firstAfter(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
