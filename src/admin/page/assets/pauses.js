// What operators have paused by hand, for all workers: shown to everybody; paused and resumed by those who have logged in.

import { $, clock, count, element, plural, say, send, sentence, span } from "/dom.js";

let trusted = false, shown = "", offered = "";

export function allow(isTrusted, isPossible) {
  trusted = isTrusted && isPossible;
  $("pause").hidden = !trusted;
  for (const button of $("paused-list").querySelectorAll("button")) button.hidden = !trusted;
  hide();
}

export function update({ paused, sources, topics, at }) {
  offer(sources, topics);
  // A button under the mouse must stay the one that it is.
  const names = JSON.stringify(paused.map((it) => [it.scope, it.name]));
  if (names !== shown) $("paused-list").replaceChildren(...paused.map(item));
  shown = names;
  paused.forEach((pause, index) => {
    const [what, why] = $("paused-list").children[index].children;
    say(what, { all: "Everything", source: `Source ${pause.name}`, topic: pause.name }[pause.scope] ?? pause.name);
    const who = pause.via === "cli" ? `${pause.by}, as the command line says,` : pause.by;
    const left = span((Date.parse(pause.until) - Date.parse(at)) / 1000);
    const waiting = pause.waiting ? ` ${plural(pause.waiting, "event")} in flight here wait for it.` : "";
    say(why, `Paused by ${who} at ${clock(pause.since, at)}, until ${clock(pause.until, at)} (${left} more): ${sentence(pause.reason)}${waiting}`);
  });
  say("paused-count", paused.length ? `${count(paused.length)} now` : "");
  hide();
}

function hide() {
  $("pauses").hidden = !trusted && $("paused-list").children.length === 0;
}

function item({ scope, name }) {
  const button = element("button", { type: "button", onclick: () => tell(button, "/api/resume", { scope, name }, "Resumed.") }, "Resume");
  button.hidden = !trusted;
  return element("li", {}, element("p", { class: "what" }), element("p"), button);
}

// What can be paused, as long as it is the same.
function offer(sources, topics) {
  const all = [["all", "", "Everything"], ...sources.map((it) => ["source", it.name, `Source ${it.name}`]), ...topics.map((it) => ["topic", it.arn, `Topic ${it.name}`])];
  const text = JSON.stringify(all);
  if (text === offered) return;
  offered = text;
  const options = all.map(([scope, name, label]) => element("option", { value: JSON.stringify({ scope, name }) }, label));
  // Nothing is paused that was not chosen.
  $("pause").elements.target.replaceChildren(element("option", { value: "" }, "choose …"), ...options);
}

async function tell(button, path, body, done) {
  button.disabled = true;
  say("pause-word", "Waiting until RabbitMQ has the command …");
  try {
    await send(path, body);
    say("pause-word", `${done} All workers follow within two seconds.`);
    return true;
  } catch (error) {
    say("pause-word", error.message);
    return false;
  } finally {
    button.disabled = false;
  }
}

export function prepare() {
  $("pause").addEventListener("submit", async (event) => {
    event.preventDefault();
    const { target, time, why } = event.target.elements;
    const body = { ...JSON.parse(target.value), for: time.value, reason: why.value };
    if (await tell($("pause-now"), "/api/pause", body, "Paused.")) event.target.reset();
  });
}
