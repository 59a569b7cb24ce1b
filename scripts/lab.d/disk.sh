# shellcheck shell=bash
# The base disk: MBR, a FAT partition that boots by itself (syslinux, kernel,
# initramfs) and an ext4 partition for the records. Built from files with
# mtools and mke2fs: no mount, no loop device.

newest_kernel() {
  local kernel
  kernel=$(printf '%s\n' /boot/vmlinuz-*-cloud-amd64 | sort -V | tail -n 1)
  [[ -r $kernel ]] || die "no /boot/vmlinuz-*-cloud-amd64: run scripts/setup"
  echo "$kernel"
}

# Drivers in the order in which they must be loaded; ext4 is built in. The last
# two are for the power button.
GUEST_MODULES=(virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev
  virtio_pci virtio_blk virtio_console button evdev)

GUEST_APPLETS=(sh mount umount insmod cat echo test grep basename dirname sleep
  usleep sync kill poweroff reboot acpid pidof rm)

build_initramfs() { # WORKDIR KERNEL -> WORKDIR/initrd
  local work=$1 modules=/lib/modules/${2#/boot/vmlinuz-} root=$1/root name found library
  mkdir -p "$root"/{bin,sbin,usr/sbin,modules,etc/acpi/PWRF,proc,sys,dev,run,data,var/log,tmp}
  ln -s ../run "$root/var/run"
  cp "$(command -v busybox)" "$root/bin/busybox"
  for name in "${GUEST_APPLETS[@]}"; do ln -s busybox "$root/bin/$name"; done
  for name in "${GUEST_MODULES[@]}"; do
    found=$(find "$modules" -name "$name.ko*" -print -quit)
    # Built into this kernel: nothing to load. Really absent: the guest says so.
    [[ -n $found ]] || continue
    case $found in
      *.xz) xz -dc "$found" >"$root/modules/$name.ko" ;;
      *.zst) zstd -qdc "$found" >"$root/modules/$name.ko" ;;
      *) cp "$found" "$root/modules/$name.ko" ;;
    esac
    echo "$name.ko" >>"$root/modules/order"
  done
  cp "$(PATH=$PATH:/usr/sbin command -v qemu-ga)" "$root/usr/sbin/qemu-ga"
  while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done < <(ldd "$root/usr/sbin/qemu-ga" | grep -o '/[^ ]*')
  "$(command -v cc || command -v gcc || command -v clang)" -static -O2 -s \
    -o "$root/bin/writer" "$LAB_D/guest/writer.c"
  cp "$LAB_D/guest/init" "$root/init"
  cp "$LAB_D/guest/shutdown" "$root/sbin/shutdown"
  cp "$LAB_D/guest/fsfreeze-hook" "$root/sbin/fsfreeze-hook"
  cp "$LAB_D/guest/agent-fault" "$root/bin/agent-fault"
  ln -s /sbin/shutdown "$root/etc/acpi/PWRF/00000080"
  chmod 0755 "$root/init" "$root"/sbin/{shutdown,fsfreeze-hook} "$root/bin/agent-fault"
  (cd "$root" && find . | cpio -o -H newc --quiet -R 0:0) | gzip -1 >"$work/initrd"
}

# The name says what is in it, so a changed kernel, guest source or size gives a
# new base, and overlays on the old one stay valid.
base_path() {
  local kernel sum
  kernel=$(newest_kernel)
  sum=$({
    echo "$LAB_DISK_MB $LAB_FILL_MB $kernel"
    stat -c '%s %Y' "$kernel" "$(PATH=$PATH:/usr/sbin command -v qemu-ga)"
    cat "$LAB_D/disk.sh" "$LAB_D"/guest/*
  } | sha256sum)
  echo "$LAB_GUEST_DIR/base-${sum:0:12}.qcow2"
}

first_file() {
  local file
  for file in "$@"; do [[ -r $file ]] && { echo "$file"; return; }; done
  die "none of these is there: $*: run scripts/setup"
}

build_base() { # PATH
  local base=$1 work kernel boot_mb=32 records_mb
  kernel=$(newest_kernel)
  records_mb=$((LAB_DISK_MB - boot_mb - 1))
  # A disk much larger than its data is a hole behind the partition: ext4's tables would not be.
  ((records_mb <= LAB_FILL_MB + LAB_FILL_MB / 16 + 512)) || records_mb=$((LAB_FILL_MB + LAB_FILL_MB / 16 + 512))
  # ext4's own tables, and the writer's two files of 40 MiB
  ((records_mb >= LAB_FILL_MB + 120)) ||
    die "LAB_DISK_MB=$LAB_DISK_MB is too small for LAB_FILL_MB=$LAB_FILL_MB: at least $((LAB_FILL_MB + 153))"
  work=$(mktemp -d "$LAB_GUEST_DIR/.building.XXXXXX")
  build_initramfs "$work" "$kernel"

  # Partition 1. Hidden sectors (-h) must be where it starts, or syslinux reads elsewhere.
  truncate -s "${boot_mb}M" "$work/p1"
  mkfs.vfat -F 16 -n LABBOOT -h 2048 "$work/p1" >/dev/null
  MTOOLS_SKIP_CHECK=1 mcopy -i "$work/p1" "$kernel" ::vmlinuz
  MTOOLS_SKIP_CHECK=1 mcopy -i "$work/p1" "$work/initrd" ::initrd
  MTOOLS_SKIP_CHECK=1 mcopy -i "$work/p1" "$LAB_D/guest/syslinux.cfg" ::syslinux.cfg
  syslinux --install "$work/p1"

  # Partition 2, with filler that no format can compress or leave out.
  mkdir "$work/data"
  head -c "${LAB_FILL_MB}M" /dev/urandom >"$work/data/filler"
  truncate -s "${records_mb}M" "$work/p2"
  mke2fs -q -t ext4 -L records -m 0 -E lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0 \
    -d "$work/data" "$work/p2"
  rm -r "$work/data" # or a large one would be here three times

  truncate -s "${LAB_DISK_MB}M" "$work/disk"
  printf '2048,%sM,0xc,*\n%s,%sM,L\n' "$boot_mb" "$((2048 + boot_mb * 2048))" "$records_mb" |
    sfdisk -q --label dos "$work/disk"
  dd if="$(first_file /usr/lib/syslinux/mbr/mbr.bin /usr/lib/SYSLINUX/mbr.bin)" \
    of="$work/disk" bs=440 count=1 conv=notrunc status=none
  dd if="$work/p1" of="$work/disk" bs=1M seek=1 conv=notrunc,sparse status=none
  dd if="$work/p2" of="$work/disk" bs=1M seek=$((1 + boot_mb)) conv=notrunc,sparse status=none
  rm "$work/p2"
  qemu-img convert -f raw -O qcow2 "$work/disk" "$work/base"
  chmod 0644 "$work/base"
  mv "$work/base" "$base" # only a whole base ever has its name
  rm -rf "$work"
}

base_up() {
  local base
  rm -rf "$LAB_GUEST_DIR"/.building.* # of a run that was killed
  base=$(base_path)
  [[ -s $base ]] && return
  build_base "$base"
  forget_bases "$base"
  say "disk: built ${base##*/} ($LAB_DISK_MB MiB, $(du -m "$base" | cut -f1) MiB used)"
}

# Bases that no guest's disk stands on any more.
forget_bases() { # THE-ONE-TO-KEEP
  local disk base used
  used=$(for disk in "$LAB_GUEST_DIR"/*.qcow2; do
    qemu-img info -U --output=json "$disk" | jq -r '."full-backing-filename" // empty' || true
  done)
  for base in "$LAB_GUEST_DIR"/base-*.qcow2; do
    [[ $base == "$1" || $used == *"$base"* ]] || rm -f "$base"
  done
}
