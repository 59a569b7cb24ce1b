# shellcheck shell=bash
# The lab's Keystone and Glance, and the sink: what has to be there before a run and gone after it.

# A new token each time: a long bench outlives one.
glance_token() {
  jq -n '{auth: {scope: {project: {name: $ENV.OS_PROJECT_NAME, domain: {name: $ENV.OS_PROJECT_DOMAIN_NAME}}},
    identity: {methods: ["password"], password: {user: {name: $ENV.OS_USERNAME,
      password: $ENV.OS_PASSWORD, domain: {name: $ENV.OS_USER_DOMAIN_NAME}}}}}}' |
    curl -sS --fail -m 60 -o "$FOLDER/answer" -D "$FOLDER/headers" -H 'Content-Type: application/json' \
      -d @- "$OS_AUTH_URL/auth/tokens" || die "Keystone gives no token"
  # A file, so that no command line shows it.
  sed -n 's/\r$//; s/^X-Subject-Token/X-Auth-Token/Ip' "$FOLDER/headers" >"$FOLDER/token"
}

api() { curl -sS --fail-with-body -m 60 -H "@$FOLDER/token" "$@"; }

images() { # URL: id, status and size of each image of ours
  api "$1/v2/images?name=$IMAGE" |
    jq -r --arg name "$IMAGE" '.images[] | select(.name == $name) | "\(.id) \(.status) \(.size)"'
}

drop_images() {
  local id _
  glance_token
  while read -r id _; do api -X DELETE "$GLANCE_URL/v2/images/$id"; done < <(images "$GLANCE_URL")
}

# Sets UPLOAD_URL to where a new image's data go.
reserve_image() {
  local id
  glance_token
  id=$(api -H 'Content-Type: application/json' "$GLANCE_URL/v2/images" \
    -d "{\"name\": \"$IMAGE\", \"disk_format\": \"qcow2\", \"container_format\": \"bare\"}" | jq -r .id)
  export UPLOAD_URL=$GLANCE_URL/v2/images/$id/file
}

# After a run: there is one image, it is complete, and it goes. Sets IMAGE_BYTES.
settle_image() { # WAY URL [DISK-TO-COMPARE]
  local found id status
  [[ $2 == "$SINK_URL" ]] || glance_token
  found=$(images "$2")
  read -r id status IMAGE_BYTES <<<"$found"
  [[ $(wc -l <<<"$found") == 1 && $status == active && $IMAGE_BYTES -gt 0 ]] ||
    die "$1 should have left one active image, not: ${found:-none}"
  # The lab's Glance keeps images as files on this machine.
  [[ -z ${3:-} ]] || same_disk "$1" "$3" "$LAB_DIR/glance/images/$id"
  api -X DELETE "$2/v2/images/$id"
}

same_disk() { # WAY DISK IMAGE
  local answer
  answer=$(qemu-img compare -U -f qcow2 -F qcow2 "$2" "$3" 2>&1) || die "$1: image and disk differ: $answer"
  say "$1: the image is the disk, bit by bit"
}

sink_up() {
  local tries
  "$PYTHON" "$BENCH_D/sink.py" >"$FOLDER/sink.port" 2>"$FOLDER/sink.log" &
  # shellcheck disable=SC2034 # the end of the bench needs it
  SINK_PID=$!
  for ((tries = 0; tries < 100; tries++)); do
    [[ ! -s $FOLDER/sink.port ]] || break
    sleep 0.1
  done
  [[ -s $FOLDER/sink.port ]] || die "the sink does not start: $(cat "$FOLDER/sink.log")"
  export SINK_URL
  SINK_URL=http://127.0.0.1:$(cat "$FOLDER/sink.port")
}

# How fast the sink is to a sender that does nothing else; too slow a one would be the limit.
sink_speed() {
  local id speed
  id=$(curl -sS --fail -d "{\"name\": \"speed\"}" "$SINK_URL/v2/images" | jq -r .id)
  speed=$(curl -sS --fail -H 'Expect:' -o "$FOLDER/answer" -w '%{speed_upload}' \
    -T "$FOLDER/finished.qcow2" "$SINK_URL/v2/images/$id/file")
  curl -sS --fail -X DELETE "$SINK_URL/v2/images/$id"
  echo $((${speed%.*} / 1000000))
}
