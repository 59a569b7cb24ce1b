# shellcheck shell=bash
# `lab boot`: does an image start, and is what it holds one point in time? A
# throw-away guest boots a copy of the image and reads its records.

PROOF=lab-proof

boot_image() { # IMAGE FORMAT SECONDS
  local image=$1 format=$2 limit=$3 disk_format=$2 copy=$LAB_GUEST_DIR/$PROOF.img
  local serial=$LAB_GUEST_DIR/$PROOF.serial until lines last verdict
  [[ -f $image && -r $image ]] || die "no such image file: $image"
  # shellcheck disable=SC2064 # this name, now
  trap "guest_remove $PROOF" EXIT
  # A copy: QEMU's user may not reach the original, and must not change it.
  guest_remove "$PROOF"
  case $format in
    raw | qcow2) cp --sparse=always "$image" "$copy" ;;
    vmdk | vdi | vhdx | vpc | qed)
      disk_format=qcow2
      qemu-img convert -f "$format" -O qcow2 "$image" "$copy" ;;
    *) die "unknown image format '$format': raw, qcow2, vmdk, vdi, vhdx, vpc or qed" ;;
  esac
  domain_xml "$PROOF" proof "$disk_format" file "file='$copy'" \
    "$(cat /proc/sys/kernel/random/uuid)" >"$LAB_GUEST_DIR/$PROOF.xml"
  v create "$LAB_GUEST_DIR/$PROOF.xml" >/dev/null || die "libvirt could not start the image"

  until=$(($(date +%s) + limit)) lines=""
  while (($(date +%s) < until)); do
    # Only lines that are whole: the carriage return comes last.
    lines=$(grep -a '^boot: .*'$'\r''$' "$serial" 2>/dev/null | tr -d '\r' || true)
    [[ $lines == *"boot: records "* || $lines == *"boot: ERROR"* ]] && break
    domain_exists "$PROOF" || break
    sleep 0.2
  done
  last=$(sed -n 's/^boot: last record on disk was //p' <<<"$lines" | tail -n 1)
  verdict=$(sed -n 's/^boot: records //p' <<<"$lines" | tail -n 1)
  if [[ -z $last || -z $verdict ]]; then
    warn "the image did not get as far as its records (limit $limit s); its console:"
    { tail -c 1500 "$serial" 2>/dev/null || true; echo; } >&2
    return 1
  fi
  echo "last record $last"
  echo "$verdict"
  [[ $verdict == intact ]]
}
