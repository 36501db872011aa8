// What happens now: a stream of updates from the worker, each shown at once.

import { $, ask, bare, clock, count, decimal, element, moment, plural, rate, rows, say, seconds, send, sentence, span, verb, visible, whole } from "/dom.js";
import { chart, legend } from "/chart.js";
import * as fleet from "/fleet.js";
import * as letters from "/letters.js";
import * as log from "/log.js";
import * as pauses from "/pauses.js";

const KEPT = 120, STALE_MS = 4000, POLL_MS = 3000, STREAM_AGAIN_MS = 30000;
// In place of the headline that was shown, once no update comes.
const LOST = "lost";

let about, points = [], last = 0, said = "", polling, stream;

// --- updates ---

// Who logs in or out gets other updates from then on.
function follow() {
  stream?.close();
  stream = new EventSource("/api/stream");
  stream.addEventListener("points", (event) => { points = JSON.parse(event.data); });
  stream.addEventListener("frame", (event) => {
    stopPolling();
    show(JSON.parse(event.data));
  });
  stream.addEventListener("error", () => {
    // Lost: the browser connects again by itself. Refused: as many streams as there may be are open.
    if (stream.readyState !== EventSource.CLOSED) return;
    stream.close();
    poll();
    setTimeout(follow, STREAM_AGAIN_MS);
  });
}

function poll() {
  polling ??= setInterval(async () => {
    try {
      const answer = await ask("/api/status");
      points = answer.points;
      show(answer.frame);
    } catch { /* The age of the figures tells. */ }
  }, POLL_MS);
}

function stopPolling() {
  clearInterval(polling);
  polling = undefined;
}

function watchLink() {
  const age = Date.now() - last;
  const lost = last !== 0 && age > STALE_MS + (polling ? POLL_MS : 0);
  document.body.classList.toggle("stale", lost);
  $("link").className = `link ${last === 0 ? "" : lost ? "lost" : "live"}`;
  const live = polling ? "live, updated every 3 s" : "live";
  say("link", last === 0 ? "connecting" : lost ? "connection lost: the numbers are old" : live);
  if (lost) $("link").title = `The last update came ${span(age / 1000)} ago. The page reconnects by itself.`;
  else $("link").removeAttribute("title");
  // What was well is not known to be so any more. The next update sets both again.
  if (lost && said !== LOST) {
    said = LOST;
    $("headline").className = "headline unknown";
    say("title", "Not known: no update comes from this worker");
    document.title = "? Not known · event-pusher-sns";
  }
}

// --- one update ---

function show(frame) {
  last = Date.now();
  watchLink();
  if (frame.point && frame.point.at !== points.at(-1)?.at) points.push(frame.point);
  points = points.slice(-KEPT);
  log.follow(frame.log_lines);
  showHeadline(frame);
  showFigures(frame);
  showCharts(frame);
  showHolds(frame);
  pauses.update(frame);
  showTables(frame);
  fleet.show(frame);
  showErrors(frame);
  showBroker(frame);
  letters.update(frame);
}

function showHeadline({ headline, runbook, held, at }) {
  log.write($("headline-log"), log.ofHeadline(headline, held));
  // What is announced must not be announced each second.
  const text = JSON.stringify([headline, runbook]);
  if (text === said) return;
  said = text;
  $("headline").className = `headline ${headline.level}`;
  say("title", headline.title);
  document.title = visible(`${{ good: "✓", unknown: "…", attention: "!", bad: "✕" }[headline.level] ?? "?"} ${headline.title} · event-pusher-sns`);
  $("runbook").href = `/runbook#${encodeURIComponent(runbook)}`;
  $("points").replaceChildren(...headline.points.map((point) => element("li", {},
    element("span", { class: "what" }, bare(point.what)),
    point.since ? element("span", { class: "since" }, `, since ${clock(point.since, at)}`) : null,
    element("span", { class: "advice" }, element("span", { class: "arrow", "aria-hidden": "true" }, "→ "), point.what_to_do,
      headline.points.length > 1 ? element("a", { class: "more", href: `/runbook#${encodeURIComponent(point.runbook)}` }, "Runbook") : null),
  )));
}

function showFigures({ figures, held, dead_letters: dead, at }) {
  const { latency, requests } = figures;
  say("in", rate(figures.received_per_second));
  say("out", rate(figures.published_per_second));
  say("in-flight", count(figures.in_flight));
  const waiting = held.reduce((sum, it) => sum + it.waiting, 0);
  say("in-flight-sub", waiting ? `${count(waiting)} of them held` : "delivered, not acknowledged yet");
  say("ready", count(figures.ready));
  // A number stays beside its unit.
  say("latency", seconds(latency.p95).replace(/(\d) /g, "$1\u00a0"));
  say("latency-sub", latency.p95 === null ? "nothing acknowledged in the last 10 s" : "95th percentile");
  say("dead", count(dead));
  $("dead").className = dead ? "warm" : "";
  const most = about?.entries_per_request ?? 10;
  $("fill-meter").max = most;
  $("fill-meter").value = requests.entries ?? 0;
  say("fill", requests.entries === null ? "–" : `${decimal(requests.entries, 1)} of ${most} events`);
  say("per-event", requests.per_event === null ? "–" : decimal(requests.per_event, 3));
  const price = requests.usd_per_million_events;
  say("cost", price === null ? "–" : `$${decimal(price, 3)} per million events; $${decimal(requests.usd_spent, 4)} since the worker started`);
  say("requests", `${rate(requests.per_second)}/s; ${count(requests.in_flight)} in flight, limit ${count(requests.limit)}`);
  const often = (all, now) => (all === 0 ? "none" : `${count(all)} since the worker started; ${rate(now)}/s now`);
  say("retries", often(requests.retries, requests.retries_per_second));
  say("throttled", often(requests.throttled, requests.throttled_per_second));
  showBooks(figures);
  if (about) say("about-up", `${span((Date.parse(at) - Date.parse(about.started)) / 1000)}, since ${moment(about.started)}`);
}

function showBooks({ books, missing }) {
  const shown = { received: "received", published: "published", skipped: "skipped", dead: "dead_lettered", back: "handed_back", flight: "in_flight" };
  for (const [id, key] of Object.entries(shown)) say(`b-${id}`, count(books[key]));
  // Numbers that are read while they change may differ by a few.
  const off = Math.abs(books.unaccounted);
  const word = missing > 0 ? `Perhaps: ${plural(missing, "event")} cannot be accounted for, and the number does not change. Restart this worker: RabbitMQ then delivers them again.`
    : off === 0 ? "No: every delivery is accounted for." : `No: the numbers were read while ${plural(off, "event")} moved.`;
  say("books-word", word);
}

const RATES = [{ key: "in", of: (it) => it.received_per_second }, { key: "out", of: (it) => it.published_per_second }];
const LATENCIES = ["p50", "p95", "p99"].map((key) => ({ key, of: (it) => it.latency[key] }));
let drawn;

function showCharts({ figures }) {
  const { received_per_second: received, published_per_second: published, latency } = figures;
  legend($("rate-legend"), [{ key: "in", text: `in ${rate(received)}` }, { key: "out", text: `out ${rate(published)}` }]);
  legend($("latency-legend"), LATENCIES.map(({ key }) => ({ key, text: `${key} ${seconds(latency[key])}` })));
  const newest = points.at(-1)?.at ?? "";
  if (drawn === newest) return;
  drawn = newest;
  chart($("rate-chart"), points, RATES, rate, `Events per second over ten minutes; now in ${rate(received)}, out ${rate(published)}`);
  const now = LATENCIES.map(({ key }) => `${key.slice(1)}th percentile ${seconds(latency[key])}`).join(", ");
  chart($("latency-chart"), points, LATENCIES, seconds, `Latency from delivery to acknowledgement over ten minutes; now ${now}`, true);
}

function showHolds({ held, at }) {
  $("holds").hidden = held.length === 0;
  const list = $("holds-list");
  while (list.children.length > held.length) list.lastChild.remove();
  held.forEach((hold, index) => {
    if (!list.children[index]) {
      const lines = element("pre", { class: "log", tabindex: "0", "aria-label": "Last lines of the log about this hold" });
      list.append(element("li", {}, element("p", { class: "what" }), element("p"), element("p", { class: "advice" }), lines));
    }
    const [what, why, advice, lines] = list.children[index].children;
    say(what, hold.topic ?? "The service (all topics)");
    const next = hold.next_probe_seconds > 0 ? `next probe in ${seconds(Math.ceil(hold.next_probe_seconds))}` : "a probe is in progress";
    const lasted = span((Date.parse(at) - Date.parse(hold.since)) / 1000);
    say(why, `${sentence(hold.error)} Since ${clock(hold.since, at)} (${lasted}); ${plural(hold.waiting, "event")} in flight ${verb(hold.waiting, "waits", "wait")} for it; ${next}.`);
    say(advice, `→ ${hold.what_to_do}`);
    log.write(lines, log.ofHold(hold));
  });
}

// What the worker's words for a state are on the page, and how bad each is.
const STATES = { open: "flowing", waiting: "not consuming", no_topic: "no topic" };
const LEVELS = { consuming: "good", standby: "good", open: "good", held: "bad", disconnected: "bad", waiting: "bad" };

function showTables({ sources, topics, at }) {
  const pill = (state) => ({ text: STATES[state] ?? state, class: `pill ${LEVELS[state] ?? "attention"}` });
  rows($("sources"), sources.map((it) => [
    it.name, it.queue, pill(it.state), it.since ? span((Date.parse(at) - Date.parse(it.since)) / 1000) : "–",
    rate(it.received_per_second), count(it.ready), count(it.parked), count(it.in_flight), count(it.consumers),
  ]));
  $("no-topics").hidden = topics.length > 0;
  rows($("topics"), topics.map((it) => [
    { text: it.name, title: it.arn }, pill(it.state), rate(it.published_per_second), count(it.published),
    count(it.retries), count(it.failed_requests), seconds(it.p95),
  ]));
}

function showErrors({ errors, at }) {
  $("no-errors").hidden = errors.length > 0;
  const list = $("errors");
  while (list.children.length > errors.length) list.lastChild.remove();
  errors.forEach((error, index) => {
    if (!list.children[index]) {
      const lines = element("pre", { class: "log", tabindex: "0", "aria-label": "Last lines of the log about this error" });
      list.append(element("li", {}, element("span", { class: "what" }), element("span", { class: "since" }), lines));
    }
    const [what, since, lines] = list.children[index].children;
    const text = error.text.startsWith(error.kind) ? error.text : `${error.kind}: ${error.text}`;
    say(what, `${error.place}: ${bare(text)}`);
    const ago = span((Date.parse(at) - Date.parse(error.last)) / 1000);
    say(since, `; ${error.count === 1 ? "once" : `${whole(error.count)} times`}, last ${ago} ago, at ${clock(error.last, at)}`);
    log.write(lines, log.ofError(error));
  });
}

// --- this worker, and who is logged in ---

function showBroker({ brokers, caveats }) {
  say("about-broker", brokers.join(", ") || "–");
  const list = $("caveats");
  list.hidden = caveats.length === 0;
  while (list.children.length > caveats.length) list.lastChild.remove();
  caveats.forEach((caveat, index) => {
    if (!list.children[index]) list.append(element("li", {}));
    say(list.children[index], sentence(caveat));
  });
}

async function learn() {
  const answer = await ask("/api/about");
  about = answer.worker;
  say("worker", about.name.replace(/^event-pusher-sns\//, ""));
  say("about-name", about.name);
  say("about-version", about.version);
  rows($("configuration"), about.configuration.map((it) => [it.key, it.value, it.origin]));
  $("log-in").hidden = answer.trusted || !answer.has_token;
  $("log-out").hidden = !answer.trusted;
  letters.allow(answer, about);
  pauses.allow(answer.trusted, about.can_be_paused);
}

function prepareLogin() {
  $("log-in").addEventListener("click", letters.askToLogIn);
  $("log-out").addEventListener("click", async () => {
    await send("/api/logout");
    follow();
    await learn();
    $("log-in").focus();
  });
  $("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    say("login-error", "");
    const field = event.target.elements.token;
    try {
      await send("/api/login", { token: field.value });
      field.value = "";
      $("login-box").close();
      follow();
      await learn();
    } catch (error) {
      say("login-error", error.message);
      field.focus();
      field.select();
    }
  });
  for (const button of document.querySelectorAll("dialog .close")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
}

prepareLogin();
letters.prepare();
pauses.prepare();
addEventListener("resize", () => { drawn = undefined; });
setInterval(watchLink, 1000);
follow();
// A worker that is just starting, or gone, is asked again.
(async function learnSoon() {
  try {
    await learn();
  } catch {
    setTimeout(learnSoon, POLL_MS);
  }
})();
