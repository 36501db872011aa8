# shellcheck shell=bash
# What a person sees: one line per thing, colours on a terminal only.

# use_colours FD: decides for the file descriptor that the lines go to.
# shellcheck disable=SC2034 # used by those who source this
use_colours() {
    bold='' dim='' red='' green='' plain=''
    if [[ -t $1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
        bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
    fi
}

# Progress goes to standard error, so that a command's own output stays clean.
use_colours 2
say() { printf '%s\n' "$*" >&2; }
good() { say "${green}✓${plain} $*"; }
step() { say "${dim}·${plain} $*"; }
fail() { say "${red}✗${plain} $*"; }
die() {
    fail "$@"
    exit 1
}
