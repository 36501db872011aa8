"""Instructions per event by part of the worker, out of callgrind's files.

usage: profile_parts.py EVENTS BUSY IDLE     (folders, one file a thread)

What a line costs belongs to the part whose source it is in, also where it was inlined elsewhere. What
belongs to no part (allocating, copying, formatting) goes to those who called it, by what each call
cost. A start and a stop, as the idle worker had them, are taken off.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

EVENTS_OF_IDLE = 20  # as benches/relay/idle.rs sends them

LAPIN_THREAD, READER, SHA = "lapin's thread", "frame reader", "SHA-256"
FUTURES, HTTP, SETTLE = "queueing and futures", "HTTP", "settle"
REST = "the rest"

# The first pattern that a project's file matches, below src/.
OF_FILE = [
    (r"rabbitmq/connection/(wire|bytes)\b", READER),
    (r"(event|rabbitmq/(headers|message))\b", "decode"),
    (r"(route|plugin|arn|observe/trace)\b", "route"),
    (r"sns/form\b", "form"),
    (r"sns/(answer|verdicts)\b", "answer"),
    (r"sns/credentials\b", "signature"),
    (r"(sns|publish/classify)\b", HTTP),
    (r"(publish|pipeline/(relay|worker)|pause)\b", FUTURES),
    (r"(pipeline|rabbitmq|outcome|observe)\b", SETTLE),
]

# Other people's crates, as in the registry's folders, `_` for `-`. What is not here belongs to who calls it.
OF_CRATE = {
    "lapin": "lapin in the worker's thread",
    "amq_protocol": "lapin in the worker's thread",
    "amq_protocol_types": "lapin in the worker's thread",
    "tokio": FUTURES,
    "tokio_util": FUTURES,
    "futures_util": FUTURES,
    "futures_core": FUTURES,
    "mio": FUTURES,
    "aws_sigv4": "signature",
    "hmac": "signature",
    "aws_smithy_query": "form",
    "aws_smithy_xml": "answer",
    "xmlparser": "answer",
    "aws_smithy_http_client": HTTP,
    "aws_smithy_runtime": HTTP,
    "aws_smithy_runtime_api": HTTP,
    "aws_smithy_types": HTTP,
    "hyper": HTTP,
    "hyper_util": HTTP,
    "hyper_rustls": HTTP,
    "http": HTTP,
    "http_body": HTTP,
    "http_body_util": HTTP,
    "httparse": HTTP,
    "tower": HTTP,
    "sha2": SHA,
}

ORDER = [
    LAPIN_THREAD, READER, "lapin in the worker's thread", "decode", "route", FUTURES, "form", "signature",
    HTTP, "answer", SETTLE, REST,
]

OWN = ("event_pusher_sns", "event_pusher_core")
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*)*")


def part_of_file(path):
    crate = re.search(r"/registry/src/[^/]+/(.+?)-\d[^/]*/", path)
    if crate:
        return OF_CRATE.get(crate[1].replace("-", "_"))
    if "/rustc/" in path or "/library/" in path:
        return None
    own = re.search(r"(?:^|/)src/(.*\.rs)$", path)
    return own and first(own[1])


def first(path):
    return next((part for pattern, part in OF_FILE if re.match(pattern, path)), None)


def part_of_name(name):
    """The part that is mentioned first: a generic function's own place, or that of its types."""
    if "sha256" in name.lower():
        return SHA
    for word in WORD.findall(name):
        crate, _, path = word.partition("::")
        part = first(path.replace("::", "/")) if crate in OWN else OF_CRATE.get(crate) if path else None
        if part:
            return part
    return None


class Thread:
    """One thread's file: what each function costs itself, by source file, and who calls whom."""

    def __init__(self, path):
        self.costs = defaultdict(int)  # (function, file)
        self.calls = defaultdict(lambda: defaultdict(int))  # callee: {(caller, file): inclusive cost}
        self.home = {}
        names = {"fl": {}, "fn": {}}
        function = file = callee = None

        def named(kind, text):
            number, _, name = text.partition(" ")
            if name:
                names[kind][number] = name
            return names[kind].get(number, text)

        for line in path.read_text(errors="replace").splitlines():
            key, is_setting, value = line.partition("=")
            if is_setting and key in ("fl", "fi", "fe"):
                file = named("fl", value)
            elif is_setting and key == "fn":
                function = named("fn", value)
                self.home.setdefault(function, file)
            elif is_setting and key == "cfn":
                callee = named("fn", value)
            elif is_setting and key in ("cfi", "cfl"):
                named("fl", value)
            elif re.match(r"[0-9+*-]", line):
                numbers = line.split()
                cost = int(numbers[1]) if len(numbers) > 1 else 0
                if callee is not None:
                    self.calls[callee][function, file] += cost
                    callee = None
                else:
                    self.costs[function, file] += cost

    def by_part(self):
        parts = defaultdict(float)
        shares = self.shares()
        for (function, file), cost in self.costs.items():
            own = self.part(function, file)
            for part, share in ({own: 1.0} if own else shares.get(function) or {REST: 1.0}).items():
                parts[part] += cost * share
        return parts

    def part(self, function, file):
        if part_of_name(function) == SHA:
            return SHA
        return part_of_file(file or "") or part_of_name(function)

    def shares(self):
        """For each function that belongs to no part: to which ones it belongs by its callers."""
        open_ones = sorted(it for it in self.calls if not self.part(it, self.home.get(it)))
        shares = {}
        for _ in range(30):  # as deep as such functions call each other
            for function in open_ones:
                new = defaultdict(float)
                for (caller, file), cost in self.calls[function].items():
                    part = self.part(caller, file)
                    for name, share in ({part: 1.0} if part else shares.get(caller, {})).items():
                        new[name] += cost * share
                total = sum(new.values())
                if total:
                    shares[function] = {name: cost / total for name, cost in new.items()}
        return shares


def by_part(folder):
    """Of all threads. A thread that lapin works in is its own, but for what we put into it."""
    total = defaultdict(float)
    for number, path in enumerate(sorted(Path(folder).glob("callgrind.out*"))):
        parts = Thread(path).by_part()
        lapin = parts["lapin in the worker's thread"]
        is_lapins = lapin > 0.2 * sum(parts.values()) and not parts["form"]
        for part, cost in parts.items():
            if is_lapins and part not in (READER, SHA):
                part = LAPIN_THREAD
            total[part] += cost
    return total


def main():
    events, busy, idle = int(sys.argv[1]), by_part(sys.argv[2]), by_part(sys.argv[3])
    each = {part: (busy[part] - idle[part]) / (events - EVENTS_OF_IDLE) for part in [*ORDER, SHA]}
    print("| part | instructions an event | share |\n| --- | --- | --- |")
    total = sum(each[part] for part in ORDER)
    for part in ORDER:
        print(f"| {part} | {each[part]:,.0f} | {each[part] / total:.0%} |")
    print(f"| **all but SHA-256** | {total:,.0f} | |")
    print(f"| SHA-256, without the instructions that processors have for it | {each[SHA]:,.0f} | |")


if __name__ == "__main__":
    main()
