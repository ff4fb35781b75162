#!/usr/bin/env bash
# Makes .venv on the first start, then runs the proxy, the tests, the checks or the benchmark.
set -euo pipefail
HERE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
VENV=$HERE/.venv

IMPORTS='import werkzeugkoppler.cli, mitmproxy.tools.dump, mitmproxy.tools.web.master
import werkzeugkoppler.tools.mcp_servers.server, werkzeugkoppler.inspecting.command, werkzeugkoppler.explain.command'

say() { printf '%s\n' "$*" >&2; }

# A Python that runs and is new enough: a name on the PATH may be a shim that fails.
fits() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 13))' >/dev/null 2>&1; }

find_python() {
    local candidate
    for candidate in python3.14 python3.13 python3 python "$HOME"/.pyenv/versions/3.*/bin/python3; do
        if fits "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    if candidate=$(uv python find '>=3.13' 2>/dev/null) && fits "$candidate"; then
        printf '%s\n' "$candidate"
        return
    fi
    say "No Python 3.13 or newer was found (with its venv module)."
    say "Install one, for example: apt install python3.13 python3.13-venv, brew install python@3.13,"
    say "pyenv install 3.13, or uv python install 3.13. Then start again."
    return 1
}

# install WHAT: `.` to run, `.[dev]` to test. Done again only when what is asked for has changed.
install() {
    local stamp wanted python
    stamp="$VENV/installed-$(printf '%s' "$1" | tr -cd 'a-z')"
    wanted=$(cat "$HERE/pyproject.toml" "$HERE/constraints.txt" | cksum)
    if [ -x "$VENV/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
    if ! { [ -x "$VENV/bin/python" ] && fits "$VENV/bin/python"; }; then
        python=$(find_python)
        say "Making .venv with $("$python" --version)"
        "$python" -m venv --clear "$VENV"
    fi
    say "Installing into .venv (this once)"
    (cd "$HERE" && "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e "$1")
    # Bytecode for -O, which pip does not make: the next start need not compile.
    env -u PYTHONDONTWRITEBYTECODE "$VENV/bin/python" -O -c "$IMPORTS"
    printf '%s\n' "$wanted" >"$stamp"
}

# Whoever tests also runs: the development stamp counts for both.
install_to_run() {
    if [ "$(cat "$VENV/installed-dev" 2>/dev/null)" != "$(cat "$HERE/pyproject.toml" "$HERE/constraints.txt" | cksum)" ]; then
        install .
    fi
}

case "${1:-}" in
    test)
        shift
        install '.[dev]'
        cd "$HERE"
        exec "$VENV/bin/python" -m pytest "$@"
        ;;
    check)
        install '.[dev]'
        cd "$HERE"
        "$VENV/bin/ruff" format --check .
        "$VENV/bin/ruff" check .
        "$VENV/bin/mypy"
        ;;
    doctor | explain)
        install_to_run
        exec "$VENV/bin/python" -P -O -m "werkzeugkoppler.$1" "${@:2}"
        ;;
    inspect)
        shift
        install_to_run
        exec "$VENV/bin/python" -P -O -m werkzeugkoppler.inspecting "$@"
        ;;
    replay | fork)
        install_to_run
        exec "$VENV/bin/python" -P -O -m werkzeugkoppler.playing "$@"
        ;;
    bench)
        shift
        install '.[dev]'
        cd "$HERE"
        PYTHONPATH=addon:. exec "$VENV/bin/python" -m bench "$@"
        ;;
    *)
        install_to_run
        # -O: mitmproxy checks the types of every message otherwise, a tenth of a small request's time.
        # -P: the folder it is started in is the user's, nothing is imported from there.
        exec "$VENV/bin/python" -P -O -m werkzeugkoppler.cli "$@"
        ;;
esac
