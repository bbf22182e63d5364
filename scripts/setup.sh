# Sourced by demo.sh and test.sh: makes .venv from pyproject.toml under constraints.txt, or re-uses
# it. Call: setup_venv NAME [EXTRA]; NAME marks what is installed, EXTRA is for example ".[test]".
set -euo pipefail
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="${SGDLAB_VENV:-$ROOT/.venv}"

fail() { echo "sgdlab: $*" >&2; exit 1; }

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3 python; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "needs Python 3.11 or newer; found $(python3 --version 2>&1 || echo none)." \
        "Install it, or name it: PYTHON=/path/to/python3.12 $0"
}

make_venv() {
    local python
    python="$(find_python)"
    "$python" -c 'import venv, ensurepip' 2>/dev/null || fail \
        "$python has no venv module. On Debian or Ubuntu: apt install python3-venv;" \
        "on Fedora: dnf install python3-pip"
    echo "sgdlab: creating $VENV (once; a few minutes)"
    "$python" -m venv "$VENV"
}

setup_venv() {
    local name="$1" extra="${2:-}" stamp wanted
    stamp="$VENV/.sgdlab-$name"
    wanted="$(cat "$ROOT/pyproject.toml" "$ROOT/constraints.txt" | cksum) $ROOT"
    [ -x "$VENV/bin/python" ] || make_venv
    if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
        "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
            --constraint "$ROOT/constraints.txt" --editable "$ROOT$extra"
        echo "$wanted" > "$stamp"
    fi
}
