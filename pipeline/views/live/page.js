// Asks once a second how the job stands, and shows what is new.

import { draw, node, short } from "/charts.js";

const $ = (id) => document.getElementById(id);
const TOKEN = document.querySelector('meta[name="token"]').content;
const EVERY = 1000, GONE_AFTER = 2;
const PHASES = {
  preparing: "Preparing", running: "At work", stopping: "Stopping after this iteration",
  paused: "Stopped", done: "Done", stopped: "Ended", failed: "Failed",
};
const ENDED = ["done", "stopped", "failed"];

let state = null, tag = "", misses = 0, told = "", loading = Promise.resolve();
let probe = () => null, hovered = null;

function made(name, text = "", attributes = {}) {
  const element = Object.assign(document.createElement(name), attributes);
  if (text) element.append(text);
  return element;
}

// Puts a new picture in place of an old one once it is there, so that nothing flickers.
async function swap(image, address) {
  if (image.dataset.address === address) return;
  const next = new Image();
  next.src = address;
  try { await next.decode(); } catch { return; }
  image.dataset.address = address;
  image.src = address;
  image.hidden = false;
}

function showHead({ job, work, phase, picture }) {
  const percent = Math.floor(100 * work.share);
  document.body.dataset.phase = phase;
  $("title").textContent = job.content;
  $("subtitle").textContent = `${job.styles.map((style) => style.name).slice(0, 3).join(", ")} → ${job.made}`;
  $("phase").textContent = PHASES[phase];
  $("share").textContent = percent;
  $("left").textContent = phase === "running" ? work.left : "";
  $("bar").setAttribute("aria-valuenow", percent);
  $("bar").setAttribute("aria-valuetext", `${percent} %, ${PHASES[phase]}`);
  $("done").style.width = `${100 * work.share}%`;
  const mark = { paused: "❚❚ ", done: "✓ ", failed: "✕ ", stopped: "✕ " }[phase] ?? "";
  document.title = `${mark}${percent} % · ${job.content} · Deep Fusion`;
  const held = phase === "paused" || phase === "stopping";
  $("toggle").textContent = held ? "Continue" : "Stop";
  $("toggle").className = held ? "" : "calm";
  $("toggle").disabled = misses >= GONE_AFTER || ENDED.includes(phase);
  $("toggle").hidden = ENDED.includes(phase);
  $("caption").textContent = picture.name || job.content;
  $("iteration").textContent = work.text.replace(/ {2,}/g, " · ").trim() || (picture.iterations ? `iteration ${picture.iteration}` : "");
}

function announce({ phase, work, told: end }) {
  const tenth = 10 * Math.floor(10 * work.share);
  const text = ENDED.includes(phase) ? `${PHASES[phase]}. ${end}` : `${PHASES[phase]}, ${tenth} %`;
  if (text !== told) $("status").textContent = told = text;
}

function showNotice() {
  const notice = $("notice");
  let text = "", kind = "";
  if (state && ENDED.includes(state.phase)) {
    text = state.told || PHASES[state.phase];
    kind = { done: "good", failed: "bad" }[state.phase] ?? "";
  } else if (misses >= GONE_AFTER) {
    text = "The program does not answer: it has ended, or is no longer reached. What you see is its last state.";
    if ($("status").textContent !== text) $("status").textContent = told = text;
  } else if (state?.phase === "paused") {
    text = "The job rests after its last iteration, nothing is lost. It goes on when you continue it.";
  }
  notice.className = `notice ${kind}`;
  notice.hidden = !text;
  if (notice.textContent !== text) notice.textContent = text;
}

function showPicture({ picture, job }) {
  const box = $("compare"), both = picture.content !== null && picture.result !== null;
  box.style.setProperty("--ratio", (picture.width / picture.height).toFixed(4));
  $("content").alt = `The original of ${picture.name || job.content}`;
  $("result").alt = `${picture.name || job.content}, stylized, as it is now`;
  const parts = [];
  if (picture.content !== null) parts.push(swap($("content"), `/content/${picture.content}.jpg`));
  if (picture.result !== null) parts.push(swap($("result"), `/result/${picture.result}.jpg`));
  if (picture.content !== null || picture.result !== null) $("waiting").hidden = true;
  for (const id of ["divide", "tag-content", "tag-result"]) $(id).hidden = !both;
  $("slider").disabled = !both;
  if (both) slide();
  return parts;
}

function slide() {
  const value = Number($("slider").value);
  $("compare").style.setProperty("--cut", `${value}%`);
  $("slider").setAttribute("aria-valuetext", `${value} % original, ${100 - value} % stylized`);
  $("tag-content").hidden = value < 18;
  $("tag-result").hidden = value > 82;
}

function figure(address, name, what) {
  const image = made("img", "", { alt: `${what}: ${name}` });
  const caption = made("figcaption");
  caption.append(made("span", what, { className: "quiet" }), name);
  const whole = made("figure");
  whole.append(image, caption);
  return [whole, swap(image, address)];
}

function showFrom({ job, picture }) {
  const box = $("from");
  const key = JSON.stringify([job.styles.map((style) => style.version), picture.content === null]);
  const parts = [];
  if (box.dataset.key !== key) {
    box.dataset.key = key;
    box.replaceChildren();
    if (picture.content !== null) {
      const [whole, part] = figure(`/content/${picture.content}.jpg`, job.content, "Content");
      whole.firstChild.id = "small-content";
      box.append(whole);
      parts.push(part);
    }
    for (const style of job.styles) {
      const [whole, part] = figure(`/style/${style.version}.jpg`, style.name, "Style");
      box.append(whole);
      parts.push(part);
    }
  } else if (picture.content !== null && $("small-content")) {
    parts.push(swap($("small-content"), `/content/${picture.content}.jpg`));
  }
  return parts;
}

function showLosses() {
  const { curve } = state;
  const names = Object.keys(curve.series);
  const classes = Object.fromEntries(names.map((name, index) => [name, `s${Math.min(index, 5)}`]));
  const marks = curve.levels.slice(1).map(([iteration]) => iteration);
  const chart = $("losses");
  probe = draw(chart, { ...curve, marks, logarithmic: true, classes });
  $("finer").hidden = !marks.length;
  const at = hovered === null ? null : probe(hovered);
  if (at) chart.append(node("line", { class: "rule", x1: at.pixel, x2: at.pixel, y1: at.top, y2: at.bottom }));
  const index = at ? at.index : curve.x.length - 1;
  const rows = names.map((name) => {
    const row = made("li");
    const sample = node("svg", { viewBox: "0 0 26 10", "aria-hidden": "true" });
    sample.append(node("path", { class: classes[name], d: "M1 5H25" }));
    row.append(sample, made("span", name), made("b", short(curve.series[name][index])));
    return row;
  });
  $("legend").replaceChildren(...rows);
  const last = names.map((name) => `${name} ${short(curve.series[name].at(-1))}`).join(", ");
  chart.setAttribute("aria-label", names.length
    ? `Losses over ${curve.x.at(-1)} iterations on a logarithmic scale; now: ${last}` : "No losses yet");
}

function showStrip({ strip, frames, job }) {
  $("strip-part").hidden = !strip.length;
  const list = $("strip"), parts = [];
  const atEnd = list.scrollLeft + list.clientWidth > list.scrollWidth - 40;
  const wanted = new Set(strip.map((entry) => `frame-${entry.id}`));
  for (const item of [...list.children]) if (!wanted.has(item.id)) item.remove();
  for (const entry of strip) {
    let item = $(`frame-${entry.id}`);
    if (!item) {
      item = made("li", "", { id: `frame-${entry.id}`, className: entry.cut && entry.id ? "cut" : "" });
      item.append(made("div", "", { className: "blank" }), made("span", entry.name));
      item.title = [entry.name, entry.loss === null ? "" : `loss ${short(entry.loss)}`,
        entry.seconds === null ? "" : `${short(entry.seconds)} s`,
        entry.error === null ? "" : `warping error ${short(entry.error)}`,
        entry.found ? "made by an earlier run" : ""].filter(Boolean).join("\n");
      list.append(item);
    }
    if (entry.picture && item.firstChild.className === "blank") {
      const image = made("img", "", { alt: `${entry.name}, finished`, height: 96 });
      item.firstChild.replaceWith(image);
      parts.push(swap(image, `/thumbnail/${entry.id}.jpg`));
    }
  }
  const unit = job.command === "video" ? "frame" : job.command === "album" ? "photo" : "picture";
  const kept = frames.count > strip.length ? `, the last ${strip.length} shown` : "";
  $("count").textContent = `${frames.count} ${unit}${frames.count === 1 ? "" : "s"}${kept}`;
  if (atEnd) Promise.allSettled(parts).then(() => { list.scrollLeft = list.scrollWidth; });
  return parts;
}

function showFrames({ frames }) {
  const box = $("frames");
  const shown = Object.entries(frames.series).filter(([, values]) => values.some((value) => value !== null));
  $("frames-part").hidden = frames.count < 2 || !shown.length;
  if ($("frames-part").hidden) return;
  $("shots").hidden = !frames.cuts.length;
  shown.forEach(([name, values], index) => {
    const id = `frames-${name.replaceAll(" ", "-")}`;
    let part = $(id);
    if (!part) {
      part = made("div", "", { id });
      const head = made("h3");
      head.append(made("span", name), made("b"));
      part.append(head, node("svg", { class: "chart low", role: "img" }));
      box.append(part);
    }
    const last = values.findLast((value) => value !== null);
    part.querySelector("b").textContent = short(last) + (name === "seconds" ? " s" : "");
    const chart = part.querySelector("svg");
    chart.setAttribute("aria-label", `${name} of ${frames.count} finished pictures; the last: ${short(last)}`);
    draw(chart, {
      x: frames.x, series: { [name]: values }, marks: frames.cuts, first: 1, classes: { [name]: `s${1 + (index % 3)}` },
    });
  });
}

function showRest({ warnings, job }) {
  $("notes-part").hidden = !warnings.length;
  if ($("notes").children.length !== warnings.length) {
    $("notes").replaceChildren(...warnings.map((text) => made("li", text)));
  }
  const rows = [["command", `deepfusion ${job.command}`], ["output", job.output], ["network", job.network || "being chosen"],
    ...job.settings.map(({ name, value }) => [name, value])];
  const key = JSON.stringify(rows);
  if ($("job").dataset.key === key) return;
  $("job").dataset.key = key;
  $("job").replaceChildren(...rows.map(([name, value]) => {
    const pair = made("div");
    pair.append(made("dt", name), made("dd", value));
    return pair;
  }));
}

function show() {
  showHead(state);
  announce(state);
  const parts = [...showPicture(state), ...showFrom(state), ...showStrip(state)];
  showLosses();
  showFrames(state);
  showRest(state);
  loading = Promise.allSettled(parts);
  return loading;
}

async function ask() {
  try {
    const headers = tag ? { "If-None-Match": tag } : {};
    const answer = await fetch("/state", { headers, cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (answer.status === 200) {
      const next = answer.headers.get("ETag");
      if (tag && tag.slice(0, 9) !== next.slice(0, 9)) { location.reload(); return; } // another job has begun
      state = await answer.json();
      misses = 0;
      await show();
      tag = next; // only now: the program takes the tag as a sign that the page has it all
      showNotice();
      if (ENDED.includes(state.phase)) { ask(); return; }
    } else if (answer.status !== 304) {
      throw new Error(String(answer.status));
    }
    misses = 0;
  } catch {
    misses += 1;
    if (misses >= GONE_AFTER) document.body.classList.add("gone");
  }
  if (misses < GONE_AFTER) document.body.classList.remove("gone");
  if (state) showHead(state);
  showNotice();
  setTimeout(ask, misses >= GONE_AFTER ? 3 * EVERY : EVERY);
}

async function toggle() {
  const held = state?.phase === "paused" || state?.phase === "stopping";
  $("toggle").disabled = true;
  try {
    await fetch(held ? "/continue" : "/stop", { method: "POST", headers: { "X-Deep-Fusion-Token": TOKEN } });
    const answer = await fetch("/state", { cache: "no-store" });
    state = await answer.json();
    await show();
  } catch {
    misses += 1;
  }
  if (state) showHead(state);
  showNotice();
}

$("toggle").addEventListener("click", toggle);
$("slider").addEventListener("input", slide);
$("losses").addEventListener("pointermove", (event) => {
  hovered = event.clientX - $("losses").getBoundingClientRect().left;
  if (state) showLosses();
});
$("losses").addEventListener("pointerleave", () => { hovered = null; if (state) showLosses(); });
new ResizeObserver(() => { if (state) { showLosses(); showFrames(state); } }).observe(document.querySelector("main"));
ask();
