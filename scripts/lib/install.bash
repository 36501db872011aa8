# shellcheck shell=bash
# Puts what is missing into $STATE: Debian's packages unpacked, not installed, and PyPI's in a venv.
# So it needs no rights, starts no system service and leaves the machine as it was.

readonly DEBIAN=$STATE/debian VENV=$STATE/venv
readonly REQUIREMENTS=$ROOT/scripts/requirements.txt

# --- RabbitMQ ---

# Prints the folder whose usr/lib holds RabbitMQ: the system's, or ours.
rabbitmq_prefix() {
    local prefix
    for prefix in '' "$DEBIAN/rabbitmq"; do
        if [[ -x $prefix/usr/lib/rabbitmq/bin/rabbitmq-server && -x $prefix/usr/bin/erl ]]; then
            printf '%s/usr\n' "$prefix"
            return
        fi
    done
    return 1
}

rabbitmq_version() {
    local path
    path=$(readlink -f "$1/lib/rabbitmq/bin/rabbitmq-server")
    path=${path##*/rabbitmq_server-}
    printf '%s\n' "${path%%/*}"
}

install_rabbitmq() {
    rabbitmq_prefix >/dev/null && return
    step "RabbitMQ: unpacking Debian's packages into ${DEBIAN#"$ROOT/"}/rabbitmq"
    unpack_debian rabbitmq rabbitmq_packages ||
        die "RabbitMQ could not be fetched. Install it, then try again:
    sudo apt-get update && sudo apt-get install -y --no-install-recommends rabbitmq-server"
}

# Erlang is taken whole, even where the system has parts of it, so that versions never mix.
rabbitmq_packages() {
    apt-cache "${apt_options[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts \
        --no-breaks --no-replaces --no-enhances rabbitmq-server 2>/dev/null |
        grep -E '^(rabbitmq-server|erlang-.*|libssl3.*)$' | sort -u
}

# --- the newest RabbitMQ, beside it ---

# It comes from a later Debian than this machine's may be, with its own Erlang and C library, so that
# nothing of the system matters but the kernel and /bin/sh.
readonly NEXT_SUITE=forky NEXT_LINE=4.3

next_prefix() {
    [[ -x $DEBIAN/next/usr/lib/rabbitmq/bin/rabbitmq-server ]] && printf '%s/next/usr\n' "$DEBIAN"
}

install_next() {
    if next_prefix >/dev/null; then
        relocate_erlang "$DEBIAN/next" "$DEBIAN/next" # as earlier checkouts did in part only
        return
    fi
    step "RabbitMQ $NEXT_LINE: unpacking packages of Debian $NEXT_SUITE into ${DEBIAN#"$ROOT/"}/next (100 MB)"
    unpack_debian next next_packages next_lists ||
        die "RabbitMQ $NEXT_LINE could not be fetched; the end of ${STATE#"$ROOT/"}/install.log may say why. It comes from
    Debian's '$NEXT_SUITE', by the mirror that apt is configured with for this system's own release
    (/etc/apt/sources.list.d/debian.sources): that has to be a full mirror of Debian.
    EVENT_PUSHER_DEV_NEXT=no does without, and without the tests on $NEXT_LINE"
}

# Of all that the package asks for, what the node itself loads.
next_packages() {
    apt-get "${apt_options[@]}" --simulate --no-install-recommends install rabbitmq-server 2>/dev/null |
        sed -n 's/^Inst \([^ ]*\) .*/\1/p' |
        grep -E '^(rabbitmq-server|erlang-.*|zlib1g|lib(c6|gcc-s1|stdc\+\+6|tinfo6|sctp1|ssl3.*|systemd0|cap2|zstd1|mimalloc.*))$'
}

# Lists of that suite alone, and a system on which nothing is installed yet.
next_lists() {
    local mirror folder=$STATE/apt
    mirror=$(debian_mirror) && [[ -n $mirror ]] || return 1
    mkdir -p "$folder"
    : >"$folder/status"
    printf '%s\n' 'Types: deb' "URIs: $mirror" "Suites: $NEXT_SUITE" 'Components: main' \
        'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg' >"$folder/next.sources"
    apt_options+=(
        -o "Dir::State::status=$folder/status" -o "Dir::Etc::sourcelist=$folder/next.sources"
        -o Dir::Etc::sourceparts=/dev/null -o Acquire::Languages=none
    )
    use_own_lists
}

# The address that apt is configured with for the system's own release.
debian_mirror() {
    local codename
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    # shellcheck disable=SC2016 # apt's own variables
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk -v release="$codename" '$1 == release && $2 == "main" && !seen++ { print $3 }'
}

# bring_own_libc ROOT: each program of Erlang's that belongs to the loader in ROOT becomes a script that
# starts it by that loader. So nothing of ours is in the environment that it passes on.
bring_own_libc() {
    local loader libraries program magic
    loader=$(compgen -G "$1/usr/lib/*/ld-linux*.so.*") || return 0
    libraries=$(dirname "$loader")
    for program in "$1"/usr/lib/erlang/erts-*/bin/* "$1"/usr/lib/erlang/lib/os_mon-*/priv/bin/*; do
        LC_ALL=C IFS= read -r -N 4 magic <"$program" && [[ ! -L $program && $magic == $'\x7fELF' ]] || continue
        mv "$program" "$program.real"
        # shellcheck disable=SC2016 # for that script to expand
        printf '#!/bin/sh\nexec %q --library-path %q --argv0 "$0" %q "$@"\n' \
            "$2${loader#"$1"}" "$2${libraries#"$1"}" "$2${program#"$1"}.real" >"$program"
        chmod +x "$program"
    done
}

# --- the XMPP server of a test ---

# Prints the folder whose usr/ holds Prosody: the system's, or ours. The test looks in the same places.
prosody_prefix() {
    local prefix
    for prefix in '' "$DEBIAN/prosody"; do
        if [[ -x $prefix/usr/bin/prosody && -x $prefix/usr/bin/lua5.4 ]]; then
            printf '%s/usr\n' "$prefix"
            return
        fi
    done
    return 1
}

install_prosody() {
    prosody_prefix >/dev/null && return
    step "Prosody: unpacking Debian's packages into ${DEBIAN#"$ROOT/"}/prosody"
    unpack_debian prosody prosody_packages ||
        die "Prosody could not be fetched. Install it, then try again:
    sudo apt-get update && sudo apt-get install -y --no-install-recommends prosody"
}

# With the libraries that a slim system lacks.
prosody_packages() {
    apt-cache "${apt_options[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts \
        --no-breaks --no-replaces --no-enhances prosody 2>/dev/null |
        grep -E '^(prosody|lua.*|lib(expat1|icu|readline|ssl3).*)$' | sort -u
}

# --- promtool, which checks metrics and alerts ---

# Prints where it is: the system's, or ours.
promtool_path() {
    local own=$DEBIAN/promtool/usr/bin/promtool
    command -v promtool || { [[ -x $own ]] && printf '%s\n' "$own"; }
}

install_promtool() {
    promtool_path >/dev/null && return
    step "promtool: unpacking Debian's package into ${DEBIAN#"$ROOT/"}/promtool"
    unpack_debian promtool promtool_packages ||
        die "promtool could not be fetched. Install it, then try again:
    sudo apt-get update && sudo apt-get install -y --no-install-recommends prometheus"
    # The server is as large again, and nobody starts it here.
    rm -rf "$DEBIAN"/promtool/{etc,lib,var,usr/share,usr/bin/prometheus}
}

promtool_packages() { echo prometheus; }

# --- the browser of the page's tests ---

# Prints the folder whose usr/ holds both: the system's, or ours. tests/browser/chromium.rs looks in
# the same places.
browser_prefix() {
    local prefix
    for prefix in '' "$DEBIAN/browser"; do
        if [[ -x $prefix/usr/bin/chromedriver && (-x $prefix/usr/bin/chromium || -x $prefix/usr/bin/chromium-headless-shell) ]]; then
            printf '%s/usr\n' "$prefix"
            return
        fi
    done
    return 1
}

install_browser() {
    browser_prefix >/dev/null && return
    step "Chromium: unpacking Debian's packages into ${DEBIAN#"$ROOT/"}/browser (90 MB)"
    unpack_debian browser browser_packages ||
        die "Chromium could not be fetched. Install it, then try again:
    sudo apt-get update && sudo apt-get install -y --no-install-recommends chromium chromium-driver"
}

# Of the shell without windows, what the system lacks; of the driver, only itself, since the package asks
# for a browser with windows.
browser_packages() {
    apt-get "${apt_options[@]}" --simulate --no-install-recommends install \
        chromium-headless-shell fonts-dejavu-core 2>/dev/null | sed -n 's/^Inst \([^ ]*\) .*/\1/p'
    echo chromium-driver
}

# --- Debian's packages without rights ---

# unpack_debian NAME LISTER [UPDATER]: into $DEBIAN/NAME the packages whose names LISTER prints; they come
# from what the system's lists name, or from lists of our own, which UPDATER fetches.
unpack_debian() {
    local status=0
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
    local apt_options=(-o "APT::Sandbox::User=$(id -un)" -o Acquire::Retries=3)
    rm -rf "$STATE/apt"
    if (($# < 3)); then
        fetch_debs "$2" || { use_own_lists && fetch_debs "$2"; } || status=1
    else
        "$3" && fetch_debs "$2" || status=1
    fi
    ((status)) || unpack_debs "$1" || status=1
    rm -rf "$STATE/apt"
    return "$status"
}

fetch_debs() {
    local names
    names=$("$1") && [[ -n $names ]] || return 1
    rm -rf "$STATE/apt/debs"
    mkdir -p "$STATE/apt/debs"
    # shellcheck disable=SC2086 # a list of package names
    (cd "$STATE/apt/debs" && apt-get "${apt_options[@]}" -qq download $names) >"$STATE/install.log" 2>&1
}

# The system's package lists are missing on a fresh image, or too old to download from.
use_own_lists() {
    apt_options+=(-o "Dir::State::Lists=$STATE/apt/lists" -o "Dir::Cache=$STATE/apt/cache")
    mkdir -p "$STATE/apt/lists/partial" "$STATE/apt/cache/archives/partial"
    apt-get "${apt_options[@]}" -qq update >"$STATE/install.log" 2>&1
}

# unpack_debs NAME: renamed at the end, so that an interrupted run leaves nothing half done.
unpack_debs() {
    local deb staging=$STATE/apt/root
    for deb in "$STATE"/apt/debs/*.deb; do
        dpkg -x "$deb" "$staging" || return 1
    done
    relocate_erlang "$staging" "$DEBIAN/$1" || return 1
    relocate_prosody "$staging" "$DEBIAN/$1" || return 1
    bring_own_libc "$staging" "$DEBIAN/$1" || return 1
    rm -rf "${DEBIAN:?}/$1"
    mkdir -p "$DEBIAN"
    mv "$staging" "$DEBIAN/$1"
}

# Debian's start scripts of Erlang have their place written into them. The second one starts the helpers of a node,
# such as the one by which a node of RabbitMQ 4 looks for its cluster.
relocate_erlang() {
    local script
    for script in "$1"/usr/lib/erlang/bin/erl "$1"/usr/lib/erlang/erts-*/bin/erl; do
        [[ ! -e $script ]] || sed -i "s#ROOTDIR=/usr/lib/erlang#ROOTDIR=$2/usr/lib/erlang#" "$script"
    done
}

# The same with Prosody's.
relocate_prosody() {
    local script=$1/usr/bin/prosody
    [[ ! -e $script ]] || sed -i "s#='/usr/lib/prosody#='$2/usr/lib/prosody#" "$script"
}

# --- the emulator ---

moto_version() { sed -n 's/^moto==//p' "$REQUIREMENTS"; }

# What the venv was made from. It moves with neither the folder nor the requirements.
venv_stamp() { printf '%s %s\n' "$VENV" "$(cksum <"$REQUIREMENTS")"; }

install_venv() {
    local python log=$STATE/install.log
    [[ -x $VENV/bin/python && $(cat "$VENV/stamp" 2>/dev/null) == "$(venv_stamp)" ]] && return
    python=$(find_python) || die "Python 3.10 or newer is missing. Install it, then try again:
    sudo apt-get update && sudo apt-get install -y --no-install-recommends python3 python3-venv"
    step "emulator: installing moto $(moto_version) from PyPI into ${VENV#"$ROOT/"}"
    rm -rf "$VENV"
    if ! { make_venv "$python" && "${pip[@]}" install --quiet --no-input --no-deps -r "$REQUIREMENTS"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "PyPI's packages could not be installed; the last lines of ${log#"$ROOT/"} are above"
    fi
    venv_stamp >"$VENV/stamp"
}

# The first one that can make a venv with pip in it, or else any: Debian's lacks pip without
# python3-venv, and another in the PATH may be too old.
find_python() {
    local modules python
    for modules in 'venv, ensurepip' venv; do
        for python in python3 /usr/bin/python3; do
            if "$python" -c "import sys, $modules; sys.exit(sys.version_info < (3, 10))" 2>/dev/null; then
                printf '%s\n' "$python"
                return
            fi
        done
    done
    return 1
}

# make_venv PYTHON: sets `pip`, the command that installs into it.
make_venv() {
    if "$1" -c 'import ensurepip' 2>/dev/null; then
        "$1" -m venv "$VENV" && pip=("$VENV/bin/python" -m pip)
    else
        unpack_debian pip pip_packages && "$1" -m venv --without-pip "$VENV" &&
            pip=("$VENV/bin/python" "$(echo "$DEBIAN"/pip/usr/share/python-wheels/pip-*.whl)/pip")
    fi
}

pip_packages() { echo python3-pip-whl; }
