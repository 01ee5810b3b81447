document.getElementById("title").textContent = data.title;
for (const hit of data.hits) {
  const video = element("video");
  video.controls = true;
  video.preload = "metadata";
  video.src = hit.address;
  const label = element("p", "", `${hit.name}, ${hit.start} to ${hit.end} s, score ${hit.score}`);
  document.getElementById("hits").append(element("li", "", video, label));
}
