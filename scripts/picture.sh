#!/usr/bin/env bash
# Sets up what is missing, then makes docs/report.png: runs the comparison of demo.sh in a folder of
# its own, and photographs the top of its report. Needs Chromium. With the folder of a report as an
# argument that one is photographed: scripts/picture.sh runs/NAME/report
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
for browser in chromium chromium-browser google-chrome ""; do
    [ -z "$browser" ] && fail "needs a browser: on Debian or Ubuntu, apt install chromium"
    command -v "$browser" >/dev/null 2>&1 && break
done
setup_venv run
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
if [ $# -gt 0 ]; then
    report="$(cd "$1" && pwd)"
else
    (cd "$scratch" && "$VENV/bin/sgdlab" compare study=demo)
    report="$scratch/runs/demo/report"
fi
"$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars \
    --window-size=1280,1050 --virtual-time-budget=10000 \
    --user-data-dir="$scratch/profile" --screenshot="$scratch/report.png" \
    "file://$report/report.html" 2>/dev/null
# 128 colours are enough for text and lines, and a third of the bytes.
"$VENV/bin/python" - "$scratch/report.png" "$ROOT/docs/report.png" <<'PYTHON'
import sys
from PIL import Image

Image.open(sys.argv[1]).convert("RGB").quantize(128).save(sys.argv[2], optimize=True)
PYTHON
echo "sgdlab: wrote docs/report.png"
