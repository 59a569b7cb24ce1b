#!/usr/bin/env bash
# One way to make an image: `way.sh WAY`. Only what is timed; scripts/bench prepares and checks.
# shellcheck disable=SC2154 # the variables come from scripts/bench
set -euo pipefail

# A spool folder of our own, so that only this run's files are counted.
own_spool=(--spool-dir "$FOLDER/spool")

case $1 in
  live | offline) exec "$PROGRAM" "${own_spool[@]}" "$GUEST" "$IMAGE" ;;
  cold) exec "$PROGRAM" "${own_spool[@]}" --cold "$GUEST" "$IMAGE" ;;
  by-hand)
    qemu-img convert -U -f qcow2 -O qcow2 "$DISK" "$FOLDER/by-hand/disk.qcow2"
    "$OPENSTACK" image create --disk-format qcow2 --container-format bare \
      --file "$FOLDER/by-hand/disk.qcow2" "$IMAGE"
    ;;
  virtnbdbackup)
    own=$FOLDER/virtnbdbackup
    virtnbdbackup -d "$GUEST" -l copy -i vda -o "$own/backup" -S "$own/scratch" \
      -f "$own/scratch/backup.sock" --noprogress
    virtnbdrestore -i "$own/backup" -o "$own/restored" -d vda \
      -f "$own/scratch/restore.sock" -L "$own/restore.log" --noprogress
    # It gives the restored file the name of the guest's.
    "$OPENSTACK" image create --disk-format qcow2 --container-format bare \
      --file "$own/restored/$(basename "$DISK")" "$IMAGE"
    ;;
  limit)
    # Without "Expect" curl need not wait for a service that answers none.
    exec curl -sS --fail-with-body -H "@$FOLDER/token" -H 'Expect:' \
      -H 'Content-Type: application/octet-stream' -T "$FOLDER/finished.qcow2" "$UPLOAD_URL"
    ;;
  verified) # what no verified upload can be faster than, with the disk read for nothing
    sha512sum "$FOLDER/finished.qcow2" &
    "$0" limit
    wait ;;
  idle) exec sleep "$IDLE_SECONDS" ;;
  sink)
    export OS_AUTH_URL=$SINK_URL/v3
    exec "$PROGRAM" "${own_spool[@]}" "$GUEST" "$IMAGE"
    ;;
  folder) exec "$PROGRAM" "${own_spool[@]}" --to folder --image-dir "$FOLDER/images" "$GUEST" "$IMAGE" ;;
  file) exec "$PROGRAM" "${own_spool[@]}" --output "$FOLDER/output.qcow2" "$GUEST" "$IMAGE" ;;
  nbdcopy) exec nbdcopy "nbd+unix:///vda?socket=$FOLDER/pull/socket" null: ;;
  openssl) exec openssl dgst -sha512 "$FOLDER/finished.qcow2" ;;
  sha512sum) exec sha512sum "$FOLDER/finished.qcow2" ;;
  *)
    echo "way.sh: no such way: $1" >&2
    exit 2
    ;;
esac
