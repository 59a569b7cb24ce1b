# shellcheck shell=bash
# Breaks a guest's agent, from inside the guest and for a while: the agent itself starts what does it.

guest_agent() { # NAME KIND NUMBER
  local name=$1 kind=$2 number=$3 token command tries
  token=$(cat /proc/sys/kernel/random/uuid)
  command=$(jq -cn --arg token "$token" --arg kind "$kind" --arg number "$number" \
    '{execute: "guest-exec", arguments: {path: "/bin/agent-fault", arg: [$token, $kind, $number]}}')
  VIRSH_LIMIT=20 v qemu-agent-command "$name" --timeout 10 "$command" >/dev/null ||
    die "the agent of $name takes no commands; is the guest older than this script?"
  for ((tries = 0; tries < 200; tries++)); do
    ! tail -q -c 4096 "$LAB_GUEST_DIR/$name".serial* | grep -q "^agent: $token " || return 0
    sleep 0.1
  done
  die "$name did not say within 20 s that its agent is at fault"
}
