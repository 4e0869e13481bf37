#!/bin/sh
# Holds a board's clocks and power mode for a run, and sets back what was there before, whatever ends the run.
# POSIX shell, run as root; of other programs only cat, kill, mkdir, mv, rm, sleep, sync and tr; nvpmodel and
# jetson_clocks where they are. Protocol, files and what is set back when: docs/clocks.md.
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/sbin:/sbin
umask 022
tree=/sys/devices/system/cpu/cpufreq
cooling=/sys/class/thermal
folder=/var/lib/edgeprof/clocks
token=
owner=somebody
lease_s=30
limit_s=86400
tick_s=5
force=

usage() {
  echo "usage: clocks.sh hold token=WORD [owner=WHO] [lease_s=N] [limit_s=N]   commands on standard input
       clocks.sh restore [force=yes]    set back what a hold that is gone had changed; by force, what one holds,
                                        and forget what cannot be set back
       clocks.sh look                   whether there is something to set back
       clocks.sh modes                  what nvpmodel says of its modes" >&2
  exit 2
}

# Sets `value` to a file's first line; fails where there is none or it is empty.
first_line() {
  value=
  [ -r "$1" ] || return 1
  { IFS= read -r value < "$1"; } 2>/dev/null
  [ -n "$value" ]
}

put() { { printf '%s\n' "$2" > "$1"; } 2>/dev/null; }

is_whole() { case $1 in "" | *[!0-9]* | ??????????*) return 1 ;; esac; }

is_policy() {
  case $1 in policy[0-9] | policy[0-9][0-9] | policy[0-9][0-9][0-9]) [ -d "$tree/$1" ] ;; *) return 1 ;; esac
}

# A kernel's boot: what it had set is gone after the next one.
boot_id() { first_line /proc/sys/kernel/random/boot_id; }

# Whether process $1 is a hold or a watchdog whose token is $2: a number may be another's by now.
is_ours() {
  is_whole "$1" && [ -r "/proc/$1/cmdline" ] || return 1
  case $(tr '\0' ' ' < "/proc/$1/cmdline" 2>/dev/null) in *clocks*"token=$2 "*) ;; *) return 1 ;; esac
}

end_process() {
  first_line "$folder/$1" || return
  [ "$value" != "$$" ] && is_ours "$value" "$2" || return
  [ "$1" = watchdog ] && kill -9 -- "-$value" 2>/dev/null # with the sleep it waits for
  kill -9 "$value" 2>/dev/null
}

# Sets `now` to `governor:min:max` of a policy, and its speed where that is set by hand.
read_policy() {
  now=
  first_line "$tree/$1/scaling_governor" || return 1
  now=$value
  first_line "$tree/$1/scaling_min_freq" && now=$now:$value
  first_line "$tree/$1/scaling_max_freq" && now=$now:$value
  case $now in userspace:*) first_line "$tree/$1/scaling_setspeed" && now=$now:$value ;; esac
}

# The lowest limit first: kernels refuse, or bend, a maximum below the minimum.
set_policy() {
  IFS=: read -r governor low high speed <<VALUES
$2
VALUES
  first_line "$tree/$1/cpuinfo_min_freq" && put "$tree/$1/scaling_min_freq" "$value"
  put "$tree/$1/scaling_governor" "$governor"
  put "$tree/$1/scaling_max_freq" "$high"
  put "$tree/$1/scaling_min_freq" "$low"
  [ -z "$speed" ] || put "$tree/$1/scaling_setspeed" "$speed"
  has_policy "$1" "$2"
}

# Whether policy $1 is $2, now or soon: kernels take limits over in a worker of their own, on a busy board a moment later.
has_policy() {
  for pause in 0.1 0.2 0.4 0.8 no; do
    read_policy "$1" && [ "$now" = "$2" ] && return
    [ "$pause" = no ] || sleep "$pause" 2>/dev/null || sleep 1
  done
  return 1
}

# Sets `mode` to the number of a Jetson's power mode, or to nothing. Whether it also complains does not matter: without
# root it cannot read all it wants to, and says the mode all the same.
read_mode() {
  mode=
  said=$(nvpmodel -q < /dev/null 2>/dev/null) || [ -n "$said" ] || return 1
  after=
  while IFS= read -r line; do
    [ -z "$after" ] || { mode=$line; break; }
    case $line in "NV Power Mode:"*) after=yes ;; esac
  done <<SAID
$said
SAID
  is_whole "$mode"
}

# Sets `trouble` where the mode is not $1 afterwards. A mode that takes a reboot asks first, and is told no.
set_mode() {
  trouble=
  told=$(echo no | nvpmodel -m "$1" 2>&1)
  read_mode && [ "$mode" = "$1" ] && return
  trouble=failed
  case $told in *[Rr]eboot* | *REBOOT*) trouble=reboot ;; esac
  return 1
}

# The first thing of a hold: what there is, in a file that outlives everything but its own end.
store() {
  mkdir -p "$folder" 2>/dev/null && rm -f "$folder/state" "$folder/jetson" "$folder/beat" "$folder/watchdog" "$folder/last" || return 1
  {
    echo "token=$token"
    echo "owner=$owner"
    boot_id && echo "boot=$value"
    for path in "$tree"/policy*; do
      is_policy "${path##*/}" && read_policy "${path##*/}" && echo "${path##*/}=$now"
    done
    if command -v nvpmodel > /dev/null && read_mode; then echo "mode=$mode"; fi
  } > "$folder/state.part" 2>/dev/null && sync && mv "$folder/state.part" "$folder/state" && put "$folder/holder" $$
}

# Sets back what the state says; what is done is said, and left in `last`. A state that could not be set back stays.
restore() {
  failed=
  rebooted=
  echo "why=$1" > "$folder/last.part"
  boot_id
  [ "$value" = "$(state_of boot)" ] || { rebooted=yes && report "rebooted=yes"; }
  if [ -z "$rebooted" ] && [ -s "$folder/jetson" ]; then restore_jetson; fi
  while IFS='=' read -r key held; do
    if [ "$key" = mode ]; then restore_mode "$held"; fi
  done < "$folder/state"
  while [ -z "$rebooted" ] && IFS='=' read -r key held; do
    case $key in policy*) restore_policy "$key" "$held" ;; esac
  done < "$folder/state"
  mv "$folder/last.part" "$folder/last"
  [ -z "$failed" ] && forget
  sync
  [ -z "$failed" ]
}

forget() { rm -f "$folder/state" "$folder/jetson" "$folder/beat" "$folder/holder" "$folder/watchdog"; }

report() {
  echo "$1" >> "$folder/last.part"
  echo "$1"
}

state_of() {
  [ -r "$folder/state" ] || return
  while IFS='=' read -r key held; do
    [ "$key" = "$1" ] && echo "$held"
  done < "$folder/state"
}

restore_jetson() {
  if jetson_clocks --restore "$folder/jetson" < /dev/null > /dev/null 2>&1; then
    report "restored=jetson_clocks"
  else
    failed=yes
    report "failed=jetson_clocks"
  fi
}

restore_mode() {
  is_whole "$1" && command -v nvpmodel > /dev/null || return
  read_mode && [ "$mode" = "$1" ] && return
  if set_mode "$1"; then
    report "restored=mode $1"
  else
    failed=yes
    report "failed=mode $1 $trouble"
  fi
}

restore_policy() {
  if is_policy "$1"; then
    read_policy "$1" && [ "$now" = "$2" ] && return
    set_policy "$1" "$2" && report "restored=$1 $2" && return
  fi
  failed=yes
  report "failed=$1 $2"
}

# Looks every few seconds whether the hold still hears its host.
watch() {
  trap '' HUP INT
  put "$folder/watchdog" $$
  silent_s=0
  lived_s=0
  last=
  while sleep "$tick_s"; do
    [ "$(state_of token)" = "$token" ] || exit 0
    lived_s=$((lived_s + tick_s))
    silent_s=$((silent_s + tick_s))
    first_line "$folder/beat" && [ "$value" != "$last" ] && last=$value && silent_s=0
    first_line "$folder/holder" && is_ours "$value" "$token" || silent_s=$lease_s
    [ "$silent_s" -ge "$lease_s" ] && over silence
    [ "$lived_s" -ge "$limit_s" ] && over limit
  done
}

over() {
  end_process holder "$token"
  restore "$1" > /dev/null
  exit 0
}

# Ends a hold by itself: the watchdog first, lest both set back at once.
finish() {
  trap '' HUP INT TERM
  if [ "$(state_of token)" = "$token" ]; then
    end_process watchdog "$token"
    restore "$1"
  fi
  echo "end=$1"
  exit 0
}

# A board that heat holds back says limits that are not its owner's: they would be set back as if they were.
is_hot() {
  for path in "$cooling"/cooling_device*; do
    first_line "$path/type" || continue
    case $value in *cpufreq*) first_line "$path/cur_state" && [ "$value" != 0 ] && return ;; esac
  done
  return 1
}

hold() {
  is_hot && echo "error=heat" && exit 1
  if [ -r "$folder/state" ]; then
    before=$(state_of token)
    if first_line "$folder/holder" && is_ours "$value" "$before" && [ "$before" != "$token" ]; then
      echo "error=held $(state_of owner)"
      exit 1
    fi
    end_process holder "$before"
    end_process watchdog "$before"
    restore takeover > /dev/null || { echo "error=stale"; exit 1; }
  fi
  store || { echo "error=store $folder"; exit 1; }
  trap '' PIPE # who was told of the restoring may be gone
  trap 'finish signal' HUP INT TERM
  detached=
  command -v setsid > /dev/null && detached=setsid
  $detached sh "$0" watch "folder=$folder" "tree=$tree" "lease_s=$lease_s" "limit_s=$limit_s" "tick_s=$tick_s" "token=$token" < /dev/null > /dev/null 2>&1 &
  tries=0
  while ! first_line "$folder/watchdog"; do
    tries=$((tries + 1))
    [ "$tries" -le 50 ] || { rm -f "$folder/state"; echo "error=watchdog"; exit 1; }
    sleep 0.2 2>/dev/null || sleep 1
  done
  echo "held=yes"
  beats=0
  while read -r word first second; do
    beats=$((beats + 1))
    put "$folder/beat" "$beats"
    obey "$word" "$first" "$second"
  done
  finish silence
}

obey() {
  case $1 in
    beat) ;;
    policy)
      now=
      if is_policy "$2" && set_policy "$2" "$3"; then echo "ok=yes"; else echo "error=policy $2 ${now:-gone}"; fi
      ;;
    mode)
      trouble=
      told=
      if is_whole "$2" && set_mode "$2"; then
        echo "ok=yes"
      else
        echo "error=mode ${trouble:-failed} $(printf '%s' "$told" | tr '\n' ' ')"
      fi
      ;;
    jetson)
      rm -f "$folder/jetson"
      if ! command -v jetson_clocks > /dev/null; then
        echo "error=jetson missing"
      elif jetson_clocks --store "$folder/jetson" < /dev/null > /dev/null 2>&1 && jetson_clocks < /dev/null > /dev/null 2>&1; then
        echo "ok=yes"
      else
        echo "error=jetson"
      fi
      ;;
    end) finish end ;;
    *) echo "error=unknown $1" ;;
  esac
}

# What `restore` would find, for those who may not restore.
look() {
  if [ -r "$folder/state" ]; then
    echo "owner=$(state_of owner)"
    echo "end=held"
  else
    by_hand
  fi
}

by_hand() {
  if [ ! -r "$folder/state" ]; then
    if [ -r "$folder/last" ]; then cat "$folder/last"; else echo "why=never"; fi
    echo "end=nothing"
    return
  fi
  before=$(state_of token)
  if [ -z "$force" ] && first_line "$folder/holder" && is_ours "$value" "$before"; then
    echo "error=held $(state_of owner)"
    exit 1
  fi
  echo "owner=$(state_of owner)"
  end_process watchdog "$before"
  end_process holder "$before"
  restore hand || [ -z "$force" ] || forget
  echo "end=hand"
}

modes() {
  command -v nvpmodel > /dev/null || { echo "error=nvpmodel"; exit 1; }
  nvpmodel -p --verbose < /dev/null 2>&1
  nvpmodel -q < /dev/null 2>/dev/null
  exit 0
}

method=$1
[ $# -gt 0 ] || usage
shift
for option in "$@"; do
  case $option in
    folder=*) folder=${option#*=} ;;
    tree=*) tree=${option#*=} ;;
    cooling=*) cooling=${option#*=} ;;
    token=*) token=${option#*=} ;;
    owner=*) owner=${option#*=} ;;
    lease_s=*) lease_s=${option#*=} ;;
    limit_s=*) limit_s=${option#*=} ;;
    tick_s=*) tick_s=${option#*=} ;;
    force=*) force=${option#*=} ;;
    *) usage ;;
  esac
done
for number in "$lease_s" "$limit_s" "$tick_s"; do
  is_whole "$number" || usage
done
case $method in
  hold) [ -n "$token" ] && hold ;;
  watch) [ -n "$token" ] && watch ;;
  restore) by_hand ;;
  look) look ;;
  modes) modes ;;
  *) usage ;;
esac
