# shellcheck shell=bash
# Processes that outlive the script which started them, one folder each: $STATE/NAME/{pid,log}.

# Each carries this in its environment. A stale pid file can hold a number that belongs to somebody
# else by now; the mark tells, and it tells two checkouts apart.
readonly MARK="EVENT_PUSHER_SERVICES=$STATE"

# pause SECONDS: a sleep that a signal ends, and that needs no process.
exec 7<> <(:)
pause() { read -r -t "$1" -u 7 || true; }

# Without a child process, which a Ctrl-C would kill, and "no" would be the wrong answer.
is_ours() {
    local entry
    {
        while IFS= read -r -d '' entry; do
            [[ $entry != "$MARK" ]] || return 0
        done <"/proc/$1/environ"
    } 2>/dev/null
    return 1
}

# find_ours NAME: sets `pid` if that process runs and is ours.
find_ours() {
    pid=
    [[ -s $STATE/$1/pid ]] && read -r pid <"$STATE/$1/pid" && is_ours "$pid"
}

# start NAME ENTRY...: starts a process in the background. An ENTRY is NAME=VALUE or a word of the
# command. The environment is empty otherwise, so that nobody's RABBITMQ_* or PYTHON* leaks in; the
# session is its own, so that a Ctrl-C meant for us doesn't reach it before we stop it in order.
# Our own files (7, 8, 9) stay here.
start() {
    local folder=$STATE/$1 pid
    shift
    setsid env -i "$MARK" PATH="$PATH" LANG=C.UTF-8 HOME="$folder" "$@" \
        </dev/null >"$folder/log" 2>&1 7>&- 8>&- 9>&- &
    pid=$!
    printf '%s\n' "$pid" >"$folder/pid"
    disown "$pid" # no word from bash about how it ends
    # The mark appears only with the exec; until then `stop` could not tell that it is ours.
    for _ in {1..500}; do
        if is_ours "$pid" || ! kill -0 "$pid" 2>/dev/null; then break; fi
        pause 0.01
    done
}

# stop NAME: asks, waits for up to 5 s, then insists: no data is kept, and Erlang is deaf while it boots.
stop() {
    local pid waited=0
    if find_ours "$1"; then
        kill -TERM "$pid" 2>/dev/null || true
        while is_ours "$pid"; do
            ((++waited != 100)) || kill -KILL "$pid" 2>/dev/null || true
            pause 0.05
        done
    fi
    rm -f "$STATE/$1/pid"
}

# descendants PID...: those processes and all below them, parents first.
descendants() {
    local pid children
    for pid in "$@"; do
        printf '%s\n' "$pid"
        children=$(cat "/proc/$pid/task/"*/children 2>/dev/null) || true
        # shellcheck disable=SC2086 # a list of numbers
        [[ -z $children ]] || descendants $children
    done
}

is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# holder_of PORT: " (held by NAME, pid N)" where the system lets us know.
holder_of() {
    local listeners
    listeners=$(ss -Hltnp "sport = :$1" 2>/dev/null) || return 0
    [[ $listeners =~ \(\(\"([^\"]+)\",pid=([0-9]+) ]] || return 0
    printf ' (held by %s, pid %s)' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
}
