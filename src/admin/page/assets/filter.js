// The filter: a form, and the page's address, which can be passed on.

import { $ } from "/dom.js";

const LONGEST = 500;

let applied;

export const form = () => $("filter");

const names = () => [...form().elements].map((it) => it.name).filter((name) => name);

// Times as the page writes them are times that the worker reads.
const readable = (value) => value.replace(/^(\d{4}-\d\d-\d\d) (\d\d:\d\d)(:\d\d)? UTC$/, (_, day, time, seconds) => `${day}T${time}${seconds ?? ":00"}Z`);

// The pairs of the form, without empty ones.
export function chosen() {
  return [...new FormData(form())].map(([name, value]) => [name, readable(value.trim())]).filter(([, value]) => value);
}

export const query = (pairs = chosen()) => new URLSearchParams(pairs).toString();

// Where the page is, with this filter: what is copied from there finds the same letters.
export function toAddress() {
  const text = query();
  const wanted = `${location.pathname}${text ? `?${text}` : ""}${text ? "#dead-letters" : ""}`;
  if (location.search !== (text ? `?${text}` : "")) history.pushState(null, "", wanted);
  applied = location.search;
}

// Whether the address has another filter than the one that was applied: a link within the page changes the address, too.
export const isOther = () => location.search !== applied;

// Fills the form from the address, which may be anybody's: a filter is only ever looked for, and one that is not wholly
// understood would find other letters than those meant, so it is not applied at all. Returns what is wrong with it.
export function fromAddress() {
  applied = location.search;
  for (const name of names()) form().elements[name].value = "";
  const pairs = [...new URLSearchParams(location.search)];
  const wrong = pairs.map(([name, value], at) => fault(name, value, pairs.slice(0, at))).find((it) => it);
  if (wrong) return `The filter in the address of this page is not applied, since ${wrong}.`;
  for (const [name, value] of pairs) form().elements[name].value = value;
  $("more-filters").open ||= pairs.some(([name]) => $("more-filters").contains(form().elements[name]));
  return "";
}

function fault(name, value, before) {
  if (!names().includes(name)) return "it has a part that is no filter";
  if (before.some(([other]) => other === name)) return `it has more than one value for "${name}"`;
  if (!value || value.length > LONGEST || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(value)) return `its value for "${name}" can't be one`;
  const field = form().elements[name];
  if (field.options && ![...field.options].some((it) => it.value === value)) return `its value for "${name}" can't be one`;
  return "";
}
