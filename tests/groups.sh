# The groups of `./dev test`; sourced by it. Each group counts what passed, failed and was skipped; what a
# machine cannot run says why and is counted as skipped.

logs=$target/test-logs
network_packages="nftables iproute2 procps"
# Judges of what we write: disks, metrics and documents, and the fonts of these.
packages_unit="qemu-utils prometheus fonts-noto-cjk poppler-utils"
# What generated requests for the REST API are made with, and the fonts of documents.
packages_http="python3-venv fonts-noto-cjk"
# What cloud-init's converter needs; cloud-init itself is never installed.
packages_cloud_init="python3-configobj python3-jinja2 python3-jsonpatch python3-jsonschema python3-netifaces
  python3-oauthlib python3-requests python3-yaml"

run_groups() {
  local argument groups=()
  for argument; do
    case $argument in
      --long) export INNKEEPER_LONG=1 ;;
      *) groups+=("$argument") ;;
    esac
  done
  set -- "${groups[@]}"
  [ $# -gt 0 ] || set -- $groups_all
  local group total_passed=0 total_failed=0 total_skipped=0
  for group; do
    case " $groups_all " in *" $group "*) ;; *) fail "no group '$group'; there are: $groups_all" ;; esac
  done
  mkdir -p "$logs"
  need $packages_build
  need_cargo
  for group; do
    local begun=$SECONDS passed=0 failed=0 skipped=0
    log=$logs/$group.log
    : >"$log"
    say "== $group"
    "group_$group"
    printf '%-8s %4d passed %3d failed %3d skipped %5d s\n' \
      "$group" "$passed" "$failed" "$skipped" $((SECONDS - begun))
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
    total_skipped=$((total_skipped + skipped))
  done
  say "$total_passed passed, $total_failed failed, $total_skipped skipped"
  [ "$total_failed" = 0 ]
}

group_lint() {
  need $packages_lint
  check "format" cargo fmt --all --check
  check "clippy" cargo clippy --quiet --workspace --all-targets -- -D warnings
  check "clippy, simulator" cargo clippy --quiet --package innkeeper-tests --features simulator --test sim -- -D warnings
  check "shell scripts parse" each bash -n -- dev tests/groups.sh tests/guest/build tests/guest/debian tests/guest/cloud-init tests/src/lab/hypervisor.sh .ci/run \
    tests/tests/packaging/boot.sh packaging/deb/*/p*
  test_files lint
}

group_unit() {
  need $packages_unit
  cargo_tests --workspace --lib --bins
  test_files unit
}

# The simulator is built with a feature that no shipped program has; see wire/src/planted.rs. To replay one
# history, nothing else is run.
group_sim() {
  cargo_tests --package innkeeper-tests --features simulator --test sim \
    ${INNKEEPER_SIM_SEED:+what_was_promised_holds_in_every_history}
}
group_http() {
  need $packages_http
  schemathesis=$target/tools/schemathesis
  check "Schemathesis is installed" install_schemathesis
  INNKEEPER_SCHEMATHESIS=$schemathesis/bin test_files http
}

# Schemathesis and openapi-spec-validator, in an environment of their own: exactly the files that the list names.
install_schemathesis() {
  local list=control-plane/tests/schemathesis/requirements.txt
  cmp --silent $list "$schemathesis/requirements.txt" && return
  rm -rf "$schemathesis"
  # Debian's own Python, whatever other comes first in PATH: the wheels are for it.
  /usr/bin/python3 -m venv "$schemathesis" &&
    "$schemathesis/bin/pip" install --quiet --only-binary :all: --require-hashes --requirement $list &&
    cp $list "$schemathesis/requirements.txt"
}
group_crash() { test_files crash; }

group_network() {
  need $network_packages
  test_files network
}

group_libvirt() {
  need $packages_run $packages_guest $packages_debian $packages_cloud_init
  guest=$(tests/guest/build "$target/guest" 2>>"$log") || fail "the test guest could not be built"
  cloud_init=$(tests/guest/cloud-init "$target/guest/cloud-init" 2>>"$log") || fail "cloud-init could not be fetched"
  INNKEEPER_GUEST_IMAGE=$guest INNKEEPER_CLOUD_INIT=$cloud_init test_files libvirt
  real_images
}

# Servers of real Debian 12 images, ordered through the whole product: as the official image renders its network
# (netplan), and as others do (systemd-networkd).
real_images() {
  if ! as_root unshare --net --mount --pid --fork true 2>>"$log"; then
    skip "servers of real images" "this machine lets nobody make namespaces"
    return
  fi
  if ! build_programs >>"$log" 2>&1; then
    result_failed "build"
    return
  fi
  local renderer debian files=()
  for renderer in netplan networkd; do
    build_debian $renderer 2>>"$log"
    files+=(--image-file "debian-$renderer=$debian")
  done
  (lab debug innkeeper-demo --images "${files[@]}") 2>&1 | tee -a "$log" || true
  count_tally
}

# The whole job in a browser, with its own lines and tally.
group_browser() {
  need $packages_build $packages_run $packages_guest $packages_browser
  if ! as_root unshare --net --mount --pid --fork true 2>>"$log"; then
    skip "the whole job in a browser" "this machine lets nobody make namespaces"
    return
  fi
  if ! build_programs >>"$log" 2>&1; then
    result_failed "build"
    return
  fi
  build_guest >>"$log" 2>&1
  axe=$target/tools/axe
  check "axe is installed" install_axe
  (lab debug innkeeper-demo --check --axe "$axe/node_modules/axe-core/axe.min.js" --screenshots "$logs/screenshots") 2>&1 |
    tee -a "$log" || true
  count_tally
}

# axe-core, which judges pages: exactly the package whose hash is in the lock file.
install_axe() {
  cmp --silent tests/axe/package-lock.json "$axe/package-lock.json" && return
  command -v npm >/dev/null || need npm
  rm -rf "$axe" "$axe.part"
  mkdir -p "$axe.part" &&
    cp tests/axe/package.json tests/axe/package-lock.json "$axe.part/" &&
    npm ci --prefix "$axe.part" --ignore-scripts --no-audit --no-fund &&
    mv "$axe.part" "$axe"
}

# The packages in a Debian of their own. Of debug programs, which the other groups have built as well.
group_package() {
  local codename
  codename=$(. /etc/os-release && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-}") || true
  if [ -z "$codename" ]; then
    skip "packages in a minimal Debian" "this machine is not a Debian"
    return
  fi
  need $packages_package $packages_run $packages_guest
  if ! as_root unshare --net --mount --pid --cgroup --fork true 2>>"$log"; then
    skip "packages in a minimal Debian" "this machine lets nobody make namespaces"
    return
  fi
  check "programs are built" build_programs
  check "packages are made" make_packages dev "$target/package-test"
  check "lintian has nothing to say of them" judge_packages "$target/package-test"
  check "a minimal Debian is made" minimal_debian "$codename"
  guest=$(tests/guest/build "$target/guest" 2>>"$log") || fail "the test guest could not be built"
  INNKEEPER_PACKAGES=$target/package-test INNKEEPER_PROGRAMS=$target/debug INNKEEPER_MACHINE=$machine \
    INNKEEPER_GUEST_IMAGE=$guest test_files package
}

# minimal_debian CODENAME: a root with systemd and what the packages depend upon, in $machine; kept until its
# list changes.
minimal_debian() {
  local packages=systemd-sysv,dbus,iproute2,libvirt-daemon-system,libvirt-daemon-driver-qemu,qemu-system-x86,nftables,fonts-noto-cjk
  machine=$target/machine/$(echo "$1 $packages" | sha256sum | cut -c1-16)
  [ -e "$machine" ] && return
  as_root rm -rf "$target/machine"
  mkdir -p "$target/machine"
  as_root mmdebstrap --quiet --variant=minbase --include="$packages" "$1" "$machine.part" &&
    as_root mv "$machine.part" "$machine"
}

# check NAME COMMAND...: one thing that is right or not.
check() {
  local name=$1
  shift
  if "$@" >>"$log" 2>&1; then
    say "ok     $name"
    passed=$((passed + 1))
  else
    result_failed "$name"
  fi
}

# each COMMAND... -- ARGUMENT...: the command once for each argument, until it fails.
each() {
  local command=()
  while [ "$1" != -- ]; do command+=("$1") && shift; done
  shift
  local argument
  for argument; do "${command[@]}" "$argument" || return; done
}

skip() {
  say "skip   $1: $2"
  skipped=$((skipped + 1))
}

result_failed() {
  tail -n 40 "$log"
  say "FAILED $1 (all of it: $log)"
  failed=$((failed + 1))
}

# test_name FILE: an integration test is tests/NAME.rs or tests/NAME/main.rs.
test_name() {
  case $1 in */main.rs) basename "$(dirname "$1")" ;; *) basename "$1" .rs ;; esac
}

# group_of NAME: the group of an integration test, by the beginning of its name. None is forgotten.
group_of() {
  case $1 in
    tidy* | systemd*) echo lint ;;
    packaging*) echo package ;;
    sim*) echo sim ;;
    http*) echo http ;;
    crash*) echo crash ;;
    network*) echo network ;;
    libvirt*) echo libvirt ;;
    *) echo unit ;;
  esac
}

# test_files GROUP: the integration tests of all crates that belong to it.
test_files() {
  local file name options=()
  for file in */tests/*.rs */tests/*/main.rs; do
    name=$(test_name "$file")
    [ -e "$file" ] && [ "$(group_of "$name")" = "$1" ] && options+=(--test "$name")
  done
  [ ${#options[@]} = 0 ] || cargo_tests --workspace "${options[@]}"
}

# cargo_tests OPTION...: runs tests and counts them, with nextest where it is installed. A test that cannot run
# here prints `skipped: REASON` and passes; it is counted as skipped.
cargo_tests() {
  local part=$log.part status=0
  if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --no-fail-fast --no-tests pass --success-output immediate --failure-output immediate-final \
      --color never "$@" >"$part" 2>&1 || status=$?
    count_nextest "$part" $status
  else
    cargo test --no-fail-fast "$@" -- --show-output >"$part" 2>&1 || status=$?
    count_cargo_test "$part" $status
  fi
  cat "$part" >>"$log"
}

count_nextest() {
  local summary
  summary=$(grep -aE '^ *Summary \[' "$1" | tail -n 1 || true)
  count_tests "$1" "$2" "$(number passed "$summary")" "$(number 'failed|timed out' "$summary")" 0
}

count_cargo_test() {
  local results
  results=$(grep -aE '^test result: ' "$1" || true)
  count_tests "$1" "$2" "$(number passed "$results")" "$(number failed "$results")" "$(number ignored "$results")"
}

# number WORD TEXT: the sum of the numbers in front of a word.
number() {
  printf '%s\n' "$2" | grep -aoE "[0-9]+ ($1)" | awk '{ sum += $1 } END { print sum + 0 }'
}

# count_tests FILE STATUS PASSED FAILED IGNORED: adds to the group's numbers and shows what went wrong.
count_tests() {
  local reasons count
  reasons=$(grep -aoE '^ *skipped: .*' "$1" | sed 's/^ *skipped: //' | sort | uniq -c || true)
  count=$(printf '%s' "$reasons" | awk '{ sum += $1 } END { print sum + 0 }')
  [ -z "$reasons" ] || printf '%s\n' "$reasons" | sed 's/^ *\([0-9]*\) /skip   \1 x /'
  passed=$((passed + $3 - count))
  failed=$((failed + $4))
  skipped=$((skipped + $5 + count))
  if [ "$2" != 0 ]; then
    [ "$4" != 0 ] || failed=$((failed + 1)) # it did not even build, or ended early
    grep -aE '^ *(FAIL|TIMEOUT|SIGKILL|SIGABRT|SIGSEGV) |^test .* FAILED$' "$1" | sort -u || true
    tail -n 60 "$1"
    say "FAILED (all of it: $log)"
  fi
}

# count_tally: the numbers of a program that closed with `N passed, N failed`.
count_tally() {
  local tally
  tally=$(grep -aE '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1 || true)
  if [ -z "$tally" ]; then
    result_failed "the check came to no end"
    return
  fi
  passed=$((passed + $(number passed "$tally")))
  failed=$((failed + $(number failed "$tally")))
}
