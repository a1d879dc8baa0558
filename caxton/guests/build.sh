#!/usr/bin/env bash
# Builds every guest of this folder into OUT (default: this folder).  Needs: pip install '.[guests]'
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here}
python=${PYTHON:-python3}
for source in "$here"/*.c; do
    "$python" -m ziglang cc --target=wasm32-freestanding -O2 -nostdlib -Wall -Wextra -Werror \
        -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=4096 \
        "$source" -o "$out/$(basename "$source" .c).wasm"
done
