// Elements and words. Texts from outside are only ever set as text: no markup in them counts.

// Controls, what turns the direction of the text after it, and what takes no room: shown by number, and never obeyed. Line
// breaks stay.
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
export const visible = (text) => String(text).replace(OBEYED, (it) => `\\u{${it.codePointAt(0).toString(16)}}`);

export const $ = (id) => document.getElementById(id);

// element("p", {class: "quiet"}, "text", child, ...)
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(key, value);
  }
  const there = children.filter((child) => child !== undefined && child !== null);
  made.append(...there.map((child) => (child instanceof Node ? child : visible(child))));
  return made;
}

// Sets a text where it is another one, so that selections stay.
export function say(target, text) {
  const found = typeof target === "string" ? $(target) : target;
  const shown = visible(text);
  if (found.textContent !== shown) found.textContent = shown;
}

// Makes the body's rows these; a cell is a text, or {text, class, title}. The head tells the classes.
export function rows(body, wanted) {
  const classes = [...body.closest("table").tHead.rows[0].cells].map((cell) => cell.className);
  while (body.rows.length > wanted.length) body.deleteRow(-1);
  wanted.forEach((cells, at) => {
    const row = body.rows[at] ?? body.insertRow();
    cells.forEach((cell, column) => {
      const { text, ...rest } = typeof cell === "object" ? cell : { text: cell };
      let target = row.cells[column];
      if (!target) {
        target = document.createElement(column === 0 ? "th" : "td");
        if (column === 0) target.scope = "row";
        target.className = classes[column];
        target.append(document.createElement("span"));
        row.append(target);
      }
      say(target.firstChild, text);
      const wantedClass = rest.class ?? "";
      if (target.firstChild.className !== wantedClass) target.firstChild.className = wantedClass;
      if (rest.title) target.title = visible(rest.title);
    });
  });
}

// Every number on the page has this form: 2,000 and 0.125.
export const decimal = (number, digits) =>
  number.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
export const whole = (number) => decimal(Math.round(number), 0);

export function rate(number) {
  if (number === null || number === undefined) return "–";
  if (number === 0) return "0";
  return number < 10 ? decimal(number, 1) : whole(number);
}

export const count = (number) => (number === null || number === undefined ? "–" : whole(number));

export function seconds(number) {
  if (number === null || number === undefined) return "–";
  if (number === 0) return "0";
  if (number < 0.01) return `${decimal(number * 1000, 1)} ms`;
  if (number < 1) return `${Math.round(number * 1000)} ms`;
  return number < 120 ? `${decimal(number, number < 10 && !Number.isInteger(number) ? 1 : 0)} s` : span(number);
}

// 3725 -> "1 h 2 min"
export function span(number) {
  const whole = Math.max(0, Math.round(number));
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const at = units.findIndex(([, size]) => whole >= size);
  if (at < 0) return "0 s";
  const [unit, size] = units[at];
  const first = `${Math.floor(whole / size)} ${unit}`;
  const next = units[at + 1];
  const rest = next ? Math.floor((whole % size) / next[1]) : 0;
  return rest ? `${first} ${rest} ${next[0]}` : first;
}

// All times are UTC, as in the log, and say so.
const parts = (time) => new Date(time).toISOString().slice(0, 19).split("T");
export const moment = (time) => (time ? `${parts(time).join(" ")} UTC` : "–");
// Without the date where that is today's.
export const clock = (time, now) => (parts(time)[0] === parts(now)[0] ? `${parts(time)[1]} UTC` : moment(time));

export const plural = (number, word) => `${whole(number)} ${word}${number === 1 ? "" : "s"}`;
export const verb = (number, one, many) => (number === 1 ? one : many);

// A text of others within a sentence, or at its end: they may end with a full stop or not.
export const bare = (text) => String(text).replace(/[\s.]+$/, "");
export function sentence(text) {
  const it = bare(text);
  return /[…!?]$/.test(it) ? it : `${it}.`;
}

// A request to the worker. An answer that is none, or no good one, becomes an error in words.
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", credentials: "same-origin", ...options });
  } catch {
    throw new Error("the worker does not answer; check that it is running");
  }
  const text = await answer.text();
  const body = text && answer.headers.get("content-type")?.includes("json") ? JSON.parse(text) : text;
  if (!answer.ok) throw Object.assign(new Error(body.error ?? `the worker answered with HTTP status ${answer.status}`), { status: answer.status });
  return body;
}

export const send = (path, body) =>
  ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body ?? {}) });
