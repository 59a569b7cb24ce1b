# shellcheck shell=bash
# Saying, giving up, locking, and processes that outlive this script.

LAB_STARTED=$(date +%s)

say() { printf '[%3ds] %s\n' "$(($(date +%s) - LAB_STARTED))" "$*"; }
warn() { printf 'lab: %s\n' "$*" >&2; }
die() { warn "$*"; exit 1; }

need_root() {
  [[ $(id -u) -eq 0 ]] || die "'$1' needs root (system libvirt, guest disks). Run: sudo $LAB_SCRIPTS/lab $1"
}

# One `up`, `down` or change of guests at a time on this machine. Guests are the
# machine's, not the checkout's, so the lock is too; locking a directory that is
# always there leaves no lock file behind.
lab_lock() {
  exec {LAB_LOCK_FD}</var/lib
  flock -w "${LAB_LOCK_WAIT:-900}" "$LAB_LOCK_FD" ||
    die "another lab command holds the lock for more than ${LAB_LOCK_WAIT:-900} s"
}

# Runs a command without the lock and without our stdout, so that a daemon
# neither keeps the lock nor makes a caller that captures our output wait for ever.
unattached() {
  local log=$1
  shift
  if [[ -n ${LAB_LOCK_FD:-} ]]; then
    "$@" </dev/null >>"$log" 2>&1 {LAB_LOCK_FD}<&-
  else
    "$@" </dev/null >>"$log" 2>&1
  fi
}

# A pid alone may belong to somebody else by now: remember when it started.
# Fields are counted behind the ")" because a process name may hold spaces.
start_time() {
  local line
  line=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  line=${line##*) }
  # shellcheck disable=SC2086 # splitting is the point
  set -- $line
  [[ $1 != Z ]] && echo "${20}"
}

remember_process() { # FILE PID
  local started
  started=$(start_time "$2") || return 1
  echo "$2 $started" >"$1"
}

# Prints the pid kept in FILE if that very process is still alive.
remembered_process() { # FILE
  local pid started
  [[ -s $1 ]] || return 1
  read -r pid started <"$1" || return 1
  [[ -n $started && $(start_time "$pid") == "$started" ]] || return 1
  echo "$pid"
}

# TERM, then KILL; bounded. Each argument is a pid.
end_processes() {
  local pid tries
  for pid in "$@"; do kill "$pid" 2>/dev/null || true; done
  for pid in "$@"; do
    for ((tries = 0; tries < 100; tries++)); do
      start_time "$pid" >/dev/null || continue 2
      sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
  done
}

# Pids whose command line has TEXT as a part and whose program is named so.
processes_naming() { # PROGRAM-PATTERN TEXT
  local dir exe line
  for dir in /proc/[0-9]*; do
    exe=$(readlink "$dir/exe" 2>/dev/null) || continue
    # shellcheck disable=SC2053 # the left side is matched against a pattern
    [[ ${exe##*/} == $1 ]] || continue
    line=$(tr '\0' '\n' 2>/dev/null <"$dir/cmdline") || continue
    [[ $line == *"$2"* ]] && echo "${dir#/proc/}"
  done
  return 0
}

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() { # FIRST
  local port
  for ((port = $1; port < $1 + 100; port++)); do
    port_taken "$port" || { echo "$port"; return; }
  done
  die "no free loopback port between $1 and $(($1 + 99))"
}
