"use strict";
const data = JSON.parse(document.getElementById("data").textContent);

/** An element with text and children; text is never read as HTML. */
function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}
