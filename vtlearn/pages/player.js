
/** A video that can always be sought: where it cannot be played, a position is kept instead. */
class Player {
  /** onTime(seconds) is called whenever the position has changed. */
  constructor(video, source, attachment, onTime) {
    this.video = video;
    this.onTime = onTime;
    this.position = 0;
    if (source.address === null) {
      video.src = URL.createObjectURL(new Blob([decode(attachment)], { type: source.type }));
    } else {
      video.src = source.address;
    }
    for (const event of ["seeking", "seeked", "timeupdate", "loadedmetadata"]) {
      video.addEventListener(event, () => this.tell());
    }
    video.addEventListener("play", () => this.follow());
  }

  get broken() {
    return this.video.error !== null;
  }

  get time() {
    return this.broken ? this.position : this.video.currentTime;
  }

  seek(seconds) {
    this.position = Math.max(0, seconds);
    if (!this.broken) this.video.currentTime = this.position;
    this.tell();
  }

  toggle() {
    if (this.broken) return;
    if (this.video.paused) this.video.play().catch(() => {}); // the video's error is told by its event
    else this.video.pause();
  }

  tell() {
    this.onTime(this.time);
  }

  /** Tell each picture's time while it plays: timeupdate comes only four times a second. */
  follow() {
    this.tell();
    if (!this.video.paused && !this.video.ended) requestAnimationFrame(() => this.follow());
  }
}
