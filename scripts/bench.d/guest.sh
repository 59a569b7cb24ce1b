# shellcheck shell=bash
# The bench's guests: lab guests of the wanted size, the state each way needs, and their records.

virsh_() { timeout -k 5 120 virsh -q -c qemu:///system "$@"; }
lab() { "$SCRIPTS/lab" "$@"; }
guest_disk() { echo "$LAB_GUEST_DIR/$1.qcow2"; }

# SIZE -> "DISK-MIB FILL-MIB": so many bytes of data (500m, 10g), or a thin disk of so many TiB.
size_of() {
  local number=${1%[mgt]} fill
  [[ $number =~ ^[1-9][0-9]{0,3}$ ]] || die "a size is like 500m, 10g or 1t, not '$1'"
  case $1 in
    *t) echo $((number * 1048576)) 1024; return ;;
    *g) fill=$((number * 1000000000 / 1048576)) ;;
    *m) fill=$((number * 1000000 / 1048576)) ;;
    *) die "a size is like 500m, 10g or 1t, not '$1'" ;;
  esac
  # The guest's kernel is there too.
  fill=$((fill > 40 ? fill - 20 : fill))
  echo $((fill + fill / 16 + 256)) "$fill"
}

guest_up() { # NAME DISK-MIB FILL-MIB
  local need free
  # The disk, its finished image, and a backup, a restored disk and Glance's copy at once.
  need=$((5 * ($3 + 400)))
  free=$(($(df --output=avail -BM "$FOLDER" | tail -n 1 | tr -d ' M')))
  ((free > need)) || die "$1 needs $need MiB in /var/tmp and /var/lib, and $free are free"
  lab guest remove "$1" >/dev/null # of a bench that was killed
  say "guest: $1, a disk of $2 MiB with $3 MiB of filler"
  GUESTS+=("$1")
  LAB_DISK_MB=$2 LAB_FILL_MB=$3 lab guest add "$1" overlay >&2
  guest_run "$1"
}

# Running, answering and writing, and the start's bustle over.
guest_run() { # NAME
  local started=
  case $(virsh_ domstate "$1") in
    running) ;;
    paused) virsh_ resume "$1" >/dev/null ;;
    *) virsh_ start "$1" >/dev/null; started=yes ;;
  esac
  lab guest wait "$1" >&2
  [[ -z $started ]] || next_record "$1"
}

# After a start, the last record that the console tells of may be one of before.
next_record() { # NAME
  local tries before
  before=$(lab guest record "$1")
  for ((tries = 0; tries < 300; tries++)); do
    (($(lab guest record "$1") == before)) || return 0
    sleep 0.2
  done
  die "$1 writes no records"
}

guest_pause() { [[ $(virsh_ domstate "$1") == paused ]] || virsh_ suspend "$1" >/dev/null; }

guest_off() { # NAME
  local tries
  guest_run "$1"
  virsh_ shutdown "$1" >/dev/null
  for ((tries = 0; tries < 300; tries++)); do
    [[ $(virsh_ domstate "$1") != "shut off" ]] || return 0
    sleep 0.2
  done
  die "$1 does not shut down within 60 s"
}

# A way has to leave the guest as it was.
guest_unchanged() { # WAY NAME STATE
  local state job left
  left=$(ls -A "$FOLDER/spool" 2>/dev/null || true)
  [[ -z $left ]] || die "$1 left something in its spool folder: $left"
  state=$(virsh_ domstate "$2")
  [[ $state == "$3" ]] || die "$1 left $2 $state, not $3"
  [[ $state == "shut off" ]] && return
  job=$(virsh_ domjobinfo "$2")
  [[ $job == *None* ]] || die "$1 left a job on $2: $job"
}

# A pull backup of our own, of which nbdcopy reads.
pull_begin() { # NAME
  install -d -m 1777 "$FOLDER/pull"
  cat >"$FOLDER/pull.xml" <<EOF_XML
<domainbackup mode='pull'>
  <server transport='unix' socket='$FOLDER/pull/socket'/>
  <disks><disk name='vda' backup='yes' type='file' exportname='vda'>
    <driver type='qcow2'/><scratch file='$FOLDER/pull/scratch.qcow2'/></disk></disks>
</domainbackup>
EOF_XML
  virsh_ backup-begin "$1" --backupxml "$FOLDER/pull.xml" >/dev/null
}

pull_end() { # NAME
  local tries
  virsh_ domjobabort "$1"
  for ((tries = 0; tries < 100; tries++)); do
    [[ $(virsh_ domjobinfo "$1") != *None* ]] || break
    sleep 0.1
  done
  rm -rf "$FOLDER/pull"
}

# The guest's records, from its disk: while it is paused, nothing is half written.
read_records() { # NAME
  local part=$FOLDER/$1.part disk start sectors
  disk=$(guest_disk "$1")
  guest_run "$1"
  guest_pause "$1"
  # Start and length of partition 2, as the MBR has them.
  qemu-img dd -U -f qcow2 -O raw bs=512 count=1 if="$disk" of="$FOLDER/mbr"
  read -r start sectors < <(od -An -t u4 -j 470 -N 8 "$FOLDER/mbr")
  qemu-img convert -U -O raw --image-opts "driver=raw,offset=$((start * 512)),size=$((sectors * 512)),\
file.driver=qcow2,file.file.filename=$disk" "$part"
  # What only the journal has yet, such as the file's length.
  e2fsck -fp "$part" >"$FOLDER/e2fsck.log" 2>&1 || (($? == 1)) ||
    die "the file system of $1 is broken: $(cat "$FOLDER/e2fsck.log")"
  # The older ones lie in records.1, which is not there yet in a short bench.
  touch "$FOLDER/older"
  debugfs -R "dump /records.1 $FOLDER/older" "$part" 2>/dev/null
  debugfs -R "dump /records $FOLDER/newer" "$part" 2>/dev/null
  [[ -s $FOLDER/newer ]] || die "$1 has no records on its disk"
  cat "$FOLDER/older" "$FOLDER/newer" >"$FOLDER/$1.records"
  rm -f "$part" "$FOLDER/mbr" "$FOLDER/older" "$FOLDER/newer"
}
