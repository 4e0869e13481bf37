#!/bin/sh
# The agent's part that needs no program of ours: `agent.sh METHOD key=value…` answers with `key=value` lines.
# POSIX shell; of other programs only cat, df, ls, printf, tr and uname; date, dmesg, dumpsys, getconf, getprop and
# logcat where they are.
# What a board does not say is left out. The format: docs/native.md.
LC_ALL=C
export LC_ALL

usage() {
  echo "usage: agent.sh probe [home=FOLDER]            what the board says of itself
       agent.sh sample [count=N] [interval_s=S]  temperatures, clocks and load, N times
       agent.sh killed                           what Android's logs say of processes that were killed
       agent.sh heat                             Android's thermal status
       agent.sh battery                          whether a phone feeds on its battery, as its parts say it
       agent.sh load interval_s=S                every core busy for so long
       agent.sh trace interval_s=S               power rails by Perfetto, in the background
       agent.sh traced pid=N                     the end of that
       agent.sh serve runner=PROGRAM home=FOLDER  the native agent, speaking its protocol
       agent.sh run runner=PROGRAM key=value…     one run of one model by the native agent" >&2
  exit 2
}

refuse() {
  echo "agent.sh: $1" >&2
  exit 2
}

# Sets `value` to a file's first line; fails where there is none or it is empty.
first_line() {
  value=
  [ -r "$1" ] || return 1
  { IFS= read -r value < "$1"; } 2>/dev/null
  [ -n "$value" ]
}

say() { [ -n "$2" ] && printf '%s=%s\n' "$1" "$2"; }

say_line() { first_line "$2" && say "$1" "$value"; }

say_whole() {
  first_line "$2" || return
  case $value in
    "" | - | *[!0-9-]* | ?*-*) ;;
    *) say "$1" "$value" ;;
  esac
}

# A file of the device tree: strings that end with NUL, one line each.
tree_strings() { [ -r "/proc/device-tree/$1" ] && tr '\0' '\n' < "/proc/device-tree/$1" 2>/dev/null; }

probe_system() {
  say machine "$(uname -m)"
  say kernel "$(uname -r)"
  if [ -r /etc/os-release ]; then
    while IFS='=' read -r key text; do
      text=${text#[\"\']}
      case $key in PRETTY_NAME | ID | VERSION_ID) say "os.$key" "${text%[\"\']}" ;; esac
    done < /etc/os-release
  fi
  probe_libc
  text=$(tree_strings model)
  [ -n "$text" ] || { first_line /sys/class/dmi/id/product_name && text=$value; }
  say model "$text"
  tree_strings compatible | while IFS= read -r text; do say compatible "$text"; done
  text=$(tree_strings serial-number)
  [ -n "$text" ] || { first_line /etc/machine-id && text=$value; }
  say serial "$text"
}

probe_libc() {
  if text=$(getconf GNU_LIBC_VERSION 2>/dev/null); then
    say libc glibc
    say libc_version "${text#glibc }"
  elif [ -e /system/bin/linker64 ] || [ -e /system/bin/linker ]; then
    say libc bionic
  elif ls /lib/ld-musl-* > /dev/null 2>&1; then
    say libc musl
  else
    for text in /lib/*/libc.so.6 /lib64/libc.so.6 /lib/libc.so.6 /usr/lib/libc.so.6; do
      [ -x "$text" ] || continue
      text=$("$text" 2>/dev/null) || continue # glibc's, run as a program, says which it is
      text=${text%%.
*}
      say libc glibc
      say libc_version "${text##* }"
      return
    done
  fi
}

probe_cpus() {
  cached=
  for folder in /sys/devices/system/cpu/cpu[0-9]*; do
    [ -d "$folder" ] || continue
    index=${folder##*/cpu}
    say "cpu.$index.index" "$index"
    say_whole "cpu.$index.max_khz" "$folder/cpufreq/cpuinfo_max_freq"
    say_whole "cpu.$index.capacity" "$folder/cpu_capacity"
    say_line "cpu.$index.governor" "$folder/cpufreq/scaling_governor"
    say_whole "cpu.$index.online" "$folder/online"
    probe_caches
  done
  [ -n "$cached" ] || probe_own_caches
  index=
  features=
  while IFS= read -r text; do
    value=${text#*:}
    value=${value# }
    case $text in
      processor*) index=$value ;;
      "CPU part"*) say "cpu.$index.part" "$value" ;;
      "CPU implementer"*) say "cpu.$index.implementer" "$value" ;;
      "model name"*) say "cpu.$index.model_name" "$value" ;;
      Features* | flags*) [ -n "$features" ] || features=$value ;;
    esac
  done < /proc/cpuinfo
  say cpu_features "$features"
}

# Sizes of a core's caches, by their names; not of those that hold instructions alone.
probe_caches() {
  for text in "$folder"/cache/index[0-9]*; do
    first_line "$text/type" || continue
    case $value in Data) kind=d ;; Unified) kind= ;; *) continue ;; esac
    first_line "$text/level" || continue
    level=$value
    first_line "$text/size" || continue
    case $value in [0-9]*[KM]) cached=1 && say "cpu.$index.cache.L$level$kind" "$value" ;; esac
  done
}

# What the C library says of this core's caches, in bytes.
probe_own_caches() {
  for kind in L1d=LEVEL1_DCACHE_SIZE L2=LEVEL2_CACHE_SIZE L3=LEVEL3_CACHE_SIZE; do
    value=$(getconf "${kind#*=}" 2>/dev/null) || continue
    case $value in "" | 0 | *[!0-9]*) ;; *) say "own_cache.${kind%=*}" "$value" ;; esac
  done
}

probe_policies() {
  for folder in /sys/devices/system/cpu/cpufreq/policy[0-9]*; do
    [ -d "$folder" ] || continue
    index=${folder##*/policy}
    say "policy.$index.name" "policy$index"
    say_line "policy.$index.cpus" "$folder/related_cpus"
    say_line "policy.$index.governor" "$folder/scaling_governor"
    say_line "policy.$index.governors" "$folder/scaling_available_governors"
    say_whole "policy.$index.min_khz" "$folder/scaling_min_freq"
    say_whole "policy.$index.max_khz" "$folder/scaling_max_freq"
    say_whole "policy.$index.lowest_khz" "$folder/cpuinfo_min_freq"
    say_whole "policy.$index.highest_khz" "$folder/cpuinfo_max_freq"
    say_line "policy.$index.steps_khz" "$folder/scaling_available_frequencies"
  done
}

probe_room() {
  while read -r key value _; do
    case $key in
      MemTotal:) say memory_total_kib "$value" ;;
      MemAvailable:) say memory_available_kib "$value" ;;
    esac
  done < /proc/meminfo
  df -Pk "${home:-.}" 2>/dev/null | {
    read -r _
    read -r _ _ _ value _
    say disk_free_kib "$value"
  }
  read -r value _ < /proc/uptime 2>/dev/null && say uptime_s "$value"
  read -r value _ < /proc/loadavg 2>/dev/null && say load_1min "$value"
}

probe_thermal() {
  for folder in /sys/class/thermal/thermal_zone*; do
    [ -d "$folder" ] || continue
    say_line "zone.${folder##*zone}.type" "$folder/type"
    say_whole "zone.${folder##*zone}.temp_mc" "$folder/temp"
  done
}

# A rail: key, label's file, kind, what it reads, and where a counter begins anew.
say_rail() {
  echo "$1.kind=$3"
  say_line "$1.label" "$2"
  [ -z "$6" ] || say_whole "$1.wraps_at" "$6"
  for text in $4 $5; do
    echo "$1.file=$text"
    [ -r "$text" ] || echo "${1%.rail.*}.unreadable=$text"
  done
}

probe_hwmon() {
  for folder in /sys/class/hwmon/hwmon*; do
    first_line "$folder/name" || continue
    case $value in ina2[0-9][0-9] | ina3221) ;; *) continue ;; esac
    sensor="sensor.${folder##*/hwmon}"
    rails=0
    driver=$value
    for channel in 1 2 3; do
      [ -e "$folder/in${channel}_input" ] || continue
      [ -e "$folder/curr${channel}_input" ] || continue
      first_line "$folder/in${channel}_enable" && [ "$value" = 0 ] && continue
      say_rail "$sensor.rail.$rails" "$folder/in${channel}_label" product "$folder/in${channel}_input" "$folder/curr${channel}_input"
      rails=$((rails + 1))
    done
    if [ "$rails" = 0 ] && [ -e "$folder/power1_input" ]; then
      say_rail "$sensor.rail.0" "$folder/power1_label" power "$folder/power1_input"
      rails=1
    fi
    [ "$rails" = 0 ] && continue
    echo "$sensor.driver=$driver"
    echo "$sensor.path=$folder"
    say_whole "$sensor.update_interval_ms" "$folder/update_interval"
  done
}

probe_counters() {
  for folder in /sys/class/powercap/intel-rapl:*; do
    [ -e "$folder/energy_uj" ] || continue
    index=${folder##*/intel-rapl:}
    case $index in *:*) continue ;; esac # a part of another, whose energy is in there already
    echo "counter.$index.driver=rapl"
    echo "counter.$index.path=$folder"
    say_rail "counter.$index.rail.0" "$folder/name" energy "$folder/energy_uj" "" "$folder/max_energy_range_uj"
  done
}

# A phone's batteries, in the order of the native agent's sampler: glob's, current before charge.
probe_batteries() {
  command -v getprop > /dev/null 2>&1 || return
  index=0
  for folder in /sys/class/power_supply/*; do
    first_line "$folder/type" || continue
    [ "$value" = Battery ] || continue
    [ -e "$folder/voltage_now" ] || continue
    sensor="battery.$index"
    rails=0
    if [ -e "$folder/current_now" ]; then
      echo "$sensor.rail.0.label=current_now"
      say_rail "$sensor.rail.0" /dev/null battery "$folder/voltage_now" "$folder/current_now"
      rails=1
    fi
    if [ -e "$folder/charge_counter" ]; then
      echo "$sensor.rail.$rails.label=charge_counter"
      say_rail "$sensor.rail.$rails" /dev/null charge "$folder/voltage_now" "$folder/charge_counter"
      rails=$((rails + 1))
    fi
    [ "$rails" = 0 ] && continue
    echo "$sensor.driver=${folder##*/}"
    echo "$sensor.path=$folder"
    index=$((index + 1))
  done
}

probe_kind() {
  [ -r /proc/cmdline ] && read -r text < /proc/cmdline
  for value in $text; do
    case $value in edgeprof.*) say "lab.${value%%=*}" "${value#*=}" ;; esac
  done
  [ -z "$PROOT_L2S_DIR" ] || echo "sign=proot"
  [ ! -e /.dockerenv ] || echo "sign=container"
  text=$(cat /proc/1/cgroup 2>/dev/null)
  case $text in *docker*) echo "sign=container" ;; esac
  say_line hypervisor /sys/hypervisor/type
}

# What only Android's own programs say.
probe_android() {
  command -v getprop > /dev/null 2>&1 || return
  for key in ro.product.manufacturer ro.product.model ro.soc.manufacturer ro.soc.model ro.board.platform \
    ro.build.version.release ro.build.version.sdk ro.product.cpu.abi ro.serialno; do
    say "android.$key" "$(getprop "$key" 2>/dev/null)"
  done
  command -v dumpsys > /dev/null 2>&1 || return
  probe_heat
  dumpsys battery 2>/dev/null | while IFS= read -r text; do
    text=${text#"${text%%[! ]*}"}
    case $text in
      "AC powered: true" | "USB powered: true" | "Wireless powered: true" | "Dock powered: true") echo "android.battery.plugged=true" ;;
      level:* | status:* | temperature:* | scale:*) say "android.battery.${text%%:*}" "${text#*: }" ;;
    esac
  done
}

probe_heat() {
  command -v dumpsys > /dev/null 2>&1 || return
  dumpsys thermalservice 2>/dev/null | while IFS= read -r text; do
    case $text in "Thermal Status: "*) say android.thermal_status "${text#*: }" ;; esac
  done
}

# Lines of the system's log and the kernel's that tell of processes ended for want of memory. The reader decides which
# is meant: process numbers come again.
killed() {
  value=$(date +%s 2>/dev/null)
  say now_unix_s "$value"
  read -r value _ < /proc/uptime && say uptime_s "$value"
  while read -r key value _; do
    case $key in
      MemTotal:) say memory_total_kib "$value" ;;
      MemAvailable:) say memory_available_kib "$value" ;;
    esac
  done < /proc/meminfo
  if text=$(logcat -d -b all -v epoch -t 4000 2>/dev/null); then say log_read logcat; fi
  say_kills log "$text"
  if text=$(dmesg 2>/dev/null); then say log_read dmesg; fi
  say_kills dmesg "$text"
}

say_kills() {
  printf '%s\n' "$2" | while IFS= read -r text; do
    case $text in
      *lowmemorykiller*[Kk]ill* | *"ut of memory: Kill"*) printf '%s=%s\n' "$1" "$text" ;;
    esac
  done
}

# What feeds a phone, by the battery service (which can be told to lie) and by the kernel (where it may be read).
battery() {
  command -v dumpsys > /dev/null 2>&1 && dumpsys battery 2>/dev/null | tr -d '\r' | while IFS= read -r text; do
    text=${text#"${text%%[! ]*}"}
    case $text in
      *"UPDATES STOPPED"*) echo "stopped=true" ;;
      "USE_FAKE_BATTERY: true") echo "stopped=true" ;;
      [A-Z]*" powered: "*) echo "powered.${text%% *}=${text##*: }" ;;
      "status: "*) say status "${text#*: }" ;;
      "level: "*) say level "${text#*: }" ;;
    esac
  done
  for folder in /sys/class/power_supply/*; do
    first_line "$folder/type" || continue
    case $value in
      Battery) say_line "supply.${folder##*/}.status" "$folder/status" ;;
      *) say_line "supply.${folder##*/}.online" "$folder/online" ;;
    esac
  done
}

# Ends by itself, whatever becomes of whoever asked.
load() {
  read -r value _ < /proc/uptime
  text=$((${value%%.*} + interval_s))
  for folder in /sys/devices/system/cpu/cpu[0-9]*; do
    while read -r value _ < /proc/uptime && [ "${value%%.*}" -lt "$text" ]; do :; done &
  done
  wait
}

# A trace of the phone's power rails in the background: its process and where it is written. It ends by itself in the end.
# Source: perfetto.dev, "Power data sources" and "perfetto(1)": only that folder may be written and read by the shell,
# and no poll is more frequent than each 100 ms.
trace() {
  command -v perfetto > /dev/null 2>&1 || { say refused "this phone has no \`perfetto\`"; return; }
  file=${ANDROID_DATA:-/data}/misc/perfetto-traces/edgeprof-$$.pftrace
  text=$(perfetto --txt -c - --background -o "$file" 2>&1 << CONFIG
buffers { size_kb: 16384 fill_policy: RING_BUFFER }
data_sources { config { name: "android.power" android_power_config { battery_poll_ms: 100 collect_power_rails: true } } }
duration_ms: ${interval_s}000
CONFIG
  ) || { say refused "perfetto: ${text##*
}"; return; }
  text=${text##*
}
  case $text in
    "" | *[!0-9]*) say refused "perfetto: $text" ;;
    *)
      say pid "$text"
      say file "$file"
      ;;
  esac
}

# Lets a trace end, and waits until it is written.
traced() {
  kill -TERM "$pid" 2>/dev/null
  count=100
  while kill -0 "$pid" 2>/dev/null && [ "$count" -gt 0 ]; do
    sleep 0.1
    count=$((count - 1))
  done
}

sample() {
  read -r value _ < /proc/uptime 2>/dev/null && say uptime_s "$value"
  for folder in /sys/class/thermal/thermal_zone*; do
    [ -d "$folder" ] && say_whole "temp_mc.${folder##*zone}" "$folder/temp"
  done
  for folder in /sys/devices/system/cpu/cpu[0-9]*; do
    [ -d "$folder" ] && say_whole "freq_khz.${folder##*/cpu}" "$folder/cpufreq/scaling_cur_freq"
  done
  [ -r /proc/stat ] && read -r _ value < /proc/stat && say ticks "$value"
}

is_count() {
  case $2 in
    "" | 0 | *[!0-9]* | ??????????*) refuse "\`$1\` must be a whole number above 0, not $2" ;;
  esac
}

method=$1
[ $# -gt 0 ] && shift
home=.
runner=
count=1
interval_s=1
pid=
file=
case $method in
  probe | sample | serve | killed | heat | battery | load | trace | traced)
    for option in "$@"; do
      case $option in
        home=*) home=${option#*=} ;;
        runner=*) runner=${option#*=} ;;
        count=*) count=${option#*=} ;;
        interval_s=*) interval_s=${option#*=} ;;
        pid=*) pid=${option#*=} ;;
        file=*) file=${option#*=} ;;
        *=*) refuse "unknown option ${option%%=*}" ;;
        *) refuse "give options as key=value, not $option" ;;
      esac
    done
    ;;
  run)
    case $1 in runner=*) runner=${1#*=} && shift ;; esac
    ;;
esac
case $method in
  probe)
    probe_system
    probe_cpus
    probe_policies
    probe_room
    probe_thermal
    probe_hwmon
    probe_counters
    probe_batteries
    probe_kind
    probe_android
    ;;
  sample)
    is_count count "$count"
    is_count interval_s "$interval_s"
    while :; do
      sample
      count=$((count - 1))
      [ "$count" -gt 0 ] || break
      sleep "$interval_s"
    done
    ;;
  killed) killed ;;
  heat) probe_heat ;;
  battery) battery ;;
  load)
    is_count interval_s "$interval_s"
    load
    ;;
  trace)
    is_count interval_s "$interval_s"
    trace
    ;;
  traced)
    is_count pid "$pid"
    traced
    ;;
  serve | run)
    [ -x "$runner" ] || refuse "give runner=PROGRAM, the native agent"
    if [ "$method" = run ]; then exec "$runner" run "$@"; fi
    exec "$runner" serve "$home"
    ;;
  *) usage ;;
esac
exit 0
