// What is done with dead letters: dry run, replay, stop, export, discard; of those that the filter finds, or of those that are
// chosen.

import { $, ask, bare, decimal, element, plural, rate, say, send, sentence, verb, whole } from "/dom.js";
import * as filter from "/filter.js";

let trusted = false, planned = "", known, replaying = false, failed, look;

// What is meant: the letters that are chosen, or else those that the filter finds.
function meant() {
  const boxes = [...$("each").querySelectorAll("input:checked")];
  return boxes.length ? boxes.map((box) => ["id", box.value]) : filter.chosen();
}

const chosenOnes = () => $("each").querySelectorAll("input:checked").length;

function asBody(pairs) {
  const body = {};
  for (const [name, value] of pairs) (body[name] ??= []).push(value);
  return body;
}

export function allow(isTrusted) {
  trusted = isTrusted;
  if (!trusted) $("orders").hidden = true;
  forget();
}

// A search has found so many; `undefined`: nobody knows.
export function found(query, number) {
  known = number === undefined ? undefined : { query, number };
  $("orders").hidden = number === 0;
  choose();
}

// Others are meant: what was planned of those before is forgotten.
export function choose() {
  planned = "";
  $("plan").replaceChildren();
  $("replay-now").disabled = true;
  say("replay-now", "Replay");
  say("order-word", "Do a dry run first: it shows where each letter would be sent.");
  say("export-word", "");
  $("discard").elements.count.value = "";
  const chosen = chosenOnes(), number = numberMeant();
  say("orders-title", chosen ? `The ${whole(chosen)} chosen ${verb(chosen, "letter", "letters")}` : `The dead letters that match the filter${number === undefined ? "" : `: ${whole(number)}`}`);
  say("discard-word", number === undefined ? "Press Search first: it counts them." : "");
  mayDiscard();
}

// The form has another filter, or there is a new search.
export function forget() {
  known = undefined;
  for (const box of $("each").querySelectorAll("input")) box.checked = false;
  choose();
}

function numberMeant() {
  return known?.query === filter.query(meant()) ? known.number : chosenOnes() || undefined;
}

const typed = () => $("discard").elements.count.value.replace(/[\s,]/g, "");

function mayDiscard() {
  const number = numberMeant();
  $("discard-now").disabled = !trusted || !number || typed() !== String(number);
}

// --- replay ---

// Returns whether the replay that was running has ended.
export function showReplay(replay) {
  $("replay").hidden = !replay;
  if (!replay) return false;
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
  return wasRunning && !replay.running;
}

function told({ running, stopping, watching, canary, report, error, by }) {
  if (error) return `The replay could not begin: ${sentence(error)}`;
  if (!report) return `A replay by ${by} begins: it reads the dead letters.`;
  const so = `${whole(report.replayed)} of ${plural(report.matching, "dead letter")}`;
  if (running) return `${step({ stopping, watching, canary, report, so })} (by ${by}).`;
  const end = {
    done: report.came_back ? `${whole(report.came_back)} dead-lettered again.` : "None was dead-lettered again.",
    stopped: "The replay was stopped.",
    canary_failed: "The canary failed, so the other letters were not sent.",
    canary_held: `Events of the canary are held (${report.why}), so the other letters were not sent. They follow when the hold is over and you replay them again.`,
    held: `All were sent, and events of them are held (${report.why}): they wait in their queue, and are published by themselves when it flows again. Above is what to do about the hold.`,
    canary_unknown: `The result of the canary is unknown, so the other letters were not sent: ${sentence(report.why)}`,
    too_many_failures: "The replay stopped because the limit of failures was reached.",
    broken: `The replay was interrupted: ${sentence(report.why)} The letters that were not replayed are still in the dead-letter queue.`,
  }[report.ended];
  return `Replayed ${so} in ${decimal(report.seconds, 1)} s. ${end}`;
}

// What a replay does now. Until the canary has passed, the other letters wait, and that is no standstill.
function step({ stopping, watching, canary, report, so }) {
  const { replayed, matching } = report;
  if (stopping) return `Stopping: ${so} replayed`;
  if (report.blocked) return `Replay blocked: ${bare(report.blocked)}. ${so} replayed`;
  if (report.held) return `Waiting: the events that were sent are held (${report.held}). ${so} replayed`;
  const first = canary ? Math.min(canary, matching) : 0;
  const back = report.came_back ? `, ${whole(report.came_back)} dead-lettered again` : "";
  if (watching && first && replayed <= first) {
    const rest = matching - replayed;
    const others = rest > 0 ? `. The other ${whole(rest)} ${verb(rest, "waits", "wait")} for that` : "";
    return `Canary: ${whole(replayed)} sent${back}, watching what becomes of ${verb(replayed, "it", "them")}${others}`;
  }
  if (watching) return `All sent: ${so}${back}, watching whether any is dead-lettered again`;
  if (first && replayed < first) return `Canary: ${whole(replayed)} of ${whole(first)} sent, of ${plural(matching, "dead letter")}`;
  const slowed = report.slowed ? `, at most ${rate(report.rate)}/s: ${bare(report.slowed)}` : "";
  return `Replaying: ${so}${back}${slowed}`;
}

async function dryRun() {
  choose();
  say("order-word", "Searching …");
  const asked = filter.query(meant());
  try {
    const { matching, plan, refused } = await ask(`/api/dead-letters/plan?${asked}`);
    const lines = Object.entries(plan).map(([place, number]) => `${whole(number)} would go to ${place}`)
      .concat(Object.entries(refused).map(([why, number]) => `${whole(number)} could not be sent: ${why}`));
    known = { query: asked, number: matching };
    choose();
    $("plan").replaceChildren(...lines.map((line) => element("li", {}, line)));
    say("order-word", matching === 0 ? "There is no such letter any more." : "");
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
  if ($("replay-now").disabled || planned !== filter.query(meant())) return choose();
  const order = { filter: asBody(meant()) };
  for (const name of ["canary", "rate", "max_failures"]) {
    const text = $("order").elements[name].value.trim();
    if (!text) continue;
    order[name] = name === "rate" && text === "auto" ? text : Number(text.replaceAll(",", ""));
    if (order[name] === "auto") continue;
    // What is no number would go as if it were left out.
    if (!Number.isFinite(order[name])) return say("order-word", `"${text}" is not a number.`);
  }
  try {
    await send("/api/dead-letters/replay", order);
    replaying = true;
    choose();
    say("order-word", "The replay has started.");
    $("replay").scrollIntoView({ block: "nearest" });
  } catch (error) {
    failed("order-word", error);
  }
}

// --- export and discard ---

async function exportThem() {
  $("export").disabled = true;
  say("export-word", "Reading the dead letters …");
  try {
    const answer = await fetch(`/api/dead-letters/export?${filter.query(meant())}`, { cache: "no-store", credentials: "same-origin" });
    if (!answer.ok) throw Object.assign(new Error((await answer.json()).error), { status: answer.status });
    let bytes = 0;
    const counting = new TransformStream({
      transform(part, next) {
        bytes += part.length;
        say("export-word", `Exporting: ${size(bytes)} …`);
        next.enqueue(part);
      },
    });
    const archive = await new Response(answer.body.pipeThrough(counting)).blob();
    const name = /filename="([\w.-]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1];
    const { letters } = JSON.parse((await archive.slice(-300).text()).trimEnd().split("\n").at(-1));
    save(archive, name ?? "dead-letters.jsonl");
    say("export-word", `Exported ${plural(letters, "letter")}, ${size(bytes)}.`);
  } catch (error) {
    // One that was cut off has no last line, or broke off.
    if (error.status) failed("export-word", error);
    else say("export-word", "The export broke off, and no file was kept: the log says why.");
  }
  $("export").disabled = false;
}

const size = (bytes) => (bytes < 1e6 ? `${decimal(bytes / 1e3, 1)} kB` : `${decimal(bytes / 1e6, 1)} MB`);

function save(archive, name) {
  const link = element("a", { href: URL.createObjectURL(archive), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

async function discard(event) {
  event.preventDefault();
  mayDiscard();
  if ($("discard-now").disabled) return;
  $("discard-now").disabled = true;
  say("discard-word", "Discarding …");
  try {
    const { discarded, claimed } = await send("/api/dead-letters/discard", { filter: asBody(meant()), count: Number(typed()) });
    const left = claimed ? ` ${whole(claimed)} ${verb(claimed, "is", "are")} left, since ${verb(claimed, "its time is", "their times are")} only claimed.` : "";
    await look();
    say("discarded", `Discarded ${plural(discarded, "letter")}.${left}`);
    $("discarded").scrollIntoView({ block: "nearest" });
  } catch (error) {
    failed("discard-word", error);
  }
}

export function prepare(onFailure, search) {
  [failed, look] = [onFailure, search];
  $("dry-run").addEventListener("click", dryRun);
  $("order").addEventListener("submit", replay);
  $("export").addEventListener("click", exportThem);
  $("discard").addEventListener("submit", discard);
  $("discard").addEventListener("input", mayDiscard);
  $("replay-stop").addEventListener("click", async () => {
    try {
      await send("/api/dead-letters/replay/stop");
    } catch (error) {
      failed("replay-word", error);
    }
  });
}
