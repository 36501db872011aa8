// The dead letters: search, filter, show one, dry run, replay, stop.

import { $, ask, element, moment, plural, rows, say, send, whole } from "/dom.js";

const AUTOMATIC = 5000; // letters that are looked at without being asked for

let trusted = false, hasToken = false, whyNoLogin = "", looking = false, looked = false, planned = "", shown, replaying = false;

const filterForm = () => $("filter");

// The filter's pairs, without empty ones.
function chosen() {
  return [...new FormData(filterForm())].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value);
}

const query = () => new URLSearchParams(chosen()).toString();

export function askToLogIn() {
  $("login-box").showModal();
}

export function allow(answer, about) {
  ({ trusted, has_token: hasToken, why_no_login: whyNoLogin } = answer);
  say("dead-count", `in ${about.dead_letter_queue}`);
  $("filter").hidden = !trusted;
  if (!trusted) forgetLetters();
  else if (!looked) say("looked", "");
  word();
}

// Who has not logged in sees how many there are, and how to see more.
function forgetLetters() {
  looked = false;
  forgetPlan();
  $("groups").replaceChildren();
  $("each").replaceChildren();
  $("each-box").hidden = $("order").hidden = true;
  const locked = hasToken ? "Log in to see and replay the dead letters. Without the token this page shows only how many there are." : `${whyNoLogin}.`;
  say("looked", locked[0].toUpperCase() + locked.slice(1));
}

// --- updates ---

export function update({ dead_letters: letters, replay, waits_in_line: waits }) {
  if (looking) say("looked", waits ? "Waiting: another search or replay uses the dead-letter queue; this one starts when that one has ended …" : "Searching …");
  if (trusted && !looked && letters > 0 && letters <= AUTOMATIC && !replay?.running) look();
  showReplay(replay);
}

function showReplay(replay) {
  $("replay").hidden = !replay;
  if (!replay) return;
  const wasRunning = replaying;
  replaying = replay.running;
  const { report } = replay;
  $("replay-stop").hidden = !replay.running;
  $("replay-stop").disabled = replay.stopping || !trusted;
  const bar = $("replay-bar");
  if (report?.matching) [bar.max, bar.value] = [report.matching, report.replayed];
  else if (replay.running) bar.removeAttribute("value");
  bar.hidden = !replay.running && !report;
  say("replay-word", told(replay));
  const texts = Object.entries(report?.came_back_as ?? {}).map(([text, number]) => `${whole(number)} dead-lettered again: ${text}`)
    .concat(Object.entries(report?.refused ?? {}).map(([text, number]) => `${whole(number)} could not be sent: ${text}`));
  $("replay-texts").replaceChildren(...texts.map((text) => element("li", {}, text)));
  if (trusted && wasRunning && !replay.running) look();
}

function told({ running, stopping, watching, report, error, by }) {
  if (error) return `The replay could not begin: ${error}`;
  if (!report) return `A replay by ${by} begins: it reads the dead letters.`;
  const so = `${whole(report.replayed)} of ${plural(report.matching, "dead letter")}`;
  if (running && report.blocked && !stopping) return `Replay blocked: ${report.blocked}. ${so} (by ${by}).`;
  if (running) return `${stopping ? "Stopping" : watching ? "Waiting to see whether any is dead-lettered again" : "Replaying"}: ${so} (by ${by}).`;
  const end = {
    done: report.came_back ? `${whole(report.came_back)} dead-lettered again.` : "None was dead-lettered again.",
    stopped: "The replay was stopped.",
    canary_failed: "The canary failed, so the other letters were not sent.",
    canary_unknown: `The result of the canary is unknown, so the other letters were not sent: ${report.why}.`,
    too_many_failures: "The replay stopped because the limit of failures was reached.",
    broken: `The replay was interrupted: ${report.why}. The letters that were not replayed are still in the dead-letter queue.`,
  }[report.ended];
  return `Replayed ${so} in ${report.seconds.toFixed(1)} s. ${end}`;
}

// --- looking ---

async function look() {
  looked = true;
  forgetPlan();
  $("each-box").hidden = true;
  say("looked", "Searching …");
  looking = true;
  try {
    const { letters, matching, groups } = await ask(`/api/dead-letters?${query()}`);
    looking = false;
    say("looked", letters === 0 ? "There are no dead letters." : matching === letters ? `${plural(letters, "dead letter")}.` : `${whole(matching)} of ${plural(letters, "dead letter")} match the filter.`);
    $("groups").replaceChildren(...groups.map(group));
    $("order").hidden = matching === 0;
  } catch (error) {
    failed("looked", error);
  }
}

// What anybody may have written.
const claimed = (is) => (is ? " (claimed)" : "");

function cause({ reason, by, trust }) {
  const claims = trust === "claimed";
  return by === "broker" ? `${reason} (by RabbitMQ${claims ? ", claimed" : ""})` : reason + claimed(claims && by === "worker");
}

const died = (it) => moment(it.failed_at) + claimed(it.failed_at_claimed);

function group(it) {
  const numbers = (counts) => Object.entries(counts).map(([name, number]) => `${name} ${whole(number)}`).join(", ");
  const facts = [
    it.oldest ? `dead-lettered ${moment(it.oldest)}${it.count > 1 ? ` to ${moment(it.newest)}` : ""}${claimed(it.claimed_times > 0)}` : "",
    numbers(it.kinds), numbers(it.topics), numbers(it.sources),
  ].filter((text) => text).join(" · ");
  return element("li", {},
    element("span", { class: "many" }, whole(it.count)),
    element("div", {},
      element("p", { class: "what" }, cause(it)),
      it.error ? element("p", {}, it.error) : null,
      element("p", { class: "quiet" }, facts)),
    element("div", { class: "bar" },
      element("button", { type: "button", onclick: () => narrow(it) }, "Filter for these"),
      element("button", { type: "button", onclick: (event) => open(it.example, event.target) }, "Show one")));
}

// A group's error stands for many: the longest part that is the same in all finds them.
function narrow({ reason, error }) {
  const fields = filterForm().elements;
  fields.reason.value = reason;
  const parts = (error ?? "").split("…").map((part) => part.trim());
  fields.error.value = error === "(further errors)" ? "" : parts.reduce((one, other) => (other.length > one.length ? other : one), "");
  look();
}

async function listEach() {
  forgetPlan();
  say("looked", "Searching …");
  looking = true;
  try {
    const { letters, rows: found } = await ask(`/api/dead-letters/each?${query()}`);
    looking = false;
    say("looked", `${plural(found.length, "letter")} of ${whole(letters)}, in the order of the queue.`);
    $("groups").replaceChildren();
    $("each-box").hidden = found.length === 0;
    $("order").hidden = found.length === 0;
    const who = (it) => (it.from ? (it.to ? `${it.from} → ${it.to}` : it.from) : "–");
    rows($("each"), found.map((it) => ["", died(it), cause(it), it.kind ?? "other", who(it), it.error ?? ""]));
    found.forEach((it, at) => {
      const id = $("each").rows[at].cells[0];
      id.replaceChildren(element("button", { type: "button", class: "plain", onclick: (event) => open(it.id, event.target) }, it.id));
    });
  } catch (error) {
    failed("looked", error);
  }
}

function failed(place, error) {
  looking = false;
  say(place, `${error.message}.`);
  if (error.status === 401 && hasToken) askToLogIn();
}

// --- one letter ---

async function open(id) {
  shown = id;
  say("letter-title", `Dead letter ${id}`);
  $("letter").replaceChildren();
  $("letter-body").replaceChildren();
  say("letter-word", "Searching …");
  $("letter-box").showModal();
  await fetchLetter(id, false);
}

async function fetchLetter(id, withBody) {
  try {
    const found = await ask(`/api/dead-letters/letter/${encodeURIComponent(id)}${withBody ? "?body=yes" : ""}`);
    say("letter-word", "");
    showLetter(found);
    if (withBody) {
      const parts = [element("h3", {}, "Body"), element("pre", { tabindex: "0" }, found.body)];
      if (found.now.body) parts.push(element("h3", {}, "What would be published"), element("pre", { tabindex: "0" }, JSON.stringify(found.now.body, null, 2)));
      $("letter-body").replaceChildren(...parts);
    }
  } catch (error) {
    failed("letter-word", error);
  }
}

function showLetter({ letter, properties, now }) {
  const prospect = {
    published: () => `would be published to ${now.topic}, ${plural(now.bytes, "byte")}`,
    skipped: () => `would be skipped: ${now.reason}`,
    dead_lettered: () => `would be dead-lettered again: ${now.reason}: ${now.error}`,
  }[now.outcome]();
  const pairs = [
    ["If replayed now", prospect], ["Reason", cause(letter)], ["Error", letter.error], ["Attempts", letter.attempts],
    ["Topic", letter.topic], ["Dead-lettered", died(letter)], ["Worker", letter.worker], ["Source", letter.source],
    ["Queue", letter.origin.queue], ["Exchange", letter.origin.exchange], ["Routing key", letter.origin.routing_key],
    ["Kind", letter.kind], ["From", letter.from], ["To", letter.to], ["Message id", letter.message_id],
    ["Replays before", letter.replays], ["Body", plural(letter.bytes, "byte")],
  ];
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name !== "headers") pairs.push([`Property ${name}`, value]);
  }
  const own = Object.entries(properties?.headers ?? {}).filter(([name]) => !name.startsWith("event-pusher-"));
  for (const [name, value] of own) pairs.push([`Header ${name}`, value === "void" ? "nothing" : Object.values(value)[0] ?? JSON.stringify(value)]);
  const there = pairs.filter(([, value]) => value !== undefined && value !== null);
  $("letter").replaceChildren(...there.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value)))));
}

// --- replaying ---

function forgetPlan() {
  planned = "";
  $("plan").replaceChildren();
  $("replay-now").disabled = true;
  say("replay-now", "Replay");
  word();
}

function word() {
  say("order-word", "Do a dry run first: it shows where each letter would be sent.");
}

async function dryRun() {
  forgetPlan();
  say("order-word", "Searching …");
  const asked = query();
  try {
    const { matching, plan, refused } = await ask(`/api/dead-letters/plan?${asked}`);
    const lines = Object.entries(plan).map(([place, number]) => `${whole(number)} would go to ${place}`)
      .concat(Object.entries(refused).map(([why, number]) => `${whole(number)} could not be sent: ${why}`));
    $("plan").replaceChildren(...lines.map((line) => element("li", {}, line)));
    word();
    if (!trusted || matching === 0) return;
    planned = asked;
    $("replay-now").disabled = false;
    say("replay-now", `Replay ${plural(matching, "letter")}`);
  } catch (error) {
    failed("order-word", error);
  }
}

async function replay(event) {
  event.preventDefault();
  // What was planned is replayed, or nothing.
  if ($("replay-now").disabled || planned !== query()) return forgetPlan();
  const filter = {};
  for (const [name, value] of chosen()) (filter[name] ??= []).push(value);
  const order = { filter };
  for (const name of ["canary", "rate", "max_failures"]) {
    const text = $("order").elements[name].value.trim();
    if (!text) continue;
    order[name] = Number(text);
    // What is no number would go as if it were left out.
    if (!Number.isFinite(order[name])) return say("order-word", `"${text}" is not a number.`);
  }
  try {
    await send("/api/dead-letters/replay", order);
    replaying = true;
    forgetPlan();
    say("order-word", "The replay has started.");
    $("replay").scrollIntoView({ block: "nearest" });
  } catch (error) {
    failed("order-word", error);
  }
}

export function prepare() {
  filterForm().addEventListener("submit", (event) => { event.preventDefault(); look(); });
  filterForm().addEventListener("reset", () => setTimeout(look));
  filterForm().addEventListener("input", forgetPlan);
  $("list-each").addEventListener("click", listEach);
  $("dry-run").addEventListener("click", dryRun);
  $("order").addEventListener("submit", replay);
  $("replay-stop").addEventListener("click", async () => {
    try {
      await send("/api/dead-letters/replay/stop");
    } catch (error) {
      failed("replay-word", error);
    }
  });
  $("show-body").addEventListener("click", () => fetchLetter(shown, true));
  $("only-this").addEventListener("click", () => {
    filterForm().reset();
    filterForm().elements.id.value = shown;
    $("more-filters").open = true;
    $("letter-box").close();
  });
}
