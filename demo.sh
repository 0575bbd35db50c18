#!/bin/sh
# What tellapart does, in a minute, on images that come with scikit-learn: no download.
set -eu
say() { printf '\n$ %s\n' "$*"; "$@"; }

out=runs/demo
rm -rf "$out" runs/demo.png
say tellapart show digits --count 10 --save runs/demo.png
say tellapart train digits --model mlp --out "$out"
say tellapart evaluate "$out/bundle" digits
say tellapart show digits --image 3 --save "$out/three.png"
say tellapart predict "$out/bundle" "$out/three.png"
cat <<'TRY'

Next:
  tellapart serve runs/demo/bundle             # then open the address it prints, and drop runs/demo/three.png on it
  tellapart train PHOTOS                       # your own images: one folder per class
  tellapart --help
TRY
