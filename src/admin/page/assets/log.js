// The last warnings and errors of the log, and which of them belong to a cause.

import { ask, moment, say } from "/dom.js";

const SHOWN = 3, SHOWN_OF_HEADLINE = 5;

let lines = [], known = 0, asking = false;

// Fetches the lines if there are others. Returns at once.
export async function follow(number) {
  if (number === known || asking) return;
  asking = true;
  try {
    ({ lines } = await ask("/api/log"));
    known = number;
  } catch { /* The next update asks again. */ }
  asking = false;
}

// Errors are the same if they differ in numbers and ids only. A group of dead letters has "…" for these already.
const pattern = (text) => text.toLowerCase().replace(/[0-9a-f-]*[0-9][0-9a-f-]*|…/g, "…").replace(/[\s.]+$/, "");
const same = (one, other) => pattern(one) === pattern(other);
// A line names a source or a topic, or has either as its place; likewise its reason.
const isOf = (topic, place) => topic === place || topic?.endsWith(`:${place}`);

// But those that a hold shows, in the card of its own.
export function ofHeadline({ points }, held) {
  const events = new Set(points.flatMap((point) => point.log_events));
  const shown = new Set(held.flatMap(ofHold));
  return lines.filter((it) => events.has(it.event) && !shown.has(it)).slice(-SHOWN_OF_HEADLINE);
}

export const ofHold = ({ topic }) => lines.filter((it) => (it.topic ?? it.place) === (topic ?? "service")).slice(-SHOWN);

// A recent error has a place (a source, or a topic's name), a kind and a text.
export function ofError({ place, kind, text }) {
  const isThere = (it) => it.source === place || it.topic === "service" || isOf(it.topic ?? it.place, place);
  const isThat = (it) => (it.error ? same(it.error, text) : (it.reason ?? it.cause) === kind);
  return lines.filter((it) => isThere(it) && isThat(it)).slice(-SHOWN);
}

export const ofGroup = ({ reason, error }) =>
  lines.filter((it) => (it.reason ?? it.cause) === reason && (!it.error || same(it.error, error ?? ""))).slice(-SHOWN);

export const written = (found) => found.map((it) => `${moment(it.at)} ${it.level} ${it.text}`).join("\n");

// Shows lines in an element that has a place for them; hides it if there are none.
export function write(target, found) {
  target.hidden = found.length === 0;
  say(target, written(found));
}
