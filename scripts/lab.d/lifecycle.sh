# shellcheck shell=bash
# up, status and down.

# Sizes given once hold for later calls too, until others are given.
settle_sizes() {
  local file=$LAB_DIR/sizes disk=${LAB_DISK_MB:-} fill=${LAB_FILL_MB:-}
  LAB_DISK_MB="" LAB_FILL_MB=""
  # shellcheck disable=SC1090
  [[ ! -s $file ]] || . "$file"
  LAB_DISK_MB=${disk:-${LAB_DISK_MB:-320}}
  LAB_FILL_MB=${fill:-${LAB_FILL_MB:-64}}
  [[ $LAB_DISK_MB$LAB_FILL_MB =~ ^[0-9]+$ ]] || die "LAB_DISK_MB and LAB_FILL_MB are whole numbers of MiB"
}

lab_up() {
  need_root up
  lab_lock
  mkdir -p "$LAB_LOG"
  "$LAB_SCRIPTS/setup" --lab 2>&1 {LAB_LOCK_FD}<&- | tee "$LAB_LOG/setup.log" | sed -n '/^setup: inst/p' ||
    { tail -n 20 "$LAB_LOG/setup.log" >&2; die "scripts/setup failed; see $LAB_LOG/setup.log"; }

  # pip waits for the network, the guest for the processor: do both at once.
  (cloud_up) &
  local cloud=$!
  # shellcheck disable=SC2064 # this pid, now
  trap "kill $cloud 2>/dev/null || true" EXIT
  hypervisor_up
  base_up
  fed18_up
  printf 'LAB_DISK_MB=%s\nLAB_FILL_MB=%s\n' "$LAB_DISK_MB" "$LAB_FILL_MB" >"$LAB_DIR/sizes"
  wait "$cloud" || die "Keystone and Glance did not come up"
  trap - EXIT
  say "lab is up. Next:"
  cat <<EOF_NEXT
  source $LAB_DIR/openrc
  image-create fed18 my-first-image        # or: swift run image-create fed18 my-first-image
  $VENV/bin/openstack image list
  $LAB_SCRIPTS/lab help
EOF_NEXT
}

lab_status() {
  local all=0 number
  need_root status
  read_settings
  line() { printf '%-9s %s\n' "$1" "$2"; }
  if libvirt_answers && virtlogd_alive; then line libvirt "up"; else line libvirt "DOWN"; all=1; fi
  if [[ $all == 0 ]] && domain_running fed18 && domain_marked fed18 && number=$(last_record fed18) && agent_answers fed18; then
    line fed18 "up, last record $number"
  else
    line fed18 "DOWN: $(v domstate fed18 2>/dev/null || echo "no such guest"), last record $(last_record fed18 || echo none)"
    all=1
  fi
  for service in keystone glance; do
    if remembered_process "$LAB_DIR/$service.pid" >/dev/null && service_answers "$service"; then
      line "$service" "up, $(service_url "$service")"
    else
      line "$service" "DOWN"
      all=1
    fi
  done
  return $all
}

# Domains that are not ours and yet have files in our folder.
squatters() {
  local name
  while read -r name; do
    [[ -n $name ]] || continue
    if ! domain_marked "$name" && v dumpxml "$name" 2>/dev/null | grep -qF "$LAB_GUEST_DIR/"; then echo "$name"; fi
  done < <(v list --all --name)
}

# Is there any trace of a domain of ours? Then libvirt must run to remove it.
traces_of_domains() {
  grep -qsF "$MARK" /etc/libvirt/qemu/*.xml /run/libvirt/qemu/*.xml ||
    [[ -n $(processes_naming 'qemu-system-*' "$LAB_GUEST_DIR/") ]]
}

lab_down() {
  local keep_venv=no keep_base=no argument name left=0 pids others=""
  for argument in "$@"; do
    case $argument in
      --keep-venv) keep_venv=yes ;;
      --keep-base) keep_base=yes ;;
      --all) ;; # what down does anyway
      *) bad_usage ;;
    esac
  done
  need_root down
  lab_lock
  cloud_down
  say "cloud: stopped"

  if ! libvirt_answers && traces_of_domains; then hypervisor_up; fi
  if libvirt_answers; then
    for name in $(marked_domains); do
      guest_remove "$name"
      say "guest: $name removed"
    done
    others=$(squatters | tr '\n' ' ')
  fi
  if [[ -n ${others// /} ]]; then
    warn "left $LAB_GUEST_DIR alone: domains that are not the lab's have files in it: $others"
    left=1
  else
    # A guest that libvirt lost sight of.
    mapfile -t pids < <(processes_naming 'qemu-system-*' "$LAB_GUEST_DIR/")
    ((${#pids[@]} == 0)) || end_processes "${pids[@]}"
    hypervisor_down || left=1
    loops_down
    if [[ $left == 1 || $keep_base == yes ]]; then
      find "$LAB_GUEST_DIR" -mindepth 1 ! -name 'base-*.qcow2' ! -name '*.started' -delete 2>/dev/null || true
    else
      rm -rf "$LAB_GUEST_DIR"
    fi
  fi
  if [[ $keep_venv == yes && -d $VENV ]]; then
    find "$LAB_DIR" -mindepth 1 -maxdepth 1 ! -name venv -exec rm -rf {} +
  else
    rm -rf "$LAB_DIR"
  fi
  if [[ $left == 0 ]]; then say "lab is down"; else warn "the lab is down except for what is named above"; fi
  return $left
}

# Loop devices on files of ours, whatever became of their guests. By inode: another host of the same
# kernel (scripts/lane) may have a file of the same path.
loops_down() {
  local file device
  for file in "$LAB_GUEST_DIR"/*; do
    [[ -f $file ]] || continue
    while IFS=: read -r device _; do losetup -d "$device"; done < <(losetup -j "$file" 2>/dev/null)
  done
}
