#!/usr/bin/env bash
# Builds Gatewright, starts the demo and makes one call through the gateway.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: ./install.sh [--port-base N] [--stack [--yes]]   build, start, call
       ./install.sh show                                addresses and password again
       ./install.sh stop                                stop what was started

  --port-base N   gateway on N, management API on N+1, portal on N+2, status on
                  N+3 (default 8000)
  --stack         on Postgres and Redis in place of the embedded default: those
                  of GATEWRIGHT_DATABASE_URL and GATEWRIGHT_REDIS_URL; else
                  docker compose where an engine answers; else the
                  distribution's packages, after asking
  --yes           do not ask before packages are installed
TEXT
}

cd "$(dirname "$0")"
root=$PWD
run=$root/.run
state=$run/state
log=$run/gatewright.log
started=$SECONDS

port_base=
new_password=
mode=embedded
yes=no

say() { printf '[%3ds] %s\n' $((SECONDS - started)) "$*"; }
die() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

# ---- what is remembered between runs -------------------------------------

# Values are written with %q and read by the shell; the file is ours alone.
remember() {
    local key=$1 value=$2 kept=
    [ ! -e "$state" ] || kept=$(grep -v "^$key=" "$state" || true)
    (
        umask 077
        { [ -z "$kept" ] || printf '%s\n' "$kept"; printf '%s=%q\n' "$key" "$value"; } >"$state.new"
    )
    mv "$state.new" "$state"
    printf -v "$key" '%s' "$value"
}

recall() {
    PORT_BASE='' MODE='' PID='' BUILD='' DATABASE_URL='' REDIS_URL='' ADMIN_EMAIL='' ADMIN_PASSWORD='' CREDENTIAL='' SECRET='' STACK_DIR='' STACK_PASSWORD=''
    # shellcheck disable=SC1090
    [ ! -e "$state" ] || . "$state"
}

random_word() { head -c 512 /dev/urandom | LC_ALL=C tr -dc 'A-Za-z0-9' | cut -c "1-$1"; }

# ---- what it takes -------------------------------------------------------

check_tools() {
    local version
    if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
        die "the Rust toolchain is missing. Get it with
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh
and open a new shell."
    fi
    version=$(rustc --version | sed -n 's/^rustc \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
    # shellcheck disable=SC2086
    set -- $version
    if [ "${1:-0}" -lt 1 ] || { [ "$1" = 1 ] && [ "${2:-0}" -lt 95 ]; }; then
        die "Rust 1.95 or newer is needed, this is $(rustc --version). Get it with: rustup update stable"
    fi
    command -v cc >/dev/null || die "a C compiler is missing. On Debian and Ubuntu: apt-get install gcc libc6-dev; on Fedora: dnf install gcc; on macOS: xcode-select --install"
    command -v curl >/dev/null || die "curl is missing. On Debian and Ubuntu: apt-get install curl"
    say "tools: $(rustc --version | cut -d ' ' -f 1,2), $(cc --version | head -n 1)"
}

build() {
    local pid compiled next=15
    say "building (the first time takes up to 15 minutes on two cores; log: .run/build.log)"
    cargo build --release --locked -p gatewright >"$run/build.log" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        sleep 1
        if [ $((SECONDS - started)) -ge $next ]; then
            compiled=$(grep -c '^ *Compiling' "$run/build.log" || true)
            say "building: $compiled crates so far"
            next=$((SECONDS - started + 15))
        fi
    done
    if ! wait "$pid"; then
        tail -n 20 "$run/build.log" >&2
        die "the build failed; the whole log is .run/build.log"
    fi
    binary=${CARGO_TARGET_DIR:-$root/target}/release/gatewright
    [ -x "$binary" ] || die "cargo built no $binary"
    say "built $binary"
}

# ---- ports and processes -------------------------------------------------

# Who listens on a port, as far as this user may see it; empty when it is free.
listener() {
    if command -v ss >/dev/null; then
        ss -Hltnp "sport = :$1" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1 (pid \2)/p' | head -n 1
    elif command -v lsof >/dev/null; then
        lsof -nP -iTCP:"$1" -sTCP:LISTEN 2>/dev/null | awk 'NR == 2 { print $1 " (pid " $2 ")" }'
    fi
}

is_taken() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

check_ports() {
    local offset port who
    for offset in 0 1 2 3; do
        port=$((PORT_BASE + offset))
        if is_taken "$port"; then
            who=$(listener "$port")
            die "port $port is taken by ${who:-a process of another user}. Stop it, or take other ports: ./install.sh --port-base $((PORT_BASE + 1000))"
        fi
    done
}

# Whether the process that we started is still that process.
is_running() {
    [ -n "$PID" ] && kill -0 "$PID" 2>/dev/null && ps -o args= -p "$PID" 2>/dev/null | grep -q 'gatewright demo'
}

stop_server() {
    local waited=0
    is_running || return 0
    say "stopping the demo (pid $PID)"
    kill -TERM "$PID"
    while is_running; do
        sleep 0.2
        waited=$((waited + 1))
        if [ $waited -gt 300 ]; then die "pid $PID does not end; its log is .run/gatewright.log"; fi
    done
}

stop_all() {
    recall
    if is_running; then stop_server; else say "the demo is not running"; fi
    if [ "$STACK_DIR" = docker ]; then
        say "stopping the containers; their data is kept"
        docker compose stop postgres redis
    elif [ -n "$STACK_DIR" ]; then
        stop_stack
    fi
}

# ---- Postgres and Redis --------------------------------------------------

use_stack() {
    if [ -n "${GATEWRIGHT_DATABASE_URL:-}${GATEWRIGHT_REDIS_URL:-}" ]; then
        if [ -z "${GATEWRIGHT_DATABASE_URL:-}" ] || [ -z "${GATEWRIGHT_REDIS_URL:-}" ]; then
            die "set both GATEWRIGHT_DATABASE_URL and GATEWRIGHT_REDIS_URL, or neither"
        fi
        say "Postgres and Redis as the environment says"
        remember STACK_DIR ''
        remember DATABASE_URL "$GATEWRIGHT_DATABASE_URL"
        remember REDIS_URL "$GATEWRIGHT_REDIS_URL"
    elif command -v docker >/dev/null && docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; then
        use_containers
    else
        use_packages
    fi
}

# What the binary has to know of the stores, also when it runs already.
export_stack() {
    export GATEWRIGHT_DATABASE_URL=$DATABASE_URL GATEWRIGHT_REDIS_URL=$REDIS_URL
    [ -z "${GATEWRIGHT_MASTER_KEY:-}" ] || return 0
    [ -e "$run/master.key" ] || (umask 077 && head -c 32 /dev/urandom | base64 >"$run/master.key")
    export GATEWRIGHT_MASTER_KEY_FILE=$run/master.key
}

use_containers() {
    say "starting Postgres and Redis with docker compose"
    # Compose reads the whole file, also the service that is not started.
    GATEWRIGHT_MASTER_KEY=unused docker compose up --detach --wait postgres redis
    remember STACK_DIR docker
    remember DATABASE_URL "postgres://gatewright:${GATEWRIGHT_POSTGRES_PASSWORD:-gatewright}@127.0.0.1:${GATEWRIGHT_POSTGRES_PORT:-55432}/gatewright"
    remember REDIS_URL "redis://127.0.0.1:${GATEWRIGHT_REDIS_PORT:-56379}/0"
}

postgres_bin() {
    local found
    found=$(find /usr/lib/postgresql /usr/local/pgsql -maxdepth 3 -name initdb 2>/dev/null | sort -V | tail -n 1 || true)
    [ -n "$found" ] || found=$(command -v initdb || true)
    [ -z "$found" ] || dirname "$found"
}

install_packages() {
    local missing=() answer
    [ -n "$(postgres_bin)" ] || missing+=(postgresql)
    command -v redis-server >/dev/null || missing+=(redis-server)
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        die "no docker engine answers, and these packages are missing: ${missing[*]}. Install them, or set GATEWRIGHT_DATABASE_URL and GATEWRIGHT_REDIS_URL."
    fi
    if [ "$yes" = no ]; then
        read -r -p "Install the packages ${missing[*]}? [y/N] " answer || answer=
        case $answer in y | Y | yes) ;; *) die "nothing was installed; --yes installs without asking" ;; esac
    fi
    say "installing ${missing[*]}"
    # Servers of our own are started below; the packages' default ones are not wanted.
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
    apt-get update -q >"$run/packages.log" 2>&1
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends "${missing[@]}" \
        >>"$run/packages.log" 2>&1 || die "the packages could not be installed; see .run/packages.log"
}

# Postgres does not run as root; root lends it the account of its package.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"
    else
        "$@"
    fi
}

use_packages() {
    local bin dir=$run/stack
    install_packages
    bin=$(postgres_bin)
    # The account of Postgres must be able to reach its files. Each checkout has
    # a folder of its own: its password and master key fit no other's data.
    [ "$(id -u)" != 0 ] || dir=/var/lib/gatewright-stack/$(printf '%s' "$root" | cksum | cut -d ' ' -f 1)
    remember STACK_DIR "$dir"
    [ -n "$STACK_PASSWORD" ] || remember STACK_PASSWORD "$(random_word 32)"
    mkdir -p "$dir/postgres" "$dir/redis"
    # What runs from an earlier start may listen on other ports.
    stop_stack
    start_postgres "$bin" "$dir/postgres" $((PORT_BASE + 10))
    start_redis "$dir/redis" $((PORT_BASE + 11))
}

start_postgres() {
    local bin=$1 dir=$2 port=$3 found
    if [ ! -e "$dir/data/PG_VERSION" ]; then
        say "making a Postgres cluster in $dir"
        (umask 077 && printf '%s\n' "$STACK_PASSWORD" >"$dir/password")
        [ "$(id -u)" != 0 ] || chown -R postgres: "$dir"
        as_postgres "$bin/initdb" --auth=scram-sha-256 --username=gatewright --pwfile="$dir/password" \
            --encoding=UTF8 -D "$dir/data" >"$run/postgres.log" 2>&1 || die "initdb failed; see .run/postgres.log"
        rm "$dir/password"
    fi
    say "starting Postgres on port $port"
    as_postgres "$bin/pg_ctl" start --wait --silent -D "$dir/data" -l "$dir/log" \
        -o "-c port=$port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir" ||
        die "Postgres does not start; see $dir/log"
    found=$(PGPASSWORD=$STACK_PASSWORD "$bin/psql" -qXtA -h 127.0.0.1 -p "$port" -U gatewright -d postgres \
        -c "SELECT 1 FROM pg_database WHERE datname = 'gatewright'") ||
        die "Postgres in $dir has another password. Move that folder away to begin anew."
    [ "$found" = 1 ] || PGPASSWORD=$STACK_PASSWORD "$bin/createdb" -h 127.0.0.1 -p "$port" -U gatewright gatewright
    remember DATABASE_URL "postgres://gatewright:$STACK_PASSWORD@127.0.0.1:$port/gatewright"
}

start_redis() {
    local dir=$1 port=$2
    say "starting Redis on port $port"
    # A file and not arguments: those can be read by every user of the machine.
    (
        umask 077
        printf '%s\n' "port $port" "bind 127.0.0.1" "dir $dir" "appendonly yes" "daemonize yes" \
            "pidfile $dir/pid" "logfile $dir/log" "requirepass $STACK_PASSWORD" >"$dir/redis.conf"
    )
    redis-server "$dir/redis.conf" >/dev/null || die "Redis does not start; see $dir/log"
    remember REDIS_URL "redis://:$STACK_PASSWORD@127.0.0.1:$port/0"
}

stop_stack() {
    local bin pid
    bin=$(postgres_bin)
    if [ -n "$bin" ] && [ -e "$STACK_DIR/postgres/data/postmaster.pid" ]; then
        say "stopping Postgres"
        as_postgres "$bin/pg_ctl" stop --wait --silent -m fast -D "$STACK_DIR/postgres/data" || true
    fi
    pid=$(cat "$STACK_DIR/redis/pid" 2>/dev/null || true)
    if [ -n "$pid" ] && ps -o args= -p "$pid" 2>/dev/null | grep -q '^[^ ]*redis-server'; then
        say "stopping Redis"
        kill -TERM "$pid"
        while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    fi
}

# ---- the demo ------------------------------------------------------------

data_dir() { if [ "$mode" = stack ]; then echo "$run/stack-data"; else echo "$root/gatewright-data"; fi; }

start_server() {
    local data waited=0
    data=$(data_dir)
    [ -n "$ADMIN_EMAIL" ] || remember ADMIN_EMAIL admin@shop.example
    if [ -z "$ADMIN_PASSWORD" ]; then
        remember ADMIN_PASSWORD "$(random_word 24)"
        new_password=yes
    fi
    check_ports
    say "starting the demo (log: .run/gatewright.log)"
    : >"$run/ready"
    # A database that this script made is brought to the schema of this build; one
    # that was given is its owner's to migrate.
    [ -z "$STACK_DIR" ] || export GATEWRIGHT_MIGRATE=true
    GATEWRIGHT_ADMIN_EMAIL=$ADMIN_EMAIL GATEWRIGHT_ADMIN_PASSWORD=$ADMIN_PASSWORD \
        nohup "$binary" demo --data-dir "$data" \
        --gateway-listen "127.0.0.1:$PORT_BASE" \
        --management-listen "127.0.0.1:$((PORT_BASE + 1))" \
        --portal-listen "127.0.0.1:$((PORT_BASE + 2))" \
        --status-listen "127.0.0.1:$((PORT_BASE + 3))" \
        >"$run/ready" 2>"$log" </dev/null &
    remember PID $!
    remember BUILD "$(cksum <"$binary")"
    remember MODE "$mode"
    until grep -q '"event":"ready"' "$run/ready"; do
        if ! kill -0 "$PID" 2>/dev/null; then
            tail -n 20 "$log" >&2
            die "the demo did not start; its log is .run/gatewright.log"
        fi
        waited=$((waited + 1))
        [ $waited -le 600 ] || die "the demo is not ready after two minutes; its log is .run/gatewright.log"
        sleep 0.2
    done
    say "the demo is ready"
    [ -z "$new_password" ] || know_an_admin
}

# An admin whose password this folder has lost stays as they are, and another one
# is made: what is printed at the end must open the door. The password stands in
# no argument, where every user of the machine could read it.
know_an_admin() {
    local status portal=http://127.0.0.1:$((PORT_BASE + 2)) file=$run/password
    status=$(printf 'data-urlencode = "password=%s"\n' "$ADMIN_PASSWORD" |
        curl -sS --noproxy '*' --max-time 30 --config - -o /dev/null -w '%{http_code}' -H "Origin: $portal" \
            --data-urlencode "email=$ADMIN_EMAIL" "$portal/sign-in") || status=none
    [ "$status" != 303 ] || return 0
    remember ADMIN_EMAIL "admin-$(random_word 6 | tr '[:upper:]' '[:lower:]')@shop.example"
    say "the admin that is there has a password that is not known here; making another: $ADMIN_EMAIL"
    (umask 077 && printf '%s\n' "$ADMIN_PASSWORD" >"$file")
    "$binary" admin create --email "$ADMIN_EMAIL" --password-file "$file" --data-dir "$(data_dir)" \
        >/dev/null 2>>"$log" || die "no admin could be made; see .run/gatewright.log"
    rm "$file"
}

# The running demo stays when it is this build on these ports and stores.
ensure_server() {
    if is_running && [ "$MODE" = "$mode" ] && [ "$BUILD" = "$(cksum <"$binary")" ] && [ "$PORT_BASE" = "$port_base" ]; then
        say "the demo is running already (pid $PID)"
        [ "$mode" = embedded ] || export_stack
        return
    fi
    stop_server
    remember PORT_BASE "$port_base"
    if [ "$mode" = stack ]; then
        use_stack
        export_stack
    fi
    start_server
}

# ---- one call ------------------------------------------------------------

# The first value of a text member `$1` in the JSON text `$2`; empty when there is none.
first() {
    local pattern="\"$1\":\"([^\"]*)\""
    if [[ $2 =~ $pattern ]]; then printf '%s' "${BASH_REMATCH[1]}"; fi
}

manage() {
    local method=$1 path=$2
    shift 2
    curl -sS --noproxy '*' --max-time 30 -X "$method" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
        "http://127.0.0.1:$((PORT_BASE + 1))/api/v1$path" "$@"
}

first_call() {
    local token application plans plan id answer status gateway=http://127.0.0.1:$PORT_BASE
    say "issuing a key and calling the gateway"
    token=$("$binary" token create --user "$ADMIN_EMAIL" --name "install $(date -u +%Y-%m-%dT%H:%M:%SZ)" \
        --data-dir "$(data_dir)" 2>>"$log") || die "no management token; see .run/gatewright.log"
    application=$(first id "$(manage GET /applications/first-call)")
    if [[ $application != app_* ]]; then
        answer=$(manage POST /applications -d '{"name":"First call","slug":"first-call","environment":"test"}')
        application=$(first id "$answer")
        [[ $application == app_* ]] || die "no application was made: $answer"
    fi
    plans=$(manage GET /apis/catalog/plans)
    plan=
    while read -r id; do
        answer=$(manage GET "/plans/$id")
        if [[ $answer == *'"slug":"free"'* ]]; then plan=$id; fi
    done < <(grep -o 'plan_[0-9a-z]\{26\}' <<<"$plans" | sort -u)
    [ -n "$plan" ] || die "the demo has no free plan; see .run/gatewright.log"
    # A second run finds the subscription of the first: that is a conflict, and fine.
    manage POST "/applications/$application/subscriptions" -d "{\"plan_id\":\"$plan\"}" >/dev/null
    if [ -n "$CREDENTIAL" ]; then manage POST "/credentials/$CREDENTIAL/revoke" >/dev/null; fi
    answer=$(manage POST "/applications/$application/credentials" -d '{"kind":"api_key","name":"install"}')
    remember CREDENTIAL "$(first id "$answer")"
    remember SECRET "$(first secret "$answer")"
    [ -n "$SECRET" ] || die "no key was issued: $answer"
    for _ in $(seq 50); do
        status=$(curl -sS --noproxy '*' --max-time 30 -o "$run/answer" -w '%{http_code}' -H "X-API-Key: $SECRET" "$gateway/catalog/v2/products?limit=2")
        [ "$status" != 200 ] || break
        sleep 0.1
    done
    [ "$status" = 200 ] || die "the call was answered with $status: $(cat "$run/answer")"
    printf '\n$ curl -H "X-API-Key: %s" "%s/catalog/v2/products?limit=2"\n' "$SECRET" "$gateway"
    cat "$run/answer"
    printf '\n'
}

show() {
    recall
    [ -n "$PORT_BASE" ] || die "nothing is installed yet; run ./install.sh"
    is_running || say "the demo is not running; ./install.sh starts it"
    cat <<TEXT

  Portal      http://127.0.0.1:$((PORT_BASE + 2))/
  Console     http://127.0.0.1:$((PORT_BASE + 2))/console
  Management  http://127.0.0.1:$((PORT_BASE + 1))/api/v1
  Gateway     http://127.0.0.1:$PORT_BASE
  Admin       $ADMIN_EMAIL
  Password    $ADMIN_PASSWORD
  API key     $SECRET

  Log         .run/gatewright.log
  Show again  ./install.sh show
  Stop        ./install.sh stop
TEXT
}

# ---- main ----------------------------------------------------------------

install() {
    mkdir -p "$run"
    chmod 700 "$run"
    recall
    port_base=${port_base:-${PORT_BASE:-8000}}
    # The embedded default is embedded, whatever a shell has exported for other work.
    [ "$mode" = stack ] || unset GATEWRIGHT_DATABASE_URL GATEWRIGHT_REDIS_URL
    check_tools
    build
    ensure_server
    first_call
    show
}

main() {
    local command=install
    while [ $# -gt 0 ]; do
        case $1 in
        stop | show) command=$1 ;;
        --stack) mode=stack ;;
        --yes) yes=yes ;;
        --port-base)
            [ $# -gt 1 ] || die "--port-base needs a number"
            shift
            port_base=$1
            ;;
        --port-base=*) port_base=${1#*=} ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            usage >&2
            exit 64
            ;;
        esac
        shift
    done
    case $port_base in
    *[!0-9]*) die "--port-base needs a number, not $port_base" ;;
    ?*) { [ "$port_base" -ge 1 ] && [ "$port_base" -le 65500 ]; } || die "--port-base is between 1 and 65500" ;;
    esac
    case $command in
    stop) stop_all ;;
    show) show ;;
    install) install ;;
    esac
}

main "$@"
