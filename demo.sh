#!/bin/sh
# Show tellapart in a minute, on images that come with scikit-learn: no download.
set -eu
say() { printf '\n$ %s\n' "$*"; "$@"; }

out=${1:-runs/demo}  # the output folder; an image is written beside it
rm -rf "$out" "$out.png"
say tellapart show digits --count 10 --save "$out.png"
say tellapart train digits --model mlp --out "$out"
say tellapart evaluate "$out/bundle" digits
say tellapart show digits --image 3 --save "$out/three.png"
say tellapart predict "$out/bundle" "$out/three.png"
cat <<TRY

Next:
  tellapart serve $out/bundle             # then open the address it prints, and drop $out/three.png on it
  tellapart train PHOTOS                       # your own images: one folder per class
  tellapart --help
TRY
