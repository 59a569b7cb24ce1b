# shellcheck shell=bash
# The tables: which ways, in which order, and what each needs before and after. Round 0 is the
# warm-up: it is not counted, the guest is paused, and each image is compared with the disk.

# Runs WAY once, measured, into RESULT; further arguments go to measure.py.
measured() { # TABLE WAY GUEST ROUND ...
  local table=$1 way=$2 guest=$3 round=$4 first=null last=null state
  shift 4
  state=$(virsh_ domstate "$guest")
  sync # of what went before
  [[ $state != running ]] || first=$(lab guest record "$guest")
  GUEST=$guest DISK=$(guest_disk "$guest") "$PYTHON" "$BENCH_D/measure.py" --log "$FOLDER/log" "$@" \
    -- "$BENCH_D/way.sh" "$way" >"$FOLDER/result" &
  MEASURE_PID=$!
  # Waiting so, a signal is heeded at once.
  wait "$MEASURE_PID" || die "$way failed"
  MEASURE_PID=""
  if [[ $state == running ]]; then
    last=$(lab guest record "$guest")
    sleep 1 # a stall that just begins is to be seen, too
  fi
  RESULT=$(jq -c --arg table "$table" --arg way "$way" --arg guest "$guest" --argjson round "$round" \
    --argjson first "$first" --argjson last "$last" --arg state "$state" \
    '. + {$table, $way, $guest, $round, $state, $first, $last}' "$FOLDER/result")
  say "$(jq -r '"\(.table) \(if .round == 0 then "warm-up" else "round \(.round)" end): " +
    "\(.way), \(.guest) \(.state): \(.seconds * 100 | round / 100) s"' <<<"$RESULT")"
  # That of nbdcopy is the bench's own.
  [[ $way == nbdcopy ]] || guest_unchanged "$way" "$guest" "$state"
}

keep_result() { # IMAGE-BYTES
  jq -c --argjson bytes "${1:-null}" '. + {bytes: $bytes}' <<<"$RESULT" >>"$FOLDER/results"
}

# Paused in the warm-up, or there would be no disk to compare with.
set_state() { # GUEST ROUND
  guest_run "$1"
  [[ $2 != 0 ]] || guest_pause "$1"
}

table_glance() { # GUEST
  local guest=$1 round way compare live_seconds
  local saved="/var/lib/libvirt/qemu/save/$1.save*"
  local -a options
  for ((round = 0; round <= ROUNDS; round++)); do
    for way in live cold offline by-hand virtnbdbackup limit verified idle; do
      [[ $way != idle || $round != 0 ]] || continue
      if [[ $way == offline ]]; then guest_off "$guest"; else set_state "$guest" "$round"; fi
      compare=$(guest_disk "$guest")
      options=(--watch "$FOLDER/$way")
      case $way in
        live | cold | offline) options=(--watch "$FOLDER/spool" --watch "$saved") ;;
        by-hand) mkdir "$FOLDER/by-hand" ;;
        virtnbdbackup)
          install -d -m 0711 "$FOLDER/virtnbdbackup"
          # QEMU's user makes the socket.
          install -d -m 1777 "$FOLDER/virtnbdbackup/scratch" ;;
        limit | verified)
          reserve_image
          compare=$FOLDER/finished.qcow2 ;;
        idle) export IDLE_SECONDS=$live_seconds ;;
      esac
      [[ $way != live || $round == 0 ]] || options+=(--frozen)
      measured glance "$way" "$guest" "$round" "${options[@]}"
      [[ $round == 0 ]] || compare=""
      IMAGE_BYTES=null
      [[ $way == idle ]] || settle_image "$way" "$GLANCE_URL" "$compare"
      keep_result "$IMAGE_BYTES"
      [[ $way != live ]] || live_seconds=$(jq .seconds <<<"$RESULT")
      rm -rf "${FOLDER:?}/$way"
    done
  done
  guest_run "$guest"
}

# OpenSSL's SHA-512 or that of coreutils, whichever is faster here.
faster_hash() {
  local way
  for way in openssl sha512sum openssl sha512sum; do
    /usr/bin/time -f "%e $way" -o "$FOLDER/hash" -a "$BENCH_D/way.sh" "$way" >/dev/null
  done
  sort -n "$FOLDER/hash" | head -n 1 | cut -d' ' -f2
}

# After a run that leaves FILE: how long it is; in the warm-up, whether it is the disk.
settle_file() { # WAY GUEST ROUND FILE
  [[ -s $4 ]] || die "$1 left no image"
  [[ $3 != 0 ]] || same_disk "$1" "$(guest_disk "$2")" "$4"
  IMAGE_BYTES=$(stat -c %s "$4")
  rm "$4"
}

table_sink() { # GUEST
  local guest=$1 round way hash
  hash=$(faster_hash)
  # shellcheck disable=SC2034 # for the report
  SINK_SPEED=$(sink_speed)
  for ((round = 0; round <= ROUNDS; round++)); do
    for way in sink folder file nbdcopy "$hash"; do
      set_state "$guest" "$round"
      [[ $way != nbdcopy ]] || pull_begin "$guest"
      measured sink "$way" "$guest" "$round"
      case $way in
        sink) settle_image sink "$SINK_URL" ;;
        folder)
          settle_file folder "$guest" "$round" "$(find "$FOLDER/images" -name 'image.qcow2')"
          rm -r "$FOLDER/images" ;;
        file) settle_file file "$guest" "$round" "$FOLDER/output.qcow2" ;;
        nbdcopy)
          pull_end "$guest"
          IMAGE_BYTES=null ;;
        *) IMAGE_BYTES=null ;;
      esac
      keep_result "$IMAGE_BYTES"
    done
  done
}

table_sparse() { # SMALL-GUEST LARGE-GUEST
  local round way guest
  for ((round = 0; round <= ROUNDS; round++)); do
    for way in sink live; do
      for guest in "$@"; do
        guest_pause "$1"
        guest_pause "$2"
        guest_run "$guest"
        measured sparse "$way" "$guest" "$round"
        if [[ $way == sink ]]; then settle_image sink "$SINK_URL"; else settle_image live "$GLANCE_URL"; fi
        keep_result "$IMAGE_BYTES"
      done
    done
  done
}
