#!/usr/bin/env bash
# Makes .venv on the first start, then runs the proxy, the tests, the checks or the benchmark.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

IMPORTS='import werkzeugkoppler.cli, mitmproxy.tools.dump, mitmproxy.tools.web.master'

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
    stamp=".venv/installed-$(printf '%s' "$1" | tr -cd 'a-z')"
    wanted=$(cat pyproject.toml constraints.txt | cksum)
    if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
    if ! { [ -x .venv/bin/python ] && fits .venv/bin/python; }; then
        python=$(find_python)
        say "Making .venv with $("$python" --version)"
        "$python" -m venv --clear .venv
    fi
    say "Installing into .venv (this once)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e "$1"
    # Bytecode for -O, which pip does not make: the next start need not compile.
    env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -O -c "$IMPORTS"
    printf '%s\n' "$wanted" >"$stamp"
}

# Whoever tests also runs: the development stamp counts for both.
install_to_run() {
    if [ "$(cat .venv/installed-dev 2>/dev/null)" != "$(cat pyproject.toml constraints.txt | cksum)" ]; then
        install .
    fi
}

case "${1:-}" in
    test)
        shift
        install '.[dev]'
        exec .venv/bin/python -m pytest "$@"
        ;;
    check)
        install '.[dev]'
        .venv/bin/ruff format --check .
        .venv/bin/ruff check .
        .venv/bin/mypy
        ;;
    bench)
        shift
        install '.[dev]'
        PYTHONPATH=addon:. exec .venv/bin/python -m bench "$@"
        ;;
    *)
        install_to_run
        # -O: mitmproxy checks the types of every message otherwise, a tenth of a small request's time.
        exec .venv/bin/python -O -m werkzeugkoppler.cli "$@"
        ;;
esac
