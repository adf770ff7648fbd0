"use strict";

const root = document.documentElement;
root.classList.add("js");

// Before-and-after sliders: the keyboard moves the range, the pointer moves it wherever it is put down.
function moveTo(slider, share) {
  const range = slider.querySelector("input");
  range.value = Math.round(Math.min(Math.max(share, 0), 1) * 100);
  showCut(slider);
}

function showCut(slider) {
  const range = slider.querySelector("input");
  slider.style.setProperty("--cut", `${range.value}%`);
  range.setAttribute("aria-valuetext", `${range.value} % before`);
}

for (const slider of document.querySelectorAll(".slider")) {
  const range = slider.querySelector("input");
  const follow = (event) => {
    const box = slider.getBoundingClientRect();
    moveTo(slider, (event.clientX - box.left) / box.width);
  };
  range.addEventListener("input", () => showCut(slider));
  slider.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    slider.setPointerCapture(event.pointerId);
    range.focus({ preventScroll: true });
    follow(event);
  });
  slider.addEventListener("pointermove", (event) => {
    if (slider.hasPointerCapture(event.pointerId)) follow(event);
  });
  showCut(slider);
}

// The strip of frames: a frame that has a pair shows it on the stage.
const stage = document.getElementById("stage");

function showPair(id) {
  const shown = document.getElementById(id);
  if (!stage || !shown || shown.parentElement !== stage) return;
  const cut = stage.querySelector(".pair:not([hidden]) input");
  const share = cut ? cut.value / 100 : 0.5;
  for (const pair of stage.querySelectorAll(".pair")) pair.hidden = pair !== shown;
  moveTo(shown.querySelector(".slider"), share);
  for (const link of document.querySelectorAll(".strip a")) {
    if (link.hash === `#${id}`) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

if (stage && stage.querySelector(".pair")) showPair(stage.querySelector(".pair").id);
for (const link of document.querySelectorAll(".strip a")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    showPair(link.hash.slice(1));
    const box = stage.getBoundingClientRect();
    if (box.bottom < 120 || box.top > window.innerHeight - 120) stage.scrollIntoView({ block: "nearest" });
  });
}

// The gallery: the photos of one style, or all.
const filter = document.getElementById("filter");
if (filter) {
  const photos = [...document.querySelectorAll("#gallery .pair")];
  const choose = () => {
    const style = filter.querySelector("input:checked").value;
    for (const photo of photos) photo.hidden = style !== "" && photo.dataset.style !== style;
    const shown = photos.filter((photo) => !photo.hidden).length;
    document.getElementById("filter-status").textContent = `${shown} of ${photos.length} shown`;
  };
  filter.addEventListener("change", choose);
  filter.addEventListener("submit", (event) => event.preventDefault());
  choose();
}

// Copying: where the browser does not allow it, the text is selected.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy);
    const status = document.getElementById("copy-status");
    let said = "Copied";
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      getSelection().selectAllChildren(text);
      said = "Selected";
    }
    button.textContent = said;
    status.textContent = said;
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
