#!/usr/bin/env bash
# Sets up what is missing, then runs the tests that take under ten minutes. Arguments are passed to
# pytest: scripts/test.sh -m "slow or not slow" runs all of them, scripts/test.sh tests/cli a part.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
setup_venv test "[test]"
cd "$ROOT"
# The workers, and the commands that tests start, use the same compiled files.
unset PYTHONDONTWRITEBYTECODE
case " $* " in
    *" -m "*) exec "$VENV/bin/python" -m pytest -n auto --dist loadfile "$@" ;;
    *) exec "$VENV/bin/python" -m pytest -n auto --dist loadfile -m "not slow and not gpu" "$@" ;;
esac
