// Draws every figure in the colours of the hour, and again when the hour changes.
"use strict";

const night = JSON.parse(document.getElementById("night").textContent);
const isNight = matchMedia("(prefers-color-scheme: dark)");
const isTouched = matchMedia("(pointer: coarse)").matches;

function figure(name) {
  let text = document.getElementById(name).textContent;
  if (isNight.matches) {
    for (const [day, dark] of Object.entries(night)) {
      text = text.replaceAll(day, dark);
    }
  }
  return JSON.parse(text);
}

function draw() {
  for (const place of document.querySelectorAll("[data-figure]")) {
    const { data, layout } = figure(place.dataset.figure);
    if (isTouched) {
      layout.dragmode = false; // a finger on a figure scrolls the page
    }
    Plotly.react(place, data, layout, { displayModeBar: false, responsive: true });
  }
}

draw();
isNight.addEventListener("change", draw);
