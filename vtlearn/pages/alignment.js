
const NAMES = { cost: "cost", expected: "expected alignment" };
const { captions, windows } = data;
byId("title").textContent = data.title;
byId("facts").textContent = facts().join(" · ");
for (const name of ["path", "truth", "spoken", "aligned", "edge"]) {
  document.documentElement.style.setProperty(`--${name}`, data.colours[name]);
}

const player = new Player(byId("video"), data.video, byId("attachment").textContent, (seconds) => {
  matrix.setTime(seconds);
  byId("now").textContent = transcript.setTime(seconds, !player.video.paused).join(" / ");
});
const transcript = new Transcript(byId("captions"), captions, (number) => {
  const { aligned } = captions[number];
  player.seek(aligned[0]);
  if (windows.length) matrix.select(matrix.windowAt(aligned[0]), number);
});
byId("attachment").remove(); // the video has a copy
const matrix = new Matrix(byId("matrix"), data, (window, number) => {
  player.seek(matrix.centres[window]);
  transcript.select(number);
});

/** What the page shows, in figures. */
function facts() {
  const matched = captions.filter((caption) => caption.matched);
  const known = captions.filter((caption) => caption.truth);
  const said = [`${windows.length} windows`, `${captions.length} captions`, `${matched.length} matched`];
  if (matched.length) {
    const shifts = matched.map(({ aligned, spoken }) => Math.abs(aligned[0] - spoken[0])).sort((a, b) => a - b);
    said.push(`moved by ${shifts[Math.floor(shifts.length / 2)].toFixed(1)} s (median)`);
  }
  if (known.length) {
    const within = (kind) => known.filter((caption) => middleWithin(caption[kind], caption.truth)).length;
    said.push(`middle within the truth: ${within("aligned")} of ${known.length}, as spoken ${within("spoken")} of ${known.length}`);
  }
  return said;
}

/** Say where the video is, and what is wrong with it. */
function notice() {
  const { name, address, type, size } = data.video;
  const linked = address === null ? "" : `The video is not within this page (${(size / 1e6).toFixed(1)} MB): ${name} has to stay where it is. `;
  const broken = player.broken
    ? `This browser cannot play ${name} (${type})${address === null ? "" : ", or does not find it"}. The cursor moves all the same; as MP4 with H.264 it would play.`
    : "";
  byId("notice").textContent = linked + broken;
}

function buildTools() {
  for (const name of Object.keys(data.matrices)) {
    const radio = element("input");
    Object.assign(radio, { type: "radio", name: "kind", checked: name === matrix.kind });
    radio.addEventListener("change", () => matrix.show(name));
    byId("kinds").append(element("label", "", radio, NAMES[name]));
  }
  const there = { path: data.path.length, truth: captions.some(({ truth }) => truth) };
  for (const box of byId("marks").querySelectorAll("input")) {
    box.closest("label").hidden = there[box.name] === undefined ? false : !there[box.name];
    box.addEventListener("change", () => {
      matrix.marks[box.name] = box.checked;
      matrix.draw();
    });
  }
  matrix.plot.setAttribute("aria-label", `${windows.length} windows and ${captions.length} captions`);
}

/** Space plays, left and right go to the next window, wherever these keys have no other meaning. */
function press(event) {
  const { key, target } = event;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || target.matches("input")) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (key === " ") player.toggle();
  else if (step && windows.length) player.seek(neighbour(step));
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** The middle of the window before or after the present moment. */
function neighbour(step) {
  const here = matrix.windowAt(player.time);
  return matrix.centres[clamp(here + step, 0, windows.length - 1)];
}

buildTools();
notice();
player.video.addEventListener("error", notice);
player.video.addEventListener("loadedmetadata", notice);
document.addEventListener("keydown", press);
player.video.addEventListener("keydown", press, { capture: true }); // before the browser's own controls
matrix.draw();
player.tell();
