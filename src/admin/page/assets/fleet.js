// The workers of the fleet: a row for each, what differs, and the sums.

import { $, clock, count, decimal, element, plural, rate, rows, say, seconds, sentence, span } from "/dom.js";

const LEVELS = { ready: "good", starting: "attention", stopping: "attention", connecting: "attention" };
const SOURCES = { consuming: "good", standby: "good", connecting: "attention", no_topic: "attention" };
// Rows of sources and of holds, beyond which only /api/status has more.
const MOST_SOURCES = 1000;
// Workers that a line names; the table has all.
const NAMED = 3;
const LINKS = {
  joining: "This worker is joining its fleet.",
  forbidden: "This worker can't see the others of its fleet, since the broker's user lacks permissions, which check names.",
  lost: "This worker does not hear the others of its fleet at the moment.",
  blocked: "This worker hears the others; they don't hear it while RabbitMQ has an alarm.",
};

export function show({ fleet, at }) {
  $("fleet").hidden = !fleet;
  if (!fleet) return;
  const { workers, sums, link } = fleet;
  const alone = workers.length <= 1;
  const holds = workers.some((it) => it.holds.length > 0);
  const hears = LINKS[link.state] ? [LINKS[link.state], link.error ? sentence(link.error) : ""] : [];
  const ignored = Object.entries(fleet.ignored).map(([why, times]) => `${why.replaceAll("_", " ")} ${count(times)}`);
  const doubts = ignored.length ? `Reports that were not believed: ${ignored.join(", ")}.` : "";
  say("fleet-word", [word(fleet), ...hears, doubts].filter((it) => it).join(" "));
  partitions(fleet.partitions);
  rows($("fleet-replays"), fleet.replays.map((it) => replayRow(it, at)));
  $("fleet-replays-box").hidden = fleet.replays.length === 0;
  $("fleet-box").hidden = alone;
  $("fleet-more").hidden = alone;
  $("fleet-holds-box").hidden = !holds;
  if (alone) return;
  rows($("fleet-workers"), workers.map((it) => row(it, at)));
  rows($("fleet-sources"), workers.flatMap((it) => it.sources.map((source) => sourceRow(it, source, at))).slice(0, MOST_SOURCES));
  rows($("fleet-holds"), workers.flatMap((it) => it.holds.map((hold) => holdRow(it, hold, at))).slice(0, MOST_SOURCES));
  say("fleet-sums", `All together: in ${rate(sums.rates.received)}/s, out ${rate(sums.rates.published)}/s, dead-lettered ${rate(sums.rates.dead_lettered)}/s; backlog ${count(sums.backlog)}; oldest in flight ${seconds(sums.oldest_seconds)}.`);
  const { books } = sums;
  say("fleet-balance", `Received ${count(books.received)} = published ${count(books.published)} + skipped ${count(books.skipped)} + dead-lettered ${count(books.dead_lettered)} + handed back ${count(books.handed_back)} + in flight ${count(books.in_flight)}${sums.unaccounted === 0 ? "." : `; ${plural(Math.abs(sums.unaccounted), "event")} moved while the numbers were read.`}`);
}

// A line for each source that has some. What is amiss is said, and in red.
function partitions(sources) {
  const list = $("fleet-partitions");
  list.hidden = sources.length === 0;
  $("fleet").classList.toggle("without-partitions", sources.length === 0);
  while (list.children.length > sources.length) list.lastChild.remove();
  sources.forEach((it, at) => {
    const line = list.children[at] ?? list.appendChild(element("li", {}, element("span"), element("span", { class: "wrong" })));
    const rest = it.of - it.active;
    const short = it.short_seconds === null ? "" : ` For ${span(it.short_seconds)} events wait all the same: nobody consumes the other ${count(rest)}, or too many events have one key.`;
    const beyond = it.beyond.length ? ` More than its share ${it.beyond.length === 1 ? "has" : "have"} ${it.beyond.slice(0, NAMED).join(", ")}${it.beyond.length > NAMED ? `, ${count(it.beyond.length - NAMED)} more` : ""}.` : "";
    say(line.children[0], `Source ${it.source}: events come from ${count(it.active)} of ${count(it.of)} partitions.`);
    say(line.children[1], short + beyond);
  });
}

// 4 of 40, sorts
function share({ active, of, bound, sorts }) {
  const exceeds = bound !== null && active > bound;
  return `${count(active)} of ${count(of)}${exceeds ? ` (share ${count(bound)})` : ""}${sorts ? ", sorts" : ""}`;
}

function shares({ sources }) {
  const some = sources.filter((it) => it.partitions);
  const text = some.map((it) => (some.length === 1 ? share(it.partitions) : `${it.name} ${share(it.partitions)}`)).join(", ");
  const exceeds = some.some(({ partitions: { active, bound } }) => bound !== null && active > bound);
  return { text: text || "–", class: exceeds ? "wrong" : "" };
}

function word({ name, link, workers, sums, versions }) {
  if (workers.length <= 1) return LINKS[link.state] ? "" : `This worker is the only one of the fleet ${name}.`;
  const silent = sums.silent ? `, ${count(sums.silent)} of them silent` : "";
  const [version, ...others] = Object.keys(versions);
  return `${plural(workers.length, "worker")} of the fleet ${name}${silent}; ${others.length ? `versions ${[version, ...others].join(", ")}` : `all of version ${version}`}.`;
}

function row(it, at) {
  const wrong = differences(it);
  return [
    { text: `${it.name}${it.is_this ? " (this one)" : ""}`, title: it.id },
    it.is_silent ? { text: `silent for ${span(it.heard_seconds)}`, class: "pill bad" }
      : state(it),
    shares(it), { text: wrong || "–", class: wrong ? "wrong" : "" },
    { text: it.version, class: it.other_version ? "wrong" : "" },
    span((Date.parse(at) - Date.parse(it.started)) / 1000),
    rate(it.rates.received), rate(it.rates.published), count(it.books.in_flight),
    count(it.sources.reduce((sum, source) => sum + source.backlog, 0)), seconds(it.oldest_seconds),
    it.requests.throttled_per_second > 0 ? `${decimal(it.requests.throttled_per_second, 1)}/s` : "–",
  ];
}

// A worker with held topics is ready all the same.
function state({ state: name, holds }) {
  const held = name === "ready" && holds.length > 0;
  return { text: held ? `${plural(holds.length, "topic")} held` : name.replaceAll("_", " "), class: `pill ${held ? "attention" : LEVELS[name] ?? "bad"}` };
}

function sourceRow(worker, it, at) {
  return [
    `${worker.name}, ${it.name}`, { text: it.state.replaceAll("_", " "), class: `pill ${SOURCES[it.state] ?? "bad"}` },
    it.partitions ? share(it.partitions) : "–",
    it.since ? span((Date.parse(at) - Date.parse(it.since)) / 1000) : "–", rate(it.rates.received), rate(it.rates.published),
    rate(it.rates.dead_lettered), count(it.in_flight), count(it.backlog), seconds(it.oldest_seconds),
  ];
}

function holdRow(worker, it, at) {
  return [worker.name, it.topic ?? "the service", clock(it.since, at), count(it.waiting), it.error];
}

function replayRow(it, at) {
  const auto = it.is_auto ? "auto, now " : "";
  return [
    `${it.by}${it.is_this ? " (this worker)" : it.is_worker ? " (its page)" : " (command)"}`,
    it.is_silent ? { text: `silent for ${span(it.heard_seconds)}`, class: "pill bad" } : { text: it.state, class: `pill ${it.state === "held" || it.state === "blocked" ? "attention" : "good"}` },
    clock(it.began, at), it.total === null ? "–" : `${count(it.done)} of ${count(it.total)}`, count(it.came_back),
    `${rate(it.rate)}/s`, it.limit === null ? "–" : { text: `${auto}${rate(it.limit)}/s`, title: it.slowed }, it.filter,
  ];
}

function differences(it) {
  const clocks = it.clock_ahead_seconds ? [`clock ${span(Math.abs(it.clock_ahead_seconds))} ${it.clock_ahead_seconds > 0 ? "ahead" : "behind"}`] : [];
  return [...(it.other_version ? ["version"] : []), ...it.differs_in, ...clocks].join(", ");
}
