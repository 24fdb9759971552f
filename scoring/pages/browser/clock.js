/** The clock of the trace, which the timeline and the terminal follow, and which either may set. */

class TraceClock {
  /** @param {number} end the run's last moment, in milliseconds since its start */
  constructor(end) {
    this.end = end;
    this.now = 0;
    this.speed = 1;
    this.playing = false;
    /** @type {((now: number) => void)[]} */
    this.followers = [];
  }

  /** The same time for a page that is made anew, which may end later. @param {number} end */
  restarted(end) {
    this.followers = [];
    this.end = end;
    return this;
  }

  /** Be told of every change of the time, of the speed and of whether it runs. @param {(now: number) => void} follower */
  follow(follower) {
    this.followers.push(follower);
    follower(this.now);
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
      this.now = Math.min(this.end, this.now + Math.max(at - last, 0) * this.speed);
      this.playing = this.now < this.end;
      this.tell();
      this.run(at);
    });
  }
}
