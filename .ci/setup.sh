#!/bin/sh
# The steps of "make setup". Each is safe to repeat.
set -eu

say() { printf '%s\n' "setup: $*" >&2; }
fail() { say "$*"; exit 1; }
is_root() { [ "$(id -u)" = 0 ]; }
has_apt() { command -v apt-get >/dev/null 2>&1; }

apt_install() {
    say "installing $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

# Without PYTHON it is Debian's own, where it can make an environment: built with optimisations, it does the same work in
# little more than half the time of one that pyenv built.
chosen_python() {
    if [ -n "${PYTHON:-}" ]; then
        printf '%s\n' "$PYTHON"
    elif fits /usr/bin/python3 && /usr/bin/python3 -c 'import ensurepip, venv' 2>/dev/null; then
        printf '%s\n' /usr/bin/python3
    else
        printf '%s\n' python3
    fi
}

setup_python() {
    venv=$1
    python=$(chosen_python)
    if ! command -v "$python" >/dev/null 2>&1; then
        if is_root && has_apt; then apt_install python3 python3-venv; else
            fail "Python 3.11 to 3.13 is needed and '$python' is not there; install it, or say make PYTHON=/path/to/python3"
        fi
    fi
    fits "$python" ||
        fail "Python 3.11 to 3.13 is needed; '$python' is $("$python" -V 2>&1). Say make PYTHON=/path/to/python3"
    if [ -x "$venv/bin/python" ] && ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        rm -rf "$venv"
    fi
    if [ ! -x "$venv/bin/python" ]; then
        # Debian ships venv without the part that puts pip in.
        if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            if is_root && has_apt; then apt_install python3-venv; else
                fail "'$python -m venv' does not work; as root: apt-get install python3-venv"
            fi
        fi
        "$python" -m venv "$venv"
    fi
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
}

setup_node() {
    if ! command -v npm >/dev/null 2>&1; then
        if is_root && has_apt; then apt_install nodejs npm; else
            fail "Node 20.19 or later with npm is needed; on Debian 13: apt-get install nodejs npm"
        fi
    fi
    node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
        fail "Node 20.19 or later is needed; this is $(node --version)"
    cd web
    npm ci --silent --no-audit --no-fund
}

# Tests start servers of their own; Debian's package would also make one and start it at each boot.
no_postgres_service() {
    [ ! -e /etc/postgresql-common ] || return 0
    mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
}

# Tests use promtool, and NATS servers of their own. The packages also start servers at each boot, unless their units are
# masked: systemctl unmask undoes it.
no_service() {
    [ ! -e "/etc/systemd/system/$1.service" ] || return 0
    mkdir -p /etc/systemd/system
    ln -s /dev/null "/etc/systemd/system/$1.service"
}

setup_system() {
    wanted=
    command -v chromium >/dev/null 2>&1 || wanted="$wanted chromium"
    command -v whip-client >/dev/null 2>&1 || wanted="$wanted simple-whip-client"
    [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null 2>&1 || wanted="$wanted nginx-light"
    command -v curl >/dev/null 2>&1 || wanted="$wanted curl" # for HTTP/3
    [ -x /usr/sbin/varnishd ] || command -v varnishd >/dev/null 2>&1 || wanted="$wanted varnish"
    if ! command -v initdb >/dev/null 2>&1 && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
        wanted="$wanted postgresql"
    fi
    command -v ntfy >/dev/null 2>&1 || wanted="$wanted ntfy"
    command -v promtool >/dev/null 2>&1 || wanted="$wanted prometheus"
    [ -x /usr/sbin/nats-server ] || command -v nats-server >/dev/null 2>&1 || wanted="$wanted nats-server"
    command -v docker-compose >/dev/null 2>&1 || wanted="$wanted docker-compose"
    # Recorded voices and music, for the tests that put faults into sound.
    for package in core-sounds-en-g722 core-sounds-es-g722 core-sounds-fr-g722 core-sounds-it-g722 core-sounds-ru-g722 \
        prompt-de prompt-es-co prompt-fr-armelle prompt-it-menardi-wav moh-opsound-wav; do
        [ -d "/usr/share/doc/asterisk-$package" ] || wanted="$wanted asterisk-$package"
    done
    [ -n "$wanted" ] || return 0
    if is_root && has_apt; then
        case $wanted in
        *postgresql*) no_postgres_service ;;
        esac
        case $wanted in
        *prometheus*) no_service prometheus ;;
        esac
        case $wanted in
        *nats-server*) no_service nats-server ;;
        esac
        # shellcheck disable=SC2086
        apt_install $wanted || say "could not install$wanted: tests that need them will be skipped"
    else
        say "not there:$wanted. Tests that need them will be skipped; as root: apt-get install$wanted"
    fi
}

# Publishers on Node that only tests use.
setup_clients() {
    cd tests/interop/clients
    npm ci --silent --no-audit --no-fund
}

# Players that only tests/soak/test_players.py uses, in places of their own.
setup_players() {
    players=tests/soak/players
    (cd $players && npm ci --silent --no-audit --no-fund)
    [ -x build/players/bin/python ] || "$1/bin/python" -m venv build/players
    build/players/bin/python -m pip install --quiet --disable-pip-version-check -r $players/requirements.txt
    command -v mpv >/dev/null 2>&1 || {
        is_root && has_apt && apt_install mpv
    } || say "not there: mpv. Its tests will be skipped; as root: apt-get install mpv"
}

# Chromium without its windows opens a page in a third of the time. Not every system has it, and tests do without.
setup_headless_shell() {
    [ ! -x /usr/lib/chromium/chromium-headless-shell ] && is_root && has_apt || return 0
    apt-cache show chromium-headless-shell >/dev/null 2>&1 || return 0
    apt_install chromium-headless-shell || say "could not install chromium-headless-shell: tests take longer"
}

lock() {
    venv=$1
    "$venv/bin/python" -m pip install --quiet pip-tools
    flags="--quiet --strip-extras --allow-unsafe --no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host"
    # shellcheck disable=SC2086
    "$venv/bin/pip-compile" $flags --extra postgres --extra s3 --extra nats -o requirements.txt pyproject.toml
    # shellcheck disable=SC2086
    "$venv/bin/pip-compile" $flags --extra postgres --extra s3 --extra nats --extra test -c requirements.txt -o requirements-dev.txt pyproject.toml
}

step=$1
shift
case $step in
python) setup_python "$@" ;;
node) setup_node ;;
clients) setup_clients ;;
players) setup_players "$@" ;;
system)
    setup_system
    setup_headless_shell
    ;;
lock) lock "$@" ;;
*) fail "unknown step $step" ;;
esac
