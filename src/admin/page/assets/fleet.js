// The workers of the fleet: a row for each, what differs, and the sums.

import { $, clock, count, decimal, plural, rate, rows, say, seconds, span } from "/dom.js";

const LEVELS = { ready: "good", starting: "attention", stopping: "attention", connecting: "attention" };
const LINKS = {
  joining: "This worker is joining the fleet.",
  forbidden: "This worker can't see the others: the broker's user lacks the permissions, which check names.",
  lost: "This worker does not hear the others at the moment.",
  blocked: "This worker hears the others; they don't hear it while RabbitMQ has an alarm.",
};

export function show({ fleet, at }) {
  $("fleet").hidden = !fleet;
  if (!fleet) return;
  const { workers, sums, link } = fleet;
  const alone = workers.length <= 1;
  say("fleet-word", `${word(fleet)}${LINKS[link.state] ? ` ${LINKS[link.state]}` : ""}`);
  $("fleet-word").title = link.error ?? "";
  $("fleet").classList.toggle("alone", alone);
  $("fleet-box").hidden = alone;
  $("fleet-books").hidden = alone;
  if (alone) return;
  rows($("fleet-workers"), workers.map((it) => row(it, at)));
  say("fleet-sums", `All together: in ${rate(sums.rates.received)}/s, out ${rate(sums.rates.published)}/s, dead-lettered ${rate(sums.rates.dead_lettered)}/s; backlog ${count(sums.backlog)}; oldest in flight ${seconds(sums.oldest_seconds)}.`);
  const { books } = sums;
  say("fleet-balance", `Received ${count(books.received)} = published ${count(books.published)} + skipped ${count(books.skipped)} + dead-lettered ${count(books.dead_lettered)} + handed back ${count(books.handed_back)} + in flight ${count(books.in_flight)}${sums.unaccounted === 0 ? "." : `; ${plural(Math.abs(sums.unaccounted), "event")} moved while the numbers were read.`}`);
}

function word({ name, workers, sums, versions }) {
  if (workers.length <= 1) return `This worker is the only one of the fleet ${name}.`;
  const silent = sums.silent ? `, ${count(sums.silent)} of them silent` : "";
  const [version, ...others] = Object.keys(versions);
  return `${plural(workers.length, "worker")} of the fleet ${name}${silent}; ${others.length ? `versions ${[version, ...others].join(", ")}` : `all of version ${version}`}.`;
}

function row(it, at) {
  const held = it.holds.length;
  const wrong = differences(it);
  const states = it.sources.map((source) => `${source.name}: ${source.state}`).join(", ");
  const since = it.holds.map((hold) => `${hold.topic ?? "the service"} since ${clock(hold.since, at)}, ${plural(hold.waiting, "event")} waiting: ${hold.error}`);
  return [
    { text: `${it.host}${it.is_this ? " (this one)" : ""}`, title: it.id },
    it.is_silent ? { text: `silent for ${span(it.heard_seconds)}`, class: "pill bad" }
      : { text: it.state.replaceAll("_", " "), title: states, class: `pill ${LEVELS[it.state] ?? "bad"}` },
    { text: wrong || "–", class: wrong ? "wrong" : "" },
    { text: it.version, class: it.other_version ? "wrong" : "" },
    span((Date.parse(at) - Date.parse(it.started)) / 1000),
    rate(it.rates.received), rate(it.rates.published), count(it.books.in_flight),
    count(it.sources.reduce((sum, source) => sum + source.backlog, 0)), seconds(it.oldest_seconds),
    held ? { text: plural(held, "hold"), title: since.join("\n"), class: "wrong" } : "–",
    it.requests.throttled_per_second > 0 ? `${decimal(it.requests.throttled_per_second, 1)}/s` : "–",
  ];
}

function differences(it) {
  const clocks = it.clock_ahead_seconds ? [`clock ${span(Math.abs(it.clock_ahead_seconds))} ${it.clock_ahead_seconds > 0 ? "ahead" : "behind"}`] : [];
  return [...(it.other_version ? ["version"] : []), ...it.differs_in, ...clocks].join(", ");
}
