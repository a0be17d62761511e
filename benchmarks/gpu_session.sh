#!/usr/bin/env bash
# A session on a GPU, in the order in which its minutes are best spent: parity with the CPU, speed, then leaderboard rows.
# Every step resumes where it stopped: run the same command again. Usage: benchmarks/gpu_session.sh [folder] [minutes]
set -u
out=${1:-runs/gpu}
end=$((SECONDS + 60 * ${2:-1000000}))
mkdir -p "$out"

left() { echo $((end - SECONDS)); }
# Stops at the end of the session; what is finished stays in the run folder, what is not goes on from its checkpoint.
step() { [ "$(left)" -gt 0 ] && echo "== $*" && timeout --signal=INT "$(left)" "$@"; }
rows() { step ddbench run "$1" --device cuda --only "$2" --out "$out/$1"; }
# Whether a suite can be planned, that is whether its data and weights are here; else a sentence.
here() {
    [ "$(left)" -gt 0 ] || return 1
    local said
    said=$(ddbench plan "$1" 2>&1 >/dev/null) && return 0
    echo "== $1 is left out: ${said%%$'\n'*} \`ddbench plan $1\` says more."
    return 1
}

step pytest -q -m gpu -n 0
# At full size and without data: 256 x 256 pictures of random values, and Stable Diffusion's autoencoder with random weights in
# `encode` and `decode`; `latent` is DM of width 128 on such pictures and on codes of them. Asked of a GPU: ratios of `latent` of
# at least 20, `encode` of 13,000 images in at most 2 minutes, `decode` that does not grow.
for subject in latent encode decode; do
    step python benchmarks/speed.py "$subject" --device cuda --out "$out/$subject.json"
done
step python benchmarks/speed.py all --device cuda --out "$out/speed.json"
for suite in fashion_mnist mnist; do
    for method in random full dm; do rows "$suite" "× $method"; done
done
# In colour, latents beside pixels; what takes longer comes at the end.
colour=()
for suite in clipart imagenet_subsets; do here "$suite" && colour+=("$suite"); done
for suite in ${colour[@]+"${colour[@]}"}; do
    for method in random full dm; do rows "$suite" "× $method"; done
done
for budget in 1 10; do
    for method in dc dsa; do rows fashion_mnist "$budget ipc · identity × $method"; done
done
for budget in 1 10; do rows fashion_mnist "$budget ipc · identity × mtt"; done
for budget in 1 10; do rows fashion_mnist "$budget ipc · downsample"; done
for suite in ${colour[@]+"${colour[@]}"}; do
    for method in mtt dc; do rows "$suite" "× $method"; done
done
for budget in 1 10; do rows mnist "$budget ipc"; done
rows fashion_mnist "50 ipc"
rows mnist "50 ipc"
