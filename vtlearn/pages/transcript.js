
/** The list of captions: one can be chosen, and those of the present moment are marked. */
class Transcript {
  /** onChoose(number) is called with the caption that a click or a key has chosen. */
  constructor(list, captions, onChoose) {
    this.list = list;
    this.captions = captions;
    this.onChoose = onChoose;
    this.rows = captions.map((caption, number) => this.build(caption, number));
    list.append(...this.rows);
    if (this.rows.length) this.rows[0].tabIndex = 0;
    list.addEventListener("click", (event) => {
      const row = event.target.closest(".caption");
      if (row) this.choose(this.rows.indexOf(row));
    });
    list.addEventListener("keydown", (event) => this.press(event));
  }

  build(caption, number) {
    const row = element(
      "div", caption.matched ? "caption" : "caption unmatched",
      element("span", "number", String(number + 1)),
      element("span", "words", caption.text),
      element("span", "time", formatTime(caption.aligned[0])),
      element("span", "details", ...this.details(caption)),
    );
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", "false");
    row.tabIndex = -1;
    return row;
  }

  details(caption) {
    if (!caption.matched) return [element("span", "", "∅ matches nothing, left where it is spoken")];
    const shift = caption.aligned[0] - caption.spoken[0];
    const moved = `${shift < 0 ? "" : "+"}${formatNumber(shift, 1)} s`;
    const parts = [
      element("span", "", `spoken ${formatTime(caption.spoken[0])}, ${moved}`),
    ];
    if (caption.confidence !== null) {
      const fill = element("i");
      fill.style.width = `${100 * clamp(caption.confidence, 0, 1)}%`;
      const bar = element("span", "bar", fill);
      bar.setAttribute("aria-hidden", "true");
      parts.push(element("span", "", bar, `confidence ${caption.confidence.toFixed(2)}`));
    }
    if (caption.truth) {
      parts.push(element("span", "", middleWithin(caption.aligned, caption.truth) ? "✓ within the truth" : "✗ outside the truth"));
    }
    return parts;
  }

  press(event) {
    const now = this.rows.indexOf(document.activeElement);
    const last = this.rows.length - 1;
    const next = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: last, Enter: now }[event.key];
    if (next === undefined || now < 0) return;
    event.preventDefault();
    this.choose(clamp(next, 0, last));
    this.rows[clamp(next, 0, last)].focus();
  }

  choose(number) {
    this.select(number);
    this.onChoose(number);
  }

  /** Mark a caption as chosen; null for none. */
  select(number) {
    this.rows.forEach((row, each) => {
      row.setAttribute("aria-selected", String(each === number));
      row.tabIndex = each === (number ?? 0) ? 0 : -1;
    });
    if (number !== null) this.show(number);
  }

  /** Mark the captions of a moment, and return their texts. */
  setTime(seconds, playing) {
    const present = this.captions.map(({ aligned: [start, end] }) => start <= seconds && seconds < Math.max(end, start + 0.05));
    this.rows.forEach((row, number) => {
      if (present[number] === row.hasAttribute("aria-current")) return;
      if (present[number]) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
      if (present[number] && playing) this.show(number);
    });
    return this.captions.filter((_, number) => present[number]).map(({ text }) => text);
  }

  /** Scroll the list, and never the page, until a caption can be seen. */
  show(number) {
    const row = this.rows[number];
    const top = row.offsetTop - 8;
    const bottom = row.offsetTop + row.offsetHeight + 8 - this.list.clientHeight;
    this.list.scrollTop = clamp(this.list.scrollTop, bottom, Math.max(top, bottom));
  }
}

/** Tell whether the middle of a span lies within another. */
function middleWithin([start, end], [first, last]) {
  const middle = (start + end) / 2;
  return first <= middle && middle <= last;
}
