# shellcheck shell=bash
# libvirtd and virtlogd: used if they answer, started (and remembered) if not.

v() { timeout -k 5 "${VIRSH_LIMIT:-60}" virsh -q -c qemu:///system "$@"; }

libvirt_answers() { VIRSH_LIMIT=15 v uri >/dev/null 2>&1; }

# Without virtlogd no guest starts, and it can die alone.
virtlogd_alive() {
  [[ -d /run/systemd/system ]] && return 0 # a socket starts it on demand
  local pid
  for pid in $(pidof virtlogd); do
    start_time "$pid" >/dev/null && return 0
  done
  return 1
}

daemon_file() { echo "$LAB_GUEST_DIR/$1.started"; }

# Starts DAEMON in the background and remembers it as ours.
start_daemon() {
  local daemon=$1 tries pid
  unattached "$LAB_LOG/$daemon.log" timeout 60 "$daemon" -d || {
    tail -n 5 "$LAB_LOG/$daemon.log" >&2
    die "$daemon did not start"
  }
  for ((tries = 0; tries < 100; tries++)); do
    pid=$(cat "/run/$daemon.pid" 2>/dev/null || true)
    if [[ -n $pid ]] && remember_process "$(daemon_file "$daemon")" "$pid"; then
      say "libvirt: started $daemon (pid $pid)"
      return
    fi
    sleep 0.1
  done
  die "$daemon wrote no pid to /run/$daemon.pid within 10 s"
}

hypervisor_up() {
  mkdir -p "$LAB_GUEST_DIR" "$LAB_LOG"
  chmod 0755 "$LAB_GUEST_DIR" # QEMU's user must get through
  if libvirt_answers && virtlogd_alive; then return; fi
  if [[ -d /run/systemd/system ]]; then
    timeout 60 systemctl start libvirtd.service || die "systemctl start libvirtd failed"
    say "libvirt: started by systemd (and left running by 'down')"
  else
    virtlogd_alive || start_daemon virtlogd
    libvirt_answers || start_daemon libvirtd
  fi
  local tries
  for ((tries = 0; tries < 120; tries++)); do
    libvirt_answers && return
    sleep 0.5
  done
  die "libvirt does not answer at qemu:///system; see $LAB_LOG/libvirtd.log"
}

# Only what we started, and only if nobody else's guest runs under it.
hypervisor_down() {
  local daemon pid others=""
  remembered_process "$(daemon_file libvirtd)" >/dev/null &&
    others=$(v list --name 2>/dev/null | tr -s '\n' ' ' || true)
  if [[ -n ${others// /} ]]; then
    warn "left libvirtd and virtlogd running: other guests run under it: $others"
    return 1
  fi
  for daemon in libvirtd virtlogd; do
    if pid=$(remembered_process "$(daemon_file "$daemon")"); then
      end_processes "$pid"
      say "libvirt: stopped $daemon"
    fi
    rm -f "$(daemon_file "$daemon")"
  done
}

# "kvm" only if a kernel really says something under KVM: /dev/kvm may be there
# and lead nowhere. The answer is kept, because a failing try costs 3 s.
accelerator() {
  local known=$LAB_GUEST_DIR/accelerator answer=qemu
  if [[ -s $known ]]; then cat "$known"; return; fi
  if [[ -w /dev/kvm ]] && grep -qE '^flags.*\b(vmx|svm)\b' /proc/cpuinfo &&
    timeout -k 1 3 qemu-system-x86_64 -accel kvm -m 128 -nodefaults -display none \
      -serial stdio -no-reboot -kernel "$(newest_kernel)" \
      -append 'console=ttyS0 earlyprintk=serial panic=-1' </dev/null 2>/dev/null |
    grep -aqm1 'Linux version'; then
    answer=kvm
  fi
  echo "$answer" | tee "$known"
}
