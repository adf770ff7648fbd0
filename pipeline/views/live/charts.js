// Curves as SVG, drawn at the size they have on the page.

const SVG = "http://www.w3.org/2000/svg";
const EDGE = { left: 44, right: 8, top: 8, bottom: 20 };

export function node(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function short(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(1).replace("e+", "e") : String(Number(value.toPrecision(3)));
}

// Round values between two others, on a logarithmic or an even scale.
function ticks(low, high, logarithmic) {
  if (logarithmic) {
    const decades = Math.log10(high / low);
    const steps = decades > 2.2 ? [1] : decades > 1 ? [1, 3] : [1, 1.5, 2, 3, 5, 7];
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const step of steps) found.push(step * 10 ** power);
    }
    return found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
  }
  const rough = (high - low) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) found.push(value);
  return found;
}

function bounds(series, logarithmic) {
  const values = Object.values(series).flat().filter((value) => value !== null && (!logarithmic || value > 0));
  if (!values.length) return null;
  let low = values.reduce((a, b) => Math.min(a, b));
  let high = values.reduce((a, b) => Math.max(a, b));
  if (logarithmic) {
    low = Math.max(low, high / 1e4);
    return high / low < 1.2 ? [low / 1.15, high * 1.15] : [low / 1.08, high * 1.08];
  }
  return [0, high > 0 ? high * 1.08 : 1];
}

function line(x, values, toX, toY, fits) {
  let path = "", pen = false;
  x.forEach((at, index) => {
    const value = values[index];
    if (value === null || !fits(value)) { pen = false; return; }
    path += `${pen ? "L" : "M"}${toX(at).toFixed(1)} ${toY(value).toFixed(1)}`;
    pen = true;
  });
  return path;
}

// Draws curves {x, series} into `svg`; `marks` are places on the x axis; gives the x at a pixel, or null.
export function draw(svg, { x, series, marks = [], logarithmic = false, classes = {}, first = 0 }) {
  const width = svg.clientWidth, height = svg.clientHeight;
  const found = bounds(series, logarithmic);
  svg.replaceChildren();
  if (!width || !x.length || !found) return () => null;
  const [low, high] = found;
  const start = x[0], end = Math.max(x[x.length - 1], start + 1);
  const right = width - EDGE.right, bottom = height - EDGE.bottom;
  const toX = (at) => EDGE.left + ((at - start) / (end - start)) * (right - EDGE.left);
  const scaled = logarithmic ? Math.log : (value) => value;
  const toY = (value) =>
    bottom - ((scaled(Math.max(value, low)) - scaled(low)) / (scaled(high) - scaled(low))) * (bottom - EDGE.top);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  for (const tick of ticks(low, high, logarithmic)) {
    const y = toY(tick).toFixed(1);
    svg.append(node("line", { class: "grid", x1: EDGE.left, x2: right, y1: y, y2: y }));
    svg.append(node("text", { x: EDGE.left - 7, y: Number(y) + 4, "text-anchor": "end" }, short(tick)));
  }
  for (const mark of marks) {
    const at = toX(mark).toFixed(1);
    svg.append(node("line", { class: "mark", x1: at, x2: at, y1: EDGE.top, y2: bottom }));
  }
  svg.append(node("text", { x: EDGE.left, y: height - 4 }, String(start + first)));
  svg.append(node("text", { x: right, y: height - 4, "text-anchor": "end" }, String(end + first)));
  const fits = (value) => !logarithmic || value > 0;
  for (const [name, values] of Object.entries(series).reverse()) {
    const kind = classes[name] ?? "s1";
    svg.append(node("path", { class: kind, d: line(x, values, toX, toY, fits) }));
    values.forEach((value, index) => { // one that stands alone is a point
      const alone = (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null;
      if (value !== null && alone && fits(value)) {
        svg.append(node("circle", { class: kind, cx: toX(x[index]), cy: toY(value), r: 2.5 }));
      }
    });
  }
  return (pixel) => {
    if (pixel < EDGE.left - 4 || pixel > right + 4) return null;
    const wanted = start + ((pixel - EDGE.left) / (right - EDGE.left)) * (end - start);
    let best = 0;
    x.forEach((at, index) => { if (Math.abs(at - wanted) < Math.abs(x[best] - wanted)) best = index; });
    return { index: best, pixel: toX(x[best]), top: EDGE.top, bottom };
  };
}
