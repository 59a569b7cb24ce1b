# shellcheck shell=bash
# A real Keystone and a real Glance, from PyPI, under uWSGI on the loopback.

VENV=$LAB_DIR/venv
REGION=RegionOne

find_python() {
  local python
  # Debian's first: python3-venv belongs to it.
  for python in ${LAB_PYTHON:+"$LAB_PYTHON"} /usr/bin/python3 python3; do
    "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null &&
      { echo "$python"; return; }
  done
  die "no Python >= 3.11 with venv: run scripts/setup, or set LAB_PYTHON"
}

# A venv cannot be moved into place, so a stamp says that it is whole.
venv_up() {
  local python want
  python=$(find_python)
  want="$("$python" -V) $(sha256sum <"$LAB_D/requirements.txt")"
  [[ -x $VENV/bin/python3 && $(cat "$VENV/complete" 2>/dev/null) == "$want" ]] && return
  say "cloud: installing Keystone and Glance with pip (about a minute)"
  cloud_down # services must not outlive the code they run
  rm -rf "$VENV"
  "$python" -m venv "$VENV"
  unattached "$LAB_LOG/pip.log" timeout 1800 "$VENV/bin/pip" install -q \
    -r "$LAB_D/requirements.txt" || { tail -n 20 "$LAB_LOG/pip.log" >&2; die "pip failed; see $LAB_LOG/pip.log"; }
  echo "$want" >"$VENV/complete"
  say "cloud: Keystone and Glance installed"
}

new_password() { od -An -N18 -tx1 /dev/urandom | tr -d ' \n'; }

# Ports and passwords stay the same as long as .lab lives.
read_settings() {
  KEYSTONE_PORT="" GLANCE_PORT="" ADMIN_PASSWORD="" GLANCE_PASSWORD="" OPERATOR_PASSWORD=""
  # shellcheck disable=SC1091
  [[ ! -s $LAB_DIR/secrets ]] || . "$LAB_DIR/secrets"
  KEYSTONE=http://127.0.0.1:${KEYSTONE_PORT:-5000}/v3
  GLANCE=http://127.0.0.1:${GLANCE_PORT:-9292}
}

settle_settings() {
  local name file=$LAB_DIR/secrets
  read_settings
  KEYSTONE_PORT=$(service_port keystone "${KEYSTONE_PORT:-5000}")
  GLANCE_PORT=$(service_port glance "${GLANCE_PORT:-9292}")
  : "${ADMIN_PASSWORD:=$(new_password)}" "${GLANCE_PASSWORD:=$(new_password)}"
  : "${OPERATOR_PASSWORD:=$(new_password)}"
  (
    umask 077
    for name in KEYSTONE_PORT GLANCE_PORT ADMIN_PASSWORD GLANCE_PASSWORD OPERATOR_PASSWORD; do
      echo "$name=${!name}"
    done >"$file.new"
  )
  mv "$file.new" "$file"
  read_settings
}

# The wanted port, unless somebody else sits on it.
service_port() { # SERVICE PORT
  if remembered_process "$LAB_DIR/$1.pid" >/dev/null; then echo "$2"; else
    service_sweep "$1"
    free_port "$2"
  fi
}

service_url() { case $1 in keystone) echo "$KEYSTONE" ;; glance) echo "$GLANCE/versions" ;; esac; }

service_answers() {
  local code
  code=$(curl -s --noproxy '*' -m "${2:-10}" -o /dev/null -w '%{http_code}' "$(service_url "$1")") || return 1
  [[ $code == 200 || $code == 300 ]]
}

# Workers whose master was killed, and masters whose pid file is lost.
service_sweep() {
  local pids
  mapfile -t pids < <(processes_naming 'python*' "$LAB_DIR/$1/uwsgi.ini")
  ((${#pids[@]} == 0)) || end_processes "${pids[@]}"
}

service_stop() { # SERVICE
  local pid
  if pid=$(remembered_process "$LAB_DIR/$1.pid"); then end_processes "$pid"; fi
  service_sweep "$1"
  rm -f "$LAB_DIR/$1.pid"
}

service_start() { # SERVICE
  local tries port
  if remembered_process "$LAB_DIR/$1.pid" >/dev/null && service_answers "$1"; then return; fi
  service_stop "$1"
  [[ $1 == keystone ]] && port=$KEYSTONE_PORT || port=$GLANCE_PORT
  uwsgi_ini "$1" "$port" >"$LAB_DIR/$1/uwsgi.ini"
  rm -f "$LAB_DIR/$1/master.pid"
  # A session of its own: an interrupt at the terminal is not for the service.
  OS_KEYSTONE_CONFIG_DIR=$LAB_DIR/keystone OS_KEYSTONE_CONFIG_FILES=keystone.conf \
    OS_GLANCE_CONFIG_DIR=$LAB_DIR/glance OS_GLANCE_CONFIG_FILES=glance-api.conf \
    unattached "$LAB_LOG/$1.log" setsid -f "$VENV/bin/python3" "$VENV/bin/uwsgi" --ini "$LAB_DIR/$1/uwsgi.ini"
  for ((tries = 0; tries < 600; tries++)); do
    if service_answers "$1" 5; then
      remember_process "$LAB_DIR/$1.pid" "$(cat "$LAB_DIR/$1/master.pid")"
      say "cloud: $1 answers at $(service_url "$1")"
      return
    fi
    sleep 0.2
  done
  tail -n 15 "$LAB_LOG/$1.log" >&2
  die "$1 does not answer; see $LAB_LOG/$1.log"
}

uwsgi_ini() { # SERVICE PORT
  sed -e "s|@SERVICE@|$1|g; s|@PORT@|$2|; s|@VENV@|$VENV|; s|@DIR@|$LAB_DIR|g" \
    -e "s|@MODULE@|$1.wsgi.api:application|" "$LAB_D/uwsgi.ini"
}

fill_in() { # TEMPLATE: prints it with this lab's values
  sed -e "s|@DIR@|$LAB_DIR|g; s|@VENV@|$VENV|g; s|@KEYSTONE@|$KEYSTONE|g" \
    -e "s|@GLANCE_PASSWORD@|$GLANCE_PASSWORD|" "$1"
}

manage() { # LOG PROGRAM ARGUMENTS...
  local log=$LAB_LOG/$1.log program=$2
  shift 2
  unattached "$log" timeout 600 "$VENV/bin/$program" "$@" ||
    { tail -n 15 "$log" >&2; die "$program $* failed; see $log"; }
}

# A database that was not finished is begun again.
keystone_data() {
  local dir=$LAB_DIR/keystone config=(--config-file "$LAB_DIR/keystone/keystone.conf")
  [[ -e $dir/complete ]] || rm -rf "$dir"
  (umask 077 && mkdir -p "$dir")
  fill_in "$LAB_D/keystone.conf" >"$dir/keystone.conf"
  [[ -e $dir/complete ]] && return
  manage keystone keystone-manage "${config[@]}" db_sync
  manage keystone keystone-manage "${config[@]}" fernet_setup \
    --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
  manage keystone keystone-manage "${config[@]}" credential_setup \
    --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
  touch "$dir/complete"
}

glance_data() {
  local dir=$LAB_DIR/glance
  [[ -e $dir/complete ]] || rm -rf "$dir"
  (umask 077 && mkdir -p "$dir"/{images,staging,tasks,lock})
  (umask 077 && fill_in "$LAB_D/glance-api.conf" >"$dir/glance-api.conf")
  [[ -e $dir/complete ]] && return
  manage glance glance-manage --config-file "$dir/glance-api.conf" db_sync
  touch "$dir/complete"
}

identity_up() {
  local stamp=$LAB_DIR/keystone/identity want
  want=$(cat "$LAB_DIR/secrets" "$LAB_D/identity.py" | sha256sum)
  [[ $(cat "$stamp" 2>/dev/null) == "$want" ]] && return
  # The catalog's own entry follows the port.
  OS_BOOTSTRAP_PASSWORD=$ADMIN_PASSWORD manage keystone keystone-manage \
    --config-file "$LAB_DIR/keystone/keystone.conf" bootstrap \
    --bootstrap-region-id "$REGION" --bootstrap-admin-url "$KEYSTONE" \
    --bootstrap-internal-url "$KEYSTONE" --bootstrap-public-url "$KEYSTONE"
  ADMIN_PASSWORD=$ADMIN_PASSWORD GLANCE_PASSWORD=$GLANCE_PASSWORD \
    OPERATOR_PASSWORD=$OPERATOR_PASSWORD KEYSTONE=$KEYSTONE GLANCE=$GLANCE REGION=$REGION \
    unattached "$LAB_LOG/identity.log" timeout 300 "$VENV/bin/python3" "$LAB_D/identity.py" ||
    { tail -n 5 "$LAB_LOG/identity.log" >&2; die "could not set up users and catalog"; }
  echo "$want" >"$stamp"
  say "cloud: project demo, user operator, catalog entry for Glance"
}

write_openrc() {
  (
    umask 077
    cat >"$LAB_DIR/openrc.new" <<EOF_RC
# source this: the lab's user, for image-create and openstack
export OS_AUTH_URL=$KEYSTONE
export OS_USERNAME=operator
export OS_PASSWORD=$OPERATOR_PASSWORD
export OS_PROJECT_NAME=demo
export OS_USER_DOMAIN_NAME=Default
export OS_PROJECT_DOMAIN_NAME=Default
export OS_REGION_NAME=$REGION
export OS_IDENTITY_API_VERSION=3
export OS_INTERFACE=public
EOF_RC
  )
  mv "$LAB_DIR/openrc.new" "$LAB_DIR/openrc"
  cat >"$LAB_DIR/env.new" <<EOF_ENV
LAB_DIR="$LAB_DIR"
LAB_GUEST_DIR="$LAB_GUEST_DIR"
LAB_GUEST="fed18"
LAB_LOG="$LAB_LOG"
VENV="$VENV"
OPENSTACK="$VENV/bin/openstack"
KEYSTONE_URL="$KEYSTONE"
GLANCE_URL="$GLANCE"
KEYSTONE_PID="$(remembered_process "$LAB_DIR/keystone.pid" || true)"
GLANCE_PID="$(remembered_process "$LAB_DIR/glance.pid" || true)"
EOF_ENV
  mv "$LAB_DIR/env.new" "$LAB_DIR/env"
  # Whoever called us through sudo wants to read them.
  [[ -z ${SUDO_UID:-} ]] || chown "$SUDO_UID" "$LAB_DIR/openrc" "$LAB_DIR/env"
}

cloud_up() {
  leftovers_stop
  venv_up
  settle_settings
  keystone_data
  service_start keystone
  glance_data # needs no Keystone, but two at once only slow each other down
  identity_up
  service_start glance
  write_openrc
}

cloud_down() {
  service_stop glance
  service_stop keystone
  leftovers_stop
}

# A pip or a database command of an `up` that was killed. We hold the lock, so
# nobody needs them any more.
leftovers_stop() {
  local pids program
  for program in pip keystone-manage glance-manage; do
    mapfile -t pids < <(processes_naming 'python*' "$VENV/bin/$program")
    ((${#pids[@]} == 0)) || end_processes "${pids[@]}"
  done
}
