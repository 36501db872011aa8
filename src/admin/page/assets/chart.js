// Small line charts of the last ten minutes.

import { element } from "/dom.js";

const HEIGHT = 180, BOTTOM = 20, TOP = 8, RIGHT = 6;
const LETTER = 8, LEAST_LEFT = 40; // of the scale's labels
const MINUTES = 10;
const SPACE = "http://www.w3.org/2000/svg";

function svg(name, attributes, text) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const SECONDS = [1, 2, 4, 10, 20, 40, 60, 120, 240, 600, 1200, 2400, 3600, 7200, 14400, 43200, 86400];

// The next of 1, 2, 5, 10, ... or of round times, so that the scale rarely changes.
function ceiling(value, areSeconds) {
  if (!(value > 0)) return 1;
  const round = areSeconds && value > 1 ? SECONDS.find((step) => step >= value * 0.999) : undefined;
  if (round) return round;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}

// chart(box, points, lines, show, name, areSeconds): a line is {key, of(point)}; its style is its class.
export function chart(box, points, lines, show, name, areSeconds = false) {
  // In the screen's own pixels, so that the scale can be read on a phone too.
  const width = box.clientWidth || 600;
  const now = points.length ? Date.parse(points.at(-1).at) : Date.now();
  const values = points.flatMap((point) => lines.map((line) => line.of(point))).filter((it) => it !== null);
  const top = ceiling(Math.max(0, ...values), areSeconds);
  const scale = [0, 0.5, 1].map((share) => [share, show(top * share)]);
  const left = Math.max(LEAST_LEFT, ...scale.map(([, label]) => label.length * LETTER + 10));
  const x = (at) => width - RIGHT - ((now - Date.parse(at)) / (MINUTES * 60000)) * (width - left - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - (Math.min(value, top) / top) * (HEIGHT - BOTTOM - TOP);
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": name });
  for (const [share, label] of scale) {
    const at = y(top * share);
    drawing.append(svg("line", { class: "grid", x1: left, x2: width - RIGHT, y1: at, y2: at }));
    drawing.append(svg("text", { class: "tick", x: left - 8, y: at + 4, "text-anchor": "end" }, label));
  }
  for (const minutes of [0, 5, 10]) {
    const at = width - RIGHT - (minutes / MINUTES) * (width - left - RIGHT);
    const anchor = { 0: "end", 5: "middle", 10: "start" }[minutes];
    drawing.append(svg("text", { class: "tick", x: at, y: HEIGHT - 4, "text-anchor": anchor }, minutes ? `${minutes} min ago` : "now"));
  }
  for (const line of lines) {
    let path = "", pen = "M";
    for (const point of points) {
      const value = line.of(point);
      // Where nothing was measured, the line has a gap.
      if (value === null) pen = "M";
      else {
        path += `${pen}${x(point.at).toFixed(1)} ${y(value).toFixed(1)}`;
        // A point that stands alone shows as a dot.
        if (pen === "M") path += "h.01";
        pen = "L";
      }
    }
    drawing.append(svg("path", { class: `line ${line.key}`, d: path }));
  }
  box.replaceChildren(drawing);
}

// legend(box, [{key, text}]): the style of each line, in words beside it.
export function legend(box, entries) {
  while (box.children.length > entries.length) box.lastChild.remove();
  entries.forEach(({ key, text }, at) => {
    if (!box.children[at]) {
      const sample = svg("svg", { viewBox: "0 0 24 8", width: 24, height: 8, "aria-hidden": "true" });
      sample.append(svg("path", { class: `line ${key}`, d: "M1 4h22" }));
      box.append(element("span", {}, sample, element("span")));
    }
    const word = box.children[at].lastChild;
    if (word.textContent !== text) word.textContent = text;
  });
}
