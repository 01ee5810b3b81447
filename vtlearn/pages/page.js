
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);

/** Find an element of the page's body by its id. */
function byId(id) {
  return document.getElementById(id);
}

/** Make an element with text and children; text is never read as HTML. */
function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Write seconds as 1:02.5, with hours where there are some. */
function formatTime(seconds, decimals = 1) {
  const scale = 10 ** decimals;
  const whole = Math.round(Math.max(0, seconds) * scale);
  const rest = ((whole % (60 * scale)) / scale).toFixed(decimals).padStart(decimals ? decimals + 3 : 2, "0");
  const minutes = Math.floor(whole / (60 * scale));
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

/** Read base64 as bytes. */
function decode(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let position = 0; position < letters.length; position += 1) bytes[position] = letters.charCodeAt(position);
  return bytes;
}

/** Write a number with as many decimals, and a minus sign. */
function formatNumber(value, decimals) {
  return value.toFixed(decimals).replace("-", "−");
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
