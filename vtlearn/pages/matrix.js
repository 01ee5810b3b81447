
const AXIS = 26; // pixels below the rows, for seconds
const MOST_PIXELS = 8192; // a side of a canvas, which browsers bound
const NICE_SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

/** The picture of windows (to the right) and captions (downwards), with what lies on it. */
class Matrix {
  /** onChoose(window, caption) is called with the cell that a click or a key has chosen. */
  constructor(plot, content, onChoose) {
    this.plot = plot;
    this.content = content;
    this.onChoose = onChoose;
    this.canvas = byId("cells");
    this.kind = Object.keys(content.matrices)[0];
    this.marks = { path: true, aligned: true, spoken: true, truth: true };
    this.values = Object.fromEntries(Object.entries(content.matrices).map(([name, packed]) => [name, unpack(packed)]));
    this.table = decode(content.colours.table);
    this.centres = content.windows.map(([start, end]) => (start + end) / 2);
    this.edges = edgesOf(this.centres, content.windows);
    this.time = 0;
    this.chosen = null;
    this.images = {};
    new ResizeObserver(() => this.draw()).observe(plot);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.listen();
  }

  listen() {
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return this.cellAt(event.clientX - box.left, event.clientY - box.top);
    };
    const drag = (event) => {
      const cell = at(event);
      if (cell) this.choose(...cell);
    };
    this.plot.addEventListener("pointerdown", (event) => { if (event.button === 0) drag(event); });
    this.plot.addEventListener("pointermove", (event) => {
      if (event.buttons === 1) drag(event);
      else this.describe(at(event) ?? this.chosen);
    });
    this.plot.addEventListener("pointerleave", () => this.describe(this.chosen));
    this.plot.addEventListener("keydown", (event) => this.press(event));
  }

  press(event) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Enter: [0, 0] }[event.key];
    if (!move || !this.centres.length || !this.content.captions.length) return;
    event.preventDefault();
    const [window, caption] = this.chosen ?? [this.windowAt(this.time), 0];
    const first = this.chosen ? move : [0, 0]; // the first key chooses where the cursor stands
    this.choose(
      clamp(window + first[0], 0, this.centres.length - 1),
      clamp(caption + first[1], 0, this.content.captions.length - 1),
    );
  }

  choose(window, caption) {
    this.select(window, caption);
    this.onChoose(window, caption);
  }

  /** Mark a cell as chosen. */
  select(window, caption) {
    this.chosen = [window, caption];
    this.describe(this.chosen);
    this.place();
    byId("announcement").textContent = byId("readout").textContent;
  }

  show(kind) {
    this.kind = kind;
    this.describe(this.chosen);
    this.draw();
  }

  setTime(seconds) {
    this.time = seconds;
    byId("cursor").style.transform = `translateX(${this.x(seconds) - 1}px)`;
  }

  windowAt(seconds) {
    const after = this.edges.findIndex((edge) => edge > seconds);
    return clamp(after < 0 ? this.centres.length - 1 : after - 1, 0, this.centres.length - 1);
  }

  cellAt(x, y) {
    const seconds = this.from + ((x - this.left) / (this.width - this.left)) * (this.to - this.from);
    const caption = Math.floor(y / this.height);
    if (x < 0 || caption < 0 || caption >= this.content.captions.length || !this.centres.length) return null;
    return [this.windowAt(seconds), caption];
  }

  /** Say in words what a cell holds. */
  describe(cell) {
    if (!cell) return;
    const [window, caption] = cell;
    const [start, end] = this.content.windows[window];
    const held = Object.entries(this.values).map(([name, values]) => {
      const value = values[window * this.content.captions.length + caption];
      return `${name} ${Number.isNaN(value) ? "none" : formatNumber(value, 3)}`;
    });
    byId("readout").textContent =
      `${formatTime(start)} to ${formatTime(end)}, caption ${caption + 1} “${this.content.captions[caption].text}”: ${held.join(", ")}`;
  }

  measure() {
    const captions = this.content.captions;
    const ends = captions.flatMap(({ aligned, spoken, truth }) => [aligned[1], spoken[1], truth ? truth[1] : 0]);
    this.width = this.plot.clientWidth;
    this.height = clamp(520 / Math.max(1, captions.length), 7, 30);
    this.left = this.width < 640 || this.height < 12 ? 34 : Math.min(260, 0.24 * this.width);
    this.from = Math.min(0, this.edges[0] ?? 0);
    this.to = Math.max(1, this.edges.at(-1) ?? 0, ...ends);
  }

  x(seconds) {
    return this.left + ((seconds - this.from) / (this.to - this.from)) * (this.width - this.left);
  }

  draw() {
    this.measure();
    if (this.width < 1) return;
    const rows = this.content.captions.length * this.height;
    const scale = Math.min(devicePixelRatio, MOST_PIXELS / (rows + AXIS), MOST_PIXELS / this.width);
    this.canvas.width = Math.round(this.width * scale);
    this.canvas.height = Math.round((rows + AXIS) * scale);
    this.canvas.style.height = `${rows + AXIS}px`;
    const context = this.canvas.getContext("2d");
    context.scale(scale, scale);
    this.drawCells(context);
    if (this.marks.truth) this.drawTruth(context);
    if (this.marks.spoken) this.drawSpoken(context);
    if (this.marks.aligned) this.drawAligned(context);
    if (this.marks.path) this.drawPath(context);
    this.drawLabels(context);
    this.drawAxis(context, rows);
    this.drawScale();
    byId("cursor").style.height = `${rows}px`;
    this.place();
    this.setTime(this.time);
  }

  /** Colour the cells, a pixel each, and stretch every window's column to its seconds. */
  drawCells(context) {
    const captions = this.content.captions.length;
    if (!captions || !this.centres.length) return;
    this.images[this.kind] ??= this.paint(this.values[this.kind], this.kind === "cost");
    context.imageSmoothingEnabled = false;
    this.centres.forEach((_, window) => {
      const start = this.x(this.edges[window]);
      const width = this.x(this.edges[window + 1]) - start;
      // half a pixel more leaves no seams
      context.drawImage(this.images[this.kind], window, 0, 1, captions, start, 0, width + 0.5, captions * this.height);
    });
  }

  paint(values, lowIsLight) {
    const captions = this.content.captions.length;
    const image = new ImageData(this.centres.length, captions);
    const { low, high } = this.content.matrices[this.kind];
    values.forEach((value, position) => {
      if (Number.isNaN(value)) return; // stays transparent
      const share = high > low ? (value - low) / (high - low) : 0.5;
      const colour = 3 * Math.round(255 * (lowIsLight ? 1 - share : share));
      const pixel = 4 * ((position % captions) * image.width + Math.floor(position / captions));
      image.data.set(this.table.subarray(colour, colour + 3), pixel);
      image.data[pixel + 3] = 255;
    });
    const canvas = element("canvas");
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  /** Draw lines twice: a broad dark one, to be seen on light cells, and a coloured one on it. */
  stroke(context, colour, width, dash, trace) {
    for (const [style, line, dashes] of [[this.content.colours.edge, width + clamp(this.height / 8, 1, 2), []], [colour, width, dash]]) {
      context.strokeStyle = style;
      context.lineWidth = line;
      context.setLineDash(dashes);
      context.beginPath();
      trace();
      context.stroke();
    }
    context.setLineDash([]);
  }

  drawTruth(context) {
    this.stroke(context, this.content.colours.truth, 1.5, [], () => {
      this.content.captions.forEach(({ truth }, row) => {
        if (!truth) return;
        const start = this.x(truth[0]);
        context.rect(start, row * this.height + 1.5, this.x(truth[1]) - start, this.height - 3);
      });
    });
  }

  drawSpoken(context) {
    this.stroke(context, this.content.colours.spoken, 2, [5, 3], () => {
      this.content.captions.forEach(({ spoken }, row) => this.line(context, spoken, (row + 0.82) * this.height));
    });
  }

  drawAligned(context) {
    this.stroke(context, this.content.colours.aligned, Math.min(4, this.height / 4), [], () => {
      this.content.captions.forEach(({ aligned, matched }, row) => {
        if (matched) this.line(context, aligned, (row + 0.22) * this.height);
      });
    });
  }

  line(context, [start, end], y) {
    context.moveTo(this.x(start), y);
    context.lineTo(Math.max(this.x(end), this.x(start) + 2), y);
  }

  drawPath(context) {
    const points = this.content.path.map(([window, caption]) => [this.x(this.centres[window]), (caption + 0.5) * this.height]);
    if (!points.length) return;
    const { path, edge } = this.content.colours;
    this.stroke(context, path, Math.min(1.5, this.height / 6), [], () => points.forEach(([x, y]) => context.lineTo(x, y)));
    const radius = Math.min(3.5, this.height / 4, ((this.width - this.left) / this.centres.length) * 0.35);
    if (radius < 1.2) return; // they would hide each other
    context.fillStyle = path;
    context.strokeStyle = edge;
    context.lineWidth = 1;
    for (const [x, y] of points) {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
  }

  drawLabels(context) {
    const style = getComputedStyle(document.body);
    const every = this.height < 12 ? 5 : 1; // of low rows some have their number
    context.font = `${clamp(this.height - 3, 11, 13)}px ${style.fontFamily}`;
    context.textBaseline = "middle";
    const wide = this.left > 40;
    this.content.captions.forEach(({ text, matched }, row) => {
      if ((row + 1) % every) return;
      context.fillStyle = matched ? style.color : style.getPropertyValue("--soft");
      const label = wide ? `${row + 1}  ${text}` : String(row + 1);
      context.textAlign = wide ? "left" : "right";
      context.fillText(shorten(context, label, this.left - 12), wide ? 2 : this.left - 8, (row + 0.5) * this.height);
    });
  }

  drawAxis(context, top) {
    const style = getComputedStyle(document.body);
    context.fillStyle = context.strokeStyle = style.getPropertyValue("--soft");
    context.font = `12px ${style.fontFamily}`;
    context.textBaseline = "top";
    context.lineWidth = 1;
    const perSecond = (this.width - this.left) / (this.to - this.from);
    const step = NICE_SECONDS.find((seconds) => seconds * perSecond >= 56) ?? NICE_SECONDS.at(-1);
    context.beginPath();
    for (let second = Math.ceil(this.from / step) * step; second <= this.to; second += step) {
      const x = this.x(second);
      context.moveTo(x, top);
      context.lineTo(x, top + 5);
      context.textAlign = x > this.width - 16 ? "right" : x < this.left + 12 && this.left < 12 ? "left" : "center";
      context.fillText(formatTime(second, 0), x, top + 8);
    }
    context.stroke();
  }

  drawScale() {
    const { low, high } = this.content.matrices[this.kind];
    const ramp = byId("ramp").getContext("2d");
    for (let share = 0; share < 256; share += 1) {
      const colour = 3 * (this.kind === "cost" ? 255 - share : share);
      ramp.fillStyle = `rgb(${this.table.subarray(colour, colour + 3).join(" ")})`;
      ramp.fillRect(share, 0, 1, 1);
    }
    byId("low").textContent = `${this.kind} ${formatNumber(low, 2)}`;
    byId("high").textContent = formatNumber(high, 2);
  }

  /** Put the frames of the chosen row and cell where they belong. */
  place() {
    for (const id of ["row", "cell"]) byId(id).hidden = !this.chosen;
    if (!this.chosen) return;
    const [window, caption] = this.chosen;
    const start = this.x(this.edges[window]);
    frame(byId("row"), 0, caption * this.height, this.width, this.height);
    frame(byId("cell"), start, caption * this.height, this.x(this.edges[window + 1]) - start, this.height);
  }
}

/** Where columns meet: half-way between the middles of neighbouring windows. */
function edgesOf(centres, windows) {
  if (!centres.length) return [];
  if (centres.length === 1) return [...windows[0]];
  const between = centres.slice(1).map((centre, before) => (centres[before] + centre) / 2);
  return [2 * centres[0] - between[0], ...between, 2 * centres.at(-1) - between.at(-1)];
}

/** Read a matrix of two bytes a cell; NaN where it has no value. */
function unpack({ low, high, values }) {
  const view = new DataView(decode(values).buffer);
  return Float64Array.from({ length: view.byteLength / 2 }, (_, cell) => {
    const value = view.getUint16(2 * cell, true);
    return value === 65535 ? NaN : low + (value / 65534) * (high - low);
  });
}

function frame(box, x, y, width, height) {
  box.style.transform = `translate(${x}px, ${y}px)`;
  box.style.width = `${width}px`;
  box.style.height = `${height}px`;
}

/** Cut a text to a width in pixels. */
function shorten(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  const letters = Array.from(text);
  while (letters.length && context.measureText(`${letters.join("")}…`).width > width) letters.pop();
  return `${letters.join("")}…`;
}
