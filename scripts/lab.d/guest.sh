# shellcheck shell=bash
# The lab's guests: libvirt domains that carry our mark, with disks and serial
# logs in $LAB_GUEST_DIR.

MARK='<description>image-create lab</description>'

domain_exists() { v domstate "$1" >/dev/null 2>&1; }
domain_running() { [[ $(v domstate "$1" 2>/dev/null) == running ]]; }
domain_marked() { v dumpxml "$1" 2>/dev/null | grep -qF "$MARK"; }

check_name() {
  [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9_.-]{0,60}$ && $1 != base-* ]] || die "'$1' is no good guest name"
}

refuse_foreign() {
  if domain_exists "$1" && ! domain_marked "$1"; then
    die "a domain named '$1' exists that is not the lab's; rename or remove it yourself"
  fi
}

domain_xml() { # NAME KIND FORMAT DISKTYPE SOURCE UUID
  sed -e "s|@ACCEL@|$(accelerator)|; s|@NAME@|$1|g; s|@KIND@|$2|; s|@FORMAT@|$3|" \
    -e "s|@DISKTYPE@|$4|; s|@SOURCE@|$5|; s|@UUID@|$6|; s|@DIR@|$LAB_GUEST_DIR|" \
    "$LAB_D/guest/domain.xml"
}

# Writes the guest's disk and prints FORMAT DISKTYPE SOURCE for its XML.
make_disk() { # NAME KIND
  local base file device
  base=$(base_path)
  case $2 in
    overlay)
      file=$LAB_GUEST_DIR/$1.qcow2
      qemu-img create -q -f qcow2 -b "$base" -F qcow2 "$file"
      echo qcow2 file "file='$file'" ;;
    qcow2)
      file=$LAB_GUEST_DIR/$1.qcow2
      qemu-img convert -f qcow2 -O qcow2 "$base" "$file"
      echo qcow2 file "file='$file'" ;;
    raw)
      file=$LAB_GUEST_DIR/$1.raw
      qemu-img convert -f qcow2 -O raw "$base" "$file"
      echo raw file "file='$file'" ;;
    block) # a loop device stands in for a logical volume
      file=$LAB_GUEST_DIR/$1.raw
      qemu-img convert -f qcow2 -O raw "$base" "$file"
      device=$(losetup --find --show "$file") || die "no loop device for $file"
      echo raw block "dev='$device'" ;;
    *) die "unknown format '$2': overlay, qcow2, raw or block" ;;
  esac
}

# How far the guest's console says its disk is. virtlogd starts a new file at
# 2 MiB and keeps the older one as .0.
last_record() { # NAME
  local file number
  for file in "$LAB_GUEST_DIR/$1.serial" "$LAB_GUEST_DIR/$1.serial.0"; do
    [[ -r $file ]] || continue
    # The console's carriage return shows that a number is whole.
    number=$(tail -c 65536 "$file" |
      sed -n -e 's/^record \([0-9]*\)\r$/\1/p' -e 's/^boot: last record on disk was \([0-9]*\)\r$/\1/p' |
      tail -n 1)
    [[ -n $number ]] && { echo "$number"; return; }
  done
  return 1
}

agent_answers() {
  VIRSH_LIMIT=10 v qemu-agent-command "$1" --timeout 5 '{"execute":"guest-ping"}' >/dev/null 2>&1
}

# Until the agent answers and a record newer than now is on disk.
wait_guest() { # NAME SECONDS
  local name=$1 before now agent=no until=$(($(date +%s) + $2))
  before=$(last_record "$name" || echo 0)
  while (($(date +%s) < until)); do
    domain_running "$name" || { sleep 0.5; continue; }
    now=$(last_record "$name" || echo 0)
    if ((now != before)); then
      [[ $agent == yes ]] || { agent_answers "$name" && agent=yes; }
      [[ $agent == yes ]] && return 0
    fi
    sleep 0.2
  done
  return 1
}

agent_frozen() {
  VIRSH_LIMIT=10 v qemu-agent-command "$1" --timeout 5 '{"execute":"guest-fsfreeze-status"}' 2>/dev/null | grep -q '"frozen"'
}

explain_guest() { # NAME
  ! agent_frozen "$1" || warn "guest $1 is frozen: virsh domfsthaw $1"
  warn "guest $1: state $(v domstate "$1" 2>&1 | head -n 1), agent $(agent_answers "$1" && echo answers || echo silent), last record $(last_record "$1" || echo none); end of its console:"
  { tail -n 8 "$LAB_GUEST_DIR/$1.serial" 2>/dev/null || true; } >&2
}

guest_add() { # NAME KIND MODE(run|paused|transient|off)
  local name=$1 kind=$2 mode=$3 xml disk
  check_name "$name"
  case $kind in overlay | qcow2 | raw | block) ;; *) die "unknown format '$kind': overlay, qcow2, raw or block" ;; esac
  domain_exists "$name" && die "a domain named '$name' exists already; lab guest remove $name"
  guest_remove_files "$name"
  base_up
  xml=$LAB_GUEST_DIR/$name.xml
  disk=$(make_disk "$name" "$kind")
  local format disktype source
  read -r format disktype source <<<"$disk"
  domain_xml "$name" "$kind" "$format" "$disktype" "$source" "$(cat /proc/sys/kernel/random/uuid)" >"$xml"
  if [[ $mode == transient ]]; then
    v create "$xml" >/dev/null
  else
    v define "$xml" >/dev/null
    [[ $mode == off ]] || v start "$name" >/dev/null
  fi
  rm -f "$xml"
}

# Everything of that name: the domain with what libvirt keeps of it, and files.
guest_remove() { # NAME
  local name=$1
  refuse_foreign "$name"
  if domain_exists "$name"; then
    v destroy "$name" >/dev/null 2>&1 || true
    # A transient one is gone now. Flags that a domain does not need do no harm.
    if domain_exists "$name"; then
      v undefine "$name" --managed-save --nvram --snapshots-metadata --checkpoints-metadata >/dev/null ||
        die "could not undefine $name"
    fi
  fi
  guest_remove_files "$name"
}

guest_remove_files() { # NAME
  local name=$1 device
  if [[ -e $LAB_GUEST_DIR/$name.raw ]]; then
    while IFS=: read -r device _; do losetup -d "$device"; done < <(losetup -j "$LAB_GUEST_DIR/$name.raw")
  fi
  rm -f "$LAB_GUEST_DIR/$name".{qcow2,raw,img,xml} "$LAB_GUEST_DIR/$name".serial*
  rm -f "/var/log/libvirt/qemu/$name.log"* "/var/lib/libvirt/qemu/save/$name.save"
}

marked_domains() {
  local name
  while read -r name; do
    [[ -n $name ]] || continue
    if domain_marked "$name"; then echo "$name"; fi
  done < <(v list --all --name)
}

# The lab's own guest, in whatever state a crash or a test left it.
fed18_is_whole() {
  local backing
  domain_exists fed18 || return 1
  [[ $(v dominfo fed18 | awk '/^Persistent:/ {print $2}') == yes ]] || return 1
  v domblklist fed18 | grep -q " $LAB_GUEST_DIR/fed18.qcow2\$" || return 1
  backing=$(qemu-img info -U --output=json "$LAB_GUEST_DIR/fed18.qcow2" | jq -r '."full-backing-filename"') || return 1
  [[ $backing == "$(base_path)" ]]
}

fed18_up() {
  local limit=${LAB_GUEST_LIMIT:-180}
  refuse_foreign fed18
  if fed18_is_whole; then
    case $(v domstate fed18) in
      running) ;;
      paused) v resume fed18 >/dev/null || true ;;
      *) v start fed18 >/dev/null || true ;;
    esac
    wait_guest fed18 4 && return
    # Booting, or frozen by somebody who died: thaw, and give it its time.
    VIRSH_LIMIT=10 v domfsthaw fed18 >/dev/null 2>&1 || true
    # An agent that answers while nothing is written: the console has lost its
    # reader (virtlogd was killed), which only a new start mends.
    if wait_guest fed18 "$(agent_answers fed18 && echo 6 || echo 30)"; then
      say "guest: fed18 runs again"
      return
    fi
    say "guest: fed18 writes no records: starting it anew"
    v destroy fed18 >/dev/null 2>&1 || true
    if v start fed18 >/dev/null && wait_guest fed18 "$limit"; then
      say "guest: fed18 runs again"
      return
    fi
    explain_guest fed18
    say "guest: fed18 cannot be helped: building it anew"
  fi
  guest_remove fed18
  guest_add fed18 overlay run
  say "guest: fed18 defined and started ($(accelerator)), waiting for its agent"
  wait_guest fed18 "$limit" || { explain_guest fed18; die "fed18 did not come up within $limit s"; }
  say "guest: fed18 runs, agent answers, last record $(last_record fed18)"
}
