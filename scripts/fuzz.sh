#!/usr/bin/env bash
# Sets up what is missing, then looks for inputs that break a property: the property tests alone,
# with new random examples in every round, until SECONDS (3600 unless given) are over. The first
# example that fails is printed, and the exit code is 1: mend the code, and keep it as an @example.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
end=$((SECONDS + ${1:-3600}))
setup_venv test "[test]"
cd "$ROOT"
mapfile -t files < <(grep -rlE '^from hypothesis import' tests --include='test_*.py' | sort)
round=0
while [ "$SECONDS" -lt "$end" ]; do
    round=$((round + 1))
    echo "sgdlab: round $round, $((end - SECONDS)) s left"
    "$VENV/bin/python" -m pytest -q -x -p no:cacheprovider -m "hypothesis and not gpu" \
        --hypothesis-profile=fuzz "${files[@]}" || exit 1
done
echo "sgdlab: $round rounds, nothing found"
