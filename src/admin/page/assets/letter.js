// One dead letter: where it comes from, what it would become now, and its body on demand.

import { $, ask, element, moment, plural, say } from "/dom.js";

// What anybody may have written.
export const claimed = (is) => (is ? " (claimed)" : "");

export function cause({ reason, by, trust }) {
  const claims = trust === "claimed";
  return by === "broker" ? `${reason} (by RabbitMQ${claims ? ", claimed" : ""})` : reason + claimed(claims && by === "worker");
}

export const died = (it) => moment(it.failed_at) + claimed(it.failed_at_claimed);

let shown, failed;

// What to do if an answer is refused, and what to do with a letter that is chosen as the filter.
export function prepare(onFailure, onChoice) {
  failed = onFailure;
  $("show-body").addEventListener("click", () => fetchLetter(shown, true));
  $("only-this").addEventListener("click", () => {
    onChoice(shown);
    $("letter-box").close();
  });
}

export async function open(id) {
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
    // RabbitMQ's timestamps are seconds; what is none is shown as it is.
    const isTime = name === "timestamp" && value > 0 && value < 1e11;
    if (name !== "headers") pairs.push([`Property ${name}`, isTime ? moment(value * 1000) : value]);
  }
  const own = Object.entries(properties?.headers ?? {}).filter(([name]) => !name.startsWith("event-pusher-"));
  for (const [name, value] of own) pairs.push([`Header ${name}`, value === "void" ? "nothing" : Object.values(value)[0] ?? JSON.stringify(value)]);
  const there = pairs.filter(([, value]) => value !== undefined && value !== null);
  $("letter").replaceChildren(...there.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value)))));
}
