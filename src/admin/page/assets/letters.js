// The dead letters: search, by group or one by one.

import { $, ask, element, moment, plural, rows, say, sentence, whole } from "/dom.js";
import * as filter from "/filter.js";
import * as letter from "/letter.js";
import * as log from "/log.js";
import * as orders from "/orders.js";

const AUTOMATIC = 5000; // letters that are looked at without being asked for
const MOST_ROWS = 200; // that the worker lists

let trusted = false, hasToken = false, whyNoLogin = "", looking = false, looked = false, wrongAddress = "";

export function askToLogIn() {
  $("login-box").showModal();
}

export function allow(answer, about) {
  ({ trusted, has_token: hasToken, login_refusal: whyNoLogin } = answer);
  say("dead-count", `in ${about.dead_letter_queue}`);
  $("filter").hidden = !trusted;
  orders.allow(trusted);
  if (!trusted) forgetLetters();
  else if (!looked) say("looked", wrongAddress);
}

// Who has not logged in sees how many there are, and how to see more.
function forgetLetters() {
  looked = false;
  orders.forget();
  $("groups").replaceChildren();
  $("each").replaceChildren();
  $("each-box").hidden = $("orders").hidden = true;
  const locked = hasToken ? "Log in to see and replay the dead letters. Without the token this page shows only how many there are." : sentence(whyNoLogin ?? "");
  say("looked", locked.slice(0, 1).toUpperCase() + locked.slice(1));
}

export function update({ dead_letters: letters, replay, waits_in_line: waits }) {
  if (looking) say("looked", waits ? "Waiting: another search or replay uses the dead-letter queue; this one starts when that one has ended …" : "Searching …");
  if (trusted && !looked && !wrongAddress && letters > 0 && letters <= AUTOMATIC && !replay?.running) look();
  const hasEnded = orders.showReplay(replay);
  if (trusted && hasEnded) look();
}

// --- by group ---

async function look() {
  looked = true;
  orders.forget();
  $("each-box").hidden = true;
  const asked = filter.query();
  begin();
  try {
    const { letters, matching, groups } = await ask(`/api/dead-letters?${asked}`);
    looking = false;
    say("looked", letters === 0 ? "There are no dead letters." : matching === letters ? `${plural(letters, "dead letter")}.` : `${whole(matching)} of ${plural(letters, "dead letter")} match the filter.`);
    $("groups").replaceChildren(...groups.map(group));
    orders.found(asked, matching);
  } catch (error) {
    failed("looked", error);
  }
}

function begin() {
  looking = true;
  wrongAddress = "";
  say("discarded", "");
  say("looked", "Searching …");
  filter.toAddress();
}

function group(it) {
  const numbers = (counts) => Object.entries(counts).map(([name, number]) => `${name} ${whole(number)}`).join(", ");
  const facts = [
    it.oldest ? `dead-lettered ${moment(it.oldest)}${it.count > 1 ? ` to ${moment(it.newest)}` : ""}${letter.claimed(it.claimed_times > 0)}` : "",
    numbers(it.kinds), numbers(it.topics), numbers(it.sources),
  ].filter((text) => text).join(" · ");
  const lines = log.ofGroup(it);
  return element("li", {},
    element("span", { class: "many" }, whole(it.count)),
    element("div", {},
      element("p", { class: "what" }, letter.cause(it)),
      it.error ? element("p", {}, it.error) : null,
      element("p", { class: "quiet" }, facts),
      lines.length ? element("pre", { class: "log", tabindex: "0", "aria-label": "Last lines of the log about these" }, log.written(lines)) : null),
    element("div", { class: "bar" },
      element("button", { type: "button", onclick: () => narrow(it) }, "Filter for these"),
      element("button", { type: "button", onclick: () => letter.open(it.example) }, "Show one")));
}

// A group's error stands for many: the longest part that is the same in all, and that an address may have, finds them.
function narrow({ reason, error }) {
  const fields = filter.form().elements;
  fields.reason.value = reason;
  const parts = (error ?? "").split(/…|[\p{Cc}\p{Cf}]/u).map((part) => part.trim().slice(0, 200));
  fields.error.value = error === "(further errors)" ? "" : parts.reduce((one, other) => (other.length > one.length ? other : one), "");
  look();
}

// --- one by one ---

async function listEach() {
  orders.forget();
  const asked = filter.query();
  begin();
  try {
    const { letters, rows: found } = await ask(`/api/dead-letters/each?${asked}`);
    looking = false;
    say("looked", `${plural(found.length, "letter")} of ${whole(letters)}, in the order of the queue.`);
    $("groups").replaceChildren();
    $("each-box").hidden = found.length === 0;
    const who = (it) => (it.from ? (it.to ? `${it.from} → ${it.to}` : it.from) : "–");
    rows($("each"), found.map((it) => ["", letter.died(it), letter.cause(it), it.kind ?? "other", who(it), it.error ?? ""]));
    found.forEach((it, at) => {
      const id = $("each").rows[at].cells[0];
      id.replaceChildren(
        element("input", { type: "checkbox", value: it.id, "aria-label": `Choose ${it.id}`, onchange: orders.choose }),
        element("button", { type: "button", class: "plain", onclick: () => letter.open(it.id) }, it.id));
    });
    $("choose-all").checked = false;
    // Of more than are listed, nobody has counted how many match.
    orders.found(asked, found.length < MOST_ROWS ? found.length : undefined);
  } catch (error) {
    failed("looked", error);
  }
}

export function failed(place, error) {
  looking = false;
  say(place, sentence(error.message));
  if (error.status === 401 && hasToken) askToLogIn();
}

// Another address, from a link or from the browser's history: its filter, and what it finds.
function applyAddress() {
  wrongAddress = filter.fromAddress();
  orders.forget();
  if (wrongAddress) say("looked", wrongAddress);
  else if (trusted && looked) look();
}

export function prepare() {
  filter.form().addEventListener("submit", (event) => { event.preventDefault(); look(); });
  filter.form().addEventListener("reset", () => setTimeout(look));
  filter.form().addEventListener("input", orders.forget);
  $("list-each").addEventListener("click", listEach);
  $("choose-all").addEventListener("change", (event) => {
    for (const box of $("each").querySelectorAll("input")) box.checked = event.target.checked;
    orders.choose();
  });
  letter.prepare(failed, (id) => {
    filter.form().reset();
    filter.form().elements.id.value = id;
    $("more-filters").open = true;
  });
  orders.prepare(failed, look);
  addEventListener("popstate", () => { if (filter.isOther()) applyAddress(); });
  applyAddress();
}
