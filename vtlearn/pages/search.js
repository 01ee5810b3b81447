
byId("title").textContent = data.title;
const count = data.hits.length;
byId("facts").textContent = count
  ? `${count} ${count === 1 ? "clip" : "clips"} for “${data.query}”, best first; each plays from its first second to its last.`
  : `Nothing was found for “${data.query}”.`;

/** A card that plays one clip and then stops. */
function card(hit, number) {
  const video = element("video");
  Object.assign(video, { controls: true, playsInline: true, preload: "none" });
  video.dataset.address = hit.address;
  video.setAttribute("aria-label", `${hit.name}, from ${formatTime(hit.start)} to ${formatTime(hit.end)}`);
  const broken = element("p", "broken");
  broken.setAttribute("role", "status");
  video.addEventListener("play", () => {
    if (video.currentTime >= hit.end - 0.05 || video.currentTime < hit.start - 0.5) video.currentTime = hit.start;
    for (const other of document.querySelectorAll("video")) if (other !== video) other.pause();
  });
  video.addEventListener("timeupdate", () => {
    if (!video.paused && video.currentTime >= hit.end) video.pause();
  });
  video.addEventListener("error", () => {
    broken.textContent = "This browser cannot play the video, or does not find it.";
  });
  const link = element("a", "", `${formatTime(hit.start)} to ${formatTime(hit.end)}`);
  link.href = hit.address;
  return element("li", "", video, element(
    "div", "about",
    element("h2", "", element("span", "rank", String(number + 1)), hit.name),
    element("p", "", link, element("span", "", `score ${hit.score.toFixed(3)}`)),
    element("p", "folder", hit.folder === "." ? "" : hit.folder),
    broken,
  ));
}

// a video is opened when its card comes into sight: there may be hundreds
const sight = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    target.preload = "metadata";
    target.src = target.dataset.address;
    sight.unobserve(target);
  }
}, { rootMargin: "400px" });
byId("hits").append(...data.hits.map(card));
for (const video of document.querySelectorAll("video")) sight.observe(video);
