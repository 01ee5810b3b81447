const video = document.getElementById("video");
document.getElementById("title").textContent = data.title;
if (data.video.address === null) {
  const text = atob(document.getElementById("attachment").textContent);
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  video.src = URL.createObjectURL(new Blob([bytes], { type: data.video.type }));
} else {
  video.src = data.video.address;
}
for (const caption of data.captions) {
  const button = element("button", "", caption.text);
  button.addEventListener("click", () => { video.currentTime = caption.aligned[0]; });
  document.getElementById("captions").append(element("li", "", button));
}
